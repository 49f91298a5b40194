// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TestDollar} from "../../../../contracts/dev/TestDollar.sol";

interface IMoneyHook {
    function onMoney() external;
}

/// @title HookDollar
/// @notice Calls back before it takes from a contract and after it gives to one, as ERC-777 does.
contract HookDollar is TestDollar {
    function _update(address from, address to, uint256 amount) internal override {
        _tell(from);
        super._update(from, to, amount);
        _tell(to);
    }

    /// @dev A contract without the hook is left alone.
    function _tell(address who) private {
        if (who.code.length == 0) return;
        try IMoneyHook(who).onMoney() {} catch {}
    }
}
