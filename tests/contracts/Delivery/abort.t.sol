// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {Leases} from "./Leases.sol";

contract Delivery_abort_Test is Leases {
    /// @dev The undelivered part is the holder's at once; the rest stands as a report.
    function testFuzz_abort_refundsTheRestAtOnceWhen_theWindowRuns(
        uint8 grade,
        uint64 units,
        uint16 length,
        uint256 passed_s,
        uint64 deliveredMilli
    ) public {
        grade = uint8(bound(grade, 1, 3));
        units = uint64(bound(units, 1, 10_000));
        length = uint16(bound(length, 1, 168));
        (uint64 lease, uint256 product) = openLease(grade, units, length);
        passed_s = bound(passed_s, 0, uint256(length) * 1 hours - 1);
        goTo(startOf(product) + passed_s);
        deliveredMilli =
            uint64(bound(deliveredMilli, 0, uint256(units) * 1000 * passed_s / (uint256(length) * 1 hours)));
        uint256 bond = bondOf(lease);
        uint256 kept = earned(bond, grade, units, deliveredMilli);
        (uint256 held, uint256 provided) = (cashOf(buyer), cashOf(provider));

        vm.expectEmit(address(delivery));
        emit IDelivery.Aborted(lease, deliveredMilli, bond - kept);
        if (kept == 0) expectEnd(lease, IDelivery.Reason.ABORTED, deliveredMilli, 0, 0);
        abortAs(provider.addr, lease, deliveredMilli);

        assertEq(cashOf(buyer), held + bond - kept);
        assertEq(cashOf(provider), provided);
        assertSolvent(kept);
        if (kept == 0) {
            assertEnded(lease);
            return;
        }
        IDelivery.Lease memory l = delivery.leaseOf(lease);
        assertEq(uint256(l.state), uint256(IDelivery.State.REPORTED));
        assertTrue(l.aborted);
        assertEq(l.at_s, startOf(product) + passed_s);
        assertEq(l.reportedMilli, deliveredMilli);
        assertEq(l.bondMicro, kept);
        // Nothing is on record until the lease ends.
        assertRecord(0, 0);
    }

    function testFuzz_abort_endsTheLeaseWhen_theWindowHasNotStarted(uint256 when) public {
        (uint64 lease, uint256 product) = openLease(2, UNITS, 24);
        goTo(bound(when, block.timestamp, startOf(product)));
        uint256 bond = bondOf(lease);
        uint256 held = cashOf(buyer);
        vm.expectEmit(address(delivery));
        emit IDelivery.Aborted(lease, 0, bond);
        expectEnd(lease, IDelivery.Reason.ABORTED, 0, 0, 0);
        vm.expectEmit(address(delivery));
        emit IDelivery.RecordUpdated(site, 0, uint128(UNITS) * 1000 * 24);
        abortAs(provider.addr, lease, 0);
        assertEq(cashOf(buyer), held + bond);
        assertRecord(0, uint256(UNITS) * 1000 * 24);
        assertEnded(lease);
    }

    /// @dev One thousandth of a unit of one cheap hour is worth less than a micro: nothing is left to report on, but
    /// what was delivered is on record.
    function test_abort_endsTheLeaseWhen_whatWasDeliveredIsWorthNothing() public {
        uint256 product = productOf(2, 1);
        sell(site, product, 1, MIN_UNITS);
        uint64 lease = redeemAs(buyer.addr, product, MIN_UNITS);
        assertLt(bondOf(lease), uint256(MIN_UNITS) * 1000);
        goTo(endOf(product) - 1);
        expectEnd(lease, IDelivery.Reason.ABORTED, 1, 0, 0);
        abortAs(provider.addr, lease, 1);
        assertRecord(1, MIN_UNITS * 1000 - 1);
        assertEnded(lease);
    }

    /// @dev A window that is nearly over can be aborted with its promise kept: all of the bond stands as the report.
    function testFuzz_abort_refundsNothingWhen_thePromiseWasKept(uint8 grade, uint64 units) public {
        grade = uint8(bound(grade, 1, 3));
        units = uint64(bound(units, 1, 10_000));
        (uint64 lease, uint256 product) = openLease(grade, units, 24);
        goTo(endOf(product) - 1);
        uint256 bond = bondOf(lease);
        vm.expectEmit(address(delivery));
        emit IDelivery.Aborted(lease, promisedMilli(grade, units), 0);
        abortAs(provider.addr, lease, promisedMilli(grade, units));
        assertEq(bondOf(lease), bond);
        // One thousandth less, and the holder gets back more than that.
        (lease, product) = openLease(grade, units, 24);
        goTo(endOf(product) - 1);
        abortAs(provider.addr, lease, promisedMilli(grade, units) - 1);
        assertLt(bondOf(lease), bond);
    }

    /// @dev At most the part of the window that has passed, to the second and to the thousandth, rounded down.
    function testFuzz_abort_revertsWhen_moreIsClaimedThanTimeHasPassed(
        uint64 units,
        uint16 length,
        uint256 passed_s,
        uint64 more
    ) public {
        units = uint64(bound(units, 1, 10_000));
        length = uint16(bound(length, 1, 168));
        (uint64 lease, uint256 product) = openLease(2, units, length);
        passed_s = bound(passed_s, 0, uint256(length) * 1 hours - 1);
        goTo(startOf(product) + passed_s);
        uint64 mostMilli = uint64(uint256(units) * 1000 * passed_s / (uint256(length) * 1 hours));
        more = uint64(bound(more, mostMilli + 1, type(uint64).max));
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_AboveLease.selector, more, mostMilli));
        abortAs(provider.addr, lease, more);
        abortAs(provider.addr, lease, mostMilli);
    }

    function test_abort_revertsWhen_anythingIsClaimedBeforeTheWindow() public {
        (uint64 lease,) = openLease(2, UNITS, 24);
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_AboveLease.selector, 1, 0));
        abortAs(provider.addr, lease, 1);
    }

    function testFuzz_abort_revertsWhen_theWindowHasEnded(uint256 when) public {
        (uint64 lease, uint256 product) = openLease(2, UNITS, 24);
        uint256 end_s = endOf(product);
        when = bound(when, end_s, end_s + 365 days);
        goTo(when);
        // It claims too much as well: the clock is asked first.
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_WindowEnded.selector, end_s, when));
        abortAs(provider.addr, lease, UNITS * 1000 + 1);
    }

    function testFuzz_abort_revertsWhen_theLeaseIsUnknown(uint64 lease) public {
        (uint64 last,) = openLease(2, UNITS, 24);
        if (lease == last) ++lease;
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_UnknownLease.selector, lease));
        abortAs(provider.addr, lease, 0);
    }

    function test_abort_revertsWhen_theLeaseIsNotOpen() public {
        assertRefusedElsewhere(thief.addr, IDelivery.State.OPEN, IDelivery.abort.selector, abi.encode(0));
    }

    function testFuzz_abort_revertsWhen_theCallerIsNotTheProvider(address caller) public {
        if (caller == provider.addr) caller = buyer.addr;
        (uint64 lease, uint256 product) = openLease(2, UNITS, 24);
        goTo(endOf(product));
        // The window has ended as well: who calls is asked first.
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_NotProvider.selector, lease, caller, provider.addr));
        abortAs(caller, lease, 0);
    }
}
