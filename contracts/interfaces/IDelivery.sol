// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ProductId} from "../types/ProductId.sol";
import {ICapacity} from "./ICapacity.sol";
import {IStandard} from "./IStandard.sol";
import {ITreasury} from "./ITreasury.sol";

/// @title IDelivery
/// @notice Compute for money. What a site has issued and not yet resolved is its obligation, backed by a bond on which
/// every unit has an equal claim; redeeming turns units into a lease that carries its share. The provider is paid for
/// what it delivered; what it did not goes to the harmed holder, never to a kitty, never more than the share.
///
/// No act lowers the bond per unit of a standing obligation: whoever adds units brings at least as much for each.
///
/// Amounts are in micro: the smallest unit of the 6-decimal settlement token. Delivered compute is in thousandths of a
/// unit, averaged over the window: `1000 × units` is everything. Times are seconds since the epoch.
interface IDelivery {
    /* TYPES */

    /// @param reportPeriod_s How long after the window's end a provider may report.
    /// @param disputePeriod_s How long after the report, and at least after the window's end, a holder may dispute.
    /// @param rulingPeriod_s How long after the dispute an arbiter may rule.
    /// @param grace_s How long after the window's end the bond of unredeemed units stays.
    /// @param penaltyMarginBp What a unit's bond holds beyond its price, in basis points of the class's bond price.
    /// @param disputeDepositBp What a dispute costs up front, in basis points of the lease's bond.
    /// @param deratingFloorBp The least share of what was attested that a bad record leaves, in basis points.
    struct Terms {
        uint32 reportPeriod_s;
        uint32 disputePeriod_s;
        uint32 rulingPeriod_s;
        uint32 grace_s;
        uint16 penaltyMarginBp;
        uint16 disputeDepositBp;
        uint16 deratingFloorBp;
    }

    enum State {
        NONE,
        OPEN,
        REPORTED,
        DISPUTED,
        RESOLVED
    }

    /// @notice Why a lease ended as it did.
    enum Reason {
        NONE,
        /// The holder accepted the report.
        ACCEPTED,
        /// Nobody disputed the report in time.
        UNDISPUTED,
        /// The provider did not report in time: everything went to the holder.
        UNREPORTED,
        /// An arbiter ruled.
        RULED,
        /// No arbiter ruled in time: the disputed part was split evenly.
        UNRULED,
        /// The provider gave up before it had delivered anything.
        ABORTED
    }

    /// @param bondMicro What the lease still holds.
    /// @param at_s When it was reported or aborted.
    /// @param aborted The undelivered part was refunded already; `bondMicro` stands for the reported part alone.
    struct Lease {
        address holder;
        uint32 units;
        State state;
        bool aborted;
        uint40 at_s;
        uint88 product;
        uint32 site;
        uint112 bondMicro;
        uint64 reportedMilli;
        uint40 disputedAt_s;
        uint112 depositMicro;
    }

    /* ERRORS */

    error Delivery_OnlyMarket(address caller);
    error Delivery_TermsOutOfRange(uint16 bp, uint16 bpMax);
    error Delivery_InsufficientObligation(uint256 product, uint32 site, uint64 owed, uint64 units);
    /// @notice Offers of that site for that product, placed in `round`, wait to be settled (anyone may do it).
    error Delivery_OffersUnsettled(uint256 product, uint32 site, uint64 round);
    error Delivery_ZeroUnits();
    /// @notice Units are redeemed before their window starts; split a window to redeem its later hours later.
    error Delivery_WindowStarted(uint256 start_s, uint256 now_s);
    error Delivery_WindowNotStarted(uint256 start_s, uint256 now_s);
    error Delivery_WindowEnded(uint256 end_s, uint256 now_s);
    error Delivery_UnknownLease(uint64 lease);
    error Delivery_NotProvider(uint64 lease, address caller, address provider);
    error Delivery_NotHolder(uint64 lease, address caller, address holder);
    error Delivery_WrongState(uint64 lease, State state, State wanted);
    error Delivery_AboveLease(uint64 deliveredMilli, uint64 mostMilli);
    error Delivery_DeadlinePassed(uint256 deadline_s, uint256 now_s);
    error Delivery_TooEarly(uint256 from_s, uint256 now_s);
    error Delivery_NothingToExpire(uint256 product, uint32 site);

