// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Kind} from "./Order.sol";
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

/// @notice The fields of a signed order.
/// @param index Its number among the owner's signed orders of that round, 0 … 79.
/// @param epoch The owner's epoch when it was signed; revoking moves the epoch on.
struct OrderTerms {
    address owner;
    uint8 kind;
    uint32 site;
    ProductId product;
    uint16 tick;
    uint64 units;
    uint64 round;
    uint8 index;
    uint32 epoch;
}

using {terms} for SignedOrder global;
using {structHash} for OrderTerms global;

function terms(SignedOrder calldata order) pure returns (OrderTerms memory) {
    uint256 what = order.what;
    uint256 who = order.who;
    return OrderTerms({
        owner: address(uint160(who >> 88)),
        kind: uint8(who >> 80),
        site: uint32(what >> 88),
        product: ProductId.wrap(what & ((1 << 88) - 1)),
        tick: uint16(who >> 64),
        units: uint32(who >> 32),
        round: uint40(what >> 120),
        index: uint8(who >> 24),
        epoch: uint24(who)
    });
}

function structHash(OrderTerms memory order) pure returns (bytes32) {
    return keccak256(
        abi.encode(
            ORDER_TYPEHASH,
            order.owner,
            order.kind,
            order.site,
            order.product,
            order.tick,
            order.units,
            order.round,
            order.index,
            order.epoch
        )
    );
}
