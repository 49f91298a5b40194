// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {Order} from "../types/Order.sol";
import {PriceGrid} from "./PriceGrid.sol";
import {ProRata} from "./ProRata.sol";

/// @title CallAuction
/// @notice One round's book of one product, and its one price. Only volumes are kept, per tick and side: what an order
/// adds and what clearing costs depend on the grid, never on how many orders there are.
///
/// Both sides are laid out from their best tick on, so that one walk serves both: an ask's position is its tick, a bid's
/// is 1023 less its tick. Eight positions of 32 bits share a word, 128 words a side; one word says which are not empty.
library CallAuction {
    uint256 private constant LANES = 8;
    uint256 private constant WORDS = 128;
    uint256 private constant VOLUME_MAX = type(uint32).max;

    /// @dev Bit `word` of `nonEmpty` for bids, bit `128 + word` for asks; `volumes` by the same number.
    struct RoundBook {
        uint256 nonEmpty;
        Clearing clearing;
        mapping(uint256 word => uint256 volumes) volumes;
    }

    /// @notice How a round cleared. The last tick of each side that fills has `…Filled` of its `…Standing` units traded;
    /// better ticks trade whole, worse ones not at all.
    /// @param units What was traded; at most 1,023 ticks of < 2^32 units.
    struct Clearing {
        bool cleared;
        uint16 priceTick;
        uint16 bidTick;
        uint16 askTick;
        uint32 bidFilled;
        uint32 bidStanding;
        uint32 askFilled;
        uint32 askStanding;
        uint64 units;
    }

    /// @dev A walk over one side, word by word from its best.
    /// @param offset Of the side's words in the book.
    /// @param ahead The side's non-empty words still ahead, bit 0 the best of all.
    /// @param index The word it stands in; END past the last.
    /// @param before Units in the words before that one.
    /// @param upTo Units up to that one and in it.
    struct Walk {
        uint256 offset;
        uint256 ahead;
        uint256 index;
        uint256 word;
        uint256 before;
        uint256 upTo;
        uint256 lastIndex;
        uint256 lastWord;
    }

    /// @dev Beyond every word and position of either side.
    uint256 private constant END = 1 << 16;
    /// @dev The even lanes of a word.
    uint256 private constant EVEN = 0x00000000FFFFFFFF00000000FFFFFFFF00000000FFFFFFFF00000000FFFFFFFF;

    /* ADD */

    /// @notice Adds units at a tick and gives the volume that stood there before, or VOLUME_MAX + 1 if the tick is full.
    function add(RoundBook storage book, bool isBid, uint256 tick, uint256 units)
        internal
        returns (bool fits, uint256 prefix)
    {
        uint256 position = isBid ? PriceGrid.TICK_MAX - tick : tick;
        uint256 index = position / LANES + (isBid ? 0 : WORDS);
        uint256 shift = (position % LANES) * 32;
        uint256 word = book.volumes[index];
        prefix = uint32(word >> shift);
        fits = prefix + units <= VOLUME_MAX;
        if (fits) {
            if (word == 0) book.nonEmpty |= 1 << index;
            // The lane stays below 2^32, checked above.
            book.volumes[index] = word + (units << shift);
        }
    }

    /* CLEAR */

    /// @notice Finds the clearing of a round by DESIGN's rule, walking both sides from their best words until they meet.
    function clear(RoundBook storage book) internal view returns (Clearing memory c) {
        uint256 nonEmpty = book.nonEmpty;
        Walk memory bids;
        Walk memory asks;
        (bids.ahead, asks.ahead, asks.offset) = (nonEmpty & ((1 << WORDS) - 1), nonEmpty >> WORDS, WORDS);
        _step(book, bids);
        _step(book, asks);
        // A bid word and an ask word whose indices sum to less than 127 cross tick by tick. What is matched then is all
        // of the smaller side, which needs its next word. Ends: there are at most 128 words a side.
        while (bids.index + asks.index < WORDS - 1) {
            _step(book, bids.upTo <= asks.upTo ? bids : asks);
        }
        uint256 units = _matched(bids, asks);
        c.cleared = true;
        if (units == 0) return c;

        // Each side's sum over its at most 1,023 ticks of < 2^32 units stays below 2^42.
        c.units = uint64(units);
        uint256 position;
        (position, c.bidFilled, c.bidStanding) = _lastThatFills(bids, units);
        c.bidTick = uint16(PriceGrid.TICK_MAX - position);
        (position, c.askFilled, c.askStanding) = _lastThatFills(asks, units);
        c.askTick = uint16(position);
        c.priceTick = uint16(_priceTick(book, c));
    }

    /// @dev max V. Where the sides share a word, it is found at one of its eight ticks; else each side's words before
    /// the one it stands in trade with all of the other side up to where that stands.
    function _matched(Walk memory bids, Walk memory asks) private pure returns (uint256 units) {
        units = Math.max(Math.min(bids.before, asks.upTo), Math.min(bids.upTo, asks.before));
        if (bids.index + asks.index != WORDS - 1) return units;
        (uint256 supply, uint256 demand) = (asks.before, bids.upTo);
        for (uint256 lane = 0; lane < LANES; ++lane) {
            supply += _lane(asks.word, lane);
            units = Math.max(units, Math.min(supply, demand));
            demand -= _lane(bids.word, LANES - 1 - lane);
        }
    }

    /// @dev Where a side's first `units` end: the position, how many trade there and how many stand there. They end in
    /// the word the walk stands in or at the end of the one before, since each word was entered with all before it matched.
    function _lastThatFills(Walk memory walk, uint256 units)
        private
        pure
        returns (uint256 position, uint32 filled, uint32 standing)
    {
        bool inLast = units == walk.before;
        uint256 word = inLast ? walk.lastWord : walk.word;
        uint256 left = inLast ? _sum(word) : units - walk.before;
        position = (inLast ? walk.lastIndex : walk.index) * LANES;
        // Ends: 0 < left <= the sum of the word's lanes.
        while (left > uint32(word)) {
            left -= uint32(word);
            word >>= 32;
            ++position;
        }
        return (position, uint32(left), uint32(word));
    }

    /// @dev The middle of the ticks with the least left over, rounded down.
    ///
    /// Every tick from the last ask that trades to the last bid that trades gives V, and at each one side stands at V
    /// exactly; what is left over there is what the other side has beyond V. That grows towards the side that has it, so
    /// it is least next to where the sides meet.
    function _priceTick(RoundBook storage book, Clearing memory c) private view returns (uint256) {
        (uint256 low, uint256 high) = (c.askTick, c.bidTick);
        (uint256 nextBid, uint256 bidsOver) = _nextBid(book, high);
        (uint256 nextAsk, uint256 asksOver) = _nextAsk(book, low);
        if (c.askFilled < c.askStanding) {
            // Asks are left from the last that trades on: least there, until the next ones join them.
            return (low + Math.min(high, nextAsk - 1)) / 2;
        }
        if (c.bidFilled < c.bidStanding) return (Math.max(low, nextBid + 1) + high) / 2;
        if (nextBid + 1 < nextAsk) {
            // Between the next bid and the next ask nothing is left over.
            return (Math.max(low, nextBid + 1) + Math.min(high, nextAsk - 1)) / 2;
        }
        // They are neighbours, both within reach: at one the bids are left over, at the other the asks.
        if (bidsOver < asksOver) {
            high = nextBid;
        } else {
            (uint256 after_,) = _nextAsk(book, nextAsk);
            high = Math.min(high, after_ - 1);
        }
        if (asksOver < bidsOver) {
            low = nextAsk;
        } else {
            (uint256 after_,) = _nextBid(book, nextBid);
            low = Math.max(low, after_ + 1);
        }
        return (low + high) / 2;
    }

    /// @dev The next lower tick with bids and their volume; tick 0 if there is none.
    function _nextBid(RoundBook storage book, uint256 tick) private view returns (uint256 next, uint256 volume) {
        uint256 side = book.nonEmpty & ((1 << WORDS) - 1);
        (next, volume) = _next(book, 0, side, PriceGrid.TICK_MAX - tick);
        next = next == END ? 0 : PriceGrid.TICK_MAX - next;
    }

    /// @dev The next higher tick with asks and their volume; END if there is none.
    function _nextAsk(RoundBook storage book, uint256 tick) private view returns (uint256 next, uint256 volume) {
        return _next(book, WORDS, book.nonEmpty >> WORDS, tick);
    }

    function _next(RoundBook storage book, uint256 offset, uint256 side, uint256 position)
        private
        view
        returns (uint256, uint256)
    {
        uint256 index = position / LANES;
        uint256 word = book.volumes[offset + index] >> ((position % LANES + 1) * 32);
        ++position;
        if (word == 0) {
            uint256 ahead = side >> (index + 1);
            if (ahead == 0) return (END, 0);
            index += 1 + _lowestBit(ahead);
            word = book.volumes[offset + index];
            // slither-disable-next-line divide-before-multiply this is a word's first position
            position = index * LANES;
        }
        while (uint32(word) == 0) {
            word >>= 32;
            ++position;
        }
        return (position, uint32(word));
    }

    /// @dev Steps to the next non-empty word.
    function _step(RoundBook storage book, Walk memory walk) private view {
        (walk.lastIndex, walk.lastWord, walk.before) = (walk.index, walk.word, walk.upTo);
        uint256 ahead = walk.ahead;
        if (ahead == 0) {
            walk.index = END;
            return;
        }
        uint256 index = _lowestBit(ahead);
        uint256 word = book.volumes[walk.offset + index];
        (walk.ahead, walk.index, walk.word) = (ahead & (ahead - 1), index, word);
        walk.upTo += _sum(word);
    }

    function _lowestBit(uint256 word) private pure returns (uint256) {
        return Math.log2(word & (~word + 1));
    }

    function _lane(uint256 word, uint256 lane) private pure returns (uint256) {
        return uint32(word >> (lane * 32));
    }

    /// @dev The sum of a word's eight lanes, in parallel: four of 33 bits, two of 34, one of 35.
    function _sum(uint256 word) private pure returns (uint256) {
        unchecked {
            word = (word & EVEN) + ((word >> 32) & EVEN);
            word += word >> 128;
            return uint64(word) + uint64(word >> 64);
        }
    }

    /* FILL */

    /// @notice What an order of a cleared round gets, in units; nothing where nothing traded.
    function fillOf(Clearing memory c, Order order, bool isBid) internal pure returns (uint256) {
        if (c.units == 0) return 0;
        (uint256 tick, uint256 units) = (order.tickOf(), order.unitsOf());
        if (isBid) {
            if (tick != c.bidTick) return tick > c.bidTick ? units : 0;
            return ProRata.share(order.prefixOf(), units, c.bidFilled, c.bidStanding);
        }
        if (tick != c.askTick) return tick < c.askTick ? units : 0;
        return ProRata.share(order.prefixOf(), units, c.askFilled, c.askStanding);
    }

    /* READ */

    /// @notice The volume at a tick of one side.
    function volumeAt(RoundBook storage book, bool isBid, uint256 tick) internal view returns (uint256) {
        uint256 position = isBid ? PriceGrid.TICK_MAX - tick : tick;
        return _lane(book.volumes[position / LANES + (isBid ? 0 : WORDS)], position % LANES);
    }
}
