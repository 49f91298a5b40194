// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Rounds} from "./support/Rounds.sol";

contract Exchange_currentRound_Test is Rounds {
    function testFuzz_currentRound_countsMinutesSinceTheEpoch(uint40 minute, uint8 second) public {
        goTo(uint256(minute) * 1 minutes + second % 60);
        assertEq(exchange.currentRound(), minute);
    }
}
