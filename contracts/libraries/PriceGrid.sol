// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title PriceGrid
/// @notice Ticks to prices: seven bits of mantissa, eight octaves, steps of 0.4 … 0.8 %, a range of 256 times.
library PriceGrid {
    uint16 internal constant TICK_MAX = 1023;

    /// @notice The price of a tick in tick sizes, strictly increasing: 129 at tick 1, 32,640 at tick 1023.
    function priceOf(uint256 tick) internal pure returns (uint256) {
        unchecked {
            // At most (128 + 127) << 7.
            return (128 + (tick & 127)) << (tick >> 7);
        }
    }

    /// @notice What `units` for `count` hours cost, in micro of the settlement currency. Exact: nothing is divided.
    function cost(uint256 units, uint256 count, uint256 tick, uint256 tickSizeMicro) internal pure returns (uint256) {
        unchecked {
            // Units and tick size are below 2^32, hours below 2^8, prices below 2^15: the cost is below 2^87.
            return units * count * priceOf(tick) * tickSizeMicro;
        }
    }
}
