// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base64} from "@openzeppelin/contracts/utils/Base64.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";

import {ProductText} from "../../../contracts/libraries/ProductText.sol";
import {ProductId} from "../../../contracts/types/ProductId.sol";
import {Test} from "../support/Test.sol";

contract ProductText_Test is Test {
    bytes private constant PREFIX = "data:application/json;base64,";

    /// @dev What a wallet does with the URI. Reverts where it is no such URI, or where the rest is no base64.
    function _json(string memory uri) private pure returns (string memory) {
        (bytes memory whole, bytes memory prefix) = (bytes(uri), PREFIX);
        assertGt(whole.length, prefix.length);
        bytes memory rest = new bytes(whole.length - prefix.length);
        for (uint256 i = 0; i < whole.length; ++i) {
            if (i < prefix.length) assertTrue(whole[i] == prefix[i], "prefix");
            else rest[i - prefix.length] = whole[i];
        }
        return string(Base64.decode(string(rest)));
    }

    function testFuzz_uri_decodesToTheFieldsOfTheId(uint88 word) public pure {
        ProductId id = ProductId.wrap(word);
        string memory json = _json(ProductText.uri(id));
        assertEq(vm.parseJsonUint(json, ".properties.class"), id.classOf());
        assertEq(vm.parseJsonUint(json, ".properties.tier"), id.tierOf());
        assertEq(vm.parseJsonUint(json, ".properties.area"), id.areaOf());
        assertEq(vm.parseJsonUint(json, ".properties.grade"), id.gradeOf());
        assertEq(vm.parseJsonUint(json, ".properties.start_s"), id.startOf());
        assertEq(vm.parseJsonUint(json, ".properties.hours"), id.hoursOf());
        assertEq(vm.parseJsonUint(json, ".decimals"), 0);
        assertGt(bytes(vm.parseJsonString(json, ".description")).length, 0);
    }

    /// @dev ERC-1155 metadata: the id in hex, here at the width of a product.
    function testFuzz_uri_isNamedByTheId(uint88 word) public pure {
        string memory name = vm.parseJsonString(_json(ProductText.uri(ProductId.wrap(word))), ".name");
        bytes memory text = bytes(name);
        assertEq(text.length, bytes("Compute 0x").length + 22);
        bytes memory hexText = new bytes(24);
        for (uint256 i = 0; i < hexText.length; ++i) {
            hexText[i] = text[text.length - hexText.length + i];
        }
        assertEq(vm.parseUint(string(hexText)), word);
    }

    function testFuzz_uri_revertsWhen_idIsWiderThanAProduct(uint256 word) public {
        word = bound(word, 1 << 88, type(uint256).max);
        vm.expectRevert(abi.encodeWithSelector(Strings.StringsInsufficientHexLength.selector, word, 11));
        this.uriOf(word);
    }

    /// @dev A call of its own, so that its revert can be expected.
    function uriOf(uint256 word) external pure returns (string memory) {
        return ProductText.uri(ProductId.wrap(word));
    }
}
