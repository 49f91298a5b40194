// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";

import {IStandard} from "../../../contracts/interfaces/IStandard.sol";
import {Market} from "../support/Market.sol";

contract Standard_rate_Test is Market {
    function _rate(string memory device, uint64 milliUnits, uint8 basis, bytes32 evidence) private returns (uint32) {
        vm.prank(committee);
        return standard.rate(device, AI_LARGE, milliUnits, basis, evidence);
    }

    function testFuzz_rate_storesTheRating(string memory device, uint64 milliUnits, uint8 basis, bytes32 evidence)
        public
    {
        bytes32 id = keccak256(bytes(device));
        vm.assume(id != H100);
        milliUnits = uint64(bound(milliUnits, 1, type(uint64).max));
        basis = uint8(bound(basis, 1, 2));
        vm.expectEmit(address(standard));
        emit IStandard.Rated(id, AI_LARGE, 1, device, milliUnits, IStandard.Basis(basis), evidence);
        assertEq(_rate(device, milliUnits, basis, evidence), 1);
        IStandard.Rating memory expected = IStandard.Rating(milliUnits, IStandard.Basis(basis), 1, evidence);
        assertEq(abi.encode(standard.ratingOf(id, AI_LARGE)), abi.encode(expected));
    }

    function testFuzz_rate_keepsOlderVersions(uint64[5] memory milliUnits, bytes32 evidence) public {
        bytes32 id = keccak256("A100");
        for (uint32 i = 0; i < milliUnits.length; ++i) {
            milliUnits[i] = uint64(bound(milliUnits[i], 1, type(uint64).max));
            assertEq(_rate("A100", milliUnits[i], 1, evidence), i + 1);
            assertEq(standard.ratingOf(id, AI_LARGE).version, i + 1);
        }
        for (uint32 i = 0; i < milliUnits.length; ++i) {
            IStandard.Rating memory rating = standard.ratingAt(id, AI_LARGE, i + 1);
            assertEq(rating.milliUnits, milliUnits[i]);
            assertEq(rating.version, i + 1);
        }
    }

    function test_rate_countsVersionsPerClass() public {
        vm.prank(committee);
        standard.setClass(2, IStandard.ClassTerms("AI_SMALL", "", 16, TICK_SIZE, MIN_UNITS, BOND_PRICE));
        assertEq(_rate("H100 SXM5 80GB", 1_100_000, 1, ""), 2);
        vm.prank(committee);
        assertEq(standard.rate("H100 SXM5 80GB", 2, 900_000, 2, ""), 1);
        assertEq(standard.ratingOf(H100, AI_LARGE).milliUnits, 1_100_000);
        assertEq(standard.ratingOf(H100, 2).milliUnits, 900_000);
    }

    /// @dev A new rating binds the next attestation, not the one that stands.
    function test_rate_leavesAttestations() public {
        uint32 site = attestedSite(provider.addr, 100);
        _rate("H100 SXM5 80GB", 1, 1, "");
        assertEq(capacity.issuableUnits(site), 100_000);
    }

    /* REVERTS */

    function testFuzz_rate_revertsWhen_callerIsNotStandards(address caller) public {
        vm.assume(caller != committee);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, caller));
        vm.prank(caller);
        standard.rate("A100", AI_LARGE, 1, 1, "");
    }

    function testFuzz_rate_revertsWhen_classIsUnknown(uint8 class) public {
        vm.assume(class != AI_LARGE);
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_UnknownClass.selector, class));
        vm.prank(committee);
        standard.rate("A100", class, 1, 1, "");
    }

    function testFuzz_rate_revertsWhen_basisIsUnknown(uint8 basis) public {
        vm.assume(basis != 1 && basis != 2);
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_UnknownBasis.selector, basis));
        _rate("A100", 1, basis, "");
    }

    function testFuzz_rate_revertsWhen_ratingIsZero(string memory device) public {
        vm.expectRevert(
            abi.encodeWithSelector(IStandard.Standard_ZeroRating.selector, keccak256(bytes(device)), AI_LARGE)
        );
        _rate(device, 0, 1, "");
    }

    function test_rate_revertsWith_theFirstOfSeveral() public {
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_UnknownClass.selector, 9));
        vm.prank(committee);
        standard.rate("A100", 9, 0, 0, "");

        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_UnknownBasis.selector, 3));
        _rate("A100", 0, 3, "");
    }
}
