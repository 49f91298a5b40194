// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TestDollar} from "../../../../contracts/dev/TestDollar.sol";

/// @title BonusDollar
/// @notice Gives one unit more than is sent, as a rebasing token may.
contract BonusDollar is TestDollar {
    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (from != address(0) && to != address(0)) super._update(address(0), to, 1);
    }
}
