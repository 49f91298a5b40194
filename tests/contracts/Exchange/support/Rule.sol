// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Rule
/// @notice The clearing rule word by word from {IExchange}, tick by tick: slow, plain, and written without a look at
/// {CallAuction}.
library Rule {
    /// @param base The tick of the arrays' first entry: all orders stand within them, so that V is 0 elsewhere.
    /// @param supply S(t): units of asks and offers at ticks <= t.
    /// @param demand D(t): units of bids at ticks >= t.
    /// @param units max V; `tick` is 0 where it is 0.
    /// @param first The lowest tick with V = max V, `last` the highest.
    /// @param low The lowest of those with the least |S - D|, `high` the highest.
    struct Outcome {
        uint256 base;
        uint256[] bids;
        uint256[] asks;
        uint256[] supply;
        uint256[] demand;
        uint256 units;
        uint256 tick;
        uint256 first;
        uint256 last;
        uint256 low;
        uint256 high;
    }

    /// @notice The units of a round by tick and side, offers among the asks.
    struct Volumes {
        uint256 lowest;
        uint256 highest;
        mapping(bool isBid => mapping(uint256 tick => uint256)) standing;
    }

    function add(Volumes storage v, bool isBid, uint256 tick, uint256 units) internal {
        if (v.lowest == 0 || tick < v.lowest) v.lowest = tick;
        if (tick > v.highest) v.highest = tick;
        v.standing[isBid][tick] += units;
    }

    /// @notice The outcome of a round: the rule over the ticks from the lowest order to the highest.
    function clear(Volumes storage v) internal view returns (Outcome memory) {
        uint256 n = v.lowest == 0 ? 0 : v.highest - v.lowest + 1;
        (uint256[] memory bids, uint256[] memory asks) = (new uint256[](n), new uint256[](n));
        for (uint256 i = 0; i < n; ++i) {
            (bids[i], asks[i]) = (v.standing[true][v.lowest + i], v.standing[false][v.lowest + i]);
        }
        return clear(v.lowest, bids, asks);
    }

    /// @notice The outcome of a round with these volumes at ticks `base`, `base + 1` …
    function clear(uint256 base, uint256[] memory bids, uint256[] memory asks)
        internal
        pure
        returns (Outcome memory o)
    {
        uint256 n = bids.length;
        (o.base, o.bids, o.asks, o.supply, o.demand) = (base, bids, asks, new uint256[](n), new uint256[](n));
        for (uint256 i = 0; i < n; ++i) {
            o.supply[i] = asks[i] + (i == 0 ? 0 : o.supply[i - 1]);
        }
        for (uint256 i = n; i > 0; --i) {
            o.demand[i - 1] = bids[i - 1] + (i == n ? 0 : o.demand[i]);
        }
        for (uint256 i = 0; i < n; ++i) {
            if (volume(o, i) > o.units) o.units = volume(o, i);
        }
        if (o.units == 0) return o;
        uint256 least = type(uint256).max;
        for (uint256 i = 0; i < n; ++i) {
            if (volume(o, i) != o.units) continue;
            if (o.first == 0) o.first = base + i;
            o.last = base + i;
            if (leftOver(o, i) < least) (least, o.low) = (leftOver(o, i), base + i);
            if (leftOver(o, i) == least) o.high = base + i;
        }
        o.tick = (o.low + o.high) / 2;
    }

    /// @notice V(t).
    function volume(Outcome memory o, uint256 i) internal pure returns (uint256) {
        return o.supply[i] < o.demand[i] ? o.supply[i] : o.demand[i];
    }

    /// @notice |S(t) - D(t)|.
    function leftOver(Outcome memory o, uint256 i) internal pure returns (uint256) {
        return o.supply[i] < o.demand[i] ? o.demand[i] - o.supply[i] : o.supply[i] - o.demand[i];
    }

    /// @notice What an order gets: better ticks come first, and what reaches its own tick is shared pro rata.
    function fill(Outcome memory o, bool isBid, uint256 tick, uint256 prefix, uint256 units)
        internal
        pure
        returns (uint256)
    {
        uint256 i = tick - o.base;
        uint256 standing = isBid ? o.bids[i] : o.asks[i];
        uint256 better = (isBid ? o.demand[i] : o.supply[i]) - standing;
        uint256 reaching = o.units > better ? o.units - better : 0;
        uint256 traded = reaching < standing ? reaching : standing;
        return (prefix + units) * traded / standing - prefix * traded / standing;
    }

    /* WHICH CASE OF THE RULE DECIDED */

    /// @notice In which of 16 ways the price region came about: what is left over there (nothing; asks; bids; bids at its
    /// low end and as many asks at its high end), and whether V is largest beyond it too, below and above.
    function caseOf(Outcome memory o) internal pure returns (uint256) {
        bool asksLeft = o.supply[o.high - o.base] > o.demand[o.high - o.base];
        bool bidsLeft = o.demand[o.low - o.base] > o.supply[o.low - o.base];
        return (asksLeft ? 8 : 0) + (bidsLeft ? 4 : 0) + (o.low > o.first ? 2 : 0) + (o.high < o.last ? 1 : 0);
    }
}
