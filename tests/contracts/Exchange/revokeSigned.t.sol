// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITreasury} from "../../../contracts/interfaces/ITreasury.sol";
import {OrderTerms} from "../support/OrderTerms.sol";
import {Signing} from "./support/Signing.sol";

/// @dev What revoking does to signed orders is tested where those are placed: placeSigned/replay.t.sol.
contract Exchange_revokeSigned_Test is Signing {
    function testFuzz_revokeSigned_movesTheCallersEpochOn(uint8 times) public {
        OrderTerms memory order = goodBid(people[0], 9);
        assertPlaced(sign(people[0], order), order);
        (uint256 cash,, uint64 lastRound, uint80 used) = treasury.accountOf(people[0].addr);
        for (uint32 i = 1; i <= times % 8; ++i) {
            vm.expectEmit(address(treasury));
            emit ITreasury.Revoked(people[0].addr, i);
            vm.prank(people[0].addr);
            exchange.revokeSigned();
        }
        (uint256 cashNow, uint32 epochNow, uint64 roundNow, uint80 usedNow) = treasury.accountOf(people[0].addr);
        assertEq(epochNow, times % 8);
        assertEq(cashNow, cash, "cash");
        assertEq(roundNow, lastRound, "round");
        assertEq(usedNow, used, "used");
        (, uint32 epochOfAnother,,) = treasury.accountOf(people[1].addr);
        assertEq(epochOfAnother, 0, "nobody else's");
    }

    function test_revokeSigned_leavesWhatStandsInTheBook() public {
        OrderTerms memory order = goodBid(people[0], 0);
        assertPlaced(sign(people[0], order), order);
        vm.prank(people[0].addr);
        exchange.revokeSigned();
        assertStands(0, order);
    }

    function test_revokeSigned_worksWhen_ordersArePaused() public {
        vm.prank(guardian);
        exchange.setOrdersPaused(true);
        vm.prank(people[0].addr);
        exchange.revokeSigned();
        (, uint32 epoch,,) = treasury.accountOf(people[0].addr);
        assertEq(epoch, 1);
    }
}
