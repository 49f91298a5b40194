// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IExchange} from "../../../contracts/interfaces/IExchange.sol";
import {Rounds} from "./support/Rounds.sol";
import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";

/// @dev What a pause stops is tested with each way to place orders, what it cannot stop with clear, settle and collect.
contract Exchange_setOrdersPaused_Test is Rounds {
    function testFuzz_setOrdersPaused_setsTheFlag(bool first, bool second) public {
        assertFalse(exchange.ordersPaused());
        vm.expectEmit(address(exchange));
        emit IExchange.OrdersPauseSet(first);
        vm.prank(guardian);
        exchange.setOrdersPaused(first);
        assertEq(exchange.ordersPaused(), first);
        vm.prank(guardian);
        exchange.setOrdersPaused(second);
        assertEq(exchange.ordersPaused(), second);
    }

    function testFuzz_setOrdersPaused_revertsWhen_callerIsNotGuardian(address caller, bool paused) public {
        vm.assume(caller != guardian);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, caller));
        vm.prank(caller);
        exchange.setOrdersPaused(paused);
    }

    function test_setOrdersPaused_revertsWhen_callerHasAnotherRole() public {
        address[4] memory others = [committee, auditor, arbiter, provider.addr];
        for (uint256 i = 0; i < others.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, others[i]));
            vm.prank(others[i]);
            exchange.setOrdersPaused(true);
        }
    }
}
