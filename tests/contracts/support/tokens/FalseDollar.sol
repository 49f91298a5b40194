// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TestDollar} from "../../../../contracts/dev/TestDollar.sol";

/// @title FalseDollar
/// @notice Says false where others revert, and moves nothing.
contract FalseDollar is TestDollar {
    function transfer(address, uint256) public pure override returns (bool) {
        return false;
    }

    function transferFrom(address, address, uint256) public pure override returns (bool) {
        return false;
    }
}
