// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICapacity} from "../../../contracts/interfaces/ICapacity.sol";
import {Sites} from "./Sites.sol";

contract Capacity_registerSite_Test is Sites {
    function testFuzz_registerSite_writesTheSite(address owner, uint32 devices, bool paris, string memory uri) public {
        devices = uint32(bound(devices, 1, type(uint32).max));
        uint16 metro = paris ? PARIS : FRANKFURT;
        uint32 expected = capacity.siteCount() + 1;
        vm.assume(owner != address(0));

        vm.expectEmit(address(capacity));
        emit ICapacity.SiteRegistered(expected, owner, H100, devices, AI_LARGE, metro, EU_WEST, uri);
        vm.prank(owner);
        assertEq(capacity.registerSite(H100, devices, AI_LARGE, metro, uri), expected);

        ICapacity.Site memory wanted = ICapacity.Site(owner, devices, AI_LARGE, metro, EU_WEST, 0, 0, 0, H100);
        assertEq(abi.encode(capacity.siteOf(expected)), abi.encode(wanted));
        assertEq(capacity.providerOf(expected), owner);
    }

    function testFuzz_registerSite_countsSites(uint8 more) public {
        uint32 before = capacity.siteCount();
        for (uint32 i = 1; i <= more % 8; ++i) {
            vm.prank(thief.addr);
            assertEq(capacity.registerSite(H100, 1, AI_LARGE, PARIS, ""), before + i);
        }
        assertEq(capacity.siteCount(), before + more % 8);
    }

    /// @dev Registered is not attested: nothing can be issued.
    function testFuzz_registerSite_issuesNothingYet(uint32 devices) public {
        devices = uint32(bound(devices, 1, type(uint32).max));
        vm.prank(provider.addr);
        uint32 fresh = capacity.registerSite(H100, devices, AI_LARGE, FRANKFURT, "");
        assertEq(capacity.issuableUnits(fresh), 0);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_GradeTooHigh.selector, fresh, 1, 0));
        mintAs(provider.addr, fresh, productIn(HUB, EU_WEST, 1, 24, 1), 1);
    }

    /* REVERTS */

    function test_registerSite_revertsWhen_thereAreNoDevices() public {
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_NoDevices.selector));
        capacity.registerSite(H100, 0, AI_LARGE, FRANKFURT, "");
    }

    function testFuzz_registerSite_revertsWhen_deviceIsUnrated(bytes32 device, uint8 class) public {
        vm.assume(device != H100 || class != AI_LARGE);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_UnratedDevice.selector, device, class));
        capacity.registerSite(device, 1, class, FRANKFURT, "");
    }

    function testFuzz_registerSite_revertsWhen_areaIsNoMetro(uint16 area) public {
        vm.assume(area != FRANKFURT && area != PARIS);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_NotAMetro.selector, area));
        capacity.registerSite(H100, 1, AI_LARGE, area, "");
    }

    function test_registerSite_revertsWhen_areaIsAHub() public {
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_NotAMetro.selector, EU_WEST));
        capacity.registerSite(H100, 1, AI_LARGE, EU_WEST, "");
    }

    function test_registerSite_revertsWith_theFirstOfSeveral() public {
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_NoDevices.selector));
        capacity.registerSite("", 0, 9, 0, "");
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_UnratedDevice.selector, bytes32(""), 9));
        capacity.registerSite("", 1, 9, 0, "");
    }
}
