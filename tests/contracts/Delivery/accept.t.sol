// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {Leases} from "./Leases.sol";

contract Delivery_accept_Test is Leases {
    function _assertPays(uint8 grade, uint64 units, uint16 length, uint64 deliveredMilli) private {
        (uint64 lease,) = reportedLease(grade, units, length, deliveredMilli);
        uint256 bond = mintBond(units, length);
        uint256 toProvider = earned(bond, grade, units, deliveredMilli);
        (uint256 provided, uint256 held) = (cashOf(provider), cashOf(buyer));
        (uint128 delivered, uint128 failed) = delivery.recordOf(site);
        delivered += uint128(countedMilli(grade, units, deliveredMilli)) * length;
        failed += uint128(units * 1000 - countedMilli(grade, units, deliveredMilli)) * length;

        expectEnd(lease, IDelivery.Reason.ACCEPTED, deliveredMilli, toProvider, bond - toProvider);
        vm.expectEmit(address(delivery));
        emit IDelivery.RecordUpdated(site, delivered, failed);
        acceptAs(buyer.addr, lease);

        assertEq(cashOf(provider), provided + toProvider);
        assertEq(cashOf(buyer), held + bond - toProvider);
        assertRecord(delivered, failed);
        assertEnded(lease);
        assertSolvent(0);
    }

    function testFuzz_accept_paysWhatWasDeliveredWhen_reported(
        uint8 grade,
        uint64 units,
        uint16 length,
        uint64 deliveredMilli
    ) public {
        units = uint64(bound(units, 1, 10_000));
        deliveredMilli = uint64(bound(deliveredMilli, 0, units * 1000));
        _assertPays(uint8(bound(grade, 1, 3)), units, uint16(bound(length, 1, 168)), deliveredMilli);
    }

    /// @dev The promise kept to the thousandth pays everything; one thousandth less pays what was delivered.
    function testFuzz_accept_countsAsFullWhen_thePromiseIsKept(uint8 grade, uint64 units) public {
        grade = uint8(bound(grade, 1, 3));
        units = uint64(bound(units, 1, 10_000));
        uint256 id = vm.snapshotState();
        (uint64 lease,) = reportedLease(grade, units, 24, promisedMilli(grade, units));
        uint256 bond = bondOf(lease);
        expectEnd(lease, IDelivery.Reason.ACCEPTED, promisedMilli(grade, units), bond, 0);
        acceptAs(buyer.addr, lease);
        assertRecord(uint256(units) * 24_000, 0);
        vm.revertToState(id);
        _assertPays(grade, units, 24, promisedMilli(grade, units) - 1);
        (, uint128 failed) = delivery.recordOf(site);
        assertEq(failed, (units * 1000 - promisedMilli(grade, units) + 1) * 24);
    }

    /// @dev 95 %, 99 % and 99.9 % of 400 units, written out.
    function test_accept_knowsThreePromisesWhen_gradesDiffer() public {
        uint64[3] memory least = [uint64(380_000), 396_000, 399_600];
        for (uint8 grade = 1; grade <= 3; ++grade) {
            uint256 id = vm.snapshotState();
            (uint64 lease,) = reportedLease(grade, UNITS, 24, least[grade - 1]);
            uint256 provided = cashOf(provider);
            acceptAs(buyer.addr, lease);
            assertEq(cashOf(provider) - provided, 400 * 24 * 2200);
            vm.revertToState(id);
            (lease,) = reportedLease(grade, UNITS, 24, least[grade - 1] - 1);
            provided = cashOf(provider);
            acceptAs(buyer.addr, lease);
            // A thousandth of a unit-day is worth 52.8 micro.
            assertEq(cashOf(provider) - provided, uint256(least[grade - 1] - 1) * 528 / 10);
            vm.revertToState(id);
        }
    }

    /// @dev An aborted lease holds the reported part alone: all of it is the provider's.
    function testFuzz_accept_paysWhatIsLeftWhen_aborted(uint64 units, uint16 length, uint256 passed_s) public {
        units = uint64(bound(units, 1, 10_000));
        length = uint16(bound(length, 1, 168));
        uint256 seconds_ = uint256(length) * 1 hours;
        (uint64 lease,) = abortedLease(2, units, length, bound(passed_s, seconds_ / 10, seconds_ - 1));
        IDelivery.Lease memory l = delivery.leaseOf(lease);
        uint256 provided = cashOf(provider);
        expectEnd(lease, IDelivery.Reason.ACCEPTED, l.reportedMilli, l.bondMicro, 0);
        acceptAs(buyer.addr, lease);
        assertEq(cashOf(provider), provided + l.bondMicro);
        assertRecord(
            uint256(countedMilli(2, units, l.reportedMilli)) * length,
            uint256(units * 1000 - countedMilli(2, units, l.reportedMilli)) * length
        );
        assertEnded(lease);
        assertSolvent(0);
    }

    function testFuzz_accept_passesWhen_nobodyHasResolvedItYet(uint256 later) public {
        (uint64 lease,) = reportedLease(2, UNITS, 24, 0);
        skip(bound(later, 0, 365 days));
        acceptAs(buyer.addr, lease);
        assertEnded(lease);
    }

    function test_accept_paysInAdvanceWhen_theHolderAcceptsDuringTheWindow() public {
        (uint64 lease, uint256 product) = openLease(2, UNITS, 24);
        goTo(startOf(product));
        reportAs(provider.addr, lease, UNITS * 1000);
        uint256 provided = cashOf(provider);
        acceptAs(buyer.addr, lease);
        assertEq(cashOf(provider), provided + mintBond(UNITS, 24));
    }

    function testFuzz_accept_revertsWhen_theCallerIsNotTheHolder(address caller) public {
        if (caller == buyer.addr) caller = provider.addr;
        (uint64 lease,) = reportedLease(2, UNITS, 24, 0);
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_NotHolder.selector, lease, caller, buyer.addr));
        acceptAs(caller, lease);
    }

    function testFuzz_accept_revertsWhen_theLeaseIsUnknown(uint64 lease) public {
        (uint64 last,) = openLease(2, UNITS, 24);
        if (lease == last) ++lease;
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_UnknownLease.selector, lease));
        acceptAs(buyer.addr, lease);
    }

    function test_accept_revertsWhen_theLeaseIsNotReported() public {
        assertRefusedElsewhere(thief.addr, IDelivery.State.REPORTED, IDelivery.accept.selector, "");
    }
}
