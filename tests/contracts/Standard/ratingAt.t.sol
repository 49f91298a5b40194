// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IStandard} from "../../../contracts/interfaces/IStandard.sol";
import {Market} from "../support/Market.sol";

contract Standard_ratingAt_Test is Market {
    function testFuzz_ratingAt_givesThatVersion(uint64 milliUnits, bytes32 evidence) public {
        milliUnits = uint64(bound(milliUnits, 1, type(uint64).max));
        vm.prank(committee);
        standard.rate("H100 SXM5 80GB", AI_LARGE, milliUnits, 2, evidence);
        IStandard.Rating memory first = IStandard.Rating(1_000_000, IStandard.Basis.MEASURED, 1, keccak256("evidence"));
        IStandard.Rating memory second = IStandard.Rating(milliUnits, IStandard.Basis.DATASHEET, 2, evidence);
        assertEq(abi.encode(standard.ratingAt(H100, AI_LARGE, 1)), abi.encode(first));
        assertEq(abi.encode(standard.ratingAt(H100, AI_LARGE, 2)), abi.encode(second));
    }

    function testFuzz_ratingAt_revertsWhen_versionIsUnknown(uint32 version) public {
        vm.assume(version != 1);
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_UnknownVersion.selector, H100, AI_LARGE, version, 1));
        standard.ratingAt(H100, AI_LARGE, version);
    }

    function testFuzz_ratingAt_revertsWhen_deviceIsUnrated(bytes32 device, uint8 class, uint32 version) public {
        vm.assume(device != H100 || class != AI_LARGE);
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_UnknownVersion.selector, device, class, version, 0));
        standard.ratingAt(device, class, version);
    }
}
