// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITreasury} from "../../../contracts/interfaces/ITreasury.sol";
import {Accounts} from "./Accounts.sol";

/// @dev The treasury against a model of four numbers: what each owner has, and what the market holds.
contract Treasury_solvency_Test is Accounts {
    struct Step {
        uint8 act;
        uint8 owner;
        uint8 payee;
        uint64 amount;
    }

    address[3] private _owners;
    uint256[3] private _cash;
    uint256[3] private _wallet;
    uint256 private _pot;
    uint256 private _donated;
    /// @dev Each signed order has an index and a round of its own.
    uint256 private _orders;

    function setUp() public override {
        super.setUp();
        for (uint256 i = 0; i < 3; ++i) {
            _owners[i] = makeAddr(string.concat("owner ", vm.toString(i)));
            (_cash[i], _wallet[i]) = (type(uint64).max / 2, type(uint64).max / 4);
            give(_owners[i], _cash[i], _wallet[i], type(uint256).max);
        }
        _donated = held() - _cash[0] - _cash[1] - _cash[2];
    }

    function testFuzz_solvency_holdsWithEqualityAfterEveryStep(Step[40] memory steps) public {
        for (uint256 i = 0; i < steps.length; ++i) {
            _step(steps[i].act % 7, steps[i].owner % 3, steps[i].payee % 3, steps[i].amount);
            uint256 owed = _pot;
            for (uint256 j = 0; j < 3; ++j) {
                assertEq(treasury.cashOf(_owners[j]), _cash[j], "cash");
                assertEq(dollar.balanceOf(_owners[j]), _wallet[j], "wallet");
                owed += _cash[j];
            }
            assertEq(held(), owed + _donated, "solvent");
        }
    }

    function _step(uint256 act, uint256 owner, uint256 payee, uint256 amount) private {
        if (act == 0) {
            amount = bound(amount, 0, _wallet[owner]);
            if (amount == 0) vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_ZeroAmount.selector));
            (_cash[owner], _wallet[owner]) = (_cash[owner] + amount, _wallet[owner] - amount);
            vm.prank(_owners[owner]);
            treasury.deposit(amount);
        } else if (act == 1) {
            amount = bound(amount, 0, _cash[owner]);
            if (amount == 0) vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_ZeroAmount.selector));
            (_cash[owner], _wallet[payee]) = (_cash[owner] - amount, _wallet[payee] + amount);
            vm.prank(_owners[owner]);
            treasury.withdraw(amount, _owners[payee]);
        } else if (act == 2) {
            _take(owner, amount);
            escrow(_owners[owner], amount);
        } else if (act == 3) {
            _take(owner, amount);
            escrowSigned(_owners[owner], amount, uint64(_orders / 80), uint8(_orders % 80), 0);
            ++_orders;
        } else if (act == 4) {
            amount = bound(amount, 0, _pot);
            (_pot, _cash[payee]) = (_pot - amount, _cash[payee] + amount);
            credit(_owners[payee], amount);
        } else if (act == 5) {
            _payTwice(owner, payee, amount);
        } else {
            amount = bound(amount, 0, _wallet[owner]);
            (_wallet[owner], _donated) = (_wallet[owner] - amount, _donated + amount);
            vm.prank(_owners[owner]);
            dollar.transfer(address(treasury), amount);
        }
    }

    /// @dev Cash first, then the wallet; expects a refusal, and changes nothing, where both are short.
    function _take(uint256 owner, uint256 amount) private {
        uint256 reach = _cash[owner] + _wallet[owner];
        if (amount > reach) {
            vm.expectRevert(
                abi.encodeWithSelector(ITreasury.Treasury_InsufficientCash.selector, _owners[owner], reach, amount)
            );
            return;
        }
        uint256 short = amount > _cash[owner] ? amount - _cash[owner] : 0;
        (_cash[owner], _wallet[owner]) = (_cash[owner] + short - amount, _wallet[owner] - short);
        _pot += amount;
    }

    /// @dev Two payments in one call, perhaps to one owner.
    function _payTwice(uint256 first, uint256 second, uint256 amount) private {
        amount = bound(amount, 0, _pot);
        uint256[] memory payments = new uint256[](2);
        payments[0] = payment(_owners[first], amount / 2)[0];
        payments[1] = payment(_owners[second], amount - amount / 2)[0];
        _pot -= amount;
        _cash[first] += amount / 2;
        _cash[second] += amount - amount / 2;
        vm.prank(address(exchange));
        treasury.credit(payments);
    }
}
