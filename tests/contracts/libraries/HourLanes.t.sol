// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {HourLanes} from "../../../contracts/libraries/HourLanes.sol";
import {Test} from "../support/Test.sol";

contract HourLanes_Test is Test {
    function test_lanes_fillTheWord() public pure {
        assertEq(HourLanes.LANES * 32, 256);
    }

    function testFuzz_set_thenGetIsTheValue(uint256 word, uint256 lane, uint32 value) public pure {
        lane = bound(lane, 0, HourLanes.LANES - 1);
        assertEq(HourLanes.get(HourLanes.set(word, lane, value), lane), value);
    }

    function testFuzz_set_leavesTheNeighbours(uint256 word, uint256 lane, uint32 value) public pure {
        lane = bound(lane, 0, HourLanes.LANES - 1);
        uint256 changed = HourLanes.set(word, lane, value);
        for (uint256 i = 0; i < HourLanes.LANES; ++i) {
            if (i != lane) assertEq(HourLanes.get(changed, i), HourLanes.get(word, i));
        }
    }

    /// @dev Lane 0 is the lowest 32 bits: auditors read the calendar's slots by it.
    function testFuzz_set_buildsTheWordFromEightNumbers(uint32[8] memory values) public pure {
        uint256 word = type(uint256).max;
        uint256 expected = 0;
        for (uint256 i = 0; i < HourLanes.LANES; ++i) {
            word = HourLanes.set(word, i, values[i]);
            expected += values[i] * 2 ** (32 * i);
        }
        assertEq(word, expected);
        for (uint256 i = 0; i < HourLanes.LANES; ++i) {
            assertEq(HourLanes.get(word, i), values[i]);
        }
    }

    /* PROOFS */

    function check_set_thenGetIsTheValue(uint256 word, uint256 lane, uint32 value) public pure {
        vm.assume(lane < HourLanes.LANES);
        assert(HourLanes.get(HourLanes.set(word, lane, value), lane) == value);
    }

    function check_set_leavesTheNeighbours(uint256 word, uint256 lane, uint256 other, uint32 value) public pure {
        vm.assume(lane < HourLanes.LANES && other < HourLanes.LANES && other != lane);
        assert(HourLanes.get(HourLanes.set(word, lane, value), other) == HourLanes.get(word, other));
    }

    function check_set_ofWhatStandsChangesNothing(uint256 word, uint256 lane) public pure {
        vm.assume(lane < HourLanes.LANES);
        assert(HourLanes.set(word, lane, HourLanes.get(word, lane)) == word);
    }

    /// @dev What {Capacity} does: commits and releases.
    function check_set_takesBackWhatItAdded(uint256 word, uint256 lane, uint32 units) public pure {
        vm.assume(lane < HourLanes.LANES);
        uint256 committed = HourLanes.get(word, lane);
        vm.assume(committed + units <= type(uint32).max);
        uint256 more = HourLanes.set(word, lane, committed + units);
        assert(HourLanes.set(more, lane, HourLanes.get(more, lane) - units) == word);
    }
}
