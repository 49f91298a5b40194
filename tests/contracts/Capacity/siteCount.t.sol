// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICapacity} from "../../../contracts/interfaces/ICapacity.sol";
import {Sites} from "./Sites.sol";

contract Capacity_siteCount_Test is Sites {
    function testFuzz_siteCount_isTheLastSitesNumber(uint8 more) public {
        for (uint256 i = 0; i < more % 5; ++i) {
            attestedSite(thief.addr, 1);
        }
        assertEq(capacity.siteCount(), 2 + more % 5);
        assertNotEq(capacity.providerOf(capacity.siteCount()), address(0));
        assertEq(capacity.providerOf(capacity.siteCount() + 1), address(0));
    }

    function test_siteCount_staysWhen_registrationIsRefused() public {
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_NoDevices.selector));
        capacity.registerSite(H100, 0, AI_LARGE, PARIS, "");
        assertEq(capacity.siteCount(), 2);
    }
}
