// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TestDollar} from "../../../../contracts/dev/TestDollar.sol";

/// @title LiarDollar
/// @notice Says true and moves nothing.
contract LiarDollar is TestDollar {
    function transferFrom(address, address, uint256) public pure override returns (bool) {
        return true;
    }
}
