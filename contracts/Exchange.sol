// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICapacity} from "./interfaces/ICapacity.sol";
import {IDelivery} from "./interfaces/IDelivery.sol";
import {IExchange} from "./interfaces/IExchange.sol";
import {IStandard} from "./interfaces/IStandard.sol";
import {ITreasury} from "./interfaces/ITreasury.sol";
import {CallAuction} from "./libraries/CallAuction.sol";
import {PriceGrid} from "./libraries/PriceGrid.sol";
import {Orders} from "./parts/Orders.sol";
import {Book} from "./types/Book.sol";
import {Kind, Order} from "./types/Order.sol";
import {ProductId} from "./types/ProductId.sol";

/// @title Exchange
/// @notice Finds one price per product and round. Specified in {IExchange}.
contract Exchange is IExchange, Orders {
    using CallAuction for CallAuction.RoundBook;
    using CallAuction for CallAuction.Clearing;

    /* CONSTANTS */

    /// @dev What a contract may burn when it is given units: a fresh balance and a callback of 150,000.
    uint256 private constant GIVE_GAS = 200_000;

    /* STORAGE */

    mapping(ProductId product => mapping(address owner => uint256)) private _held;

    constructor(
        address authority,
        address standard_,
        ICapacity capacity_,
        ITreasury treasury_,
        IDelivery delivery_,
        uint256 round_s,
        uint256 lead_s
    ) Orders(authority, standard_, capacity_, treasury_, delivery_, round_s, lead_s) {}

    /* CLEAR */

    /// @inheritdoc IExchange
    function clear(uint256 product, uint64 round) external {
        ProductId id = _named(product);
        uint256 end_s = (uint256(round) + 1) * ROUND;
        require(block.timestamp >= end_s, Exchange_RoundNotEnded(round, end_s, block.timestamp));
        require(block.timestamp < id.startOf(), Exchange_RoundVoid(product, round));
        CallAuction.RoundBook storage book = _rounds[id.keyed(round)];
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
        s.product = _named(product);
        s.clearing = _rounds[s.product.keyed(round)].clearing;
        require(s.clearing.cleared || block.timestamp >= s.product.startOf(), Exchange_NotCleared(product, round));
        s.book = _books[s.product];
        // Below the first round nothing waits: the difference is then above every order's round.
        unchecked {
            s.round = round - s.book.firstRound();
        }
        s.priceMicro = _cost(s.product, s.book, s.clearing.priceTick, 1);
        (uint256[] memory fills, uint256[] memory payments, uint256[] memory deliveries) =
            (new uint256[](indices.length), new uint256[](indices.length), new uint256[](indices.length));
        for (uint256 i = 0; i < indices.length; ++i) {
            (fills[i], payments[i], deliveries[i]) = _settleOne(s, indices[i]);
        }
        _flush(s);
        require(s.settled != 0, Exchange_NothingToSettle(product, round, indices.length));
        _books[s.product] = s.book.subEscrow(s.paidMicro);
        emit Settled(product, round, fills);

        treasury.credit(payments);
        capacity.give(s.product, deliveries);
        if (s.callsOut) _settleRest(s, fills, deliveries);
    }

    /// @dev What one call of {settle} knows and adds up. The round is counted from the book's first; `word` is the word
    /// `wordIndex` of the settled bits.
    struct Settlement {
        ProductId product;
        Book book;
        CallAuction.Clearing clearing;
        uint256 round;
        uint256 priceMicro;
        uint256 paidMicro;
        uint256 settled;
        uint256 wordIndex;
        uint256 word;
        bool callsOut;
    }

    /// @dev Marks one order as settled and gives its entry of the event, its payment and its delivery: all zero if it
    /// does not wait in the round; no payment or delivery where {_settleRest} has to call out.
    function _settleOne(Settlement memory s, uint256 index)
        private
        returns (uint256 entry, uint256 payment, uint256 delivered)
    {
        Order order = _orders[s.product.keyed(index)];
        if (!order.waitsIn(s.round) || !_mark(s, index)) return (0, 0, 0);
        Kind kind = order.kindOf();
        bool isBid = kind <= Kind.BID;
        uint256 fill = s.clearing.fillOf(order, isBid);
        uint256 units = order.unitsOf();
        unchecked {
            // A fill is at most the order's units, and a bid's limit is at or above the price of what it gets. An
            // order's cost is below 2^87: no sum over a call's orders leaves 256 bits, and no payment 96.
            uint256 paid = fill * s.priceMicro;
            if (isBid) paid = _cost(s.product, s.book, order.tickOf(), units) - paid;
            s.paidMicro += paid;
            entry = (uint256(isBid ? Kind.BID : kind) << 64) | (index << 32) | fill;
            if (kind == Kind.OFFER) {
                s.callsOut = true;
                return (entry, 0, 0);
            }
            uint256 owner = uint256(order.principalOf()) << 96;
            if (paid != 0) payment = owner | paid;
            units = isBid ? fill : units - fill;
            if (units == 0) return (entry, payment, 0);
            if (kind == Kind.BID_BY_KEY || address(order.principalOf()).code.length == 0) {
                return (entry, payment, owner | units);
            }
            s.callsOut = true;
        }
    }

    /// @dev Offers turn into obligations, and contracts are asked whether they take their units. Who is asked was decided
    /// before the first of them was called: code that appears meanwhile changes nothing.
    function _settleRest(Settlement memory s, uint256[] memory fills, uint256[] memory deliveries) private {
        for (uint256 i = 0; i < fills.length; ++i) {
            if (fills[i] == 0 || deliveries[i] != 0) continue;
            Order order = _orders[s.product.keyed(uint32(fills[i] >> 32))];
            uint256 fill = uint32(fills[i]);
            Kind kind = order.kindOf();
            if (kind == Kind.OFFER) {
                _settleOffer(s, order, fill);
                continue;
            }
            uint256 units = kind == Kind.ASK ? order.unitsOf() - fill : fill;
            if (units != 0) _giveToContract(s.product, address(order.principalOf()), units);
        }
    }

    /// @dev Sets the slot's settled bit; false if it was set. Neighbours share a word, which is written once.
    function _mark(Settlement memory s, uint256 index) private returns (bool) {
        uint256 wordIndex = (index >> 8) + 1;
        if (wordIndex != s.wordIndex) {
            _flush(s);
            (s.wordIndex, s.word) = (wordIndex, _settled[s.product.keyed(wordIndex - 1)]);
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
        if (s.wordIndex != 0) _settled[s.product.keyed(s.wordIndex - 1)] = s.word;
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
        // slither-disable-next-line reentrancy-no-eth {settle} holds the guard, and the units were booked before
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

    /* READ */

    /// @inheritdoc IExchange
    function clearingOf(uint256 product, uint64 round)
        external
        view
        returns (bool cleared, uint16 priceTick, uint64 units)
    {
        CallAuction.Clearing storage c = _rounds[_named(product).keyed(round)].clearing;
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
        CallAuction.RoundBook storage book = _rounds[_named(product).keyed(round)];
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
        ProductId id = _named(product);
        return (_orders[id.keyed(index)], _settled[id.keyed(index >> 8)] & (1 << (index & 255)) != 0);
    }

    /// @inheritdoc IExchange
    function heldOf(uint256 product, address owner) external view returns (uint256) {
        return _held[ProductId.wrap(product)][owner];
    }
}
