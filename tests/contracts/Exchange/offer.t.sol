// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICapacity} from "../../../contracts/interfaces/ICapacity.sol";
import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {IExchange} from "../../../contracts/interfaces/IExchange.sol";
import {ITreasury} from "../../../contracts/interfaces/ITreasury.sol";
import {Kind, Order} from "../../../contracts/types/Order.sol";
import {OrderTest} from "./support/OrderTest.sol";

contract Exchange_offer_Test is OrderTest {
    function place(uint256 product_, uint16 tick, uint64 units) internal override {
        offerAs(provider.addr, sites[1], product_, tick, units);
    }

    function placePoor(uint256 product_, uint16 tick, uint64 units) internal override {
        offerAs(thief.addr, sites[1], product_, tick, units);
    }

    function poorReason(uint256, uint16, uint64) internal view override returns (bytes memory) {
        return abi.encodeWithSelector(ICapacity.Capacity_NotProvider.selector, sites[1], thief.addr, provider.addr);
    }

    function isBid() internal pure override returns (bool) {
        return false;
    }

    function testFuzz_offer_revertsWhen_ordersArePaused(uint16 tick, uint64 units) public {
        assertPausable(tick, units);
    }

    /* UNITS, HOURS, MARGIN */

    function testFuzz_offer_reservesItsHoursAndEscrowsItsMargin(uint16 tick, uint64 units) public {
        tick = uint16(bound(tick, 1, 1023));
        units = uint64(bound(units, MIN_UNITS, UNITS_MAX));
        placeOffer(sites[0], tick, units);
        assertEq(unitsOf(address(exchange)), units, "exchange");
        assertEq(unitsOf(provider.addr), 0, "provider");
        assertEq(capacity.totalSupply(product), units, "supply");
        assertEq(moneyOf(provider.addr), moneyBefore[provider.addr] - units * marginOf(), "margin");
        assertEq(escrowOf(product), 0, "the book holds bidders' money only");
        (uint64 reserved, uint64 reservedIn,,) = delivery.reservedOf(product, sites[0]);
        assertEq(reserved, units, "reserved");
        assertEq(reservedIn, round, "round");
        (uint64 obliged,) = delivery.obligationOf(product, sites[0]);
        assertEq(obliged, 0, "not owed yet");
        for (uint32 i = 0; i < HOURS; ++i) {
            assertEq(capacity.committedUnits(sites[0], uint32(startOf(product) / 1 hours) + i), units, "hour");
        }
    }

    function testFuzz_offer_standsAsOneSlotOfItsSite(uint16 tick, uint32 first, uint32 second) public {
        tick = uint16(bound(tick, 1, 1023));
        uint64 before = uint64(bound(first, MIN_UNITS, UNITS_MAX - MIN_UNITS));
        uint64 units = uint64(bound(second, MIN_UNITS, UNITS_MAX - before));
        placeOffer(sites[0], tick, before);
        // principal 160 | kind 2 | tick 10 | round 20 | prefix 32 | units 32.
        uint256 word = uint256(sites[1]) * 4 + uint256(Kind.OFFER);
        Order order = Order.wrap(((word * 2 ** 10 + tick) * 2 ** 52 + before) * 2 ** 32 + units);
        vm.expectEmit(address(exchange));
        emit IExchange.OrderPlaced(product, provider.addr, 1, order);
        vm.prank(provider.addr);
        assertEq(exchange.offer(sites[1], product, tick, units), 1, "index");
        (Order placed_, bool settled) = orderAt(1);
        assertEq(Order.unwrap(placed_), Order.unwrap(order));
        assertFalse(settled);
    }

    /* WHAT CAPACITY AND DELIVERY REFUSE */

    function testFuzz_offer_revertsWhen_siteIsUnknown(uint32 site) public {
        vm.assume(site == 0 || site > sites[1]);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_UnknownSite.selector, site));
        offerAs(provider.addr, site, product, TICK, 100);
    }

    function test_offer_revertsWhen_issuingIsPaused() public {
        vm.prank(guardian);
        capacity.setIssuePaused(true);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_IssuePaused.selector));
        place(product, TICK, 100);
    }

    function testFuzz_offer_revertsWhen_hoursAreTaken(uint64 standing, uint64 units) public {
        standing = uint64(bound(standing, MIN_UNITS, UNITS_MAX - 1));
        placeOffer(sites[1], 1, standing);
        uint256 free = UNITS_MAX - standing;
        units = uint64(bound(units, free + 1 < MIN_UNITS ? MIN_UNITS : free + 1, UNITS_MAX));
        vm.expectRevert(
            abi.encodeWithSelector(
                ICapacity.Capacity_InsufficientCapacity.selector, sites[1], startOf(product) / 1 hours, free, units
            )
        );
        place(product, TICK, units);
    }

    function test_offer_revertsWhen_areaIsNotTheSites() public {
        uint256 elsewhere = productOf(AI_LARGE, 2, US_EAST, 2, thisHour() + 24, HOURS);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_WrongArea.selector, sites[1], US_EAST, EU_WEST));
        place(elsewhere, TICK, 100);
    }

    function testFuzz_offer_revertsWhen_marginIsNotCovered(uint64 units, uint256 short) public {
        User memory poor = makeUser("poor provider");
        uint32 site = attestedSite(poor.addr, 1000);
        units = uint64(bound(units, MIN_UNITS, 1_000_000));
        uint256 margin = units * marginOf();
        uint256 money = margin - bound(short, 1, margin);
        dollar.mint(poor.addr, money);
        vm.prank(poor.addr);
        dollar.approve(address(treasury), type(uint256).max);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_InsufficientCash.selector, poor.addr, money, margin));
        offerAs(poor.addr, site, product, TICK, units);
        (, uint32 orders,,,) = exchange.bookOf(product);
        assertEq(orders, 0, "nothing stands");
        assertEq(capacity.totalSupply(product), 0, "nothing was minted");
    }

    /// @dev Offers of one site share one clearing price: those of an earlier round settle first.
    function test_offer_revertsWhen_offersOfAnEarlierRoundWait() public {
        placeOffer(sites[1], TICK, 100);
        clearRound();
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_OffersUnsettled.selector, product, sites[1], round));
        place(product, TICK, 100);
        settleAll(product, round);
        place(product, TICK, 100);
    }

    function testFuzz_offer_revertsWhen_unitsPass32Bits(uint64 units) public {
        units = uint64(bound(units, 2 ** 32, type(uint64).max));
        vm.expectRevert(abi.encodeWithSelector(IExchange.Exchange_TooManyUnits.selector, units, UNITS_MAX));
        place(product, TICK, units);
    }
}
