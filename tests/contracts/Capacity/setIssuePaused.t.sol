// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";

import {ICapacity} from "../../../contracts/interfaces/ICapacity.sol";
import {Sites} from "./Sites.sol";

contract Capacity_setIssuePaused_Test is Sites {
    function _pause(bool paused) private {
        vm.prank(guardian);
        capacity.setIssuePaused(paused);
    }

    function test_setIssuePaused_stopsMintsAndOffers() public {
        vm.expectEmit(address(capacity));
        emit ICapacity.IssuePauseSet(true);
        _pause(true);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_IssuePaused.selector));
        mintAs(provider.addr, site, tomorrow(), 10);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_IssuePaused.selector));
        offerAs(provider.addr, site, tomorrow(), TICK, 10);

        vm.expectEmit(address(capacity));
        emit ICapacity.IssuePauseSet(false);
        _pause(false);
        mintAs(provider.addr, site, tomorrow(), 10);
        offerAs(provider.addr, site, tomorrow(), TICK, 10);
    }

    /// @dev Bids, asks, transfers, clearing, settling, converting, redeeming and retiring go on: everyone can leave.
    function test_setIssuePaused_stopsNothingElse() public {
        uint256 product = tomorrow();
        sell(site, product, TICK, 100);
        offerAs(provider.addr, site, product, TICK, 100);
        bidAs(buyer.addr, product, TICK, 40);
        _pause(true);
        askAs(buyer.addr, product, TICK, 20);
        uint64 round = nextRound();
        exchange.clear(product, round);
        settleAll(product, round);

        vm.startPrank(buyer.addr);
        capacity.split(site, product, 10);
        capacity.merge(site, product, 10);
        capacity.relax(site, product, 10, WIDE);
        delivery.redeem(product, site, 10, "");
        capacity.safeTransferFrom(buyer.addr, provider.addr, product, 10, "");
        vm.stopPrank();
        vm.prank(provider.addr);
        capacity.retire(site, product, 10);
    }

    /* REVERTS */

    function testFuzz_setIssuePaused_revertsWhen_callerIsNotTheGuardian(address caller, bool paused) public {
        vm.assume(caller != guardian);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, caller));
        vm.prank(caller);
        capacity.setIssuePaused(paused);
    }
}
