// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Sites} from "./Sites.sol";

contract Capacity_committedUnits_Test is Sites {
    /// @dev In the window and nowhere else, at this site and no other.
    function testFuzz_committedUnits_standInTheWindowAlone(uint256 seed, uint64 units, uint32 hour) public {
        uint256 product = anyProduct(seed, 1, 168);
        units = uint64(bound(units, 1, CAP));
        mintAs(provider.addr, site, product, units);
        bool inside = hour >= startHourOf(product) && hour < startHourOf(product) + hoursOf(product);
        assertEq(capacity.committedUnits(site, hour), inside ? units : 0);
        assertCommitted(site, product, units);
        assertCommitted(rivalSite, product, 0);
    }

    /// @dev Past commitments stay on record.
    function test_committedUnits_stayWhen_theWindowIsOver() public {
        uint256 product = tomorrow();
        mintAs(provider.addr, site, product, 10);
        goTo(endOf(product) + 30 days);
        delivery.expire(product, site);
        assertCommitted(site, product, 10);
    }
}