    /* EVENTS */

    /// @notice The site owes `units` more, with `bondMicro` more behind them.
    event Obliged(uint256 indexed product, uint32 indexed site, uint64 units, uint256 bondMicro);
    /// @notice … and as many less.
    event Discharged(uint256 indexed product, uint32 indexed site, uint64 units, uint256 bondMicro);
    /// @notice Cash of `payer` became bond.
    event BondPosted(address indexed payer, uint256 amount);
    /// @notice Bond, or margin that was not needed, became cash of `payee`.
    event BondReleased(address indexed payee, uint256 amount);
    /// @notice An offer's margin was taken from the provider's cash.
    event MarginEscrowed(
        uint256 indexed product, uint32 indexed site, address indexed provider, uint64 units, uint256 amount
    );
    /// @notice An offer was settled: `filled` units are owed now (see Obliged), `marginReturned` is cash again.
    event OfferSettled(
        uint256 indexed product, uint32 indexed site, uint64 filled, uint64 unfilled, uint256 marginReturned
    );
    event Redeemed(
        uint64 indexed lease,
        uint256 indexed product,
        address indexed holder,
        uint32 site,
        uint64 units,
        uint256 bondMicro,
        bytes32 jobHash
    );
    event Reported(uint64 indexed lease, uint64 deliveredMilli, bytes32 usageRoot);
    event Disputed(uint64 indexed lease, bytes32 evidence, uint256 depositMicro);
    event Ruled(uint64 indexed lease, uint64 deliveredMilli, string reasonURI, bytes32 contentHash);
    /// @notice The provider gave up; what was not delivered is the holder's cash now.
    event Aborted(uint64 indexed lease, uint64 deliveredMilli, uint256 toHolderMicro);
    event DepositReturned(uint64 indexed lease, address indexed to, uint256 amount);
    /// @notice The lease has ended, for this reason.
    event Resolved(
        uint64 indexed lease, Reason reason, uint64 deliveredMilli, uint256 toProviderMicro, uint256 toHolderMicro
    );
    /// @notice The site's delivery record, in thousandths of unit-hours, after this lease.
    event RecordUpdated(uint32 indexed site, uint128 deliveredMilliHours, uint128 failedMilliHours);
    /// @notice Nobody redeemed these units: the capacity stood ready, and the provider keeps what was paid.
    event Expired(uint256 indexed product, uint32 indexed site, uint64 units, uint256 bondMicro);

    /* REDEEM */

    /// @notice Turns the caller's units into a lease at a site that owes them. Requirements:
    /// - `units` is not zero
    /// - the product's window has not started
    /// - the site owes that many units of it
    /// - the caller holds them
    /// @param jobHash Hash of what is to be run.
    /// @return lease Its number, from 1.
    function redeem(uint256 product, uint32 site, uint64 units, bytes32 jobHash) external returns (uint64 lease);

    /* REPORT */

    /// @notice The provider states what it delivered. Requirements:
    /// - the lease exists and is open
    /// - the caller is the provider of its site
    /// - the window has started, and the report period after its end has not passed
    /// - `deliveredMilli` <= 1000 × units
    /// @param usageRoot Merkle root of the signed meter readings.
    function report(uint64 lease, uint64 deliveredMilli, bytes32 usageRoot) external;

    /// @notice The provider gives up early and honestly: what it does not claim to have delivered is the holder's at
    /// once; the rest stands as a report that the holder may dispute. Requirements:
    /// - the lease exists and is open
    /// - the caller is the provider of its site
    /// - the window has not ended
    /// - `deliveredMilli` is at most the part of the window that has passed
    function abort(uint64 lease, uint64 deliveredMilli) external;

    /* ACCEPT, DISPUTE, RULE */

    /// @notice The holder agrees with the report and pays at once. Requirements: the lease is reported, the caller is
    /// its holder.
    function accept(uint64 lease) external;

    /// @notice The holder disagrees, with a deposit from its cash. Requirements:
    /// - the lease exists and is reported
    /// - the caller is its holder
    /// - the dispute period has not passed
    /// - the caller's cash and allowance cover the deposit
    function dispute(uint64 lease, bytes32 evidence) external;

