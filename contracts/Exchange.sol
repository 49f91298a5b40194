// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {ICapacity} from "./interfaces/ICapacity.sol";
import {IDelivery} from "./interfaces/IDelivery.sol";
import {IExchange} from "./interfaces/IExchange.sol";
import {IStandard} from "./interfaces/IStandard.sol";
import {ITreasury} from "./interfaces/ITreasury.sol";
import {CallAuction} from "./libraries/CallAuction.sol";
import {PriceGrid} from "./libraries/PriceGrid.sol";
import {Book, emptyBook} from "./types/Book.sol";
import {Kind, Order, ROUNDS_MAX, packOrder} from "./types/Order.sol";
import {ProductId} from "./types/ProductId.sol";
import {OrderTerms, SignedOrder} from "./types/SignedOrder.sol";

/// @title Exchange
/// @notice Finds one price per product and round. Specified in {IExchange}.
contract Exchange is IExchange, EIP712, AccessManaged, ReentrancyGuardTransient {
    using CallAuction for CallAuction.RoundBook;
    using CallAuction for CallAuction.Clearing;

    /* CONSTANTS */

    /// @dev No slot: an order is appended.
    uint32 private constant APPEND = type(uint32).max;
    /// @dev What one relayed order may burn: an offer of a window of 168 fresh hours takes about 700,000.
    uint256 private constant PLACE_GAS = 1_200_000;
    /// @dev What a contract may burn when it is given units: a fresh balance and a callback of 150,000.
    uint256 private constant GIVE_GAS = 200_000;

    /* IMMUTABLES */

    /// @inheritdoc IExchange
    uint256 public immutable ROUND;
    /// @inheritdoc IExchange
    uint256 public immutable LEAD;
    address public immutable standard;
    ICapacity public immutable capacity;
    ITreasury public immutable treasury;
    IDelivery public immutable delivery;

    /* STORAGE */

    /// @inheritdoc IExchange
    bool public ordersPaused;
    /// @dev A class's terms as an empty book: what {_open} copies.
    mapping(uint8 class => Book) private _terms;
    mapping(ProductId product => Book) private _books;
    mapping(ProductId product => mapping(uint256 index => Order)) private _orders;
    /// @dev A bit per slot, 256 to a word: set when its order was settled, which makes the slot free.
    mapping(ProductId product => mapping(uint256 word => uint256)) private _settled;
    mapping(ProductId product => mapping(uint256 round => CallAuction.RoundBook)) private _rounds;
    mapping(ProductId product => mapping(address owner => uint256)) private _held;

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

    /* ADOPT THE STANDARD */

    /// @inheritdoc IExchange
    function adoptTerms(uint8 class, uint32 tickSizeMicro, uint32 minUnits) external {
        require(msg.sender == standard, Exchange_OnlyStandard(msg.sender));
        _terms[class] = emptyBook(tickSizeMicro, minUnits);
    }

    /* PLACE */

    /// @inheritdoc IExchange
    function bid(uint256 product, uint16 tick, uint64 units) external nonReentrant returns (uint32 index) {
        ProductId id = ProductId.wrap(product);
        (Book book, uint256 round) = _admit(id, tick, units);
        uint256 cost = _cost(id, book, tick, units);
        index = _place(id, book.addEscrow(cost), round, msg.sender, uint160(msg.sender), Kind.BID, tick, units, APPEND);
        treasury.escrow(msg.sender, cost);
    }

    /// @inheritdoc IExchange
    function ask(uint256 product, uint16 tick, uint64 units) external nonReentrant returns (uint32 index) {
        ProductId id = ProductId.wrap(product);
        (Book book, uint256 round) = _admit(id, tick, units);
        index = _place(id, book, round, msg.sender, uint160(msg.sender), Kind.ASK, tick, units, APPEND);
        capacity.take(msg.sender, id, units);
    }

    /// @inheritdoc IExchange
    function offer(uint32 site, uint256 product, uint16 tick, uint64 units)
        external
        nonReentrant
        returns (uint32 index)
    {
        ProductId id = ProductId.wrap(product);
        (Book book, uint256 round) = _admit(id, tick, units);
        index = _place(id, book, round, msg.sender, site, Kind.OFFER, tick, units, APPEND);
        _reserve(site, id, _cost(id, book, tick, 1), round, units, msg.sender);
    }

    /// @inheritdoc IExchange
    function placeSigned(SignedOrder[] calldata orders, uint32[] calldata freeSlots) external nonReentrant {
        uint256 nextFree = 0;
        for (uint256 i = 0; i < orders.length; ++i) {
            uint32 freeSlot = nextFree < freeSlots.length ? freeSlots[nextFree++] : APPEND;
            try this.placeOne{gas: PLACE_GAS}(orders[i], freeSlot) {}
            catch (bytes memory reason) {
                // The slot is for the next order then.
                if (freeSlot != APPEND) --nextFree;
                OrderTerms memory order = orders[i].terms();
                emit OrderSkipped(order.product.raw(), order.owner, i, reason);
            }
        }
    }

    /// @inheritdoc IExchange
    function placeOne(SignedOrder calldata signed, uint32 freeSlot) external returns (bool reused) {
        require(msg.sender == address(this), Exchange_OnlySelf(msg.sender));
        OrderTerms memory order = signed.terms();
        require(order.round == currentRound(), Exchange_WrongRound(order.round, currentRound()));
        _requireSigned(order, signed.signature);
        (Book book, uint256 round) = _admit(order.product, order.tick, order.units);
        uint256 cost = 0;
        uint160 principal = uint160(order.owner);
        if (order.kind == uint8(Kind.BID)) {
            cost = _cost(order.product, book, order.tick, order.units);
            book = book.addEscrow(cost);
        } else if (order.kind == uint8(Kind.OFFER)) {
            principal = order.site;
        } else {
            require(order.kind == uint8(Kind.ASK), Exchange_UnknownKind(order.kind));
        }
        if (freeSlot != APPEND && !_isSettled(order.product, freeSlot)) freeSlot = APPEND;
        _place(order.product, book, round, order.owner, principal, Kind(order.kind), order.tick, order.units, freeSlot);
        treasury.escrowSigned(order.owner, cost, order.round, order.index, order.epoch);
        if (order.kind == uint8(Kind.ASK)) {
            capacity.take(order.owner, order.product, order.units);
        } else if (order.kind == uint8(Kind.OFFER)) {
            uint256 limit = _cost(order.product, book, order.tick, 1);
            _reserve(order.site, order.product, limit, round, order.units, order.owner);
        }
        return freeSlot != APPEND;
    }

    /// @inheritdoc IExchange
    function revokeSigned() external {
        treasury.revoke(msg.sender);
    }

    /// @dev Checks what every order must be, in the order that {IExchange.bid} states, and opens the product's book at
    /// the first.
    function _admit(ProductId product, uint16 tick, uint64 units) private returns (Book book, uint256 round) {
        require(!ordersPaused, Exchange_OrdersPaused());
        round = currentRound();
        book = _books[product];
        if (!book.isOpen()) book = _open(product, round);
        require(tick != 0 && tick <= PriceGrid.TICK_MAX, Exchange_TickOutOfRange(tick, PriceGrid.TICK_MAX));
        require(units >= book.minUnits(), Exchange_TooFewUnits(units, uint64(book.minUnits())));
        require(units <= type(uint32).max, Exchange_TooManyUnits(units, type(uint32).max));
        uint256 roundEnd_s = (round + 1) * ROUND;
        require(
            roundEnd_s + LEAD <= product.startOf(),
            Exchange_TradingClosed(product.raw(), roundEnd_s, product.startOf() - LEAD)
        );
    }

    /// @dev The book is stored by {_place}, with the order that opened it.
    function _open(ProductId product, uint256 round) private returns (Book book) {
        require(product.wellFormed(), IStandard.Standard_MalformedProduct(product.raw()));
        Book terms = _terms[product.classOf()];
        require(terms.isOpen(), IStandard.Standard_UnknownClass(product.classOf()));
        uint256 startRound = product.startOf() / ROUND;
        require(
            startRound < round + ROUNDS_MAX, Exchange_TradingNotOpen(product.raw(), startRound - round, ROUNDS_MAX - 1)
        );
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
        (bool fits, uint256 prefix) = _rounds[product][round].add(kind == Kind.BID, tick, units);
        require(fits, Exchange_TickFull(tick, uint64(prefix), units));
        // The product's delivery starts within ROUNDS_MAX rounds of its first: the difference is below 2^20.
        Order order = packOrder(principal, kind, tick, round - book.firstRound(), prefix, units);
        if (freeSlot == APPEND) {
            index = book.orderCount();
            book = book.addOrder();
        } else {
            index = freeSlot;
            _settled[product][index >> 8] ^= 1 << (index & 255);
        }
        _books[product] = book;
        _orders[product][index] = order;
        emit OrderPlaced(product.raw(), owner, index, order);
    }

    /// @dev A provider's hours, its units in the book's escrow, and its margin.
    function _reserve(uint32 site, ProductId product, uint256 limitMicro, uint256 round, uint64 units, address provider)
        private
    {
        capacity.reserve(site, product, units, provider);
        delivery.reserveOffer(product, site, units, uint64(round), limitMicro, provider);
    }

    /// @dev ECDSA first: an account with delegated code (EIP-7702) still signs with its key. Then ERC-1271.
    function _requireSigned(OrderTerms memory order, bytes calldata signature) private view {
        bytes32 digest = _hashTypedDataV4(order.structHash());
        (address signer, ECDSA.RecoverError failure,) = ECDSA.tryRecover(digest, signature);
        if (failure == ECDSA.RecoverError.NoError && signer == order.owner) return;
        require(
            SignatureChecker.isValidERC1271SignatureNow(order.owner, digest, signature),
            Exchange_BadSignature(order.owner, digest)
        );
    }

    function _cost(ProductId product, Book book, uint256 tick, uint256 units) private pure returns (uint256) {
        return PriceGrid.cost(units, product.hoursOf(), tick, book.tickSizeMicro());
    }

    /* CLEAR */

    /// @inheritdoc IExchange
    function clear(uint256 product, uint64 round) external {
        ProductId id = ProductId.wrap(product);
        uint256 end_s = (uint256(round) + 1) * ROUND;
        require(block.timestamp >= end_s, Exchange_RoundNotEnded(round, end_s, block.timestamp));
        require(block.timestamp < id.startOf(), Exchange_RoundVoid(product, round));
        CallAuction.RoundBook storage book = _rounds[id][round];
        require(!book.clearing.cleared, Exchange_AlreadyCleared(product, round));
        require(book.nonEmpty != 0, Exchange_RoundEmpty(product, round));

        CallAuction.Clearing memory c = book.clear();
        book.clearing = c;
        emit Cleared(
            product,
            round,
            c.priceTick,
            c.units,
            c.bidTick,
            c.bidFilled,
            c.bidStanding,
            c.askTick,
            c.askFilled,
            c.askStanding
        );
    }

    /* SETTLE */

    /// @inheritdoc IExchange
    function settle(uint256 product, uint64 round, uint32[] calldata indices) external nonReentrant {
        Settlement memory s;
        s.product = ProductId.wrap(product);
        s.clearing = _rounds[s.product][round].clearing;
        require(s.clearing.cleared || block.timestamp >= s.product.startOf(), Exchange_NotCleared(product, round));
        s.book = _books[s.product];
        s.priceMicro = _cost(s.product, s.book, s.clearing.priceTick, 1);
        (uint256[] memory fills, uint256[] memory payments, uint256[] memory deliveries) =
            (new uint256[](indices.length), new uint256[](indices.length), new uint256[](indices.length));
        for (uint256 i = 0; i < indices.length; ++i) {
            (fills[i], payments[i], deliveries[i]) = _settleOne(s, round, indices[i]);
        }
        _flush(s);
        require(s.settled != 0, Exchange_NothingToSettle(product, round, indices.length));
        _books[s.product] = s.book.subEscrow(s.paidMicro);
        emit Settled(product, round, fills);

        treasury.credit(payments);
        capacity.give(s.product, deliveries);
        if (s.callsOut) _settleRest(s, fills);
    }

    /// @dev What one call of {settle} knows and adds up. `word` is the word `wordIndex` of the settled bits.
    struct Settlement {
        ProductId product;
        Book book;
        CallAuction.Clearing clearing;
        uint256 priceMicro;
        uint256 paidMicro;
        uint256 settled;
        uint256 wordIndex;
        uint256 word;
        bool callsOut;
    }

    /// @dev Marks one order as settled and gives its entry of the event, its payment and its delivery: all zero if it
    /// does not wait in the round; no payment or delivery where {_settleRest} has to call out.
    function _settleOne(Settlement memory s, uint256 round, uint256 index)
        private
        returns (uint256 entry, uint256 payment, uint256 delivered)
    {
        Order order = _orders[s.product][index];
        Kind kind = order.kindOf();
        if (kind == Kind.NONE || order.roundOf() + s.book.firstRound() != round || !_mark(s, index)) return (0, 0, 0);
        uint256 fill = s.clearing.fillOf(order);
        uint256 units = order.unitsOf();
        unchecked {
            // A fill is at most the order's units, and a bid's limit is at or above the price of what it gets. An
            // order's cost is below 2^87: no sum over a call's orders leaves 256 bits, and no payment 96.
            uint256 paid = fill * s.priceMicro;
            if (kind == Kind.BID) paid = _cost(s.product, s.book, order.tickOf(), units) - paid;
            s.paidMicro += paid;
            entry = (uint256(kind) << 64) | (index << 32) | fill;
            if (kind == Kind.OFFER) {
                s.callsOut = true;
                return (entry, 0, 0);
            }
            uint256 owner = uint256(order.principalOf()) << 96;
            if (paid != 0) payment = owner | paid;
            units = kind == Kind.BID ? fill : units - fill;
            if (units == 0) return (entry, payment, 0);
            if (address(order.principalOf()).code.length == 0) return (entry, payment, owner | units);
            s.callsOut = true;
        }
    }

    /// @dev Offers turn into obligations, and contracts are asked whether they take their units.
    function _settleRest(Settlement memory s, uint256[] memory fills) private {
        for (uint256 i = 0; i < fills.length; ++i) {
            if (fills[i] == 0) continue;
            Order order = _orders[s.product][uint32(fills[i] >> 32)];
            uint256 fill = uint32(fills[i]);
            Kind kind = order.kindOf();
            if (kind == Kind.OFFER) {
                _settleOffer(s, order, fill);
                continue;
            }
            address owner = address(order.principalOf());
            uint256 units = kind == Kind.BID ? fill : order.unitsOf() - fill;
            if (units != 0 && owner.code.length != 0) _giveToContract(s.product, owner, units);
        }
    }

    /// @dev Sets the slot's settled bit; false if it was set. Neighbours share a word, which is written once.
    function _mark(Settlement memory s, uint256 index) private returns (bool) {
        uint256 wordIndex = (index >> 8) + 1;
        if (wordIndex != s.wordIndex) {
            _flush(s);
            (s.wordIndex, s.word) = (wordIndex, _settled[s.product][wordIndex - 1]);
        }
        uint256 bit = 1 << (index & 255);
        if (s.word & bit != 0) return false;
        s.word |= bit;
        unchecked {
            // Counts the orders of one call.
            ++s.settled;
        }
        return true;
    }

    /// @dev Writes the word of settled bits that {_mark} holds; it counts words from 1, so that 0 is none.
    function _flush(Settlement memory s) private {
        if (s.wordIndex != 0) _settled[s.product][s.wordIndex - 1] = s.word;
    }

    function _isSettled(ProductId product, uint256 index) private view returns (bool) {
        return _settled[product][index >> 8] & (1 << (index & 255)) != 0;
    }

    function _settleOffer(Settlement memory s, Order order, uint256 fill) private {
        uint32 site = uint32(order.principalOf());
        uint256 unfilled = order.unitsOf() - fill;
        // An order's units are below 2^32.
        if (unfilled != 0) capacity.unreserve(site, s.product, uint64(unfilled));
        uint256 limitMicro = _cost(s.product, s.book, order.tickOf(), 1);
        delivery.settleOffer(s.product, site, uint64(fill), uint64(unfilled), limitMicro, fill * s.priceMicro);
    }

    /// @dev A contract may refuse units, or burn what gas it is given: then they are held for it.
    function _giveToContract(ProductId product, address owner, uint256 units) private {
        // The call gets all of GIVE_GAS, so that nobody can make a willing owner seem to refuse.
        uint256 needed = GIVE_GAS * 64 / 63 + 50_000;
        require(gasleft() >= needed, Exchange_GasTooLow(gasleft(), needed));
        try capacity.safeTransferFrom{gas: GIVE_GAS}(address(this), owner, product.raw(), units, "") {}
        catch {
            _held[product][owner] += units;
            emit Held(product.raw(), owner, units);
        }
    }

    /// @inheritdoc IExchange
    function collect(uint256 product, address to) external nonReentrant {
        ProductId id = ProductId.wrap(product);
        uint256 units = _held[id][msg.sender];
        require(units != 0, Exchange_NothingHeld(product, msg.sender));
        _held[id][msg.sender] = 0;
        emit Collected(product, msg.sender, to, units);
        capacity.safeTransferFrom(address(this), to, product, units, "");
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

    /// @inheritdoc IExchange
    function clearingOf(uint256 product, uint64 round)
        external
        view
        returns (bool cleared, uint16 priceTick, uint64 units)
    {
        CallAuction.Clearing storage c = _rounds[ProductId.wrap(product)][round].clearing;
        return (c.cleared, c.priceTick, c.units);
    }

    /// @inheritdoc IExchange
    function priceOf(uint8 class, uint16 tick) external view returns (uint256) {
        require(tick != 0 && tick <= PriceGrid.TICK_MAX, Exchange_TickOutOfRange(tick, PriceGrid.TICK_MAX));
        require(_terms[class].isOpen(), IStandard.Standard_UnknownClass(class));
        return PriceGrid.priceOf(tick) * _terms[class].tickSizeMicro();
    }

    /// @inheritdoc IExchange
    function depthOf(uint256 product, uint64 round)
        external
        view
        returns (uint64[1024] memory bids, uint64[1024] memory asks)
    {
        CallAuction.RoundBook storage book = _rounds[ProductId.wrap(product)][round];
        for (uint256 tick = 1; tick <= PriceGrid.TICK_MAX; ++tick) {
            bids[tick] = uint64(book.volumeAt(true, tick));
            asks[tick] = uint64(book.volumeAt(false, tick));
        }
    }

    /// @inheritdoc IExchange
    function bookOf(uint256 product)
        external
        view
        returns (uint64 firstRound, uint32 orders, uint32 tickSizeMicro, uint32 minUnits, uint256 escrowMicro)
    {
        Book book = _books[ProductId.wrap(product)];
        return (
            uint64(book.firstRound()),
            book.orderCount(),
            uint32(book.tickSizeMicro()),
            uint32(book.minUnits()),
            book.escrowMicro()
        );
    }

    /// @inheritdoc IExchange
    function orderOf(uint256 product, uint32 index) external view returns (Order order, bool settled) {
        ProductId id = ProductId.wrap(product);
        return (_orders[id][index], _isSettled(id, index));
    }

    /// @inheritdoc IExchange
    function heldOf(uint256 product, address owner) external view returns (uint256) {
        return _held[ProductId.wrap(product)][owner];
    }
}
