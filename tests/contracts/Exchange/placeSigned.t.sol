// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICapacity} from "../../../contracts/interfaces/ICapacity.sol";
import {IExchange} from "../../../contracts/interfaces/IExchange.sol";
import {IStandard} from "../../../contracts/interfaces/IStandard.sol";
import {ITreasury} from "../../../contracts/interfaces/ITreasury.sol";
import {Kind} from "../../../contracts/types/Order.sol";
import {SignedOrder} from "../../../contracts/types/SignedOrder.sol";
import {OrderTerms} from "../support/OrderTerms.sol";
import {OrderTest} from "./support/OrderTest.sol";
import {Signing} from "./support/Signing.sol";
import {IERC1155Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

/// @dev What a signed order must be: the same as one that its owner sends. A bad one stands between two good ones of
/// another product, which it must not spoil.
contract Exchange_placeSigned_Test is OrderTest, Signing {
    bytes private _reason;
    uint8 private _index;

    function place(uint256 product_, uint16 tick, uint64 units) internal override {
        _place(people[0], product_, tick, units);
    }

    function placePoor(uint256 product_, uint16 tick, uint64 units) internal override {
        _place(thief, product_, tick, units);
    }

    function poorReason(uint256, uint16 tick, uint64 units) internal view override returns (bytes memory) {
        return
            abi.encodeWithSelector(ITreasury.Treasury_InsufficientCash.selector, thief.addr, 0, units * priceOf(tick));
    }

    function isBid() internal pure override returns (bool) {
        return true;
    }

    function testFuzz_placeSigned_revertsWhen_ordersArePaused(uint16 tick, uint64 units) public {
        assertPausable(tick, units);
    }

    /// @dev A signed order has 88 bits for its product.
    function carries(uint256 product_) internal pure override returns (bool) {
        return product_ < 2 ** 88;
    }

    /// @dev A pause refuses the whole call, what is wrong with one order only that one.
    function expectRefusal(bytes memory reason) internal override {
        _reason = reason;
    }

    function _place(User memory owner, uint256 product_, uint16 tick, uint64 units) private {
        uint256 other = startingAt(thisHour() + 48);
        (, uint32 before,,,) = exchange.bookOf(other);
        bool paused = exchange.ordersPaused();
        SignedOrder[] memory orders = new SignedOrder[](3);
        orders[0] = signedBid(people[2], other, 700, 10, _index);
        OrderTerms memory order = terms(owner.addr, Kind.BID, tick, units, _index);
        order.product = product_;
        orders[1] = sign(owner, order);
        orders[2] = signedBid(people[3], other, 700, 20, _index++);
        (, uint32 stood,,,) = exchange.bookOf(product_);
        bool good = _reason.length == 0;
        if (paused) vm.expectRevert(_reason);
        else if (!good) expectSkipped(order, 1, _reason);
        delete _reason;
        exchange.placeSigned(orders, noSlots);
        (, uint32 standing,,,) = exchange.bookOf(other);
        assertEq(standing, paused ? before : before + 2, "the others stand");
        (, standing,,,) = exchange.bookOf(product_);
        assertEq(standing, good ? stood + 1 : stood, "the good one stands, the bad one does not");
    }

    function test_place_namesTheFirstThatFailsWhen_manyDo() public override {
        climb(true, true);
    }

    function test_placeSigned_revertsWhen_paused_evenIfEmpty() public {
        vm.prank(guardian);
        exchange.setOrdersPaused(true);
        vm.expectRevert(abi.encodeWithSelector(IExchange.Exchange_OrdersPaused.selector));
        exchange.placeSigned(new SignedOrder[](0), noSlots);
    }

    function test_placeSigned_doesNothingWhen_empty() public {
        exchange.placeSigned(new SignedOrder[](0), firstIndices(3));
        assertEq(orderCount(), 0);
    }
}

/// @dev Any batch of good and bad orders: each bad one is passed over for its own reason, each good one stands as if it
/// were alone, with the volume of the good ones before it as its prefix.
contract Exchange_placeSigned_Batch_Test is Signing {
    uint256 private constant FLAWS = 13;

    User private _poor;
    mapping(address owner => uint8) private _next;

    function setUp() public override {
        super.setUp();
        _poor = makeUser("poor");
        stock(people[0].addr, 1e6);
        stock(people[1].addr, 1e6);
        openAccounts();
    }

    function testFuzz_placeSigned_skipsEachForItsReason(uint256 seed_, uint8 count) public {
        seed(seed_);
        SignedOrder[] memory orders = new SignedOrder[](1 + count % 16);
        OrderTerms[] memory read = new OrderTerms[](orders.length);
        bytes[] memory reasons = new bytes[](orders.length);
        uint32 expected = 0;
        for (uint256 i = 0; i < orders.length; ++i) {
            // Every other order is good.
            uint256 flaw = random(0, 1) == 0 ? 0 : random(1, FLAWS);
            User memory owner;
            (read[i], owner) = _any(flaw);
            if (flaw != 0) reasons[i] = _spoil(read[i], flaw);
            orders[i] = sign(flaw == 2 ? thief : owner, read[i]);
            if (flaw == 0) {
                OrderTerms memory good = read[i];
                recordAt(expected++, Kind(good.kind), good.owner, good.site, good.tick, good.units);
            }
        }
        for (uint256 i = 0; i < orders.length; ++i) {
            if (reasons[i].length != 0) expectSkipped(read[i], i, reasons[i]);
        }
        exchange.placeSigned(orders, noSlots);
        assertEq(orderCount(), expected, "all good ones stand");
        if (expected == 0) return;
        clearRound();
        settleRandomly();
        assertAllSettled(0, 0);
    }

    function _any(uint256 flaw) private returns (OrderTerms memory order, User memory owner) {
        Kind kind = [Kind.BID, Kind.ASK, Kind.OFFER][random(0, 2)];
        // An ask without units, or an offer by a stranger.
        if (flaw == 11 || flaw == 12) kind = flaw == 11 ? Kind.ASK : Kind.OFFER;
        if (flaw == 10) kind = Kind.BID;
        owner = kind == Kind.OFFER ? provider : people[kind == Kind.ASK ? random(0, 1) : random(0, 3)];
        if (flaw >= 10 && flaw <= 12) owner = _poor;
        order = terms(owner.addr, kind, uint16(TICK + random(0, 3)), uint64(random(MIN_UNITS, 1000)), 0);
        (order.site, order.index) = (kind == Kind.OFFER ? sites[random(0, 1)] : 0, _next[owner.addr]);
        // A bad order's index stays free.
        if (flaw == 0) ++_next[owner.addr];
    }

    /// @dev Makes the order bad in one way, and says what Exchange must answer.
    function _spoil(OrderTerms memory order, uint256 flaw) private returns (bytes memory) {
        if (flaw == 1) {
            order.round = uint64(random(0, 2 ** 40 - 1));
            if (order.round == round) --order.round;
            return abi.encodeWithSelector(IExchange.Exchange_WrongRound.selector, order.round, round);
        }
        if (flaw == 2) return badSignature(order);
        if (flaw == 3 || flaw == 4) {
            order.kind = flaw == 3 ? 0 : uint8(random(4, 255));
            return abi.encodeWithSelector(IExchange.Exchange_UnknownKind.selector, order.kind);
        }
        if (flaw == 5) {
            order.tick = random(0, 1) == 0 ? 0 : uint16(random(1024, 65_535));
            return abi.encodeWithSelector(IExchange.Exchange_TickOutOfRange.selector, order.tick, 1023);
        }
        if (flaw == 6) {
            order.units = uint64(random(0, MIN_UNITS - 1));
            return abi.encodeWithSelector(IExchange.Exchange_TooFewUnits.selector, order.units, MIN_UNITS);
        }
        if (flaw == 7) {
            order.index = uint8(random(80, 255));
            return abi.encodeWithSelector(ITreasury.Treasury_IndexOutOfRange.selector, order.index, 80);
        }
        if (flaw == 8) {
            order.epoch = uint32(random(1, 2 ** 24 - 1));
            return abi.encodeWithSelector(ITreasury.Treasury_WrongEpoch.selector, order.owner, order.epoch, 0);
        }
        if (flaw == 9) {
            order.product = product ^ (uint256(0xFF) << 80);
            return abi.encodeWithSelector(IStandard.Standard_UnknownClass.selector, AI_LARGE ^ 0xFF);
        }
        if (flaw == 10) {
            uint256 cost = order.units * priceOf(order.tick);
            return abi.encodeWithSelector(ITreasury.Treasury_InsufficientCash.selector, order.owner, 0, cost);
        }
        if (flaw == 11) {
            return abi.encodeWithSelector(
                IERC1155Errors.ERC1155InsufficientBalance.selector, order.owner, 0, order.units, product
            );
        }
        if (flaw == 12) {
            return
                abi.encodeWithSelector(ICapacity.Capacity_NotProvider.selector, order.site, order.owner, provider.addr);
        }
        order.product = product & ~uint256(0xFFFF);
        return abi.encodeWithSelector(IStandard.Standard_MalformedProduct.selector, order.product);
    }
}
