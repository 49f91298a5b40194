// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IExchange} from "../../../../contracts/interfaces/IExchange.sol";
import {Kind, Order} from "../../../../contracts/types/Order.sol";
import {SignedOrder} from "../../../../contracts/types/SignedOrder.sol";
import {OrderTerms} from "../../support/OrderTerms.sol";
import {Signing} from "../support/Signing.sol";

/// @dev Slots 0 … 2 are settled in a first round, slot 3 waits in it; then a second round begins.
contract Exchange_placeSigned_Slots_Test is Signing {
    uint64 private _first;

    function setUp() public override {
        super.setUp();
        placeBid(people[0], TICK, 100);
        placeBid(people[1], TICK, 100);
        placeOffer(sites[0], TICK, 150);
        placeBid(people[2], TICK, 100);
        _first = round;
        clearRound();
        settleExactly(slots(0, 1, 2));
        round = exchange.currentRound();
    }

    function slots(uint32 a) internal pure returns (uint32[] memory list) {
        list = new uint32[](1);
        list[0] = a;
    }

    function slots(uint32 a, uint32 b, uint32 c) internal pure returns (uint32[] memory list) {
        list = new uint32[](3);
        (list[0], list[1], list[2]) = (a, b, c);
    }

    function relay(uint256 count, uint32[] memory freeSlots) internal returns (OrderTerms[] memory orders) {
        orders = new OrderTerms[](count);
        SignedOrder[] memory packed = new SignedOrder[](count);
        for (uint8 i = 0; i < count; ++i) {
            orders[i] = terms(people[i].addr, Kind.BID, uint16(TICK + i), 100 + i, 0);
            packed[i] = sign(people[i], orders[i]);
        }
        exchange.placeSigned(packed, freeSlots);
    }

    function test_placeSigned_usesFreeSlotsInTheirOrder() public {
        OrderTerms[] memory orders = relay(4, slots(2, 0, 1));
        assertEq(orderCount(), 5, "three reused, one appended");
        assertStands(2, orders[0]);
        assertStands(0, orders[1]);
        assertStands(1, orders[2]);
        assertStands(4, orders[3]);
    }

    function testFuzz_placeSigned_appendsWhen_slotIsNotFree(uint32 slot) public {
        slot = slot == 3 ? slot : uint32(bound(slot, 4, type(uint32).max));
        (Order waiting,) = orderAt(3);
        OrderTerms[] memory orders = relay(1, slots(slot));
        assertStands(4, orders[0]);
        assertEq(orderCount(), 5);
        (Order still, bool settled) = orderAt(3);
        assertEq(Order.unwrap(still), Order.unwrap(waiting), "the order that waits is untouched");
        assertFalse(settled);
    }

    /// @dev A slot named twice is free once.
    function test_placeSigned_appendsWhen_slotIsNamedTwice() public {
        OrderTerms[] memory orders = relay(3, slots(1, 1, 2));
        assertStands(1, orders[0]);
        assertStands(4, orders[1]);
        assertStands(2, orders[2]);
        assertEq(orderCount(), 5);
    }

    function test_placeSigned_appendsWhen_slotIsFreeInAnotherProductOnly() public {
        OrderTerms memory order = goodBid(people[0], 0);
        order.product = productIn(2, EU_WEST, 2, 30, 24);
        exchange.placeSigned(one(sign(people[0], order)), slots(1));
        (, uint32 count,,,) = exchange.bookOf(order.product);
        assertEq(count, 1, "appended there");
        (, bool settled) = orderAt(1);
        assertTrue(settled, "still free here");
    }

    /// @dev An order that is passed over leaves its slot to the next one.
    function test_placeSigned_keepsTheSlotWhen_orderIsSkipped() public {
        OrderTerms memory bad = goodBid(people[0], 80);
        OrderTerms memory good = goodBid(people[1], 0);
        exchange.placeSigned(two(sign(people[0], bad), sign(people[1], good)), slots(1));
        assertStands(1, good);
        assertEq(orderCount(), 4);
    }

    function test_placeSigned_takesAsksAndOffersIntoFreeSlots() public {
        OrderTerms memory ask = terms(people[0].addr, Kind.ASK, TICK, 40, 0);
        OrderTerms memory offer = terms(provider.addr, Kind.OFFER, TICK, 60, 0);
        offer.site = sites[1];
        exchange.placeSigned(two(sign(people[0], ask), sign(provider, offer)), slots(0, 1, 2));
        assertStands(0, ask);
        assertStands(1, offer);
        assertEq(orderCount(), 4);
    }

    /// @dev The slot's old order is over for good; the new one settles in its own round, with its own share.
    function test_placeSigned_leavesTheOldOrderSettledForGood() public {
        uint256 paidBefore = moneyOf(people[0].addr);
        OrderTerms memory order = goodBid(people[0], 0);
        exchange.placeSigned(one(sign(people[0], order)), slots(1));
        vm.expectRevert(abi.encodeWithSelector(IExchange.Exchange_NothingToSettle.selector, product, _first, 1));
        exchange.settle(product, _first, slots(1));
        vm.expectRevert(abi.encodeWithSelector(IExchange.Exchange_NotCleared.selector, product, round));
        exchange.settle(product, round, slots(1));

        placeOffer(sites[1], TICK, 30);
        nextRound();
        exchange.clear(product, round);
        uint256 had = unitsOf(people[0].addr);
        exchange.settle(product, round, slots(1));
        assertEq(unitsOf(people[0].addr), had + 30);
        assertEq(moneyOf(people[0].addr), paidBefore - 30 * priceOf(TICK));
        vm.expectRevert(abi.encodeWithSelector(IExchange.Exchange_NothingToSettle.selector, product, round, 1));
        exchange.settle(product, round, slots(1));
        // The order that waited since the first round is paid by it, not by the second.
        vm.expectRevert(abi.encodeWithSelector(IExchange.Exchange_NothingToSettle.selector, product, round, 1));
        exchange.settle(product, round, slots(3));
        exchange.settle(product, _first, slots(3));
        assertEq(unitsOf(people[2].addr), 50);
    }

    /// @dev A second round of any orders in any slots, some of them free: every order has a slot of its own, and both
    /// rounds settle exactly.
    function testFuzz_placeSigned_settlesExactlyWhen_slotsAreReused(uint256 seed_, uint8 count, uint8 named) public {
        seed(seed_);
        uint64[4] memory unitsOfRound;
        SignedOrder[] memory packed = new SignedOrder[](1 + count % 20);
        for (uint8 i = 0; i < packed.length; ++i) {
            uint256 who = random(0, 3);
            OrderTerms memory order = terms(people[who].addr, Kind.BID, TICK, uint64(random(MIN_UNITS, 1000)), i);
            packed[i] = sign(people[who], order);
            unitsOfRound[who] += order.units;
        }
        uint32[] memory free = new uint32[](named % 24);
        for (uint256 i = 0; i < free.length; ++i) {
            free[i] = uint32(random(0, 5));
        }
        uint256[4] memory had = [_owned(0), _owned(1), _owned(2), _owned(3)];
        exchange.placeSigned(packed, free);
        uint64 total = unitsOfRound[0] + unitsOfRound[1] + unitsOfRound[2] + unitsOfRound[3];
        placeOffer(sites[1], TICK, total);
        uint32 slotsNow = orderCount();
        assertGe(slotsNow, 4 + packed.length + 1 - 3, "at most three were free");
        nextRound();
        exchange.clear(product, round);
        exchange.settle(product, _first, firstIndices(slotsNow));
        exchange.settle(product, round, firstIndices(slotsNow));
        for (uint256 i = 0; i < 4; ++i) {
            assertEq(_owned(i), had[i] + unitsOfRound[i] + (i == 2 ? 50 : 0), "units");
        }
        assertEq(escrowOf(product), 0);
        assertEq(unitsOf(address(exchange)), 0);
    }

    function _owned(uint256 who) private view returns (uint256) {
        return unitsOf(people[who].addr);
    }
}
