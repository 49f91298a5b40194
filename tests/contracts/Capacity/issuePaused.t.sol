// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Sites} from "./Sites.sol";

contract Capacity_issuePaused_Test is Sites {
    function testFuzz_issuePaused_isWhatTheGuardianSetLast(bool[4] memory values) public {
        assertFalse(capacity.issuePaused());
        for (uint256 i = 0; i < values.length; ++i) {
            vm.prank(guardian);
            capacity.setIssuePaused(values[i]);
            assertEq(capacity.issuePaused(), values[i]);
        }
    }
}
