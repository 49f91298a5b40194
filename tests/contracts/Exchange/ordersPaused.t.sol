// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Rounds} from "./support/Rounds.sol";

contract Exchange_ordersPaused_Test is Rounds {
    /// @dev Each contract's pause is its own.
    function test_ordersPaused_isNotIssuePaused() public {
        vm.prank(guardian);
        capacity.setIssuePaused(true);
        assertFalse(exchange.ordersPaused());
        placeBid(people[0], TICK, 100);
        vm.startPrank(guardian);
        capacity.setIssuePaused(false);
        exchange.setOrdersPaused(true);
        vm.stopPrank();
        assertTrue(exchange.ordersPaused());
        mintAs(provider.addr, sites[0], product, 100);
    }
}
