// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";

import {ICapacity} from "../../../contracts/interfaces/ICapacity.sol";
import {Sites} from "./Sites.sol";

contract Capacity_attest_Test is Sites {
    function testFuzz_attest_writesWhatWasMeasured(uint64 units, uint8 grade, bytes32 evidence, uint64 validUntil_s)
        public
    {
        units = uint64(bound(units, 0, CAP));
        grade = uint8(bound(grade, 1, 3));
        validUntil_s = uint64(bound(validUntil_s, vm.getBlockTimestamp() + 1, type(uint64).max));
        vm.expectEmit(address(capacity));
        emit ICapacity.Attested(site, units, grade, evidence, validUntil_s);
        vm.prank(auditor);
        capacity.attest(site, units, grade, evidence, validUntil_s);

        ICapacity.Site memory wanted = ICapacity.Site(
            provider.addr, DEVICES, AI_LARGE, FRANKFURT, EU_WEST, grade, uint32(units), validUntil_s, H100
        );
        assertEq(abi.encode(capacity.siteOf(site)), abi.encode(wanted));
        assertEq(capacity.issuableUnits(site), units);
    }

    /// @dev What stands is kept; what is new is measured against the new figure.
    function testFuzz_attest_keepsCommitments(uint64 committed, uint64 units, uint64 more) public {
        committed = uint64(bound(committed, 1, CAP));
        units = uint64(bound(units, 0, CAP));
        more = uint64(bound(more, 1, CAP));
        uint256 product = tomorrow();
        mintAs(provider.addr, site, product, committed);
        attestAs(site, units, 3, endOf(product));
        assertCommitted(site, product, committed);

        uint64 free = units > committed ? units - committed : 0;
        assertEq(capacity.availableUnits(site, startHourOf(product), hoursOf(product)), free);
        if (more > free) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    ICapacity.Capacity_InsufficientCapacity.selector, site, startHourOf(product), free, more
                )
            );
        }
        mintAs(provider.addr, site, product, more);
        assertCommitted(site, product, more > free ? committed : committed + more);
    }

    /// @dev The latest rating of the standard counts, whatever the devices were rated at when they were registered.
    function testFuzz_attest_followsTheLatestRating(uint64 milliUnits, uint32 devices, uint64 units) public {
        milliUnits = uint64(bound(milliUnits, 1, type(uint64).max));
        devices = uint32(bound(devices, 1, type(uint32).max));
        vm.prank(committee);
        standard.rate("H100 SXM5 80GB", AI_LARGE, milliUnits, 1, "");
        vm.prank(provider.addr);
        uint32 fresh = capacity.registerSite(H100, devices, AI_LARGE, FRANKFURT, "");
        uint256 most = uint256(milliUnits) * devices / 1000;
        if (most > type(uint32).max) most = type(uint32).max;
        if (units > most) {
            vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_AboveRating.selector, fresh, units, most));
        }
        attestAs(fresh, units, 3, vm.getBlockTimestamp() + 1);
        assertEq(capacity.issuableUnits(fresh), units > most ? 0 : units);
    }

    /* REVERTS */

    function testFuzz_attest_revertsWhen_callerIsNotAnAuditor(address caller) public {
        vm.assume(caller != auditor);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, caller));
        vm.prank(caller);
        capacity.attest(site, 1, 1, "", type(uint64).max);
    }

    function testFuzz_attest_revertsWhen_siteIsUnknown(uint32 unknown) public {
        vm.assume(unknown != site && unknown != rivalSite);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_UnknownSite.selector, unknown));
        attestAs(unknown, 1, 1, type(uint64).max);
    }

    function testFuzz_attest_revertsWhen_gradeIsUnknown(uint8 grade) public {
        vm.assume(grade == 0 || grade > 3);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_UnknownGrade.selector, grade));
        attestAs(site, 1, grade, type(uint64).max);
    }

    function testFuzz_attest_revertsWhen_unitsAreAboveTheRating(uint64 units) public {
        units = uint64(bound(units, CAP + 1, type(uint64).max));
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_AboveRating.selector, site, units, CAP));
        attestAs(site, units, 1, type(uint64).max);
    }

    /// @dev A calendar lane holds 32 bits: devices beyond that count as that many.
    function testFuzz_attest_revertsWhen_unitsLeaveTheLane(uint64 units) public {
        vm.prank(provider.addr);
        uint32 huge = capacity.registerSite(H100, type(uint32).max, AI_LARGE, FRANKFURT, "");
        units = uint64(bound(units, uint64(type(uint32).max) + 1, type(uint64).max));
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_AboveRating.selector, huge, units, type(uint32).max));
        attestAs(huge, units, 1, type(uint64).max);
    }

    function testFuzz_attest_revertsWhen_itHasEnded(uint64 validUntil_s) public {
        validUntil_s = uint64(bound(validUntil_s, 0, vm.getBlockTimestamp()));
        vm.expectRevert(
            abi.encodeWithSelector(ICapacity.Capacity_AttestationInPast.selector, validUntil_s, vm.getBlockTimestamp())
        );
        attestAs(site, 1, 1, validUntil_s);
    }

    function test_attest_worksFrom_theNextSecondOn() public {
        uint256 now_s = vm.getBlockTimestamp();
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_AttestationInPast.selector, now_s, now_s));
        attestAs(site, 1, 1, now_s);
        attestAs(site, 1, 1, now_s + 1);
    }

    function test_attest_revertsWith_theFirstOfSeveral() public {
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_UnknownSite.selector, 99));
        attestAs(99, CAP + 1, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_UnknownGrade.selector, 0));
        attestAs(site, CAP + 1, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_AboveRating.selector, site, CAP + 1, CAP));
        attestAs(site, CAP + 1, 1, 0);
    }
}
