// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SignedOrder} from "../../../contracts/types/SignedOrder.sol";

/// @notice What an owner signs, field by field, as a wallet shows it: the tests' own reading of {SignedOrder}.
struct OrderTerms {
    address owner;
    uint8 kind;
    uint32 site;
    uint256 product;
    uint16 tick;
    uint64 units;
    uint64 round;
    uint8 index;
    uint32 epoch;
}

using {pack, hashStruct} for OrderTerms global;

/// @dev By arithmetic, not by the masks of the contract.
function pack(OrderTerms memory order, bytes memory signature) pure returns (SignedOrder memory packed) {
    packed.what = (uint256(order.round) * 2 ** 32 + order.site) * 2 ** 88 + order.product;
    uint256 word = uint256(uint160(order.owner)) * 2 ** 8 + order.kind;
    word = (word * 2 ** 16 + order.tick) * 2 ** 32 + order.units;
    packed.who = (word * 2 ** 8 + order.index) * 2 ** 24 + order.epoch;
    packed.signature = signature;
}

/// @dev EIP-712: the type hash and one word per member, in order.
function hashStruct(OrderTerms memory order) pure returns (bytes32) {
    bytes32 typehash = keccak256(
        "Order(address owner,uint8 kind,uint32 site,uint256 product,uint16 tick,uint64 units,uint64 round,uint8 index,uint32 epoch)"
    );
    return keccak256(abi.encode(typehash, order));
}
