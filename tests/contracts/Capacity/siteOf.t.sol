// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICapacity} from "../../../contracts/interfaces/ICapacity.sol";
import {Sites} from "./Sites.sol";

contract Capacity_siteOf_Test is Sites {
    function test_siteOf_givesEachSiteItsOwn() public view {
        (ICapacity.Site memory one, ICapacity.Site memory other) = (capacity.siteOf(site), capacity.siteOf(rivalSite));
        assertEq(one.provider, provider.addr);
        assertEq(other.provider, rival.addr);
        assertEq(one.devices, DEVICES);
        assertEq(one.units, CAP);
        assertEq(one.grade, 3);
        assertEq(one.metro, FRANKFURT);
        assertEq(one.hub, EU_WEST);
        assertEq(one.class, AI_LARGE);
        assertEq(one.device, H100);
        assertGt(one.validUntil_s, vm.getBlockTimestamp());
    }

    function testFuzz_siteOf_revertsWhen_siteIsUnknown(uint32 unknown) public {
        vm.assume(unknown != site && unknown != rivalSite);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_UnknownSite.selector, unknown));
        capacity.siteOf(unknown);
    }
}
