// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Leases} from "./Leases.sol";

contract Delivery_obligationOf_Test is Leases {
    function testFuzz_obligationOf_isZeroWhen_nothingWasIssued(uint256 product, uint32 any) public view {
        (uint64 units, uint256 bond) = delivery.obligationOf(product, any);
        assertEq(units + bond, 0);
    }

    function test_obligationOf_isPerProductAndSiteWhen_severalStand() public {
        uint32 other = attestedSite(provider.addr, 10);
        mintAs(provider.addr, site, productOf(1, 24), 1);
        mintAs(provider.addr, site, productOf(2, 24), 10);
        mintAs(provider.addr, other, productOf(2, 24), 100);
        uint64[3] memory expected = [uint64(1), 10, 100];
        for (uint256 i = 0; i < 3; ++i) {
            (uint64 units, uint256 bond) = delivery.obligationOf(productOf(i == 0 ? 1 : 2, 24), i == 2 ? other : site);
            assertEq(units, expected[i]);
            assertEq(bond, mintBond(expected[i], 24));
        }
    }
}
