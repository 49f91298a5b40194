// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITreasury} from "../../../contracts/interfaces/ITreasury.sol";
import {CASH_MAX, EPOCH_MAX} from "../../../contracts/types/Account.sol";
import {Accounts} from "./Accounts.sol";

contract Treasury_revoke_Test is Accounts {
    function testFuzz_revoke_movesTheEpochAlone(uint256 cash, uint40 round, uint8 index, uint8 times) public {
        cash = bound(cash, 0, CASH_MAX);
        index = uint8(bound(index, 0, 79));
        address owner = ownerWith(cash, 0, 0);
        escrowSigned(owner, 0, round, index, 0);
        for (uint32 i = 1; i <= times % 8; ++i) {
            vm.expectEmit(address(treasury));
            emit ITreasury.Revoked(owner, i);
            revoke(owner);
        }
        (uint256 left, uint32 epoch, uint64 lastRound, uint80 used) = treasury.accountOf(owner);
        assertEq(left, cash);
        assertEq(epoch, times % 8);
        assertEq(lastRound, round);
        assertEq(used, 2 ** uint256(index));
    }

    function test_revoke_isAskedForByTheOwner() public {
        vm.expectEmit(address(treasury));
        emit ITreasury.Revoked(buyer.addr, 1);
        vm.prank(buyer.addr);
        exchange.revokeSigned();
        (, uint32 epoch,,) = treasury.accountOf(reseller.addr);
        assertEq(epoch, 0);
    }

    /* REVERTS */

    function testFuzz_revoke_revertsWhen_callerIsNotExchange(address caller) public {
        vm.assume(caller != address(exchange));
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_OnlyMarket.selector, caller));
        vm.prank(caller);
        treasury.revoke(caller);
    }

    function test_revoke_revertsWhen_callerIsDelivery() public {
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_OnlyMarket.selector, address(delivery)));
        vm.prank(address(delivery));
        treasury.revoke(buyer.addr);
    }

    /// @dev Sixteen million revocations, without making them: the account is found by what one deposit writes.
    function testFuzz_revoke_revertsWhen_epochsAreExhausted(uint256 cash) public {
        cash = bound(cash, 1, CASH_MAX);
        address owner = ownerWith(0, cash, cash);
        vm.record();
        vm.prank(owner);
        treasury.deposit(cash);
        (, bytes32[] memory writes) = vm.accesses(address(treasury));
        bytes32 slot = writes[writes.length - 1];
        uint256 account = uint256(vm.load(address(treasury), slot));
        assertEq(account >> 144, cash, "the account's slot");

        vm.store(address(treasury), slot, bytes32(account | uint256(EPOCH_MAX - 1) << 120));
        vm.expectEmit(address(treasury));
        emit ITreasury.Revoked(owner, EPOCH_MAX);
        revoke(owner);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_EpochsExhausted.selector, owner));
        revoke(owner);
        assertEq(treasury.cashOf(owner), cash);
    }
}
