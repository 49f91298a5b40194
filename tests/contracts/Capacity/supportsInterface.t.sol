// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1155} from "@openzeppelin/contracts/token/ERC1155/IERC1155.sol";
import {IERC1155Receiver} from "@openzeppelin/contracts/token/ERC1155/IERC1155Receiver.sol";
import {IERC1155MetadataURI} from "@openzeppelin/contracts/token/ERC1155/extensions/IERC1155MetadataURI.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

import {Sites} from "./Sites.sol";

contract Capacity_supportsInterface_Test is Sites {
    /// @dev The ids that EIP-165 and EIP-1155 print.
    function test_supportsInterface_saysYesToItsOwn() public view {
        assertTrue(capacity.supportsInterface(0x01ffc9a7));
        assertTrue(capacity.supportsInterface(0xd9b67a26));
        assertTrue(capacity.supportsInterface(0x0e89341c));
        assertEq(bytes32(type(IERC165).interfaceId), bytes32(bytes4(0x01ffc9a7)));
        assertEq(bytes32(type(IERC1155).interfaceId), bytes32(bytes4(0xd9b67a26)));
        assertEq(bytes32(type(IERC1155MetadataURI).interfaceId), bytes32(bytes4(0x0e89341c)));
    }

    function testFuzz_supportsInterface_saysNoToOthers(bytes4 id) public view {
        vm.assume(id != 0x01ffc9a7 && id != 0xd9b67a26 && id != 0x0e89341c);
        assertFalse(capacity.supportsInterface(id));
        assertFalse(capacity.supportsInterface(0xffffffff));
        assertFalse(capacity.supportsInterface(type(IERC1155Receiver).interfaceId));
    }
}
