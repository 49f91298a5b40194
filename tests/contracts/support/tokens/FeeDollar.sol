// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TestDollar} from "../../../../contracts/dev/TestDollar.sol";

/// @title FeeDollar
/// @notice Keeps a hundredth of every transfer, rounded up.
contract FeeDollar is TestDollar {
    function feeOf(uint256 amount) public pure returns (uint256) {
        return (amount + 99) / 100;
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (from != address(0) && to != address(0)) super._update(to, address(0), feeOf(amount));
    }
}
