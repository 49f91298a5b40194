// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What is traded: a class of compute, within a latency tier of an area, at a grade, for a window of hours.
/// @dev `class 8 | tier 8 | area 16 | grade 8 | startHour 32 | hours 16`, from high to low, the upper 168 bits zero.
/// It decodes without storage, and it is the ERC-1155 token id.
type ProductId is uint256;

uint8 constant METRO = 1;
uint8 constant HUB = 2;
uint8 constant WIDE = 3;

uint8 constant BASIC = 1;
uint8 constant STANDARD = 2;
uint8 constant PREMIUM = 3;

uint16 constant HOURS_MAX = 168;

using {
    classOf,
    tierOf,
    areaOf,
    gradeOf,
    startHourOf,
    hoursOf,
    startOf,
    endOf,
    wellFormed,
    raw,
    hourly,
    keyed,
    within
} for ProductId global;

function raw(ProductId id) pure returns (uint256) {
    return ProductId.unwrap(id);
}

function classOf(ProductId id) pure returns (uint8) {
    return uint8(ProductId.unwrap(id) >> 80);
}

function tierOf(ProductId id) pure returns (uint8) {
    return uint8(ProductId.unwrap(id) >> 72);
}

function areaOf(ProductId id) pure returns (uint16) {
    return uint16(ProductId.unwrap(id) >> 56);
}

function gradeOf(ProductId id) pure returns (uint8) {
    return uint8(ProductId.unwrap(id) >> 48);
}

function startHourOf(ProductId id) pure returns (uint32) {
    return uint32(ProductId.unwrap(id) >> 16);
}

function hoursOf(ProductId id) pure returns (uint16) {
    return uint16(ProductId.unwrap(id));
}

/// @notice When delivery starts, in seconds since the epoch.
function startOf(ProductId id) pure returns (uint256) {
    return uint256(startHourOf(id)) * 1 hours;
}

/// @notice When delivery ends, in seconds since the epoch.
function endOf(ProductId id) pure returns (uint256) {
    return (uint256(startHourOf(id)) + hoursOf(id)) * 1 hours;
}

/// @notice Whether the id could be one of a product: known tier and grade, 1 … 168 hours that end within 32 bits, an
/// area where the tier has one, nothing in the upper bits. Whether its class and area exist is for the standard to say.
function wellFormed(ProductId id) pure returns (bool) {
    uint256 tier = tierOf(id);
    uint256 count = hoursOf(id);
    unchecked {
        // A tier, grade or length of 0 wraps round to what is too large.
        return ProductId.unwrap(id) >> 88 == 0 && tier - METRO <= WIDE - METRO && (tier == WIDE) == (areaOf(id) == 0)
            && uint256(gradeOf(id)) - BASIC <= PREMIUM - BASIC && count - 1 < HOURS_MAX
            && startHourOf(id) + count <= 1 << 32;
    }
}

/// @notice The one-hour product that is the window's hour number `index`, counted from 0.
function hourly(ProductId id, uint256 index) pure returns (ProductId) {
    // index < hours, and a well-formed window ends within 32 bits.
    return ProductId.wrap((ProductId.unwrap(id) - hoursOf(id) + 1) + (index << 16));
}

/// @notice A mapping key of the product and a number below 2^168: one hash where nested mappings take two. The product
/// must have no bits above its 88.
function keyed(ProductId id, uint256 number) pure returns (uint256) {
    return ProductId.unwrap(id) | (number << 88);
}

/// @notice The same product within another tier and area.
function within(ProductId id, uint8 tier, uint16 area) pure returns (ProductId) {
    uint256 rest = ProductId.unwrap(id) & ~(uint256(0xFFFFFF) << 56);
    return ProductId.wrap(rest | (uint256(tier) << 72) | (uint256(area) << 56));
}
