// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CallAuction} from "../../../contracts/libraries/CallAuction.sol";
import {Kind, packOrder} from "../../../contracts/types/Order.sol";
import {Rule} from "../Exchange/support/Rule.sol";
import {Test} from "../support/Test.sol";

/// @notice A book of orders, and the same book as plain volumes for {Rule}.
abstract contract BookTest is Test {
    using CallAuction for CallAuction.RoundBook;
    using CallAuction for CallAuction.Clearing;
    using Rule for Rule.Volumes;

    uint256 internal constant UNITS_MAX = type(uint32).max;

    struct Placed {
        bool isBid;
        uint16 tick;
        uint64 prefix;
        uint64 units;
    }

    CallAuction.RoundBook[] internal books;
    Placed[] internal placed;
    Rule.Volumes internal volumes;
    uint256 private _seed;

    function setUp() public virtual {
        books.push();
    }

    function seed(uint256 value) internal {
        _seed = value;
    }

    function random(uint256 min, uint256 max) internal returns (uint256) {
        _seed = uint256(keccak256(abi.encode(_seed)));
        return min + _seed % (max - min + 1);
    }

    function place(bool isBid, uint256 tick, uint256 units) internal {
        uint256 standing = volumes.standing[isBid][tick];
        if (units > UNITS_MAX - standing) units = UNITS_MAX - standing;
        if (units == 0) return;
        (bool fits, uint256 prefix) = books[0].add(isBid, tick, units);
        assertTrue(fits, "fits");
        assertEq(prefix, standing, "prefix");
        volumes.add(isBid, tick, units);
        placed.push(Placed(isBid, uint16(tick), uint64(prefix), uint64(units)));
    }

    /// @dev The whole clearing against the rule, with every order's fill.
    function assertRule() internal view {
        Rule.Outcome memory expected = volumes.clear();
        CallAuction.Clearing memory c = books[0].clear();
        assertTrue(c.cleared, "cleared");
        assertEq(c.units, expected.units, "units");
        assertEq(c.priceTick, expected.tick, "price tick");
        uint256 bought = 0;
        uint256 sold = 0;
        for (uint256 i = 0; i < placed.length; ++i) {
            Placed memory p = placed[i];
            uint256 fill = fillOf(c, p);
            assertEq(fill, Rule.fill(expected, p.isBid, p.tick, p.prefix, p.units), "fill");
            if (fill != 0) assertTrue(p.isBid ? p.tick >= c.priceTick : p.tick <= c.priceTick, "worse than its limit");
            if (p.isBid) bought += fill;
            else sold += fill;
        }
        assertEq(bought, expected.units, "bought");
        assertEq(sold, expected.units, "sold");
    }

    function fillOf(CallAuction.Clearing memory c, Placed memory p) internal pure returns (uint256) {
        Kind kind = p.isBid ? Kind.BID : Kind.ASK;
        return c.fillOf(packOrder(1, kind, uint16(p.tick), 0, p.prefix, p.units), p.isBid);
    }
}

contract CallAuction_add_Test is BookTest {
    using CallAuction for CallAuction.RoundBook;

    function testFuzz_add_countsEachTickOfEachSideAlone(uint256 seed_, uint8 orders) public {
        seed(seed_);
        uint256 base = random(1, 1003);
        for (uint256 i = 0; i < orders; ++i) {
            place(random(0, 1) == 0, random(base, base + 20), random(1, 1 << random(0, 31)));
        }
        // Their words' other lanes with them.
        for (uint256 tick = base < 9 ? 1 : base - 8; tick <= base + 28 && tick <= 1023; ++tick) {
            assertEq(books[0].volumeAt(true, tick), volumes.standing[true][tick], "bids");
            assertEq(books[0].volumeAt(false, tick), volumes.standing[false][tick], "asks");
        }
    }

    function testFuzz_add_refusesWhen_tickWouldPass32Bits(bool isBid, uint16 tick, uint32 standing, uint64 more)
        public
    {
        tick = uint16(bound(tick, 1, 1023));
        standing = uint32(bound(standing, 1, UNITS_MAX));
        more = uint64(bound(more, UNITS_MAX - standing + 1, type(uint64).max));
        place(isBid, tick, standing);
        (bool fits, uint256 prefix) = books[0].add(isBid, tick, more);
        assertFalse(fits);
        assertEq(prefix, standing);
        assertEq(books[0].volumeAt(isBid, tick), standing);
        (fits,) = books[0].add(isBid, tick, UNITS_MAX - standing);
        assertTrue(fits, "what just fits");
        assertEq(books[0].volumeAt(isBid, tick), UNITS_MAX);
        if (tick < 1023) assertEq(books[0].volumeAt(isBid, tick + 1), 0, "no carry into the next tick");
        if (tick > 1) assertEq(books[0].volumeAt(isBid, tick - 1), 0, "no carry into the tick before");
        assertEq(books[0].volumeAt(!isBid, tick), 0, "nor into the other side");
    }
}

