// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Sites} from "./Sites.sol";

contract Capacity_providerOf_Test is Sites {
    function testFuzz_providerOf_isWhoRegistered(address owner) public {
        vm.assume(owner != address(0));
        vm.prank(owner);
        assertEq(capacity.providerOf(capacity.registerSite(H100, 1, AI_LARGE, PARIS, "")), owner);
    }

    function testFuzz_providerOf_isZeroWhen_siteIsUnknown(uint32 unknown) public view {
        vm.assume(unknown != site && unknown != rivalSite);
        assertEq(capacity.providerOf(unknown), address(0));
    }
}
