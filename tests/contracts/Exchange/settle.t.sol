// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IExchange} from "../../../contracts/interfaces/IExchange.sol";
import {IStandard} from "../../../contracts/interfaces/IStandard.sol";
import {Kind} from "../../../contracts/types/Order.sol";
import {Rounds} from "./support/Rounds.sol";

/// @dev Void rounds and recipients that are contracts are tested beside: settle/void.t.sol, settle/recipients.t.sol.
contract Exchange_settle_Test is Rounds {
    function _nothing(uint64 round_, uint256 named) private view returns (bytes memory) {
        return abi.encodeWithSelector(IExchange.Exchange_NothingToSettle.selector, product, round_, named);
    }

    function _one(uint32 index) private pure returns (uint32[] memory indices) {
        indices = new uint32[](1);
        indices[0] = index;
    }

    /* EVERYTHING, EXACTLY */

    /// @dev Any book; every order in any order and portion. Then the same again, where sites owe from the first round.
    function testFuzz_settle_paysEveryoneExactly(uint256 seed_, uint8 orders, uint8 width, uint8 bits) public {
        seed(seed_);
        stockEveryone();
        placeAnyBook(1 + orders % 20, width, bits);
        clearRound();
        settleRandomly();
        assertAllSettled(0, 0);

        openRound();
        placeAnyBook(1 + orders / 20, width / 6, bits / 33);
        clearRound();
        settleRandomly();
        assertAllSettled(0, 0);
    }

    /// @dev What another round of the same product holds stays where it is.
    function testFuzz_settle_leavesOtherRoundsAlone(uint256 seed_, uint8 orders, uint64 units) public {
        seed(seed_);
        stockEveryone();
        placeAnyBook(1 + orders % 20, 2, 10);
        clearRound();
        units = uint64(bound(units, MIN_UNITS, UNITS_MAX));
        User memory other = makeUser("other");
        enrich(other.addr);
        bidAs(other.addr, product, 900, units);
        uint32 unpaid = uint32(placed.length);
        settleRandomly();
        assertAllSettled(units * priceOf(900), 0);
        vm.expectRevert(abi.encodeWithSelector(IExchange.Exchange_NotCleared.selector, product, round + 1));
        exchange.settle(product, round + 1, _one(unpaid));
    }

    /// @dev Prices are the book's, whatever the standard says now; a cleared round is honoured after delivery started.
    function test_settle_paysAsClearedWhen_deliveryHasStarted() public {
        placeBid(people[0], TICK + 10, 300);
        placeOffer(sites[0], TICK, 200);
        clearRound();
        goTo(endOf(product) + 30 days);
        settleRandomly();
        assertAllSettled(0, 0);
        assertEq(unitsOf(people[0].addr), 200);
    }

    function test_settle_worksWhen_ordersArePaused() public {
        placeBid(people[0], TICK, 300);
        placeOffer(sites[0], TICK, 200);
        clearRound();
        vm.startPrank(guardian);
        exchange.setOrdersPaused(true);
        capacity.setIssuePaused(true);
        vm.stopPrank();
        vm.prank(thief.addr);
        settleAll(product, round);
        assertAllSettled(0, 0);
    }

    /* WHAT IS PASSED OVER */

    /// @dev Slots that are settled, doubled, of another round or nobody's are passed over; the rest settles.
    function test_settle_passesOverWhatDoesNotWait() public {
        placeBid(people[0], TICK, 100);
        placeBid(people[1], TICK, 100);
        placeOffer(sites[0], TICK, 200);
        clearRound();
        bidAs(people[2].addr, product, TICK, 100);
        exchange.settle(product, round, _one(0));
        uint32[] memory indices = new uint32[](7);
        (indices[0], indices[1], indices[2], indices[3]) = (0, 1, 1, 3);
        (indices[4], indices[5], indices[6]) = (type(uint32).max, 2, 2);
        uint256[] memory fills = new uint256[](7);
        (fills[1], fills[5]) = (entry(Kind.BID, 1, 100), entry(Kind.OFFER, 2, 200));
        vm.expectEmit(address(exchange));
        emit IExchange.Settled(product, round, fills);
        exchange.settle(product, round, indices);
        assertAllSettledBut(100 * priceOf(TICK));
    }

    function assertAllSettledBut(uint256 escrow) private {
        moneyBefore[people[2].addr] -= escrow;
        assertAllSettled(escrow, 0);
    }

    function test_settle_revertsWhen_everythingIsSettled() public {
        placeBid(people[0], TICK, 100);
        placeOffer(sites[0], TICK, 100);
        clearRound();
        settleAll(product, round);
        vm.expectRevert(_nothing(round, 2));
        exchange.settle(product, round, firstIndices(2));
        assertAllSettled(0, 0);
    }

    function testFuzz_settle_revertsWhen_nobodysOrderIsNamed(uint32 index) public {
        placeBid(people[0], TICK, 100);
        clearRound();
        vm.expectRevert(_nothing(round, 1));
        exchange.settle(product, round, _one(index == 0 ? 1 : index));
        vm.expectRevert(_nothing(round, 0));
        exchange.settle(product, round, new uint32[](0));
    }

    /// @dev A round cleared, its orders named in another that is cleared too.
    function testFuzz_settle_revertsWhen_orderIsOfAnotherRound(uint8 between) public {
        placeBid(people[0], TICK, 100);
        clearRound();
        skip(uint256(between) * ROUND);
        uint64 later = exchange.currentRound();
        bidAs(people[1].addr, product, TICK, 100);
        nextRound();
        exchange.clear(product, later);
        vm.expectRevert(_nothing(later, 1));
        exchange.settle(product, later, _one(0));
        vm.expectRevert(_nothing(round, 1));
        exchange.settle(product, round, _one(1));
    }

    /// @dev Orders count rounds from the book's first, in 20 bits: no other number of a round means the same order.
    function testFuzz_settle_paysInItsOwnRoundOnly(uint64 named, uint8 late) public {
        placeBid(people[0], TICK, 100);
        skip(uint256(late) * ROUND);
        bidAs(people[1].addr, product, TICK, 100);
        goTo(startOf(product));
        uint64 second = round + late;
        uint256 waiting = (named == round ? 1 : 0) + (named == second ? 1 : 0);
        if (waiting == 0) vm.expectRevert(_nothing(named, 2));
        exchange.settle(product, named, firstIndices(2));
        (, bool firstSettled) = orderAt(0);
        (, bool secondSettled) = orderAt(1);
        assertEq(firstSettled, named == round);
        assertEq(secondSettled, named == second);
    }

    function testFuzz_settle_paysInItsOwnRoundOnlyWhen_numbersAreNear(uint8 late, uint8 kind) public {
        uint64[6] memory near = [round - 1, round, round + late, round + late + 1, round + 2 ** 20, round % 2 ** 20];
        testFuzz_settle_paysInItsOwnRoundOnly(near[kind % 6], late);
    }

    /* WHAT IS REFUSED */

    function testFuzz_settle_revertsWhen_roundIsNotCleared(uint256 when) public {
        placeBid(people[0], TICK, 100);
        placeOffer(sites[0], TICK, 100);
        goTo(bound(when, vm.getBlockTimestamp(), startOf(product) - 1));
        vm.expectRevert(abi.encodeWithSelector(IExchange.Exchange_NotCleared.selector, product, round));
        exchange.settle(product, round, firstIndices(2));
    }

    function testFuzz_settle_revertsWhen_bookWasNeverOpened(uint64 named, uint32 index) public {
        vm.expectRevert(abi.encodeWithSelector(IExchange.Exchange_NotCleared.selector, product, named));
        exchange.settle(product, named, _one(index));
        goTo(startOf(product));
        vm.expectRevert(_nothing(named, 1));
        exchange.settle(product, named, _one(index));
    }

    function testFuzz_settle_revertsWhen_productHasUpperBits(uint168 bits, uint64 named, uint32 index) public {
        vm.assume(bits != 0);
        uint256 wrong = product | (uint256(bits) << 88);
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_MalformedProduct.selector, wrong));
        exchange.settle(wrong, named, _one(index));
    }

    /// @dev Else a stranger could mark a slot as settled that nobody paid.
    function test_settle_leavesOrdersAloneWhen_productHasUpperBits() public {
        for (uint256 i = 0; i < 258; ++i) {
            placeBid(people[i % 4], TICK, 100);
        }
        goTo(startOf(product));
        for (uint256 word = 1; word < 4; ++word) {
            for (uint64 named = 0; named < 2; ++named) {
                try exchange.settle(product | (word << 88), named, firstIndices(258)) {} catch {}
                try exchange.settle(product | (word << 88), round ^ uint64(word), firstIndices(258)) {} catch {}
            }
        }
        for (uint32 i = 0; i < 258; ++i) {
            (, bool settled) = orderAt(i);
            assertFalse(settled, "settled without a payment");
        }
        settleAll(product, round);
        assertAllSettled(0, 0);
    }
}
