// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title HourLanes
/// @notice Eight 32-bit counters in a word: the units that a site has committed in eight consecutive hours.
library HourLanes {
    uint256 internal constant LANES = 8;

    /// @notice The counter of lane 0 … 7.
    function get(uint256 word, uint256 lane) internal pure returns (uint256) {
        return uint32(word >> (lane * 32));
    }

    /// @notice The word with one counter replaced; `value` below 2^32.
    function set(uint256 word, uint256 lane, uint256 value) internal pure returns (uint256) {
        uint256 shift = lane * 32;
        return (word & ~(uint256(type(uint32).max) << shift)) | (value << shift);
    }
}
