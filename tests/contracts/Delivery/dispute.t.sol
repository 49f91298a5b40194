// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {ITreasury} from "../../../contracts/interfaces/ITreasury.sol";
import {Leases} from "./Leases.sol";

contract Delivery_dispute_Test is Leases {
    function testFuzz_dispute_takesTheDepositWhen_inTime(
        uint64 units,
        uint16 length,
        uint256 reportedAt_s,
        uint256 when,
        bytes32 evidence
    ) public {
        units = uint64(bound(units, 1, 10_000));
        length = uint16(bound(length, 1, 168));
        (uint64 lease, uint256 product) = openLease(2, units, length);
        reportedAt_s = bound(reportedAt_s, startOf(product), endOf(product) + REPORT_PERIOD);
        goTo(reportedAt_s);
        reportAs(provider.addr, lease, units * 1000);
        // The period runs from the report, but not before the window has ended.
        uint256 from_s = reportedAt_s > endOf(product) ? reportedAt_s : endOf(product);
        when = bound(when, reportedAt_s, from_s + DISPUTE_PERIOD);
        goTo(when);
        uint256 bond = bondOf(lease);
        uint256 held = cashOf(buyer);

        vm.expectEmit(address(delivery));
        emit IDelivery.Disputed(lease, evidence, deposit(bond));
        vm.prank(buyer.addr);
        delivery.dispute(lease, evidence);

        IDelivery.Lease memory l = delivery.leaseOf(lease);
        assertEq(uint256(l.state), uint256(IDelivery.State.DISPUTED));
        assertEq(l.disputedAt_s, when);
        assertEq(l.depositMicro, deposit(bond));
        assertEq(l.bondMicro, bond);
        assertEq(cashOf(buyer), held - deposit(bond));
        assertSolvent(bond + deposit(bond));
    }

    /// @dev Five hundredths of the lease's bond, rounded up: no dispute is free.
    function testFuzz_dispute_roundsTheDepositUpWhen_theBondIsOdd(uint64 units, uint16 tick) public {
        units = uint64(bound(units, MIN_UNITS, 1000));
        uint256 product = productOf(2, 1);
        sell(site, product, uint16(bound(tick, 1, 127)), units);
        uint64 lease = redeemAs(buyer.addr, product, 1);
        goTo(endOf(product));
        reportAs(provider.addr, lease, 0);
        disputeAs(buyer.addr, lease);
        uint256 bond = bondOf(lease);
        uint256 taken = delivery.leaseOf(lease).depositMicro;
        assertGe(taken * 20, bond);
        assertLt((taken - 1) * 20, bond);
    }

    /// @dev The deposit of an aborted lease is of what it still holds, and the period runs from the abort.
    function testFuzz_dispute_countsFromTheAbortWhen_aborted(uint256 passed_s, uint256 later) public {
        (uint64 lease, uint256 product) = abortedLease(2, UNITS, 168, bound(passed_s, 1 hours, 168 hours - 1));
        uint256 abortedAt_s = delivery.leaseOf(lease).at_s;
        assertLt(abortedAt_s, endOf(product));
        goTo(abortedAt_s + bound(later, 0, DISPUTE_PERIOD));
        uint256 held = cashOf(buyer);
        disputeAs(buyer.addr, lease);
        assertEq(cashOf(buyer), held - deposit(bondOf(lease)));
        assertTrue(delivery.leaseOf(lease).aborted);
    }

    function test_dispute_revertsWhen_thePeriodSinceTheAbortHasPassed() public {
        (uint64 lease, uint256 product) = abortedLease(2, UNITS, 168, 1 hours);
        uint256 deadline_s = startOf(product) + 1 hours + DISPUTE_PERIOD;
        goTo(deadline_s + 1);
        assertLt(block.timestamp, endOf(product));
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_DeadlinePassed.selector, deadline_s, deadline_s + 1));
        disputeAs(buyer.addr, lease);
    }

    function testFuzz_dispute_revertsWhen_thePeriodHasPassed(uint256 reportedAt_s, uint256 when) public {
        (uint64 lease, uint256 product) = openLease(2, UNITS, 24);
        reportedAt_s = bound(reportedAt_s, startOf(product), endOf(product) + REPORT_PERIOD);
        goTo(reportedAt_s);
        reportAs(provider.addr, lease, 0);
        uint256 deadline_s = (reportedAt_s > endOf(product) ? reportedAt_s : endOf(product)) + DISPUTE_PERIOD;
        when = bound(when, deadline_s + 1, deadline_s + 365 days);
        goTo(when);
        _emptyBuyer();
        // The buyer could not pay the deposit either: the clock is asked first.
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_DeadlinePassed.selector, deadline_s, when));
        disputeAs(buyer.addr, lease);
    }

    function testFuzz_dispute_pullsFromTheWalletWhen_cashIsShort(uint256 cash) public {
        (uint64 lease,) = reportedLease(2, UNITS, 24, 0);
        uint256 needed = deposit(bondOf(lease));
        cash = bound(cash, 0, needed);
        _leaveCash(cash);
        uint256 wallet = dollar.balanceOf(buyer.addr);
        disputeAs(buyer.addr, lease);
        assertEq(dollar.balanceOf(buyer.addr), wallet - (needed - cash));
        assertEq(cashOf(buyer), 0);
    }

    function testFuzz_dispute_revertsWhen_theDepositIsNotCovered(uint256 reach) public {
        (uint64 lease,) = reportedLease(2, UNITS, 24, 0);
        uint256 needed = deposit(bondOf(lease));
        reach = bound(reach, 0, needed - 1);
        _leaveCash(reach);
        vm.prank(buyer.addr);
        dollar.approve(address(treasury), 0);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_InsufficientCash.selector, buyer.addr, reach, needed));
        disputeAs(buyer.addr, lease);
        assertEq(uint256(delivery.leaseOf(lease).state), uint256(IDelivery.State.REPORTED));
    }

    function testFuzz_dispute_revertsWhen_theCallerIsNotTheHolder(address caller) public {
        if (caller == buyer.addr) caller = provider.addr;
        (uint64 lease,) = reportedLease(2, UNITS, 24, 0);
        skip(365 days);
        // Too late as well: who calls is asked first.
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_NotHolder.selector, lease, caller, buyer.addr));
        disputeAs(caller, lease);
    }

    function testFuzz_dispute_revertsWhen_theLeaseIsUnknown(uint64 lease) public {
        (uint64 last,) = openLease(2, UNITS, 24);
        if (lease == last) ++lease;
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_UnknownLease.selector, lease));
        disputeAs(buyer.addr, lease);
    }

    function test_dispute_revertsWhen_theLeaseIsNotReported() public {
        assertRefusedElsewhere(thief.addr, IDelivery.State.REPORTED, IDelivery.dispute.selector, abi.encode(EVIDENCE));
    }

    function _leaveCash(uint256 cash) private {
        uint256 rest = cashOf(buyer) - cash;
        vm.prank(buyer.addr);
        treasury.withdraw(rest, buyer.addr);
    }

    function _emptyBuyer() private {
        _leaveCash(0);
        vm.prank(buyer.addr);
        dollar.approve(address(treasury), 0);
    }
}
