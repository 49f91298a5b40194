// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vm} from "./Vm.sol";

/// @title Assertions
/// @notice Assertions for tests, each with and without a reason. Forge's own cheatcodes compare and print both values.
abstract contract Assertions {
    /// @dev Where forge answers cheatcodes: the address of keccak256("hevm cheat code").
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /* TRUTH */

    function assertTrue(bool condition) internal pure {
        vm.assertTrue(condition, "");
    }

    function assertTrue(bool condition, string memory why) internal pure {
        vm.assertTrue(condition, why);
    }

    function assertFalse(bool condition) internal pure {
        vm.assertFalse(condition, "");
    }

    function assertFalse(bool condition, string memory why) internal pure {
        vm.assertFalse(condition, why);
    }

    /* EQUALITY */

    function assertEq(bool a, bool b) internal pure {
        vm.assertEq(a, b, "");
    }

    function assertEq(bool a, bool b, string memory why) internal pure {
        vm.assertEq(a, b, why);
    }

    function assertEq(uint256 a, uint256 b) internal pure {
        vm.assertEq(a, b, "");
    }

    function assertEq(uint256 a, uint256 b, string memory why) internal pure {
        vm.assertEq(a, b, why);
    }

    function assertEq(int256 a, int256 b) internal pure {
        vm.assertEq(a, b, "");
    }

    function assertEq(int256 a, int256 b, string memory why) internal pure {
        vm.assertEq(a, b, why);
    }

    function assertEq(address a, address b) internal pure {
        vm.assertEq(a, b, "");
    }

    function assertEq(address a, address b, string memory why) internal pure {
        vm.assertEq(a, b, why);
    }

    function assertEq(bytes32 a, bytes32 b) internal pure {
        vm.assertEq(a, b, "");
    }

    function assertEq(bytes32 a, bytes32 b, string memory why) internal pure {
        vm.assertEq(a, b, why);
    }

    function assertEq(string memory a, string memory b) internal pure {
        vm.assertEq(a, b, "");
    }

    function assertEq(string memory a, string memory b, string memory why) internal pure {
        vm.assertEq(a, b, why);
    }

    function assertEq(bytes memory a, bytes memory b) internal pure {
        vm.assertEq(a, b, "");
    }

    function assertEq(bytes memory a, bytes memory b, string memory why) internal pure {
        vm.assertEq(a, b, why);
    }

    function assertEq(uint256[] memory a, uint256[] memory b) internal pure {
        vm.assertEq(a, b, "");
    }

    function assertEq(uint256[] memory a, uint256[] memory b, string memory why) internal pure {
        vm.assertEq(a, b, why);
    }

    function assertEq(address[] memory a, address[] memory b) internal pure {
        vm.assertEq(a, b, "");
    }

    function assertEq(address[] memory a, address[] memory b, string memory why) internal pure {
        vm.assertEq(a, b, why);
    }

    function assertNotEq(bool a, bool b) internal pure {
        vm.assertNotEq(a, b, "");
    }

    function assertNotEq(bool a, bool b, string memory why) internal pure {
        vm.assertNotEq(a, b, why);
    }

    function assertNotEq(uint256 a, uint256 b) internal pure {
        vm.assertNotEq(a, b, "");
    }

    function assertNotEq(uint256 a, uint256 b, string memory why) internal pure {
        vm.assertNotEq(a, b, why);
    }

    function assertNotEq(address a, address b) internal pure {
        vm.assertNotEq(a, b, "");
    }

    function assertNotEq(address a, address b, string memory why) internal pure {
        vm.assertNotEq(a, b, why);
    }

    function assertNotEq(bytes32 a, bytes32 b) internal pure {
        vm.assertNotEq(a, b, "");
    }

    function assertNotEq(bytes32 a, bytes32 b, string memory why) internal pure {
        vm.assertNotEq(a, b, why);
    }

    function assertNotEq(bytes memory a, bytes memory b) internal pure {
        vm.assertNotEq(a, b, "");
    }

    function assertNotEq(bytes memory a, bytes memory b, string memory why) internal pure {
        vm.assertNotEq(a, b, why);
    }

    /* ORDER */

    function assertLt(uint256 a, uint256 b) internal pure {
        vm.assertLt(a, b, "");
    }

    function assertLt(uint256 a, uint256 b, string memory why) internal pure {
        vm.assertLt(a, b, why);
    }

    function assertLt(int256 a, int256 b) internal pure {
        vm.assertLt(a, b, "");
    }

    function assertLt(int256 a, int256 b, string memory why) internal pure {
        vm.assertLt(a, b, why);
    }

    function assertLe(uint256 a, uint256 b) internal pure {
        vm.assertLe(a, b, "");
    }

    function assertLe(uint256 a, uint256 b, string memory why) internal pure {
        vm.assertLe(a, b, why);
    }

    function assertLe(int256 a, int256 b) internal pure {
        vm.assertLe(a, b, "");
    }

    function assertLe(int256 a, int256 b, string memory why) internal pure {
        vm.assertLe(a, b, why);
    }

    function assertGt(uint256 a, uint256 b) internal pure {
        vm.assertGt(a, b, "");
    }

    function assertGt(uint256 a, uint256 b, string memory why) internal pure {
        vm.assertGt(a, b, why);
    }

    function assertGt(int256 a, int256 b) internal pure {
        vm.assertGt(a, b, "");
    }

    function assertGt(int256 a, int256 b, string memory why) internal pure {
        vm.assertGt(a, b, why);
    }

    function assertGe(uint256 a, uint256 b) internal pure {
        vm.assertGe(a, b, "");
    }

    function assertGe(uint256 a, uint256 b, string memory why) internal pure {
        vm.assertGe(a, b, why);
    }

    function assertGe(int256 a, int256 b) internal pure {
        vm.assertGe(a, b, "");
    }

    function assertGe(int256 a, int256 b, string memory why) internal pure {
        vm.assertGe(a, b, why);
    }

    /* NEARNESS */

    function assertApproxEqAbs(uint256 a, uint256 b, uint256 maxDelta) internal pure {
        vm.assertApproxEqAbs(a, b, maxDelta, "");
    }

    function assertApproxEqAbs(uint256 a, uint256 b, uint256 maxDelta, string memory why) internal pure {
        vm.assertApproxEqAbs(a, b, maxDelta, why);
    }

    function assertApproxEqRel(uint256 a, uint256 b, uint256 maxDelta) internal pure {
        vm.assertApproxEqRel(a, b, maxDelta, "");
    }

    function assertApproxEqRel(uint256 a, uint256 b, uint256 maxDelta, string memory why) internal pure {
        vm.assertApproxEqRel(a, b, maxDelta, why);
    }
}
