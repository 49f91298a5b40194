// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {ICapacity} from "./interfaces/ICapacity.sol";
import {IDelivery} from "./interfaces/IDelivery.sol";
import {IStandard} from "./interfaces/IStandard.sol";
import {ITreasury} from "./interfaces/ITreasury.sol";
import {Grades} from "./libraries/Grades.sol";
import {Bonds} from "./parts/Bonds.sol";
import {ProductId} from "./types/ProductId.sol";

/// @title Delivery
/// @notice Holds sites to what they owe. Specified in {IDelivery}.
contract Delivery is IDelivery, Bonds, AccessManaged {
    using SafeCast for uint256;

    /* TYPES */

    struct Record {
        uint128 deliveredMilliHours;
        uint128 failedMilliHours;
    }

    /* IMMUTABLES */

    uint32 private immutable REPORT_PERIOD;
    uint32 private immutable DISPUTE_PERIOD;
    uint32 private immutable RULING_PERIOD;
    uint32 private immutable GRACE;
    uint16 private immutable DISPUTE_DEPOSIT_BP;
    uint16 private immutable DERATING_FLOOR_BP;

    /* STORAGE */

    /// @inheritdoc IDelivery
    uint64 public leaseCount;
    mapping(uint64 lease => Lease) private _leases;
    mapping(uint32 site => Record) private _records;

    constructor(
        address authority,
        IStandard standard_,
        ICapacity capacity_,
        ITreasury treasury_,
        address exchange_,
        Terms memory terms_
    ) AccessManaged(authority) Bonds(standard_, capacity_, treasury_, exchange_, terms_.penaltyMarginBp) {
        require(terms_.disputeDepositBp <= Grades.ONE_BP, Delivery_TermsOutOfRange(terms_.disputeDepositBp, 10_000));
        require(terms_.deratingFloorBp <= Grades.ONE_BP, Delivery_TermsOutOfRange(terms_.deratingFloorBp, 10_000));
        REPORT_PERIOD = terms_.reportPeriod_s;
        DISPUTE_PERIOD = terms_.disputePeriod_s;
        RULING_PERIOD = terms_.rulingPeriod_s;
        GRACE = terms_.grace_s;
        DISPUTE_DEPOSIT_BP = terms_.disputeDepositBp;
        DERATING_FLOOR_BP = terms_.deratingFloorBp;
    }

    /* REDEEM */

    /// @inheritdoc IDelivery
    function redeem(uint256 product, uint32 site, uint64 units, bytes32 jobHash) external returns (uint64 lease) {
        ProductId id = ProductId.wrap(product);
        require(units != 0, Delivery_ZeroUnits());
        require(block.timestamp < id.startOf(), Delivery_WindowStarted(id.startOf(), block.timestamp));
        uint112 bond = _subObligation(id, site, units);

        lease = ++leaseCount;
        Lease storage l = _leases[lease];
        // An obligation's units were orders or mints of < 2^32 units within one site's calendar lane of 32 bits.
        (l.holder, l.units, l.state) = (msg.sender, uint32(units), State.OPEN);
        (l.product, l.site, l.bondMicro) = (uint88(product), site, bond);
        emit Redeemed(lease, product, msg.sender, site, units, bond, jobHash);
        capacity.burn(msg.sender, id, units);
    }

    /* REPORT */

    /// @inheritdoc IDelivery
    function report(uint64 lease, uint64 deliveredMilli, bytes32 usageRoot) external {
        Lease storage l = _openForProvider(lease);
        ProductId product = ProductId.wrap(l.product);
        require(block.timestamp >= product.startOf(), Delivery_WindowNotStarted(product.startOf(), block.timestamp));
        uint256 deadline_s = product.endOf() + REPORT_PERIOD;
        require(block.timestamp <= deadline_s, Delivery_DeadlinePassed(deadline_s, block.timestamp));
        require(deliveredMilli <= _fullMilli(l), Delivery_AboveLease(deliveredMilli, _fullMilli(l)));

        (l.state, l.at_s, l.reportedMilli) = (State.REPORTED, uint40(block.timestamp), deliveredMilli);
        emit Reported(lease, deliveredMilli, usageRoot);
    }

    /// @inheritdoc IDelivery
    function abort(uint64 lease, uint64 deliveredMilli) external {
        Lease storage l = _openForProvider(lease);
        ProductId product = ProductId.wrap(l.product);
        require(block.timestamp < product.endOf(), Delivery_WindowEnded(product.endOf(), block.timestamp));
        uint64 mostMilli = _passedMilli(l, product);
        require(deliveredMilli <= mostMilli, Delivery_AboveLease(deliveredMilli, mostMilli));

        // Rounded down for the provider: the holder is refunded the rest.
        uint256 kept = _due(l, deliveredMilli);
        uint256 refund = l.bondMicro - kept;
        (l.state, l.aborted, l.at_s, l.reportedMilli) = (State.REPORTED, true, uint40(block.timestamp), deliveredMilli);
        l.bondMicro = uint112(kept);
        emit Aborted(lease, deliveredMilli, refund);
        if (kept == 0) _end(lease, l, Reason.ABORTED, deliveredMilli, 0, address(0));
        treasury.credit(_payment(l.holder, refund));
    }

    /// @dev The part of the window that has passed, of everything, rounded down; nothing before the start. Asked before
    /// the window's end.
    function _passedMilli(Lease storage l, ProductId product) private view returns (uint64) {
        uint256 passed_s = Math.saturatingSub(block.timestamp, product.startOf());
        // passed_s is less than the window's length: the quotient is at most everything.
        return uint64(_fullMilli(l) * passed_s / (product.endOf() - product.startOf()));
    }

    /// @dev The lease, once it is known to be open and the caller to be its provider.
    function _openForProvider(uint64 lease) private view returns (Lease storage l) {
        l = _inState(lease, State.OPEN);
        address provider = capacity.providerOf(l.site);
        require(msg.sender == provider, Delivery_NotProvider(lease, msg.sender, provider));
    }

    function _inState(uint64 lease, State wanted) private view returns (Lease storage l) {
        l = _leases[lease];
        require(l.state != State.NONE, Delivery_UnknownLease(lease));
        require(l.state == wanted, Delivery_WrongState(lease, l.state, wanted));
    }

    function _fullMilli(Lease storage l) private view returns (uint64) {
        return uint64(l.units) * 1000;
    }

    /* ACCEPT, DISPUTE, RULE */

    /// @inheritdoc IDelivery
    function accept(uint64 lease) external {
        Lease storage l = _inState(lease, State.REPORTED);
        require(msg.sender == l.holder, Delivery_NotHolder(lease, msg.sender, l.holder));
        _end(lease, l, Reason.ACCEPTED, l.reportedMilli, _due(l, l.reportedMilli), address(0));
    }

    /// @inheritdoc IDelivery
    function dispute(uint64 lease, bytes32 evidence) external {
        Lease storage l = _inState(lease, State.REPORTED);
        require(msg.sender == l.holder, Delivery_NotHolder(lease, msg.sender, l.holder));
        uint256 deadline_s = _disputeDeadline(l);
        require(block.timestamp <= deadline_s, Delivery_DeadlinePassed(deadline_s, block.timestamp));

        // Rounded up: no dispute is free unless deposits are.
        uint256 deposit = Math.ceilDiv(uint256(l.bondMicro) * DISPUTE_DEPOSIT_BP, Grades.ONE_BP);
        (l.state, l.disputedAt_s, l.depositMicro) = (State.DISPUTED, uint40(block.timestamp), deposit.toUint112());
        emit Disputed(lease, evidence, deposit);
        treasury.escrow(msg.sender, deposit);
    }

    /// @inheritdoc IDelivery
    function rule(uint64 lease, uint64 deliveredMilli, string calldata reasonURI, bytes32 contentHash)
        external
        restricted
    {
        Lease storage l = _inState(lease, State.DISPUTED);
        uint256 deadline_s = uint256(l.disputedAt_s) + RULING_PERIOD;
        require(block.timestamp <= deadline_s, Delivery_DeadlinePassed(deadline_s, block.timestamp));
        uint64 mostMilli = l.aborted ? l.reportedMilli : _fullMilli(l);
        require(deliveredMilli <= mostMilli, Delivery_AboveLease(deliveredMilli, mostMilli));

        emit Ruled(lease, deliveredMilli, reasonURI, contentHash);
        address depositTo = deliveredMilli < l.reportedMilli ? l.holder : capacity.providerOf(l.site);
        _end(lease, l, Reason.RULED, deliveredMilli, _due(l, deliveredMilli), depositTo);
    }

    function _disputeDeadline(Lease storage l) private view returns (uint256) {
        uint256 from_s = l.aborted ? l.at_s : Math.max(l.at_s, ProductId.wrap(l.product).endOf());
        return from_s + DISPUTE_PERIOD;
    }

    /// @dev What the provider gets for `deliveredMilli`, in micro, rounded down. An aborted lease's bond stands for the
    /// reported part alone, and its promise was broken when it was aborted.
    function _due(Lease storage l, uint64 deliveredMilli) private view returns (uint256) {
        if (l.aborted) return deliveredMilli == 0 ? 0 : uint256(l.bondMicro) * deliveredMilli / l.reportedMilli;
        uint256 counted = Grades.counted(ProductId.wrap(l.product).gradeOf(), deliveredMilli, _fullMilli(l));
        return uint256(l.bondMicro) * counted / _fullMilli(l);
    }

    /* RESOLVE AND EXPIRE */

    /// @inheritdoc IDelivery
    function resolve(uint64 lease) external {
        Lease storage l = _leases[lease];
        State state = l.state;
        require(state != State.NONE, Delivery_UnknownLease(lease));
        require(state != State.RESOLVED, Delivery_WrongState(lease, state, State.OPEN));

        if (state == State.OPEN) {
            _requireAfter(ProductId.wrap(l.product).endOf() + REPORT_PERIOD);
            _end(lease, l, Reason.UNREPORTED, 0, 0, address(0));
        } else if (state == State.REPORTED) {
            _requireAfter(_disputeDeadline(l));
            _end(lease, l, Reason.UNDISPUTED, l.reportedMilli, _due(l, l.reportedMilli), address(0));
        } else {
            _requireAfter(uint256(l.disputedAt_s) + RULING_PERIOD);
            _end(lease, l, Reason.UNRULED, l.reportedMilli, _due(l, l.reportedMilli) / 2, l.holder);
        }
    }

    /// @inheritdoc IDelivery
    function expire(uint256 product, uint32 site) external {
        ProductId id = ProductId.wrap(product);
        _requireAfter(id.endOf() + GRACE);
        uint64 units = _obligations[id][site].units;
        require(units != 0, Delivery_NothingToExpire(product, site));
        uint112 bond = _subObligation(id, site, units);
        emit Expired(product, site, units, bond);
        _release(capacity.providerOf(site), bond);
    }

    function _requireAfter(uint256 deadline_s) private view {
        require(block.timestamp > deadline_s, Delivery_TooEarly(deadline_s, block.timestamp));
    }

    /// @dev Ends a lease: `toProvider` of its bond to the provider, the rest to the holder, the deposit of a dispute to
    /// `depositTo`, and the record written.
    function _end(
        uint64 lease,
        Lease storage l,
        Reason reason,
        uint64 deliveredMilli,
        uint256 toProvider,
        address depositTo
    ) private {
        uint256 toHolder = l.bondMicro - toProvider;
        uint256 deposit = l.depositMicro;
        (l.state, l.bondMicro, l.depositMicro) = (State.RESOLVED, 0, 0);
        emit Resolved(lease, reason, deliveredMilli, toProvider, toHolder);
        if (depositTo != address(0)) emit DepositReturned(lease, depositTo, deposit);
        // What nobody ruled on proves nothing about the site.
        if (reason != Reason.UNRULED) _record(l, deliveredMilli);

        uint256[] memory payments = new uint256[](3);
        payments[0] = _packed(capacity.providerOf(l.site), toProvider);
        payments[1] = _packed(l.holder, toHolder);
        payments[2] = _packed(depositTo, deposit);
        treasury.credit(payments);
    }

    function _record(Lease storage l, uint64 deliveredMilli) private {
        ProductId product = ProductId.wrap(l.product);
        uint256 fullMilli = _fullMilli(l);
        uint256 counted = Grades.counted(product.gradeOf(), deliveredMilli, fullMilli);
        Record storage record = _records[l.site];
        // fullMilli < 2^42 and hours < 2^8: 2^78 leases would have to end before 128 bits are full.
        record.deliveredMilliHours += uint128(counted * product.hoursOf());
        record.failedMilliHours += uint128((fullMilli - counted) * product.hoursOf());
        emit RecordUpdated(l.site, record.deliveredMilliHours, record.failedMilliHours);
    }

    /* READ */

    /// @inheritdoc IDelivery
    function terms() external view returns (Terms memory) {
        return Terms({
            reportPeriod_s: REPORT_PERIOD,
            disputePeriod_s: DISPUTE_PERIOD,
            rulingPeriod_s: RULING_PERIOD,
            grace_s: GRACE,
            penaltyMarginBp: PENALTY_MARGIN_BP,
            disputeDepositBp: DISPUTE_DEPOSIT_BP,
            deratingFloorBp: DERATING_FLOOR_BP
        });
    }

    /// @inheritdoc IDelivery
    function leaseOf(uint64 lease) external view returns (Lease memory) {
        require(_leases[lease].state != State.NONE, Delivery_UnknownLease(lease));
        return _leases[lease];
    }

    /// @inheritdoc IDelivery
    function recordOf(uint32 site) external view returns (uint128 deliveredMilliHours, uint128 failedMilliHours) {
        Record storage record = _records[site];
        return (record.deliveredMilliHours, record.failedMilliHours);
    }

    /// @inheritdoc IDelivery
    function standingOf(uint32 site) external view returns (uint256 deratingBp, uint8 gradeMax) {
        Record storage record = _records[site];
        return Grades.standing(record.deliveredMilliHours, record.failedMilliHours, DERATING_FLOOR_BP);
    }
}
