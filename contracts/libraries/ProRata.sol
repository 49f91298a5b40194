// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title ProRata
/// @notice Shares a number of units over the orders of one tick so that the shares sum to it exactly.
library ProRata {
    /// @notice What the order that stands at `prefix … prefix + units` of a tick gets, when `filled` of the tick's
    /// `standing` units trade. Orders that tile the tick get `filled` in all, each within one unit of its exact part.
    /// @dev All four below 2^32 (units of one tick): the products stay below 2^64.
    function share(uint256 prefix, uint256 units, uint256 filled, uint256 standing) internal pure returns (uint256) {
        unchecked {
            // prefix + units <= standing < 2^32 and filled <= standing: no product leaves 64 bits, and the floor of
            // the larger product is not below that of the smaller one.
            return (prefix + units) * filled / standing - prefix * filled / standing;
        }
    }
}
