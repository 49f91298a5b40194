// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITreasury} from "../../../contracts/interfaces/ITreasury.sol";
import {CASH_MAX} from "../../../contracts/types/Account.sol";
import {Accounts} from "./Accounts.sol";

contract Treasury_credit_Test is Accounts {
    mapping(address owner => uint256) private _owed;

    /// @dev Payments to few owners, so that some come twice, and some that are none.
    function testFuzz_credit_addsEachPayment(uint96[16] memory amounts, uint8[16] memory owners) public {
        uint256[] memory payments = new uint256[](amounts.length);
        for (uint256 i = 0; i < amounts.length; ++i) {
            if (owners[i] % 8 == 7) continue;
            address owner = address(uint160(uint256(owners[i] % 8) + 1));
            payments[i] = payment(owner, amounts[i])[0];
            _owed[owner] += amounts[i];
        }
        uint256 before = held();
        vm.prank(address(exchange));
        treasury.credit(payments);
        for (uint160 i = 1; i <= 8; ++i) {
            assertEq(treasury.cashOf(address(i)), _owed[address(i)]);
        }
        assertEq(treasury.cashOf(address(0)), 0);
        assertEq(held(), before);
    }

    function testFuzz_credit_leavesTheRestOfTheAccount(uint96 amount, uint40 round, uint8 index) public {
        index = uint8(bound(index, 0, 79));
        address owner = makeAddr("owner");
        revoke(owner);
        escrowSigned(owner, 0, round, index, 1);
        credit(owner, amount);
        (uint256 cash, uint32 epoch, uint64 lastRound, uint80 used) = treasury.accountOf(owner);
        assertEq(cash, amount);
        assertEq(epoch, 1);
        assertEq(lastRound, round);
        assertEq(used, 2 ** uint256(index));
    }

    function test_credit_isForBothOfTheMarketsContracts() public {
        vm.prank(address(exchange));
        treasury.credit(payment(thief.addr, 1));
        vm.prank(address(delivery));
        treasury.credit(payment(thief.addr, 2));
        assertEq(treasury.cashOf(thief.addr), 3);
    }

    function test_credit_callsNoToken() public {
        vm.recordLogs();
        credit(thief.addr, 1);
        assertEq(vm.getRecordedLogs().length, 0);
    }

    /* REVERTS */

    function testFuzz_credit_revertsWhen_callerIsNotTheMarket(address caller) public {
        vm.assume(caller != address(exchange) && caller != address(delivery));
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_OnlyMarket.selector, caller));
        vm.prank(caller);
        treasury.credit(payment(caller, 1));
    }

    function testFuzz_credit_revertsWhen_cashWouldOverflow(uint256 cash, uint96 amount) public {
        amount = uint96(bound(amount, 1, type(uint96).max));
        cash = bound(cash, CASH_MAX - amount + 1, CASH_MAX);
        address owner = ownerWith(cash, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_CashOverflow.selector, owner, cash, amount));
        credit(owner, amount);
    }
}
