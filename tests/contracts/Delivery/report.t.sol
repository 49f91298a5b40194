// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {Leases} from "./Leases.sol";

contract Delivery_report_Test is Leases {
    function testFuzz_report_standsWhen_inTime(uint256 when, uint64 deliveredMilli, uint16 length, bytes32 usage)
        public
    {
        length = uint16(bound(length, 1, 168));
        deliveredMilli = uint64(bound(deliveredMilli, 0, UNITS * 1000));
        (uint64 lease, uint256 product) = openLease(2, UNITS, length);
        when = bound(when, startOf(product), endOf(product) + REPORT_PERIOD);
        goTo(when);
        (uint256 cash, uint256 bond) = (cashOf(provider) + cashOf(buyer), bondOf(lease));

        vm.expectEmit(address(delivery));
        emit IDelivery.Reported(lease, deliveredMilli, usage);
        vm.prank(provider.addr);
        delivery.report(lease, deliveredMilli, usage);

        IDelivery.Lease memory l = delivery.leaseOf(lease);
        assertEq(uint256(l.state), uint256(IDelivery.State.REPORTED));
        assertFalse(l.aborted);
        assertEq(l.at_s, when);
        assertEq(l.reportedMilli, deliveredMilli);
        // A report moves nothing.
        assertEq(l.bondMicro, bond);
        assertEq(cashOf(provider) + cashOf(buyer), cash);
        assertRecord(0, 0);
    }

    function testFuzz_report_revertsWhen_theWindowHasNotStarted(uint256 when) public {
        (uint64 lease, uint256 product) = openLease(2, UNITS, 24);
        uint256 start_s = startOf(product);
        when = bound(when, block.timestamp, start_s - 1);
        goTo(when);
        // It says too much as well: the clock is asked first.
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_WindowNotStarted.selector, start_s, when));
        reportAs(provider.addr, lease, UNITS * 1000 + 1);
    }

    function testFuzz_report_revertsWhen_theReportPeriodHasPassed(uint256 when) public {
        (uint64 lease, uint256 product) = openLease(2, UNITS, 24);
        uint256 deadline_s = endOf(product) + REPORT_PERIOD;
        when = bound(when, deadline_s + 1, deadline_s + 365 days);
        goTo(when);
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_DeadlinePassed.selector, deadline_s, when));
        reportAs(provider.addr, lease, UNITS * 1000 + 1);
    }

    function testFuzz_report_revertsWhen_moreThanTheLeaseIsReported(uint64 units, uint64 deliveredMilli) public {
        units = uint64(bound(units, 1, 10_000));
        deliveredMilli = uint64(bound(deliveredMilli, units * 1000 + 1, type(uint64).max));
        (uint64 lease, uint256 product) = openLease(2, units, 24);
        goTo(startOf(product));
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_AboveLease.selector, deliveredMilli, units * 1000));
        reportAs(provider.addr, lease, deliveredMilli);
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_AboveLease.selector, units * 1000 + 1, units * 1000));
        reportAs(provider.addr, lease, units * 1000 + 1);
        reportAs(provider.addr, lease, units * 1000);
    }

    function testFuzz_report_revertsWhen_theLeaseIsUnknown(uint64 lease) public {
        (uint64 last,) = openLease(2, UNITS, 24);
        if (lease == last) ++lease;
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_UnknownLease.selector, lease));
        reportAs(provider.addr, lease, 0);
    }

    function test_report_revertsWhen_theLeaseIsNotOpen() public {
        assertRefusedElsewhere(
            // No provider either: the state is asked first.
            thief.addr,
            IDelivery.State.OPEN,
            IDelivery.report.selector,
            abi.encode(0, USAGE)
        );
    }

    function testFuzz_report_revertsWhen_theCallerIsNotTheProvider(address caller) public {
        if (caller == provider.addr) caller = buyer.addr;
        (uint64 lease,) = openLease(2, UNITS, 24);
        // Too early as well: who calls is asked first.
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_NotProvider.selector, lease, caller, provider.addr));
        reportAs(caller, lease, 0);
    }

    /// @dev The provider of another site is a stranger here.
    function test_report_revertsWhen_theCallerProvidesAnotherSite() public {
        attestedSite(thief.addr, 1);
        (uint64 lease, uint256 product) = openLease(2, UNITS, 24);
        goTo(endOf(product));
        vm.expectRevert(
            abi.encodeWithSelector(IDelivery.Delivery_NotProvider.selector, lease, thief.addr, provider.addr)
        );
        reportAs(thief.addr, lease, 0);
    }
}
