// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {Kind, Order} from "../types/Order.sol";
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

    /// @dev A walk over one side from its best tick.
    /// @param words Non-empty words still ahead, bit 0 the best.
    /// @param lanes What is left of the current word, the next position lowest.
    /// @param next The position of the lowest lane.
    /// @param position Where the walk stands; END past the last.
    /// @param standing The volume there.
    struct Walk {
        uint256 offset;
        uint256 words;
        uint256 lanes;
        uint256 next;
        uint256 position;
        uint256 standing;
    }

    /// @dev Beyond every position of either side: the mirror of it is below every tick.
    uint256 private constant END = 1 << 16;

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

    /// @notice Finds the clearing of a round: DESIGN's rule, in one walk from the best tick of each side.
    ///
    /// Matching best with best until they no longer cross trades the most that any price can: V. Every price from the
    /// last ask that trades to the last bid that trades gives V, and there one side always stands at V exactly; so what
    /// is left over at a price is what the other side has beyond V, which grows with the distance from where they meet.
    function clear(RoundBook storage book) internal view returns (Clearing memory c) {
        Walk memory bids = Walk(0, book.nonEmpty & ((1 << WORDS) - 1), 0, 0, END, 0);
        Walk memory asks = Walk(WORDS, book.nonEmpty >> WORDS, 0, 0, END, 0);
        _advance(book, bids);
        _advance(book, asks);
        uint256 bidLeft = bids.standing;
        uint256 askLeft = asks.standing;
        uint256 units = 0;
        c.cleared = true;

        // Ends: every turn exhausts at least one of at most 1,023 ticks a side.
        while (_crosses(bids, asks)) {
            uint256 traded = Math.min(bidLeft, askLeft);
            units += traded;
            bidLeft -= traded;
            askLeft -= traded;
            (c.bidTick, c.bidStanding) = (uint16(_bidTick(bids)), uint32(bids.standing));
            (c.askTick, c.askStanding) = (uint16(asks.position), uint32(asks.standing));
            (c.bidFilled, c.askFilled) = (c.bidStanding - uint32(bidLeft), c.askStanding - uint32(askLeft));
            if (bidLeft == 0) bidLeft = _advance(book, bids);
            if (askLeft == 0) askLeft = _advance(book, asks);
        }
        if (units == 0) return c;
        c.units = uint64(units);
        c.priceTick = uint16(_priceTick(book, c, bids, asks));
    }

    /// @dev The middle of the ticks with the least left over, rounded down. The walks stand at the first tick of each
    /// side that has units left.
    function _priceTick(RoundBook storage book, Clearing memory c, Walk memory bids, Walk memory asks)
        private
        view
        returns (uint256)
    {
        uint256 low = c.askTick;
        uint256 high = c.bidTick;
        if (c.askFilled < c.askStanding) {
            // Asks are left at the last tick that trades: least there, up to where the next ones would join them.
            if (asks.position == low) _advance(book, asks);
            if (asks.position <= high) high = asks.position - 1;
        } else if (c.bidFilled < c.bidStanding) {
            if (_bidTick(bids) == high) _advance(book, bids);
            if (_hasTick(bids) && _bidTick(bids) >= low) low = _bidTick(bids) + 1;
        } else {
            uint256 nextBid = _hasTick(bids) ? _bidTick(bids) : 0;
            uint256 nextAsk = asks.position;
            if (nextBid + 1 < nextAsk) {
                // Between the next bid and the next ask nothing is left over.
                low = Math.max(low, nextBid + 1);
                high = Math.min(high, nextAsk - 1);
            } else {
                // They are neighbours: at one the bids are left, at the other the asks.
                (uint256 bidsOver, uint256 asksOver) = (bids.standing, asks.standing);
                if (bidsOver < asksOver) high = nextBid;
                if (asksOver < bidsOver) low = nextAsk;
                if (bidsOver <= asksOver) {
                    _advance(book, bids);
                    if (_hasTick(bids) && _bidTick(bids) >= low) low = _bidTick(bids) + 1;
                }
                if (asksOver <= bidsOver) {
                    _advance(book, asks);
                    if (asks.position <= high) high = asks.position - 1;
                }
            }
        }
        return (low + high) / 2;
    }

    function _crosses(Walk memory bids, Walk memory asks) private pure returns (bool) {
        // With END on either side the sum is out of reach.
        return bids.position + asks.position <= PriceGrid.TICK_MAX;
    }

    function _hasTick(Walk memory walk) private pure returns (bool) {
        return walk.position != END;
    }

    function _bidTick(Walk memory bids) private pure returns (uint256) {
        return PriceGrid.TICK_MAX - bids.position;
    }

    /// @dev Steps to the next non-empty position and returns the volume there; 0 at the end.
    function _advance(RoundBook storage book, Walk memory walk) private view returns (uint256) {
        uint256 lanes = walk.lanes;
        uint256 next = walk.next;
        if (lanes == 0) {
            uint256 words = walk.words;
            if (words == 0) {
                (walk.position, walk.standing) = (END, 0);
                return 0;
            }
            // The lowest bit set; a word whose bit is set holds a lane that is not zero.
            uint256 index = Math.log2(words & (~words + 1));
            walk.words = words & (words - 1);
            lanes = book.volumes[walk.offset + index];
            next = index * LANES;
        }
        while (uint32(lanes) == 0) {
            lanes >>= 32;
            ++next;
        }
        (walk.position, walk.standing) = (next, uint32(lanes));
        (walk.lanes, walk.next) = (lanes >> 32, next + 1);
        return walk.standing;
    }

    /* FILL */

    /// @notice What an order of a cleared round gets, in units; nothing where nothing traded.
    function fillOf(Clearing memory c, Order order) internal pure returns (uint256) {
        if (c.units == 0) return 0;
        (uint256 tick, uint256 units) = (order.tickOf(), order.unitsOf());
        if (order.kindOf() == Kind.BID) {
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
        uint256 word = book.volumes[position / LANES + (isBid ? 0 : WORDS)];
        return uint32(word >> ((position % LANES) * 32));
    }
}
