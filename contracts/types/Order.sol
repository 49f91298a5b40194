// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice One order in one storage slot.
/// @dev `principal 160 | kind 2 | tick 10 | round 20 | prefix 32 | units 32`, from high to low. The principal is the
/// owner, or the site of an offer; the round is counted from the first of the product's book; the prefix is the volume
/// that stood at the order's tick and side when it came. Never zero once placed, since its units are not.
type Order is uint256;

/// @notice What an order wants: to buy, to resell what one holds, or to issue and sell.
/// @dev A slot also says whether a bidder has a key, by having signed the order or sent it without code of its own: such
/// an account can move what it gets, so that it need not be asked whether it takes ERC-1155 tokens. Orders that are
/// signed and fills that are logged say BID for both.
enum Kind {
    BID_BY_KEY,
    BID,
    ASK,
    OFFER
}

uint256 constant ROUNDS_MAX = 1 << 20;

using {principalOf, kindOf, tickOf, roundOf, prefixOf, unitsOf, waitsIn} for Order global;

function packOrder(uint160 principal, Kind kind, uint16 tick, uint256 round, uint256 prefix, uint256 units)
    pure
    returns (Order)
{
    // The caller keeps tick < 2^10, round < 2^20, prefix and units < 2^32.
    return Order.wrap(
        (uint256(principal) << 96) | (uint256(kind) << 94) | (uint256(tick) << 84) | (round << 64) | (prefix << 32)
            | units
    );
}

function principalOf(Order order) pure returns (uint160) {
    return uint160(Order.unwrap(order) >> 96);
}

function kindOf(Order order) pure returns (Kind) {
    return Kind((Order.unwrap(order) >> 94) & 3);
}

function tickOf(Order order) pure returns (uint16) {
    return uint16((Order.unwrap(order) >> 84) & 0x3FF);
}

function roundOf(Order order) pure returns (uint256) {
    return (Order.unwrap(order) >> 64) & 0xFFFFF;
}

function prefixOf(Order order) pure returns (uint256) {
    return uint32(Order.unwrap(order) >> 32);
}

function unitsOf(Order order) pure returns (uint256) {
    return uint32(Order.unwrap(order));
}

/// @notice Whether this is an order, of that round: an empty slot is of round 0 but wants no units.
function waitsIn(Order order, uint256 round) pure returns (bool) {
    return Order.unwrap(order) != 0 && roundOf(order) == round;
}