contract CallAuction_clear_Test is BookTest {
    using CallAuction for CallAuction.RoundBook;
    using Rule for Rule.Volumes;

    uint256 private constant CASES = 16;

    /* AGAINST THE RULE */

    /// @dev Orders in a window of any width, the two sides overlapping as they may; few units, so that sides meet exactly
    /// and ties are frequent, or up to a full tick.
    function testFuzz_clear_followsTheRule(uint256 seed_, uint8 bids, uint8 asks, uint8 width, uint8 bits) public {
        seed(seed_);
        uint256 span = [uint256(0), 1, 2, 4, 8, 20, 150, 1022][width % 8];
        uint256 base = random(1, 1023 - span);
        uint256 most = 1 << (bits % 33);
        for (uint256 i = 0; i < bids % 32; ++i) {
            place(true, random(base, base + span), random(1, most));
        }
        for (uint256 i = 0; i < asks % 32; ++i) {
            place(false, random(base, base + span), random(1, most));
        }
        assertRule();
    }

    /// @dev Many ticks of few units, whole words full: the sides meet in the middle of a word or between two.
    function testFuzz_clear_followsTheRuleWhen_ticksAreDense(uint256 seed_, uint16 first, uint8 most) public {
        seed(seed_);
        uint256 base = bound(first, 1, 1023 - 48);
        for (uint256 tick = base; tick < base + 48; ++tick) {
            if (random(0, 9) != 0) place(true, tick, random(1, 1 + most % 8));
            if (random(0, 9) != 0) place(false, tick, random(1, 1 + most % 8));
        }
        assertRule();
    }

    /// forge-config: default.fuzz.runs = 8
    /// forge-config: ci.fuzz.runs = 32
    function testFuzz_clear_followsTheRuleWhen_everyTickStands(uint256 seed_, uint8 bits) public {
        seed(seed_);
        uint256 most = 1 << (bits % 33);
        for (uint256 tick = 1; tick <= 1023; ++tick) {
            place(true, tick, random(1, most));
            place(false, tick, random(1, most));
        }
        assertRule();
    }

    function test_clear_followsTheRuleWhen_everyTickIsFull() public {
        for (uint256 tick = 1; tick <= 1023; ++tick) {
            place(true, tick, UNITS_MAX);
            place(false, tick, UNITS_MAX);
        }
        assertRule();
        assertEq(books[0].clear().units, 512 * UNITS_MAX);
    }

    /* EVERY SMALL BOOK */

    /// @dev All 6,561 books of four neighbouring ticks with 0 … 2 units on each side, where two words meet: between ticks
    /// 7 and 8 on both sides. They decide the price in each of the 16 ways there are.
    function test_clear_followsTheRuleWhen_bookIsAnyOfFourTicks() public {
        uint256[CASES] memory seen = _assertEveryBookOf(4, 6);
        for (uint256 i = 0; i < CASES; ++i) {
            assertGt(seen[i], 0, string.concat("no book of case ", vm.toString(i)));
        }
    }

    function test_clear_followsTheRuleWhen_bookIsAnyOfTheLowestTicks() public {
        _assertEveryBookOf(3, 1);
    }

    function test_clear_followsTheRuleWhen_bookIsAnyOfTheHighestTicks() public {
        _assertEveryBookOf(3, 1021);
    }

    function _assertEveryBookOf(uint256 ticks, uint256 base) private returns (uint256[CASES] memory seen) {
        uint256[] memory bids = new uint256[](ticks);
        uint256[] memory asks = new uint256[](ticks);
        for (uint256 code = 0; code < 9 ** ticks; ++code) {
            CallAuction.RoundBook storage book = books.push();
            uint256 rest = code;
            for (uint256 i = 0; i < ticks; ++i) {
                (bids[i], asks[i]) = (rest % 3, rest / 3 % 3);
                rest /= 9;
                if (bids[i] != 0) book.add(true, base + i, bids[i]);
                if (asks[i] != 0) book.add(false, base + i, asks[i]);
            }
            Rule.Outcome memory expected = Rule.clear(base, bids, asks);
            CallAuction.Clearing memory c = book.clear();
            assertEq(c.units, expected.units, "units");
            assertEq(c.priceTick, expected.tick, "price tick");
            if (c.units == 0) continue;
            ++seen[Rule.caseOf(expected)];
            for (uint256 i = 0; i < ticks; ++i) {
                if (bids[i] != 0) _assertTickFill(c, expected, true, base + i, bids[i]);
                if (asks[i] != 0) _assertTickFill(c, expected, false, base + i, asks[i]);
            }
        }
    }

    function _assertTickFill(
        CallAuction.Clearing memory c,
        Rule.Outcome memory expected,
        bool isBid,
        uint256 tick,
        uint256 units
    ) private pure {
        uint256 fill = fillOf(c, Placed(isBid, uint16(tick), 0, uint64(units)));
        assertEq(fill, Rule.fill(expected, isBid, tick, 0, units), "fill of a tick");
    }

    /* EACH CASE, WITH ANY GAPS AND VOLUMES */

    /// @dev One ask tick and one bid tick trade; `excess` stays at one of them or at none; two more ticks of each side
    /// stand further out, somewhere. Every case of the rule is such a book, and the case it means to be is asserted.
    function testFuzz_clear_followsTheRuleWhen_caseIs(uint256 seed_, uint8 case_) public {
        seed(seed_);
        uint256 wanted = case_ % CASES;
        (bool asksLeft, bool bidsLeft, bool cutLow, bool cutHigh) =
            (wanted & 8 != 0, wanted & 4 != 0, wanted & 2 != 0, wanted & 1 != 0);
        // Six ticks, in order: a <= nnb < nb < na < nna <= b, with gaps of 1 where bids and asks must be neighbours.
        uint256 a = random(1, 300);
        uint256 nnb = a + random(0, 90);
        uint256 nb = nnb + random(1, 90);
        uint256 units = random(1, UNITS_MAX / 2);
        uint256 more = random(1, UNITS_MAX / 2);
        if (asksLeft != bidsLeft && cutLow == bidsLeft && cutHigh == asksLeft && random(0, 1) == 0) {
            // The excess stands at the last tick that trades, and the next order of its side cuts the region.
            uint256 b = nb + random(0, 400);
            place(true, b, units + (bidsLeft ? more : 0));
            place(false, a, units + (asksLeft ? more : 0));
            place(bidsLeft, nb, random(1, UNITS_MAX));
        } else {
            uint256 na = asksLeft || bidsLeft ? nb + 1 : nb + random(2, 90);
            uint256 nna = na + random(1, 90);
            uint256 b = nna + random(0, 90);
            place(true, b, units);
            place(false, a, units);
            _placeOuter(wanted, nnb, nb, na, nna, more);
        }
        assertEq(Rule.caseOf(volumes.clear()), wanted, "case");
        assertRule();
    }

    function _placeOuter(uint256 wanted, uint256 nnb, uint256 nb, uint256 na, uint256 nna, uint256 more) private {
        (bool asksLeft, bool bidsLeft, bool cutLow, bool cutHigh) =
            (wanted & 8 != 0, wanted & 4 != 0, wanted & 2 != 0, wanted & 1 != 0);
        if (!asksLeft && !bidsLeft) {
            // Balanced between the next bid and the next ask, where they are.
            if (cutLow) place(true, nb, more);
            if (cutHigh) place(false, na, more);
        } else if (asksLeft && bidsLeft) {
            place(true, nb, more);
            place(false, na, more);
            if (cutLow) place(true, nnb, more);
            if (cutHigh) place(false, nna, more);
        } else if (asksLeft) {
            // Fewer asks than bids next to the meeting point, or no bids there at all.
            place(false, cutLow ? na : minTick(), more);
            if (cutLow) place(true, nb, more + random(1, UNITS_MAX / 2));
            if (cutHigh) place(false, nna, more);
        } else {
            place(true, cutHigh ? nb : maxTick(), more);
            if (cutHigh) place(false, na, more + random(1, UNITS_MAX / 2));
            if (cutLow) place(true, nnb, more);
        }
    }

    /// @dev The lowest tick with asks, the highest with bids: what trades stands there alone so far.
    function minTick() private view returns (uint256 tick) {
        for (tick = 1; volumes.standing[false][tick] == 0;) {
            ++tick;
        }
    }

    function maxTick() private view returns (uint256 tick) {
        for (tick = 1023; volumes.standing[true][tick] == 0;) {
            --tick;
        }
    }

    /* EXAMPLES */

    function testFuzz_clear_tradesNothingWhen_oneSideIsEmpty(uint256 seed_, bool isBid, uint8 orders) public {
        seed(seed_);
        for (uint256 i = 0; i < orders % 24; ++i) {
            place(isBid, random(1, 1023), random(1, UNITS_MAX));
        }
        assertRule();
        assertEq(books[0].clear().units, 0);
    }

    function testFuzz_clear_tradesNothingWhen_bestBidIsBelowBestAsk(uint256 seed_, uint16 border) public {
        seed(seed_);
        uint256 lowestAsk = bound(border, 2, 1023);
        for (uint256 i = 0; i < 12; ++i) {
            place(true, random(1, lowestAsk - 1), random(1, UNITS_MAX));
            place(false, random(lowestAsk, 1023), random(1, UNITS_MAX));
        }
        assertRule();
        assertEq(books[0].clear().priceTick, 0);
    }

    function testFuzz_clear_tradesAtTheOneTickWhen_bothSidesStandThere(uint16 tick, uint32 bids, uint32 asks) public {
        tick = uint16(bound(tick, 1, 1023));
        place(true, tick, bound(bids, 1, UNITS_MAX));
        place(false, tick, bound(asks, 1, UNITS_MAX));
        assertRule();
        assertEq(books[0].clear().priceTick, tick);
    }
}

