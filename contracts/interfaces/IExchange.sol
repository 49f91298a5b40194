// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Book} from "../types/Book.sol";
import {Order} from "../types/Order.sol";
import {SignedOrder} from "../types/SignedOrder.sol";
import {ICapacity} from "./ICapacity.sol";
import {IDelivery} from "./IDelivery.sol";
import {ITreasury} from "./ITreasury.sol";

/// @title IExchange
/// @notice One price per product and round. Orders of a round are collected, cleared together by anyone once it has
/// ended, and every trade pays the clearing price. Whatever a round may hand out is in escrow before it clears, so
/// orders settle one by one, in any order, by anyone, and none can stop another.
///
/// The clearing rule. With S(t) the units of asks and offers at ticks <= t, D(t) those of bids at ticks >= t, and
/// V(t) = min(S, D): no trade if max V = 0; otherwise the price tick is, among those with V = max V, among those with the
/// least |S - D|, the middle one, rounded down. V units trade. Each side fills by price; at its last tick that fills,
/// with q of v units traded, an order with p units before it and u units gets floor((p+u)·q/v) - floor(p·q/v).
///
/// Amounts are in micro: the smallest unit of the 6-decimal settlement token; prices in micro per unit-hour.
interface IExchange {
    /* ERRORS */

    error Exchange_OnlyStandard(address caller);
    error Exchange_OrdersPaused();
    error Exchange_TickOutOfRange(uint16 tick, uint16 tickMax);
    error Exchange_TooFewUnits(uint64 units, uint64 unitsMin);
    error Exchange_TooManyUnits(uint64 units, uint64 unitsMax);
    /// @notice The round ends too late to settle and redeem: its end and LEAD, `ready_s`, are past the delivery start.
    error Exchange_TradingClosed(uint256 product, uint256 ready_s, uint256 start_s);
    /// @notice The product's delivery is more rounds away than a book can count.
    error Exchange_TradingNotOpen(uint256 product, uint256 roundsAway, uint256 roundsMax);
    error Exchange_TickFull(uint16 tick, uint64 standing, uint64 units);
    error Exchange_UnknownKind(uint8 kind);
    /// @notice A signed order is good for the round it names, and no other.
    error Exchange_WrongRound(uint64 round, uint64 current);
    error Exchange_BadSignature(address owner, bytes32 digest);
    error Exchange_OnlySelf(address caller);
    error Exchange_RoundNotEnded(uint64 round, uint256 end_s, uint256 now_s);
    error Exchange_RoundEmpty(uint256 product, uint64 round);
    error Exchange_AlreadyCleared(uint256 product, uint64 round);
    /// @notice Nobody cleared the round before delivery started: settle gives everything back.
    error Exchange_RoundVoid(uint256 product, uint64 round);
    error Exchange_NotCleared(uint256 product, uint64 round);
    /// @notice None of the orders waits in that round: settled already, of another round, or never placed.
    error Exchange_NothingToSettle(uint256 product, uint64 round, uint256 named);
    error Exchange_GasTooLow(uint256 gasLeft, uint256 gasNeeded);
    error Exchange_NothingHeld(uint256 product, address owner);

    /* EVENTS */

    /// @notice A product trades for the first time; the terms are its book's for good.
    /// `book` is the packed {Book}: its first round, and the class's tick size and least order.
    event BookOpened(uint256 indexed product, Book book);
    /// @notice An order stands in its book, at slot `index`. `order` is the packed {Order}.
    event OrderPlaced(uint256 indexed product, address indexed owner, uint32 index, Order order);
    /// @notice A relayed order was passed over; `reason` is the ABI-encoded error, or empty if gas ran out.
    event OrderSkipped(uint256 indexed product, address indexed owner, uint256 position, bytes reason);
    /// @notice A round cleared; no trade if `units` is 0. The rest is the last tick of each side that fills, and how many
    /// of the units standing there trade.
    event Cleared(
        uint256 indexed product,
        uint64 indexed round,
        uint16 priceTick,
        uint64 units,
        uint16 bidTick,
        uint32 bidFilled,
        uint32 bidStanding,
        uint16 askTick,
        uint32 askFilled,
        uint32 askStanding
    );
    /// @notice Orders were settled: each of `fills` is `kind 2 | index 32 | units 32`, from high to low, or 0 for one that
    /// was passed over. With the clearing and the orders, that is every payment and every unit.
    event Settled(uint256 indexed product, uint64 indexed round, uint256[] fills);
    /// @notice The owner is a contract that refused the units; they wait for `collect`.
    event Held(uint256 indexed product, address indexed owner, uint256 units);
    event Collected(uint256 indexed product, address indexed owner, address to, uint256 units);
    event OrdersPauseSet(bool paused);

    /* ADOPT THE STANDARD */

    /// @notice Keeps a class's terms for the books that open from now on: reading them from Standard at every opening
    /// would cost a cold call. Requirements: the caller is Standard.
    /// @param tickSizeMicro In micro per unit-hour.
    function adoptTerms(uint8 class, uint32 tickSizeMicro, uint32 minUnits) external;

    /* PLACE */

