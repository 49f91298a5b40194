// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {ICapacity} from "../interfaces/ICapacity.sol";
import {IDelivery} from "../interfaces/IDelivery.sol";
import {IExchange} from "../interfaces/IExchange.sol";
import {IStandard} from "../interfaces/IStandard.sol";
import {ITreasury} from "../interfaces/ITreasury.sol";
import {CallAuction} from "../libraries/CallAuction.sol";
import {PriceGrid} from "../libraries/PriceGrid.sol";
import {Book, emptyBook} from "../types/Book.sol";
import {Kind, Order, ROUNDS_MAX, packOrder} from "../types/Order.sol";
import {ProductId} from "../types/ProductId.sol";
import {SignedOrder} from "../types/SignedOrder.sol";

/// @title Orders
/// @notice The part of {Exchange} that takes orders: what is admitted, where it is written, what it escrows.
abstract contract Orders is IExchange, EIP712, AccessManaged, ReentrancyGuardTransient {
    using CallAuction for CallAuction.RoundBook;

    /* CONSTANTS */

    /// @dev No slot: an order is appended.
    uint32 private constant APPEND = type(uint32).max;
    /// @dev What one relayed order may burn: an offer of a window of 168 fresh hours takes about 700,000.
    uint256 private constant PLACE_GAS = 1_200_000;

    /* IMMUTABLES */

    /// @inheritdoc IExchange
    uint256 public immutable ROUND;
    /// @inheritdoc IExchange
    uint256 public immutable LEAD;
    /// @inheritdoc IExchange
    address public immutable standard;
    /// @inheritdoc IExchange
    ICapacity public immutable capacity;
    /// @inheritdoc IExchange
    ITreasury public immutable treasury;
    /// @inheritdoc IExchange
    IDelivery public immutable delivery;

    /* STORAGE */

    /// @inheritdoc IExchange
    bool public ordersPaused;
    /// @dev A class's terms as an empty book: what {_open} copies.
    mapping(uint8 class => Book) internal _terms;
    mapping(ProductId product => Book) internal _books;
    /// @dev By product and index in one key: see {keyed}.
    mapping(uint256 productAtIndex => Order) internal _orders;
    /// @dev A bit per slot, 256 to a word: set when its order was settled, which makes the slot free.
    mapping(uint256 productAtWord => uint256) internal _settled;
    mapping(uint256 productAtRound => CallAuction.RoundBook) internal _rounds;

    constructor(
        address authority,
        address standard_,
        ICapacity capacity_,
        ITreasury treasury_,
        IDelivery delivery_,
        uint256 round_s,
        uint256 lead_s
    ) EIP712("Compute Ledger", "1") AccessManaged(authority) {
        (standard, capacity, treasury, delivery) = (standard_, capacity_, treasury_, delivery_);
        (ROUND, LEAD) = (round_s, lead_s);
    }

    modifier whenOpen() {
        require(!ordersPaused, Exchange_OrdersPaused());
        _;
    }

    /* ADOPT THE STANDARD */

    /// @inheritdoc IExchange
    function adoptTerms(uint8 class, uint32 tickSizeMicro, uint32 minUnits) external {
        require(msg.sender == standard, Exchange_OnlyStandard(msg.sender));
        _terms[class] = emptyBook(tickSizeMicro, minUnits);
    }

    /* PLACE */

    /// @inheritdoc IExchange
    function bid(uint256 product, uint16 tick, uint64 units) external whenOpen returns (uint32 index) {
        ProductId id = ProductId.wrap(product);
        uint256 round = currentRound();
        Book book = _admit(id, round, tick, units);
        uint256 cost = _cost(id, book, tick, units);
        // The sender of a transaction has a key, whatever code it delegates to; nothing is authorised by this.
        Kind kind = msg.sender == tx.origin ? Kind.BID_BY_KEY : Kind.BID;
        index = _place(id, book.addEscrow(cost), round, msg.sender, uint160(msg.sender), kind, tick, units, APPEND);
        treasury.escrow(msg.sender, cost);
    }

    /// @inheritdoc IExchange
    function ask(uint256 product, uint16 tick, uint64 units) external whenOpen returns (uint32 index) {
        ProductId id = ProductId.wrap(product);
        uint256 round = currentRound();
        Book book = _admit(id, round, tick, units);
        index = _place(id, book, round, msg.sender, uint160(msg.sender), Kind.ASK, tick, units, APPEND);
        capacity.take(msg.sender, id, units);
    }

    /// @inheritdoc IExchange
    function offer(uint32 site, uint256 product, uint16 tick, uint64 units) external whenOpen returns (uint32 index) {
        ProductId id = ProductId.wrap(product);
        uint256 round = currentRound();
        Book book = _admit(id, round, tick, units);
        index = _place(id, book, round, msg.sender, site, Kind.OFFER, tick, units, APPEND);
        _reserve(site, id, _cost(id, book, tick, 1), round, units, msg.sender);
    }

    /// @inheritdoc IExchange
    function placeSigned(SignedOrder[] calldata orders, uint32[] calldata freeSlots) external whenOpen nonReentrant {
        uint256 nextFree = 0;
        for (uint256 i = 0; i < orders.length; ++i) {
            uint32 freeSlot = nextFree < freeSlots.length ? freeSlots[nextFree++] : APPEND;
            try this.placeOne{gas: PLACE_GAS}(orders[i], freeSlot) returns (uint32) {}
            catch (bytes memory reason) {
                // The slot is for the next order then.
                if (freeSlot != APPEND) --nextFree;
                emit OrderSkipped(orders[i].productOf().raw(), orders[i].ownerOf(), i, reason);
            }
        }
    }

    /// @inheritdoc IExchange
    function placeOne(SignedOrder calldata order, uint32 freeSlot) external returns (uint32 index) {
        require(msg.sender == address(this), Exchange_OnlySelf(msg.sender));
        uint256 round = currentRound();
        require(order.roundOf() == round, Exchange_WrongRound(order.roundOf(), uint64(round)));
        bool byKey = _requireSigned(order);
        (address owner, ProductId product, uint16 tick, uint64 units) =
            (order.ownerOf(), order.productOf(), order.tickOf(), order.unitsOf());
        require(
            order.kindOf() >= uint8(Kind.BID) && order.kindOf() <= uint8(Kind.OFFER),
            Exchange_UnknownKind(order.kindOf())
        );
        Kind kind = Kind(order.kindOf());
        Book book = _admit(product, round, tick, units);
        uint160 principal = kind == Kind.OFFER ? order.siteOf() : uint160(owner);
        uint256 cost = 0;
        if (kind == Kind.BID) {
            cost = _cost(product, book, tick, units);
            book = book.addEscrow(cost);
            if (byKey) kind = Kind.BID_BY_KEY;
        }
        if (freeSlot != APPEND && !_unsettle(product, freeSlot)) freeSlot = APPEND;
        index = _place(product, book, round, owner, principal, kind, tick, units, freeSlot);
        treasury.escrowSigned(owner, cost, uint64(round), order.indexOf(), order.epochOf());
        if (kind == Kind.ASK) {
            capacity.take(owner, product, units);
        } else if (kind == Kind.OFFER) {
            _reserve(order.siteOf(), product, _cost(product, book, tick, 1), round, units, owner);
        }
    }

    /// @inheritdoc IExchange
    function revokeSigned() external {
        treasury.revoke(msg.sender);
    }

    /// @dev Checks what every order must be, in the order that {IExchange.bid} states, and opens the product's book at
    /// the first.
    function _admit(ProductId product, uint256 round, uint16 tick, uint64 units) private returns (Book book) {
        book = _books[product];
        if (!book.isOpen()) book = _open(product, round);
        require(tick != 0 && tick <= PriceGrid.TICK_MAX, Exchange_TickOutOfRange(tick, PriceGrid.TICK_MAX));
        require(units >= book.minUnits(), Exchange_TooFewUnits(units, uint64(book.minUnits())));
        require(units <= type(uint32).max, Exchange_TooManyUnits(units, type(uint32).max));
        uint256 start_s = product.startOf();
        unchecked {
            // A round ends at most ROUND after now: no sum of times comes near 256 bits.
            uint256 closed_s = (round + 1) * ROUND + LEAD;
            require(closed_s <= start_s, Exchange_TradingClosed(product.raw(), closed_s, start_s));
        }
    }

    /// @dev The book is stored by {_place}, with the order that opened it.
    function _open(ProductId product, uint256 round) private returns (Book book) {
        require(product.wellFormed(), IStandard.Standard_MalformedProduct(product.raw()));
        Book terms = _terms[product.classOf()];
        require(terms.isOpen(), IStandard.Standard_UnknownClass(product.classOf()));
        uint256 roundsAway = Math.saturatingSub(product.startOf() / ROUND, round);
        require(roundsAway < ROUNDS_MAX, Exchange_TradingNotOpen(product.raw(), roundsAway, ROUNDS_MAX - 1));
        book = terms.opened(round);
        emit BookOpened(product.raw(), book);
    }

    /// @dev Writes the order, its volume and the book. All effects; what is escrowed follows.
    function _place(
        ProductId product,
        Book book,
        uint256 round,
        address owner,
        uint160 principal,
        Kind kind,
        uint16 tick,
        uint64 units,
        uint32 freeSlot
    ) private returns (uint32 index) {
        (bool fits, uint256 prefix) = _rounds[product.keyed(round)].add(kind <= Kind.BID, tick, units);
        require(fits, Exchange_TickFull(tick, uint64(prefix), units));
        // The product's delivery starts within ROUNDS_MAX rounds of its first: the difference is below 2^20.
        Order order = packOrder(principal, kind, tick, round - book.firstRound(), prefix, units);
        if (freeSlot == APPEND) {
            index = book.orderCount();
            book = book.addOrder();
        } else {
            index = freeSlot;
        }
        _books[product] = book;
        _orders[product.keyed(index)] = order;
        emit OrderPlaced(product.raw(), owner, index, order);
    }

    /// @dev Takes a free slot into use: clears its settled bit; false if it was not set.
    function _unsettle(ProductId product, uint256 index) private returns (bool) {
        uint256 word = _settled[product.keyed(index >> 8)];
        uint256 bit = 1 << (index & 255);
        if (word & bit == 0) return false;
        _settled[product.keyed(index >> 8)] = word ^ bit;
        return true;
    }

    /// @dev A provider's hours, its units in the book's escrow, and its margin.
    function _reserve(uint32 site, ProductId product, uint256 limitMicro, uint256 round, uint64 units, address provider)
        private
    {
        capacity.reserve(site, product, units, provider);
        delivery.reserveOffer(product, site, units, uint64(round), limitMicro, provider);
    }

    /// @dev ECDSA first (65 bytes, or 64 by EIP-2098): an account with delegated code (EIP-7702) still signs with its key. Then ERC-1271.
    function _requireSigned(SignedOrder calldata order) private view returns (bool byKey) {
        bytes32 digest = _hashTypedDataV4(order.structHash());
        bytes calldata signature = order.signature;
        (address signer, ECDSA.RecoverError failure,) = signature.length == 64
            ? ECDSA.tryRecover(digest, bytes32(signature[:32]), bytes32(signature[32:]))
            : ECDSA.tryRecoverCalldata(digest, signature);
        address owner = order.ownerOf();
        if (failure == ECDSA.RecoverError.NoError && signer == owner) return true;
        require(
            SignatureChecker.isValidERC1271SignatureNow(owner, digest, signature), Exchange_BadSignature(owner, digest)
        );
    }

    /// @dev A product has no bits above its 88: with some, its keys would be those of another round or order of it.
    function _named(uint256 product) internal pure returns (ProductId) {
        require(product >> 88 == 0, IStandard.Standard_MalformedProduct(product));
        return ProductId.wrap(product);
    }

    function _cost(ProductId product, Book book, uint256 tick, uint256 units) internal pure returns (uint256) {
        return PriceGrid.cost(units, product.hoursOf(), tick, book.tickSizeMicro());
    }

    /* STOP NEW ORDERS */

    /// @inheritdoc IExchange
    function setOrdersPaused(bool paused) external restricted {
        ordersPaused = paused;
        emit OrdersPauseSet(paused);
    }

    /* READ */

    /// @inheritdoc IExchange
    function currentRound() public view returns (uint64) {
        // Seconds since the epoch stay below 2^64.
        return uint64(block.timestamp / ROUND);
    }
}