contract CallAuction_fillOf_Test is BookTest {
    using CallAuction for CallAuction.RoundBook;
    using CallAuction for CallAuction.Clearing;

    /// @dev Many orders at the last tick of a side that fills: each within a unit of its part, together exact.
    function testFuzz_fillOf_sharesTheLastTickExactly(uint256 seed_, bool isBid, uint8 orders, uint32 other) public {
        seed(seed_);
        uint256 tick = random(1, 1023);
        uint256 most = 1 << random(0, 31);
        for (uint256 i = 0; i <= orders; ++i) {
            place(isBid, tick, random(1, most));
        }
        uint256 standing = volumes.standing[isBid][tick];
        place(!isBid, tick, bound(other, 1, standing));
        assertRule();
        CallAuction.Clearing memory c = books[0].clear();
        for (uint256 i = 0; i < placed.length - 1; ++i) {
            uint256 fill = fillOf(c, placed[i]);
            assertLt(fill * standing, placed[i].units * c.units + standing, "a unit too much");
            assertLt(placed[i].units * c.units, fill * standing + standing, "a unit too little");
        }
    }

    function testFuzz_fillOf_isNothingWhen_nothingTraded(bool isBid, uint16 tick, uint32 prefix, uint32 units)
        public
        pure
    {
        CallAuction.Clearing memory c;
        assertEq(fillOf(c, Placed(isBid, uint16(bound(tick, 1, 1023)), prefix, uint64(bound(units, 1, UNITS_MAX)))), 0);
    }
}