    /// @notice Bids for units at a limit. The limit's cost is escrowed, from free cash first, then from the allowance.
    /// Requirements:
    /// - new orders are not paused
    /// - the product is well formed, of a class of the standard, and near enough to be counted. Its area is not looked
    ///   up: in one that is not there nobody can offer, and the money comes back
    /// - the tick is 1 … 1023; the units are at least the class's least order and below 2^32
    /// - the round ends LEAD seconds before delivery, or earlier
    /// - the tick does not pass 2^32 - 1 units
    /// - the caller's cash and allowance cover it
    /// @return index The order's slot in the product's book.
    function bid(uint256 product, uint16 tick, uint64 units) external returns (uint32 index);

    /// @notice Offers units that the caller holds for resale; they are escrowed. Needs no approval.
    /// Requirements: those of {bid}, with the units held instead of cash.
    function ask(uint256 product, uint16 tick, uint64 units) external returns (uint32 index);

    /// @notice Offers units that a site issues when they are sold: its hours are reserved and the margin is escrowed.
    /// Requirements: those of {bid} up to the tick's volume; those of {ICapacity.mint} up to the hours; those of
    /// {IDelivery.reserveOffer}.
    function offer(uint32 site, uint256 product, uint16 tick, uint64 units) external returns (uint32 index);

    /// @notice Places orders that their owners signed. An order that cannot be placed is passed over, whole, with an
    /// event that says why, and spoils no other. Requirements: new orders are not paused.
    /// @param orders See {SignedOrder}; at most as many as fit the transaction's gas.
    /// @param freeSlots Slots of settled orders to use, one an order; an order whose slot is not free is appended, and one
    /// that was passed over leaves its slot to the next. All orders of the call share them: best one product a call.
    function placeSigned(SignedOrder[] calldata orders, uint32[] calldata freeSlots) external;

    /// @notice {placeSigned} for one order, by Exchange itself. Requirements:
    /// - the caller is Exchange
    /// - the round is the current one
    /// - the owner signed it: by ECDSA, or by ERC-1271
    /// - its kind is BID (1), ASK (2) or OFFER (3)
    /// - those of {bid} but for the pause; its epoch and index are free; for {ask} the units are held, for {offer} those of {offer}
    /// @param order Its signature is 65 bytes r, s, v; or 64 by EIP-2098; or what an ERC-1271 owner wants.
    /// @param freeSlot The slot to use if it is free; else the order is appended.
    /// @return index The order's slot.
    function placeOne(SignedOrder calldata order, uint32 freeSlot) external returns (uint32 index);

    /// @notice Makes everything that the caller has signed so far worthless.
    function revokeSigned() external;

    /* CLEAR */

    /// @notice Finds a round's price; anyone may call it. Its cost is bounded by the grid. Requirements:
    /// - the product has no bits above its 88
    /// - the round has ended
    /// - delivery has not started
    /// - it was not cleared before
    /// - it has orders
    function clear(uint256 product, uint64 round) external;

    /* SETTLE */

    /// @notice Settles orders of a round, cleared or void; anyone may call it. Bids get their units and the difference to
    /// the limit, asks their cash, offers turn into obligations; what did not trade comes back. Orders that do not wait
    /// in that round are passed over. Requirements:
    /// - the product has no bits above its 88
    /// - the round was cleared, or delivery has started
    /// - at least one of the orders waits
    /// @param indices Slots of the product's book; at most as many as fit the transaction's gas.
    function settle(uint256 product, uint64 round, uint32[] calldata indices) external;

    /// @notice Takes units that the caller, a contract, refused when an order was settled. Requirements: there are some;
    /// `to` accepts them.
    function collect(uint256 product, address to) external;

    /* STOP NEW ORDERS */

    /// @notice Stops or allows new orders; nothing else. Requirements: the caller has the role GUARDIAN.
    function setOrdersPaused(bool paused) external;

    /* READ */

    function ordersPaused() external view returns (bool);

    /// @notice The length of a round in seconds.
    function ROUND() external view returns (uint256);

    /// @notice How long before delivery the last round must have ended, in seconds.
    function LEAD() external view returns (uint256);

    function currentRound() external view returns (uint64);

    /// @notice Whether a round was cleared, its price, and the units traded (no trade: tick and units 0).
    function clearingOf(uint256 product, uint64 round)
        external
        view
        returns (bool cleared, uint16 priceTick, uint64 units);

    /// @notice A tick's price for a class by its terms of today, in micro per unit-hour.
    function priceOf(uint8 class, uint16 tick) external view returns (uint256);

    /// @notice Units standing in a round, by tick and side; settled orders included.
    function depthOf(uint256 product, uint64 round)
        external
        view
        returns (uint64[1024] memory bids, uint64[1024] memory asks);

    /// @notice A product's book: its first round, how many slots it has, its terms, and the bidders' money it holds.
    function bookOf(uint256 product)
        external
        view
        returns (uint64 firstRound, uint32 orders, uint32 tickSizeMicro, uint32 minUnits, uint256 escrowMicro);

    /// @notice The order in a slot, and whether it was settled (the slot is free then).
    function orderOf(uint256 product, uint32 index) external view returns (Order order, bool settled);

    /// @notice Units that wait for `collect`.
    function heldOf(uint256 product, address owner) external view returns (uint256);

    /* WIRING, SET AT DEPLOYMENT */

    function standard() external view returns (address);

    function capacity() external view returns (ICapacity);

    function treasury() external view returns (ITreasury);

    function delivery() external view returns (IDelivery);
}
