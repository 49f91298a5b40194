// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {Leases} from "./Leases.sol";

contract Delivery_resolve_Test is Leases {
    function _resolve(uint64 lease) private {
        // Anyone may: here one who has nothing to do with it.
        vm.prank(thief.addr);
        delivery.resolve(lease);
    }

    function _assertTooEarly(uint64 lease, uint256 deadline_s, uint256 when) private {
        goTo(when);
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_TooEarly.selector, deadline_s, when));
        _resolve(lease);
    }

    /* NOT REPORTED */

    function testFuzz_resolve_refundsEverythingWhen_notReported(uint8 grade, uint64 units, uint16 length, uint256 later)
        public
    {
        units = uint64(bound(units, 1, 10_000));
        length = uint16(bound(length, 1, 168));
        (uint64 lease, uint256 product) = openLease(uint8(bound(grade, 1, 3)), units, length);
        goTo(bound(later, endOf(product) + REPORT_PERIOD + 1, endOf(product) + 365 days));
        uint256 held = cashOf(buyer);
        uint256 bond = bondOf(lease);
        expectEnd(lease, IDelivery.Reason.UNREPORTED, 0, 0, bond);
        vm.expectEmit(address(delivery));
        emit IDelivery.RecordUpdated(site, 0, uint128(units) * 1000 * length);
        _resolve(lease);
        assertEq(cashOf(buyer), held + bond);
        assertRecord(0, uint256(units) * 1000 * length);
        assertEnded(lease);
        assertSolvent(0);
    }

    function testFuzz_resolve_revertsWhen_aReportMayStillCome(uint256 when) public {
        (uint64 lease, uint256 product) = openLease(2, UNITS, 24);
        uint256 deadline_s = endOf(product) + REPORT_PERIOD;
        _assertTooEarly(lease, deadline_s, bound(when, block.timestamp, deadline_s));
    }

    /// @dev There is no second in which both report and resolve pass, and none in which neither does.
    function test_resolve_takesOverWhen_theReportPeriodEnds() public {
        (uint64 lease, uint256 product) = openLease(2, UNITS, 24);
        uint256 deadline_s = endOf(product) + REPORT_PERIOD;
        goTo(deadline_s);
        uint256 id = vm.snapshotState();
        reportAs(provider.addr, lease, 0);
        vm.revertToState(id);
        _assertTooEarly(lease, deadline_s, deadline_s);
        goTo(deadline_s + 1);
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_DeadlinePassed.selector, deadline_s, deadline_s + 1));
        reportAs(provider.addr, lease, 0);
        _resolve(lease);
    }

    /* NOT DISPUTED */

    function testFuzz_resolve_paysAsReportedWhen_notDisputed(
        uint8 grade,
        uint64 units,
        uint16 length,
        uint256 reportedAt_s,
        uint64 reportedMilli
    ) public {
        grade = uint8(bound(grade, 1, 3));
        units = uint64(bound(units, 1, 10_000));
        length = uint16(bound(length, 1, 168));
        reportedMilli = uint64(bound(reportedMilli, 0, units * 1000));
        (uint64 lease, uint256 product) = openLease(grade, units, length);
        reportedAt_s = bound(reportedAt_s, startOf(product), endOf(product) + REPORT_PERIOD);
        goTo(reportedAt_s);
        reportAs(provider.addr, lease, reportedMilli);
        uint256 deadline_s = (reportedAt_s > endOf(product) ? reportedAt_s : endOf(product)) + DISPUTE_PERIOD;
        _assertTooEarly(lease, deadline_s, deadline_s);

        goTo(deadline_s + 1);
        uint256 toProvider = earned(bondOf(lease), grade, units, reportedMilli);
        _assertPays(lease, reportedMilli, toProvider);
        uint256 counted = countedMilli(grade, units, reportedMilli);
        assertRecord(counted * length, (uint256(units) * 1000 - counted) * length);
    }

    function _assertPays(uint64 lease, uint64 reportedMilli, uint256 toProvider) private {
        uint256 bond = bondOf(lease);
        (uint256 provided, uint256 held) = (cashOf(provider), cashOf(buyer));
        expectEnd(lease, IDelivery.Reason.UNDISPUTED, reportedMilli, toProvider, bond - toProvider);
        _resolve(lease);
        assertEq(cashOf(provider), provided + toProvider);
        assertEq(cashOf(buyer), held + bond - toProvider);
        assertEnded(lease);
        assertSolvent(0);
    }

    function test_resolve_takesOverWhen_theDisputePeriodEnds() public {
        (uint64 lease, uint256 product) = reportedLease(2, UNITS, 24, 0);
        uint256 deadline_s = endOf(product) + DISPUTE_PERIOD;
        goTo(deadline_s);
        uint256 id = vm.snapshotState();
        disputeAs(buyer.addr, lease);
        vm.revertToState(id);
        _assertTooEarly(lease, deadline_s, deadline_s);
        goTo(deadline_s + 1);
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_DeadlinePassed.selector, deadline_s, deadline_s + 1));
        disputeAs(buyer.addr, lease);
        _resolve(lease);
    }

    function testFuzz_resolve_paysWhatIsLeftWhen_abortedAndNotDisputed(uint256 passed_s) public {
        (uint64 lease,) = abortedLease(2, UNITS, 168, bound(passed_s, 1 hours, 168 hours - 1));
        IDelivery.Lease memory l = delivery.leaseOf(lease);
        uint256 deadline_s = uint256(l.at_s) + DISPUTE_PERIOD;
        _assertTooEarly(lease, deadline_s, deadline_s);
        goTo(deadline_s + 1);
        uint256 provided = cashOf(provider);
        expectEnd(lease, IDelivery.Reason.UNDISPUTED, l.reportedMilli, l.bondMicro, 0);
        _resolve(lease);
        assertEq(cashOf(provider), provided + l.bondMicro);
        assertSolvent(0);
    }

    /* NOT RULED */

    /// @dev What the report gives the provider is split evenly, rounded down for it; the deposit returns, and what
    /// nobody ruled on is no record.
    function testFuzz_resolve_splitsTheDisputedPartWhen_notRuled(
        uint8 grade,
        uint64 units,
        uint16 length,
        uint64 reportedMilli,
        uint256 later
    ) public {
        grade = uint8(bound(grade, 1, 3));
        units = uint64(bound(units, 1, 10_000));
        length = uint16(bound(length, 1, 168));
        reportedMilli = uint64(bound(reportedMilli, 0, units * 1000));
        (uint64 lease,) = reportedLease(grade, units, length, reportedMilli);
        uint256 bond = bondOf(lease);
        (uint256 provided, uint256 held) = (cashOf(provider), cashOf(buyer));
        skip(bound(later, 0, DISPUTE_PERIOD));
        disputeAs(buyer.addr, lease);
        uint256 deadline_s = block.timestamp + RULING_PERIOD;
        _assertTooEarly(lease, deadline_s, deadline_s);

        goTo(deadline_s + 1);
        uint256 toProvider = earned(bond, grade, units, reportedMilli) / 2;
        expectEnd(lease, IDelivery.Reason.UNRULED, reportedMilli, toProvider, bond - toProvider);
        vm.expectEmit(address(delivery));
        emit IDelivery.DepositReturned(lease, buyer.addr, deposit(bond));
        _resolve(lease);
        assertEq(cashOf(provider), provided + toProvider);
        // The deposit went and came back.
        assertEq(cashOf(buyer), held + bond - toProvider);
        assertRecord(0, 0);
        assertEnded(lease);
        assertSolvent(0);
    }

    function testFuzz_resolve_splitsWhatIsLeftWhen_abortedAndNotRuled(uint256 passed_s) public {
        (uint64 lease,) = abortedLease(2, UNITS, 24, bound(passed_s, 1 hours, 24 hours - 1));
        uint256 bond = bondOf(lease);
        disputeAs(buyer.addr, lease);
        skip(RULING_PERIOD + 1);
        (uint256 provided, uint256 held) = (cashOf(provider), cashOf(buyer));
        _resolve(lease);
        assertEq(cashOf(provider), provided + bond / 2);
        assertEq(cashOf(buyer), held + bond - bond / 2 + deposit(bond));
        assertRecord(0, 0);
        assertEnded(lease);
        assertSolvent(0);
    }

    function test_resolve_takesOverWhen_theRulingPeriodEnds() public {
        (uint64 lease,) = reportedLease(2, UNITS, 24, 0);
        disputeAs(buyer.addr, lease);
        uint256 deadline_s = block.timestamp + RULING_PERIOD;
        goTo(deadline_s);
        uint256 id = vm.snapshotState();
        ruleAs(arbiter, lease, 0);
        vm.revertToState(id);
        _assertTooEarly(lease, deadline_s, deadline_s);
        goTo(deadline_s + 1);
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_DeadlinePassed.selector, deadline_s, deadline_s + 1));
        ruleAs(arbiter, lease, 0);
        _resolve(lease);
    }

    /* NEITHER */

    function testFuzz_resolve_revertsWhen_theLeaseIsUnknown(uint64 lease) public {
        (uint64 last,) = openLease(2, UNITS, 24);
        if (lease == last) ++lease;
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_UnknownLease.selector, lease));
        _resolve(lease);
    }

    /// @dev However it ended, it does not end again.
    function test_resolve_revertsWhen_theLeaseHasEnded() public {
        for (uint256 i = 0; i < uint256(type(Standing).max); ++i) {
            uint256 id = vm.snapshotState();
            uint64 lease = leaseAt(Standing(i));
            skip(30 days);
            _resolve(lease);
            vm.expectRevert(
                abi.encodeWithSelector(
                    IDelivery.Delivery_WrongState.selector, lease, IDelivery.State.RESOLVED, IDelivery.State.OPEN
                )
            );
            _resolve(lease);
            vm.revertToState(id);
        }
    }
}
