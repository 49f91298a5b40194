// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IExchange} from "../../../contracts/interfaces/IExchange.sol";
import {IStandard} from "../../../contracts/interfaces/IStandard.sol";
import {Rounds} from "./support/Rounds.sol";
import {Rule} from "./support/Rule.sol";

contract Exchange_clear_Test is Rounds {
    using Rule for Rule.Volumes;

    function _notEnded(uint64 named) private view returns (bytes memory) {
        uint256 end_s = (uint256(named) + 1) * ROUND;
        return abi.encodeWithSelector(IExchange.Exchange_RoundNotEnded.selector, named, end_s, vm.getBlockTimestamp());
    }

    function _void(uint64 named) private view returns (bytes memory) {
        return abi.encodeWithSelector(IExchange.Exchange_RoundVoid.selector, product, named);
    }

    function _empty(uint64 named) private view returns (bytes memory) {
        return abi.encodeWithSelector(IExchange.Exchange_RoundEmpty.selector, product, named);
    }

    function _again() private view returns (bytes memory) {
        return abi.encodeWithSelector(IExchange.Exchange_AlreadyCleared.selector, product, round);
    }

    /* THE RULE */

    /// @dev Any book of bids, asks and offers, sent and signed: price, volume and the last tick of each side.
    function testFuzz_clear_followsTheRule(uint256 seed_, uint8 orders, uint8 width, uint8 bits) public {
        seed(seed_);
        stockEveryone();
        placeAnyBook(1 + orders % 24, width, bits);
        nextRound();
        Rule.Outcome memory o = volumes[round].clear();
        (uint16 bidTick, uint32 bidFilled) = _last(o, true);
        (uint16 askTick, uint32 askFilled) = _last(o, false);
        vm.expectEmit(address(exchange));
        emit IExchange.Cleared(
            product,
            round,
            uint16(o.tick),
            uint64(o.units),
            bidTick,
            bidFilled,
            uint32(volumes[round].standing[true][bidTick]),
            askTick,
            askFilled,
            uint32(volumes[round].standing[false][askTick])
        );
        exchange.clear(product, round);
        (bool cleared, uint16 priceTick, uint64 units) = exchange.clearingOf(product, round);
        assertTrue(cleared);
        assertEq(priceTick, o.tick);
        assertEq(units, o.units);
    }

    /// @dev The last tick of a side with a fill, and how much of it trades; 0 where nothing does.
    function _last(Rule.Outcome memory o, bool isBid) private pure returns (uint16 last, uint32 filled) {
        for (uint256 i = 0; i < o.bids.length; ++i) {
            uint256 j = isBid ? o.bids.length - 1 - i : i;
            uint256 standing = isBid ? o.bids[j] : o.asks[j];
            if (standing == 0) continue;
            uint256 fill = Rule.fill(o, isBid, o.base + j, 0, standing);
            if (fill != 0) (last, filled) = (uint16(o.base + j), uint32(fill));
        }
    }

    function test_clear_marksARoundWithoutTradeAsCleared() public {
        placeBid(people[0], TICK, 100);
        placeOffer(sites[0], TICK + 1, 100);
        nextRound();
        vm.expectEmit(address(exchange));
        emit IExchange.Cleared(product, round, 0, 0, 0, 0, 0, 0, 0, 0);
        exchange.clear(product, round);
        (bool cleared, uint16 priceTick, uint64 units) = exchange.clearingOf(product, round);
        assertTrue(cleared);
        assertEq(priceTick, 0);
        assertEq(units, 0);
        recordClearing();
        settleRandomly();
        assertAllSettled(0, 0);
    }

    /// @dev Each round of each product has a book of its own.
    function testFuzz_clear_countsItsOwnRoundOnly(uint32 first, uint32 second) public {
        uint64[2] memory units = [uint64(bound(first, MIN_UNITS, 1e6)), uint64(bound(second, MIN_UNITS, 1e6))];
        uint256 other = productIn(2, EU_WEST, 2, 30, 24);
        for (uint256 i = 0; i < 2; ++i) {
            bidAs(people[0].addr, product, TICK, units[i]);
            offerAs(provider.addr, sites[i], product, TICK, units[i] + 1000);
            bidAs(people[0].addr, other, TICK + 100, units[1 - i]);
            offerAs(provider.addr, sites[i], other, TICK + 100, units[1 - i] + 1000);
            nextRound();
        }
        for (uint64 i = 2; i > 0; --i) {
            exchange.clear(product, round + i - 1);
            exchange.clear(other, round + i - 1);
        }
        for (uint64 i = 0; i < 2; ++i) {
            (, uint16 tick, uint64 traded) = exchange.clearingOf(product, round + i);
            assertEq(traded, units[i]);
            assertEq(tick, TICK);
            (, tick, traded) = exchange.clearingOf(other, round + i);
            assertEq(traded, units[1 - i]);
            assertEq(tick, TICK + 100);
        }
    }

    function test_clear_worksWhen_ordersArePausedAndAStrangerCalls() public {
        placeBid(people[0], TICK, 100);
        vm.startPrank(guardian);
        exchange.setOrdersPaused(true);
        capacity.setIssuePaused(true);
        vm.stopPrank();
        nextRound();
        vm.prank(thief.addr);
        exchange.clear(product, round);
    }

    /* REQUIREMENTS */

    /// @dev To the second.
    function testFuzz_clear_revertsWhen_roundHasNotEnded(uint256 early) public {
        placeBid(people[0], TICK, 100);
        uint256 end_s = uint256(round + 1) * ROUND;
        early = bound(early, 1, ROUND);
        goTo(end_s - early);
        vm.expectRevert(_notEnded(round));
        exchange.clear(product, round);
        goTo(end_s);
        exchange.clear(product, round);
    }

    function testFuzz_clear_revertsWhen_deliveryHasStarted(uint32 late) public {
        placeBid(people[0], TICK, 100);
        goTo(startOf(product) - 1);
        uint256 state = vm.snapshotState();
        exchange.clear(product, round);
        vm.revertToState(state);
        goTo(startOf(product) + late);
        vm.expectRevert(_void(round));
        exchange.clear(product, round);
    }

    function test_clear_revertsWhen_clearedBefore() public {
        placeBid(people[0], TICK, 100);
        nextRound();
        exchange.clear(product, round);
        vm.expectRevert(_again());
        exchange.clear(product, round);
        exchange.settle(product, round, firstIndices(1));
        vm.expectRevert(_again());
        exchange.clear(product, round);
    }

    function testFuzz_clear_revertsWhen_roundIsEmpty(uint64 named) public {
        placeBid(people[0], TICK, 100);
        nextRound();
        named = uint64(bound(named, 0, round - 1));
        vm.expectRevert(_empty(named));
        exchange.clear(product, named);
    }

    function test_clear_namesTheFirstThatFails() public {
        placeBid(people[0], TICK, 100);
        uint64 future = uint64(startOf(product) / ROUND) + 1;
        nextRound();
        exchange.clear(product, round);
        goTo(startOf(product));
        vm.expectRevert(_notEnded(future));
        exchange.clear(product, future);
        vm.expectRevert(_void(round));
        exchange.clear(product, round);
        vm.expectRevert(_void(round + 1));
        exchange.clear(product, round + 1);
    }

    /// @dev Its keys would be those of another round of the product without them.
    function testFuzz_clear_revertsWhen_productHasUpperBits(uint168 bits, uint64 named) public {
        vm.assume(bits != 0);
        uint256 wrong = product | (uint256(bits) << 88);
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_MalformedProduct.selector, wrong));
        exchange.clear(wrong, named);
    }

    /// @dev Else one could be cleared before it has ended.
    function testFuzz_clear_leavesARoundAloneWhen_productHasUpperBits(uint64 named) public {
        placeBid(people[0], TICK, 100);
        placeOffer(sites[0], TICK, 100);
        // A part of the round's bits in its number, the rest above the product.
        named &= round;
        try exchange.clear(product | (uint256(round ^ named) << 88), named == round ? 0 : named) {} catch {}
        (bool cleared,,) = exchange.clearingOf(product, round);
        assertFalse(cleared, "a round that has not ended was cleared");
    }

    /* COST */

    /// @dev A hundred times the orders at the same ticks: the same gas, but for what bits of calldata weigh.
    function test_clear_costsTheSameWhen_ordersAreAHundredTimesAsMany() public {
        uint256 few = _gasOf(10);
        openRound();
        uint256 many = _gasOf(1000);
        assertApproxEqRel(many, few, 0.01e18);
    }

    function _gasOf(uint256 orders) private returns (uint256) {
        for (uint256 i = 0; i < orders; ++i) {
            if (i % 2 == 0) bidAs(people[0].addr, product, uint16(TICK + 20 * (i % 10)), MIN_UNITS);
            else offerAs(provider.addr, sites[0], product, uint16(TICK + 20 * (i % 10)), MIN_UNITS);
        }
        nextRound();
        exchange.clear(product, round);
        uint256 gas_ = vm.lastCallGas().gasTotalUsed;
        (,, uint64 units) = exchange.clearingOf(product, round);
        assertGt(units, 0, "it trades");
        (, uint32 count,,,) = exchange.bookOf(product);
        exchange.settle(product, round, firstIndices(count));
        return gas_;
    }

    /// @dev The dearest book there is, every tick on both sides: far within one transaction.
    function test_clear_isBoundedWhen_everyTickStands() public {
        for (uint16 tick = 1; tick <= 1023; ++tick) {
            bidAs(people[0].addr, product, tick, MIN_UNITS);
            offerAs(provider.addr, sites[0], product, tick, MIN_UNITS);
        }
        nextRound();
        exchange.clear(product, round);
        assertLe(vm.lastCallGas().gasTotalUsed, 1_800_000);
    }
}
