// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Sites} from "./Sites.sol";

contract Capacity_totalSupply_Test is Sites {
    /// @dev Obligations of all sites, and units that wait in offers.
    function testFuzz_totalSupply_isWhatIsOwedAndOffered(uint64 a, uint64 b, uint64 offered, uint64 redeemed) public {
        a = uint64(bound(a, 1, CAP / 2));
        b = uint64(bound(b, 1, CAP));
        offered = uint64(bound(offered, MIN_UNITS, CAP / 2));
        redeemed = uint64(bound(redeemed, 1, b));
        uint256 product = productIn(HUB, EU_WEST, 2, 24, 2);
        mintAs(provider.addr, site, product, a);
        issueTo(buyer.addr, rival.addr, rivalSite, product, b);
        assertEq(capacity.totalSupply(product), a + b);

        offerAs(provider.addr, site, product, TICK, offered);
        assertEq(capacity.totalSupply(product), a + b + offered);
        vm.prank(buyer.addr);
        delivery.redeem(product, rivalSite, redeemed, "");
        assertEq(capacity.totalSupply(product), a + b + offered - redeemed);
        assertEq(capacity.totalSupply(product), uint256(owedBy(site, product)) + owedBy(rivalSite, product) + offered);
    }

    function testFuzz_totalSupply_isZeroFor_whatWasNeverIssued(uint256 product) public view {
        assertEq(capacity.totalSupply(product), 0);
    }
}
