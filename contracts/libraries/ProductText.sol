// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base64} from "@openzeppelin/contracts/utils/Base64.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";

import {ProductId} from "../types/ProductId.sol";

/// @title ProductText
/// @notice ERC-1155 metadata of a product, from its id alone: nothing to host, nothing that can go away.
library ProductText {
    using Strings for uint256;

    /// @notice A `data:application/json;base64,` URI with the name and the decoded fields.
    function uri(ProductId product) internal pure returns (string memory) {
        string memory fields = string.concat(
            '"class":',
            uint256(product.classOf()).toString(),
            ',"tier":',
            uint256(product.tierOf()).toString(),
            ',"area":',
            uint256(product.areaOf()).toString(),
            ',"grade":',
            uint256(product.gradeOf()).toString(),
            ',"start_s":',
            product.startOf().toString(),
            ',"hours":',
            uint256(product.hoursOf()).toString()
        );
        string memory json = string.concat(
            '{"name":"Compute ',
            product.raw().toHexString(11),
            '","description":"Standard units of compute, delivered in the window by any site that owes them.",',
            '"decimals":0,"properties":{',
            fields,
            "}}"
        );
        return string.concat("data:application/json;base64,", Base64.encode(bytes(json)));
    }
}
