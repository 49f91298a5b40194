// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICapacity} from "../../../contracts/interfaces/ICapacity.sol";
import {Leases} from "./Leases.sol";

/// @notice The record, what it leaves of the attested units, and the grade it supports.
contract Delivery_standingOf_Test is Leases {
    uint64 private constant ATTESTED = 200_000;

    function _deliver(uint8 grade, uint64 units, uint64 deliveredMilli) private {
        (uint64 lease,) = reportedLease(grade, units, 1, deliveredMilli);
        acceptAs(buyer.addr, lease);
    }

    function testFuzz_standingOf_isFullWhen_thereIsNoRecord(uint32 any) public view {
        (uint256 bp, uint8 grade) = delivery.standingOf(any);
        assertEq(bp, ONE_BP);
        assertEq(grade, 3);
        assertEq(capacity.issuableUnits(site), ATTESTED);
    }

    function testFuzz_standingOf_isFullWhen_promisesAreKept(uint8 grade, uint64 units, uint64 milli) public {
        grade = uint8(bound(grade, 1, 3));
        units = uint64(bound(units, 1, 10_000));
        _deliver(grade, units, uint64(bound(milli, promisedMilli(grade, units), units * 1000)));
        (uint256 bp, uint8 gradeMax) = delivery.standingOf(site);
        assertEq(bp, ONE_BP);
        assertEq(gradeMax, 3);
    }

    /// @dev Issuable units follow the record, rounded down, never below a fifth; the grade follows the promises.
    function testFuzz_standingOf_fallsWhen_deliveryFails(uint64 good, uint64 bad, uint64 milli) public {
        good = uint64(bound(good, 1, 50_000));
        bad = uint64(bound(bad, 1, 50_000));
        milli = uint64(bound(milli, 0, promisedMilli(1, bad) - 1));
        _deliver(1, good, good * 1000);
        _deliver(1, bad, milli);
        uint256 delivered = uint256(good) * 1000 + milli;
        uint256 whole = (uint256(good) + bad) * 1000;
        uint256 share = delivered * ONE_BP / whole;
        (uint256 bp, uint8 grade) = delivery.standingOf(site);
        assertEq(bp, share < 2000 ? 2000 : share);
        assertEq(grade, share >= 9990 ? 3 : share >= 9900 ? 2 : 1);
        assertEq(capacity.issuableUnits(site), ATTESTED * bp / ONE_BP);
    }

    function test_standingOf_stopsAtTheFloorWhen_everythingFails() public {
        _deliver(1, 1000, 0);
        (uint256 bp, uint8 grade) = delivery.standingOf(site);
        assertEq(bp, 2000);
        assertEq(grade, 1);
        assertEq(capacity.issuableUnits(site), 40_000);
        // BASIC is never lost, and a good delivery heals.
        _deliver(1, 3000, 3_000_000);
        (bp, grade) = delivery.standingOf(site);
        assertEq(bp, 7500);
        assertEq(capacity.issuableUnits(site), 150_000);
    }

    /// @dev 1 of 1,000 units failed is a PREMIUM record still; 2 are not.
    function test_standingOf_takesTheGradeWhen_thePromiseIsBroken() public {
        _deliver(3, 1998, 1_998_000);
        _deliver(1, 2, 0);
        (uint256 bp, uint8 grade) = delivery.standingOf(site);
        assertEq(bp, 9990);
        assertEq(grade, 3);
        mintAs(provider.addr, site, productOf(3, 1), 1);
        _deliver(1, 1, 0);
        (bp, grade) = delivery.standingOf(site);
        assertEq(bp, 9985);
        assertEq(grade, 2);
        uint256 premium = productOf(3, 1);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_GradeTooHigh.selector, site, 3, 2));
        mintAs(provider.addr, site, premium, 1);
        mintAs(provider.addr, site, productOf(2, 1), 1);
    }

    /// @dev What stands is kept when the record falls below it; new issues wait.
    function test_standingOf_keepsWhatStandsWhen_theRecordFalls() public {
        uint256 later = productIn(HUB, EU_WEST, 1, 240, 1);
        mintAs(provider.addr, site, later, 100_000);
        _deliver(1, 1000, 0);
        vm.expectRevert(
            abi.encodeWithSelector(
                ICapacity.Capacity_InsufficientCapacity.selector, site, startOf(later) / 1 hours, 0, 1
            )
        );
        mintAs(provider.addr, site, later, 1);
        (uint64 owed,) = delivery.obligationOf(later, site);
        assertEq(owed, 100_000);
    }

    function test_standingOf_isPerSiteWhen_anotherFails() public {
        uint32 other = attestedSite(provider.addr, 10);
        _deliver(1, 1000, 0);
        (uint256 bp, uint8 grade) = delivery.standingOf(other);
        assertEq(bp, ONE_BP);
        assertEq(grade, 3);
    }
}
