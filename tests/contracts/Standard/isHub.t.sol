// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Market} from "../support/Market.sol";

contract Standard_isHub_Test is Market {
    function testFuzz_isHub_isTrueFor_hubsAlone(uint16 area) public view {
        assertEq(standard.isHub(area), area == EU_WEST || area == US_EAST);
    }

    function test_isHub_isTrueFor_hubsAlone() public view {
        assertTrue(standard.isHub(EU_WEST));
        assertTrue(standard.isHub(US_EAST));
        assertFalse(standard.isHub(FRANKFURT));
        assertFalse(standard.isHub(0));
    }
}
