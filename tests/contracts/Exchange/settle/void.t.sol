// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IExchange} from "../../../../contracts/interfaces/IExchange.sol";
import {Rounds} from "../support/Rounds.sol";

/// @dev A round that nobody cleared before delivery started gives everything back.
contract Exchange_settle_Void_Test is Rounds {
    function testFuzz_settle_givesEverythingBackWhen_roundIsVoid(
        uint256 seed_,
        uint8 orders,
        uint8 width,
        uint8 bits,
        uint32 late
    ) public {
        seed(seed_);
        stockEveryone();
        placeAnyBook(1 + orders % 24, width, bits);
        goTo(startOf(product) + late);
        settleRandomly();
        assertAllSettled(0, 0);
    }

    /// @dev At the very second at which clearing becomes impossible.
    function test_settle_givesBackFromTheSecondThatClearingEnds() public {
        placeBid(people[0], TICK, 100);
        placeOffer(sites[0], TICK, 100);
        goTo(startOf(product) - 1);
        vm.expectRevert(abi.encodeWithSelector(IExchange.Exchange_NotCleared.selector, product, round));
        exchange.settle(product, round, firstIndices(2));
        uint256 state = vm.snapshotState();
        exchange.clear(product, round);
        vm.revertToState(state);
        goTo(startOf(product));
        vm.expectRevert(abi.encodeWithSelector(IExchange.Exchange_RoundVoid.selector, product, round));
        exchange.clear(product, round);
        settleRandomly();
        assertAllSettled(0, 0);
    }

    /// @dev Rounds of one product stand alone: one is cleared and honoured, the next is void.
    function test_settle_honoursOneRoundAndGivesBackTheNext() public {
        placeBid(people[0], TICK, 100);
        placeOffer(sites[0], TICK, 100);
        clearRound();
        uint256 escrow = 70 * priceOf(TICK);
        bidAs(people[1].addr, product, TICK, 70);
        uint64 second = exchange.currentRound();
        goTo(startOf(product));
        exchange.settle(product, second, firstIndices(3));
        assertEq(moneyOf(people[1].addr), moneyBefore[people[1].addr], "back");
        assertEq(escrowOf(product), 100 * priceOf(TICK), "the first round's");
        assertGt(escrow, 0);
        settleRandomly();
        assertAllSettled(0, 0);
        assertEq(unitsOf(people[0].addr), 100);
    }
}
