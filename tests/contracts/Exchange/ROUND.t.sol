// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IExchange} from "../../../contracts/interfaces/IExchange.sol";
import {Clocked} from "./support/Clocked.sol";

contract Exchange_ROUND_Test is Clocked {
    /// @dev Rounds count from the epoch, whatever their length; the last one ends before delivery starts.
    function testFuzz_ROUND_dividesTime(uint32 length) public {
        length = uint32(bound(length, 1, 30 days));
        IExchange other = clocked(length, 0);
        assertEq(other.ROUND(), length);
        uint256 last = startOf(product) / length - 1;
        goTo(last * length + length - 1);
        assertEq(other.currentRound(), last);
        assertInTime(other);
        skip(1);
        assertEq(other.currentRound(), last + 1);
        assertLate(other, (last + 2) * length);
    }

    function test_ROUND_isProductions() public view {
        assertEq(exchange.ROUND(), 60);
    }
}
