// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ORDER_TYPEHASH, SignedOrder} from "../../../contracts/types/SignedOrder.sol";
import {OrderTerms} from "../support/OrderTerms.sol";
import {Test} from "../support/Test.sol";

contract SignedOrder_Test is Test {
    /// @dev Field by field in the types of the EIP-712 struct, narrowed to what the packing holds.
    function _bounded(OrderTerms memory order) private pure returns (OrderTerms memory) {
        order.product %= 2 ** 88;
        (order.units, order.round, order.epoch) = (uint32(order.units), uint40(order.round), uint24(order.epoch));
        return order;
    }

    /// @dev Calldata, as the accessors want it.
    function termsOf(SignedOrder calldata packed) external pure returns (OrderTerms memory) {
        return OrderTerms({
            owner: packed.ownerOf(),
            kind: packed.kindOf(),
            site: packed.siteOf(),
            product: packed.productOf().raw(),
            tick: packed.tickOf(),
            units: packed.unitsOf(),
            round: packed.roundOf(),
            index: packed.indexOf(),
            epoch: packed.epochOf()
        });
    }

    function structHashOf(SignedOrder calldata packed) external pure returns (bytes32) {
        return packed.structHash();
    }

    function testFuzz_terms_comeBack(OrderTerms memory order) public view {
        order = _bounded(order);
        assertEq(abi.encode(this.termsOf(order.pack(""))), abi.encode(order));
    }

    /// @dev No two packings that differ below their upper bits mean the same order.
    function testFuzz_terms_differWhen_packingsDiffer(OrderTerms memory a, OrderTerms memory b) public view {
        (a, b) = (_bounded(a), _bounded(b));
        (SignedOrder memory x, SignedOrder memory y) = (a.pack(""), b.pack(""));
        bool same = x.what == y.what && x.who == y.who;
        assertEq(keccak256(abi.encode(this.termsOf(x))) == keccak256(abi.encode(this.termsOf(y))), same);
    }

    function test_typehash_isOfTheStructThatAWalletShows() public pure {
        string[9] memory fields = [
            "address owner",
            "uint8 kind",
            "uint32 site",
            "uint256 product",
            "uint16 tick",
            "uint64 units",
            "uint64 round",
            "uint8 index",
            "uint32 epoch"
        ];
        string memory text = string.concat("Order(", fields[0]);
        for (uint256 i = 1; i < fields.length; ++i) {
            text = string.concat(text, ",", fields[i]);
        }
        assertEq(ORDER_TYPEHASH, keccak256(bytes(string.concat(text, ")"))));
    }

    /// @dev EIP-712: the type hash and one word per member, in order.
    function testFuzz_structHash_isThatOfEip712(OrderTerms memory order) public view {
        order = _bounded(order);
        uint256[10] memory words;
        words[0] = uint256(ORDER_TYPEHASH);
        words[1] = uint160(order.owner);
        words[2] = order.kind;
        words[3] = order.site;
        words[4] = order.product;
        words[5] = order.tick;
        words[6] = order.units;
        words[7] = order.round;
        words[8] = order.index;
        words[9] = order.epoch;
        assertEq(this.structHashOf(order.pack("")), keccak256(abi.encodePacked(words)));
    }

    /* PROOFS */

    function check_terms_comeBack(uint256 what, uint256 who) public view {
        vm.assume(what >> 160 == 0 && who >> 248 == 0);
        SignedOrder memory again = this.termsOf(SignedOrder(what, who, "")).pack("");
        assert(again.what == what && again.who == who);
    }
}