    /// @notice An arbiter decides what was delivered. The deposit goes back to the holder if that is less than was
    /// reported, else to the provider. Requirements:
    /// - the caller has the role ARBITER
    /// - the lease is disputed, and the ruling period has not passed
    /// - `deliveredMilli` is at most what the lease's bond stands for
    function rule(uint64 lease, uint64 deliveredMilli, string calldata reasonURI, bytes32 contentHash) external;

    /* RESOLVE AND EXPIRE */

    /// @notice Ends a lease when the clock says so; anyone may call it. Not reported in time: all to the holder. Not
    /// disputed in time: as reported. Not ruled in time: what the report gives the provider is split evenly, the
    /// deposit returns, and the site's record is left as it is. Requirements: the lease exists, has not ended, and its
    /// deadline has passed.
    function resolve(uint64 lease) external;

    /// @notice After the window and the grace: the bond of units that nobody redeemed goes to the provider. Anyone may
    /// call it. Requirements: the grace has passed, and the site owes units of the product.
    function expire(uint256 product, uint32 site) external;

    /* FOR THE MARKET'S CONTRACTS */

    /// @notice Adds minted units to an obligation, with their full bond from the provider's cash. Requirements: the
    /// caller is Capacity; no offer of the site for the product waits to be settled.
    function issue(ProductId product, uint32 site, uint64 units, address provider) external;

    /// @notice Takes retired units out of an obligation; their bond share becomes the provider's cash. Requirements:
    /// the caller is Capacity; the site owes them.
    function discharge(ProductId product, uint32 site, uint64 units, address provider) external;

    /// @notice Moves `units` of each product of `from` into each of `into`, bond included; `payer` adds what it takes
    /// to dilute nobody. Requirements: the caller is Capacity; the site owes them; no offer of the site for a product
    /// of `into` waits. At most 168 products a side.
    function move(ProductId[] calldata from, ProductId[] calldata into, uint32 site, uint64 units, address payer)
        external;

    /// @notice Escrows an offer's margin: the class's penalty margin, or what brings the limit price up to the bond that
    /// the product's units at this site already carry. Requirements: the caller is Exchange; offers of the site for
    /// this product from earlier rounds are settled; the provider's cash and allowance cover it.
    /// @param limitMicro What one unit costs at the offer's limit, for the whole window.
    function reserveOffer(
        ProductId product,
        uint32 site,
        uint64 units,
        uint64 round,
        uint256 limitMicro,
        address provider
    ) external;

    /// @notice Turns an offer's sold units into an obligation, with their price and margin for a bond, and returns the
    /// rest of the margin. Requirements: the caller is Exchange.
    /// @param proceedsMicro What the sold units brought, already in the market's keeping.
    function settleOffer(
        ProductId product,
        uint32 site,
        uint64 filled,
        uint64 unfilled,
        uint256 limitMicro,
        uint256 proceedsMicro
    ) external;

    /* READ */

    function terms() external view returns (Terms memory);

    /// @notice What a site owes of a product, and the bond behind it.
    function obligationOf(uint256 product, uint32 site) external view returns (uint64 units, uint256 bondMicro);

    /// @notice Units of offers that wait to be settled, the round they were placed in, and what one unit of an offer must
    /// bring at least: its margin, and its limit and margin together.
    function reservedOf(uint256 product, uint32 site)
        external
        view
        returns (uint64 units, uint64 round, uint256 marginMicro, uint256 floorMicro);

    /// @notice Requirements: the lease exists.
    function leaseOf(uint64 lease) external view returns (Lease memory);

    function leaseCount() external view returns (uint64);

    /// @notice What the site has delivered and failed to deliver, in thousandths of unit-hours.
    function recordOf(uint32 site) external view returns (uint128 deliveredMilliHours, uint128 failedMilliHours);

    /// @notice What the record leaves of the attested units, in basis points, and the best grade it supports: 10,000 and
    /// PREMIUM without a record. BASIC is never lost.
    function standingOf(uint32 site) external view returns (uint256 deratingBp, uint8 gradeMax);

    /// @notice The bond that `units` more of a product would need at this site if minted, in micro.
    function mintBondOf(uint256 product, uint32 site, uint64 units) external view returns (uint256);

    /* WIRING, SET AT DEPLOYMENT */

    function standard() external view returns (IStandard);

    function capacity() external view returns (ICapacity);

    function treasury() external view returns (ITreasury);

    function exchange() external view returns (address);
}
