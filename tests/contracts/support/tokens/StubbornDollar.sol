// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TestDollar} from "../../../../contracts/dev/TestDollar.sol";

/// @title StubbornDollar
/// @notice Refuses every permit.
contract StubbornDollar is TestDollar {
    error StubbornDollar_NoPermits();

    function permit(address, address, uint256, uint256, uint8, bytes32, bytes32) public pure override {
        revert StubbornDollar_NoPermits();
    }
}
