// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TestDollar} from "../../../../contracts/dev/TestDollar.sol";

/// @title BlockDollar
/// @notice Its issuer can block an address: nothing leaves it and nothing reaches it.
contract BlockDollar is TestDollar {
    error BlockDollar_Blocked(address who);

    mapping(address who => bool) public isBlocked;

    function setBlocked(address who, bool blocked) external {
        isBlocked[who] = blocked;
    }

    function _update(address from, address to, uint256 amount) internal override {
        require(!isBlocked[from], BlockDollar_Blocked(from));
        require(!isBlocked[to], BlockDollar_Blocked(to));
        super._update(from, to, amount);
    }
}
