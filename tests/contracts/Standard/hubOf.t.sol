// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Market} from "../support/Market.sol";

contract Standard_hubOf_Test is Market {
    function test_hubOf_givesAMetrosHub() public view {
        assertEq(standard.hubOf(FRANKFURT), EU_WEST);
        assertEq(standard.hubOf(PARIS), EU_WEST);
    }

    function testFuzz_hubOf_isZeroFor_everythingElse(uint16 area) public view {
        vm.assume(area != FRANKFURT && area != PARIS);
        assertEq(standard.hubOf(area), 0);
        assertEq(standard.hubOf(EU_WEST), 0);
    }
}
