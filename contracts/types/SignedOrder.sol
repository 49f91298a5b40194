// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ProductId} from "./ProductId.sol";

/// @notice An order as its owner signed it (EIP-712), packed for calldata.
/// @dev `what`: `round 40 | site 32 | product 88`; `who`: `owner 160 | kind 8 | tick 16 | units 32 | index 8 | epoch 24`;
/// both from high to low, ending at bit 0. The packing is for calldata only: what is signed is the struct of
/// {ORDER_TYPEHASH}, field by field, so that a wallet can show it.
struct SignedOrder {
    uint256 what;
    uint256 who;
    bytes signature;
}

bytes32 constant ORDER_TYPEHASH = keccak256(
    "Order(address owner,uint8 kind,uint32 site,uint256 product,uint16 tick,uint64 units,uint64 round,uint8 index,uint32 epoch)"
);

using {
    ownerOf,
    kindOf,
    siteOf,
    productOf,
    tickOf,
    unitsOf,
    roundOf,
    indexOf,
    epochOf,
    structHash
} for SignedOrder global;

function ownerOf(SignedOrder calldata order) pure returns (address) {
    return address(uint160(order.who >> 88));
}

function kindOf(SignedOrder calldata order) pure returns (uint8) {
    return uint8(order.who >> 80);
}

function siteOf(SignedOrder calldata order) pure returns (uint32) {
    return uint32(order.what >> 88);
}

function productOf(SignedOrder calldata order) pure returns (ProductId) {
    return ProductId.wrap(order.what & ((1 << 88) - 1));
}

function tickOf(SignedOrder calldata order) pure returns (uint16) {
    return uint16(order.who >> 64);
}

function unitsOf(SignedOrder calldata order) pure returns (uint64) {
    return uint32(order.who >> 32);
}

function roundOf(SignedOrder calldata order) pure returns (uint64) {
    return uint40(order.what >> 120);
}

/// @notice Its number among the owner's signed orders of that round, 0 … 79.
function indexOf(SignedOrder calldata order) pure returns (uint8) {
    return uint8(order.who >> 24);
}

/// @notice The owner's epoch when it was signed; revoking moves the epoch on.
function epochOf(SignedOrder calldata order) pure returns (uint32) {
    return uint24(order.who);
}

/// @notice EIP-712 `hashStruct` of what the owner signed.
function structHash(SignedOrder calldata order) pure returns (bytes32) {
    return keccak256(
        abi.encode(
            ORDER_TYPEHASH,
            ownerOf(order),
            kindOf(order),
            siteOf(order),
            productOf(order),
            tickOf(order),
            unitsOf(order),
            roundOf(order),
            indexOf(order),
            epochOf(order)
        )
    );
}
