// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base64} from "@openzeppelin/contracts/utils/Base64.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";

import {Sites} from "./Sites.sol";

contract Capacity_uri_Test is Sites {
    /// @dev Word for word: wallets and indexers read it.
    function testFuzz_uri_isTheProductAsJson(uint256 seed) public view {
        uint256 product = anyProduct(seed, 1, 168);
        string memory fields = string.concat(
            '{"class":',
            vm.toString(product >> 80),
            ',"tier":',
            vm.toString(uint256(uint8(product >> 72))),
            ',"area":',
            vm.toString(uint256(uint16(product >> 56))),
            ',"grade":',
            vm.toString(uint256(uint8(product >> 48))),
            ',"start_s":',
            vm.toString(startOf(product)),
            ',"hours":',
            vm.toString(uint256(hoursOf(product))),
            "}"
        );
        string memory json = string.concat(
            '{"name":"Compute ',
            Strings.toHexString(product, 11),
            '","description":"Standard units of compute, delivered in the window by any site that owes them.",',
            '"decimals":0,"properties":',
            fields,
            "}"
        );
        assertEq(capacity.uri(product), string.concat("data:application/json;base64,", Base64.encode(bytes(json))));
    }

    /// @dev Whether it was issued does not matter: the text is in the id.
    function test_uri_isTheSameBeforeAndAfterIssue() public {
        string memory before = capacity.uri(tomorrow());
        mintAs(provider.addr, site, tomorrow(), 1);
        assertEq(capacity.uri(tomorrow()), before);
    }
}
