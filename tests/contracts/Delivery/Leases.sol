// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {Market} from "../support/Market.sol";

/// @title Leases
/// @notice What the tests of Delivery share: a site, leases in any state, and the rules of payment written once more.
abstract contract Leases is Market {
    /// @dev Where a lease can stand: the state, and whether it was aborted on the way.
    enum Standing {
        OPEN,
        REPORTED,
        ABORTED,
        DISPUTED,
        ABORTED_AND_DISPUTED,
        RESOLVED
    }

    uint8 internal constant HUB = 2;
    uint64 internal constant UNITS = 400;
    uint256 internal constant ONE_BP = 10_000;
    uint256 internal constant REPORT_PERIOD = 24 hours;
    uint256 internal constant DISPUTE_PERIOD = 24 hours;
    uint256 internal constant RULING_PERIOD = 72 hours;
    uint256 internal constant GRACE = 1 hours;
    bytes32 internal constant JOB = keccak256("job");
    bytes32 internal constant USAGE = keccak256("usage");
    bytes32 internal constant EVIDENCE = keccak256("evidence of a dispute");
    bytes32 internal constant REASONS = keccak256("reasons");
    string internal constant REASON_URI = "https://example.org/ruling";

    uint32 internal site;

    function setUp() public virtual override {
        super.setUp();
        site = attestedSite(provider.addr, 200);
    }

    /* MAKE LEASES */

    /// @dev A window of `length` hours that starts in a day.
    function productOf(uint8 grade, uint16 length) internal view returns (uint256) {
        return productIn(HUB, EU_WEST, grade, 24, length);
    }

    /// @dev Mints at the site and hands the units to `to`.
    function issueTo(address to, uint256 product, uint64 units) internal {
        mintAs(provider.addr, site, product, units);
        vm.prank(provider.addr);
        capacity.safeTransferFrom(provider.addr, to, product, units, "");
    }

    function redeemAs(address holder, uint256 product, uint64 units) internal returns (uint64) {
        vm.prank(holder);
        return delivery.redeem(product, site, units, JOB);
    }

    function openLease(uint8 grade, uint64 units, uint16 length) internal returns (uint64 lease, uint256 product) {
        product = productOf(grade, length);
        issueTo(buyer.addr, product, units);
        lease = redeemAs(buyer.addr, product, units);
    }

    function reportedLease(uint8 grade, uint64 units, uint16 length, uint64 deliveredMilli)
        internal
        returns (uint64 lease, uint256 product)
    {
        (lease, product) = openLease(grade, units, length);
        goTo(endOf(product));
        reportAs(provider.addr, lease, deliveredMilli);
    }

    /// @dev Aborted when `passed_s` of the window had passed, with all that it could have delivered till then.
    function abortedLease(uint8 grade, uint64 units, uint16 length, uint256 passed_s)
        internal
        returns (uint64 lease, uint256 product)
    {
        (lease, product) = openLease(grade, units, length);
        goTo(startOf(product) + passed_s);
        abortAs(provider.addr, lease, uint64(uint256(units) * 1000 * passed_s / (uint256(length) * 1 hours)));
    }

    /// @dev A lease of UNITS for a day, in that standing; it is past its window unless it is open or aborted.
    function leaseAt(Standing standing) internal returns (uint64 lease) {
        uint256 product;
        if (standing == Standing.OPEN) {
            (lease,) = openLease(2, UNITS, 24);
            return lease;
        }
        if (standing == Standing.ABORTED || standing == Standing.ABORTED_AND_DISPUTED) {
            (lease, product) = abortedLease(2, UNITS, 24, 12 hours);
        } else {
            (lease, product) = reportedLease(2, UNITS, 24, UNITS * 500);
        }
        if (standing == Standing.DISPUTED || standing == Standing.ABORTED_AND_DISPUTED) {
            disputeAs(buyer.addr, lease);
        }
        if (standing == Standing.RESOLVED) acceptAs(buyer.addr, lease);
    }

    function stateOf(Standing standing) internal pure returns (IDelivery.State) {
        if (standing == Standing.OPEN) return IDelivery.State.OPEN;
        if (standing == Standing.REPORTED || standing == Standing.ABORTED) return IDelivery.State.REPORTED;
        return standing == Standing.RESOLVED ? IDelivery.State.RESOLVED : IDelivery.State.DISPUTED;
    }

    /// @dev Calls `data` as `caller` on a lease in every standing but the wanted state's; each must say which it is in.
    /// `data` takes the lease's number for its first argument.
    function assertRefusedElsewhere(address caller, IDelivery.State wanted, bytes4 selector, bytes memory rest)
        internal
    {
        for (uint256 i = 0; i <= uint256(type(Standing).max); ++i) {
            IDelivery.State state = stateOf(Standing(i));
            if (state == wanted) continue;
            uint256 id = vm.snapshotState();
            uint64 lease = leaseAt(Standing(i));
            bytes memory expected = abi.encodeWithSelector(IDelivery.Delivery_WrongState.selector, lease, state, wanted);
            assertFails(caller, bytes.concat(abi.encodeWithSelector(selector, lease), rest), expected);
            vm.revertToState(id);
        }
    }

    /// @dev The call must revert with exactly that.
    function assertFails(address caller, bytes memory data, bytes memory expected) internal {
        vm.prank(caller);
        (bool done, bytes memory why) = address(delivery).call(data);
        assertFalse(done, "was not refused");
        assertEq(why, expected);
    }

    /* ACTS */

    function reportAs(address who, uint64 lease, uint64 deliveredMilli) internal {
        vm.prank(who);
        delivery.report(lease, deliveredMilli, USAGE);
    }

    function abortAs(address who, uint64 lease, uint64 deliveredMilli) internal {
        vm.prank(who);
        delivery.abort(lease, deliveredMilli);
    }

    function acceptAs(address who, uint64 lease) internal {
        vm.prank(who);
        delivery.accept(lease);
    }

    function disputeAs(address who, uint64 lease) internal {
        vm.prank(who);
        delivery.dispute(lease, EVIDENCE);
    }

    function ruleAs(address who, uint64 lease, uint64 deliveredMilli) internal {
        vm.prank(who);
        delivery.rule(lease, deliveredMilli, REASON_URI, REASONS);
    }

    /* THE RULES, WRITTEN ONCE MORE */

    /// @dev A minted unit's bond: 2,000 micro an hour and a tenth.
    function mintBond(uint64 units, uint16 length) internal pure returns (uint256) {
        return uint256(units) * length * 2200;
    }

    /// @dev The least delivery that keeps the promise: 95 %, 99 %, 99.9 %.
    function promisedMilli(uint8 grade, uint64 units) internal pure returns (uint64) {
        uint256[3] memory perMille10 = [uint256(9500), 9900, 9990];
        return uint64(Math.ceilDiv(uint256(units) * 1000 * perMille10[grade - 1], ONE_BP));
    }

    /// @dev What counts as delivered.
    function countedMilli(uint8 grade, uint64 units, uint64 deliveredMilli) internal pure returns (uint64) {
        return deliveredMilli >= promisedMilli(grade, units) ? units * 1000 : deliveredMilli;
    }

    /// @dev The provider's part of a bond, rounded down: the holder gets the rest.
    function earned(uint256 bond, uint8 grade, uint64 units, uint64 deliveredMilli) internal pure returns (uint256) {
        return bond * countedMilli(grade, units, deliveredMilli) / (uint256(units) * 1000);
    }

    function deposit(uint256 bond) internal pure returns (uint256) {
        return Math.ceilDiv(bond * 500, ONE_BP);
    }

    /* MONEY */

    function cashOf(User memory user) internal view returns (uint256) {
        return treasury.cashOf(user.addr);
    }

    function bondOf(uint64 lease) internal view returns (uint256) {
        return delivery.leaseOf(lease).bondMicro;
    }

    /// @dev Ends with `toProvider` and `toHolder` of cash more, the lease empty, and the event that says why.
    function expectEnd(
        uint64 lease,
        IDelivery.Reason reason,
        uint64 deliveredMilli,
        uint256 toProvider,
        uint256 toHolder
    ) internal {
        vm.expectEmit(address(delivery));
        emit IDelivery.Resolved(lease, reason, deliveredMilli, toProvider, toHolder);
    }

    function assertEnded(uint64 lease) internal view {
        IDelivery.Lease memory l = delivery.leaseOf(lease);
        assertEq(uint256(l.state), uint256(IDelivery.State.RESOLVED));
        assertEq(l.bondMicro, 0);
        assertEq(l.depositMicro, 0);
    }

    function assertRecord(uint256 deliveredMilliHours, uint256 failedMilliHours) internal view {
        (uint128 delivered, uint128 failed) = delivery.recordOf(site);
        assertEq(delivered, deliveredMilliHours, "delivered");
        assertEq(failed, failedMilliHours, "failed");
    }

    /// @dev What the treasury holds is the people's cash and `bonded`.
    function assertSolvent(uint256 bonded) internal view {
        uint256 cash = cashOf(provider) + cashOf(buyer) + cashOf(reseller) + cashOf(thief);
        assertEq(dollar.balanceOf(address(treasury)), cash + bonded, "solvency");
    }
}
