// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IExchange} from "../../../contracts/interfaces/IExchange.sol";
import {Clocked} from "./support/Clocked.sol";

/// @dev `standard`, `capacity`, `treasury` and `delivery`: set at deployment.
contract Exchange_wiring_Test is Clocked {
    function test_wiring_namesTheMarketsContracts() public {
        assertEq(exchange.standard(), address(standard));
        assertEq(address(exchange.capacity()), address(capacity));
        assertEq(address(exchange.treasury()), address(treasury));
        assertEq(address(exchange.delivery()), address(delivery));
        IExchange other = clocked(1, 2);
        assertEq(other.standard(), address(this), "each its own");
        assertEq(address(other.treasury()), address(treasury));
    }
}
