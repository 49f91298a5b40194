// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";

import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {Leases} from "./Leases.sol";

contract Delivery_rule_Test is Leases {
    function _disputed(uint8 grade, uint64 units, uint16 length, uint64 reportedMilli) private returns (uint64 lease) {
        (lease,) = reportedLease(grade, units, length, reportedMilli);
        disputeAs(buyer.addr, lease);
    }

    /// @dev The bond by the ruling; the deposit to the holder if that is less than was reported, else to the provider.
    function testFuzz_rule_paysWhatWasRuledWhen_disputed(
        uint8 grade,
        uint64 units,
        uint16 length,
        uint64 reportedMilli,
        uint64 ruledMilli
    ) public {
        grade = uint8(bound(grade, 1, 3));
        units = uint64(bound(units, 1, 10_000));
        length = uint16(bound(length, 1, 168));
        reportedMilli = uint64(bound(reportedMilli, 0, units * 1000));
        ruledMilli = uint64(bound(ruledMilli, 0, units * 1000));
        uint64 lease = _disputed(grade, units, length, reportedMilli);
        uint256 bond = bondOf(lease);
        uint256 toProvider = earned(bond, grade, units, ruledMilli);
        address right = ruledMilli < reportedMilli ? buyer.addr : provider.addr;
        (uint256 provided, uint256 held) = (cashOf(provider), cashOf(buyer));
        uint128 delivered = uint128(countedMilli(grade, units, ruledMilli)) * length;
        uint128 failed = uint128(units) * 1000 * length - delivered;

        vm.expectEmit(address(delivery));
        emit IDelivery.Ruled(lease, ruledMilli, REASON_URI, REASONS);
        expectEnd(lease, IDelivery.Reason.RULED, ruledMilli, toProvider, bond - toProvider);
        vm.expectEmit(address(delivery));
        emit IDelivery.DepositReturned(lease, right, deposit(bond));
        vm.expectEmit(address(delivery));
        emit IDelivery.RecordUpdated(site, delivered, failed);
        ruleAs(arbiter, lease, ruledMilli);

        assertEq(cashOf(provider), provided + toProvider + (right == provider.addr ? deposit(bond) : 0));
        assertEq(cashOf(buyer), held + bond - toProvider + (right == buyer.addr ? deposit(bond) : 0));
        assertRecord(delivered, failed);
        assertEnded(lease);
        assertSolvent(0);
    }

    /// @dev A report that the ruling confirms to the thousandth costs the holder the deposit; one less does not.
    function testFuzz_rule_returnsTheDepositWhen_theReportWasTooHigh(uint64 reportedMilli) public {
        reportedMilli = uint64(bound(reportedMilli, 1, UNITS * 1000));
        uint64 lease = _disputed(2, UNITS, 24, reportedMilli);
        uint256 id = vm.snapshotState();
        vm.expectEmit(address(delivery));
        emit IDelivery.DepositReturned(lease, buyer.addr, deposit(bondOf(lease)));
        ruleAs(arbiter, lease, reportedMilli - 1);
        vm.revertToState(id);
        vm.expectEmit(address(delivery));
        emit IDelivery.DepositReturned(lease, provider.addr, deposit(bondOf(lease)));
        ruleAs(arbiter, lease, reportedMilli);
    }

    /// @dev Of an aborted lease only the reported part is left to rule on.
    function testFuzz_rule_sharesWhatIsLeftWhen_aborted(uint8 grade, uint64 units, uint256 passed_s, uint64 ruledMilli)
        public
    {
        grade = uint8(bound(grade, 1, 3));
        units = uint64(bound(units, 1, 10_000));
        (uint64 lease,) = abortedLease(grade, units, 24, bound(passed_s, 1 hours, 24 hours - 1));
        IDelivery.Lease memory l = delivery.leaseOf(lease);
        disputeAs(buyer.addr, lease);
        ruledMilli = uint64(bound(ruledMilli, 0, l.reportedMilli));
        uint256 toProvider = uint256(l.bondMicro) * ruledMilli / l.reportedMilli;
        (uint256 provided, uint256 held) = (cashOf(provider), cashOf(buyer));
        bool tooHigh = ruledMilli < l.reportedMilli;

        expectEnd(lease, IDelivery.Reason.RULED, ruledMilli, toProvider, l.bondMicro - toProvider);
        ruleAs(arbiter, lease, ruledMilli);

        assertEq(cashOf(provider), provided + toProvider + (tooHigh ? 0 : deposit(l.bondMicro)));
        assertEq(cashOf(buyer), held + l.bondMicro - toProvider + (tooHigh ? deposit(l.bondMicro) : 0));
        uint256 counted = countedMilli(grade, units, ruledMilli);
        assertRecord(counted * 24, (uint256(units) * 1000 - counted) * 24);
        assertEnded(lease);
        assertSolvent(0);
    }

    function testFuzz_rule_revertsWhen_moreIsRuledThanAnAbortedLeaseHolds(uint64 ruledMilli) public {
        (uint64 lease,) = abortedLease(2, UNITS, 24, 12 hours);
        disputeAs(buyer.addr, lease);
        ruledMilli = uint64(bound(ruledMilli, UNITS * 500 + 1, type(uint64).max));
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_AboveLease.selector, ruledMilli, UNITS * 500));
        ruleAs(arbiter, lease, ruledMilli);
    }

    function testFuzz_rule_revertsWhen_moreIsRuledThanTheLease(uint64 ruledMilli) public {
        uint64 lease = _disputed(2, UNITS, 24, UNITS);
        ruledMilli = uint64(bound(ruledMilli, UNITS * 1000 + 1, type(uint64).max));
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_AboveLease.selector, ruledMilli, UNITS * 1000));
        ruleAs(arbiter, lease, ruledMilli);
    }

    function testFuzz_rule_passesWhen_theRulingPeriodRuns(uint256 later) public {
        uint64 lease = _disputed(2, UNITS, 24, UNITS);
        skip(bound(later, 0, RULING_PERIOD));
        ruleAs(arbiter, lease, 0);
        assertEnded(lease);
    }

    function testFuzz_rule_revertsWhen_theRulingPeriodHasPassed(uint256 later) public {
        uint64 lease = _disputed(2, UNITS, 24, UNITS);
        uint256 deadline_s = block.timestamp + RULING_PERIOD;
        later = bound(later, deadline_s + 1, deadline_s + 365 days);
        goTo(later);
        // More than the lease as well: the clock is asked first.
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_DeadlinePassed.selector, deadline_s, later));
        ruleAs(arbiter, lease, UNITS * 1000 + 1);
    }

    function testFuzz_rule_revertsWhen_theCallerIsNoArbiter(address caller) public {
        if (caller == arbiter) caller = thief.addr;
        // No such lease as well: the role is asked first.
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, caller));
        ruleAs(caller, 1, 0);
    }

    function test_rule_revertsWhen_theCallerHasAnotherRole() public {
        uint64 lease = _disputed(2, UNITS, 24, UNITS);
        address[6] memory others = [committee, auditor, guardian, provider.addr, buyer.addr, address(this)];
        for (uint256 i = 0; i < others.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, others[i]));
            ruleAs(others[i], lease, 0);
        }
    }

    function testFuzz_rule_revertsWhen_theLeaseIsUnknown(uint64 lease) public {
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_UnknownLease.selector, lease));
        ruleAs(arbiter, lease, 0);
    }

    function test_rule_revertsWhen_theLeaseIsNotDisputed() public {
        assertRefusedElsewhere(
            arbiter, IDelivery.State.DISPUTED, IDelivery.rule.selector, abi.encode(0, 0x80, REASONS, 0)
        );
    }
}
