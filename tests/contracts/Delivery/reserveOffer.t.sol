// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {ITreasury} from "../../../contracts/interfaces/ITreasury.sol";
import {ProductId} from "../../../contracts/types/ProductId.sol";
import {Leases} from "./Leases.sol";

contract Delivery_reserveOffer_Test is Leases {
    /// @dev A tenth of 2,000 micro an hour.
    uint256 private constant MARGIN = 200;

    function _limit(uint16 tick) private view returns (uint256) {
        return exchange.priceOf(AI_LARGE, tick);
    }

    function testFuzz_reserveOffer_takesTheMarginWhen_nothingStands(uint64 units, uint16 length, uint16 tick) public {
        units = uint64(bound(units, MIN_UNITS, 10_000));
        length = uint16(bound(length, 1, 168));
        tick = uint16(bound(tick, 1, 1023));
        uint256 product = productOf(2, length);
        uint64 round = exchange.currentRound();
        uint256 amount = units * length * MARGIN;
        uint256 provided = cashOf(provider);
        vm.expectEmit(address(delivery));
        emit IDelivery.MarginEscrowed(product, site, provider.addr, units, amount);
        offerAs(provider.addr, site, product, tick, units);
        assertEq(cashOf(provider), provided - amount);
        (uint64 reserved, uint64 inRound, uint256 margin, uint256 floor) = delivery.reservedOf(product, site);
        assertEq(reserved, units);
        assertEq(inRound, round);
        assertEq(margin, length * MARGIN);
        assertEq(floor, 0);
        (uint64 owed, uint256 bond) = delivery.obligationOf(product, site);
        assertEq(owed + bond, 0);
        assertSolvent(amount);
    }

    /// @dev The margin brings a cheap limit up to the bond that stands, rounded up; a dear one pays the class's.
    function testFuzz_reserveOffer_takesWhatTheLimitIsShortWhen_fellowsStand(
        uint64 minted,
        uint64 sold,
        uint16 soldAt,
        uint16 tick,
        uint64 units
    ) public {
        minted = uint64(bound(minted, 1, 1000));
        sold = uint64(bound(sold, MIN_UNITS, 1000));
        units = uint64(bound(units, MIN_UNITS, 1000));
        tick = uint16(bound(tick, 1, 600));
        uint256 product = productOf(2, 24);
        mintAs(provider.addr, site, product, minted);
        sell(site, product, uint16(bound(soldAt, 1, 600)), sold);
        (uint64 owed, uint256 bond) = delivery.obligationOf(product, site);
        uint256 floor = (bond + owed - 1) / owed;
        uint256 limit = _limit(tick) * 24;
        uint256 margin = floor > limit + 24 * MARGIN ? floor - limit : 24 * MARGIN;
        vm.expectEmit(address(delivery));
        emit IDelivery.MarginEscrowed(product, site, provider.addr, units, units * margin);
        offerAs(provider.addr, site, product, tick, units);
        (,, uint256 marginRead, uint256 floorRead) = delivery.reservedOf(product, site);
        assertEq(marginRead, 24 * MARGIN);
        assertEq(floorRead, floor);
    }

    /// @dev The round's first offer sets the floor for all of them, whatever happens to the obligation meanwhile.
    function test_reserveOffer_holdsAllToTheFirstFloorWhen_theyShareARound() public {
        uint256 product = productOf(2, 24);
        issueTo(buyer.addr, product, 100);
        offerAs(provider.addr, site, product, 1, 100);
        (,,, uint256 floor) = delivery.reservedOf(product, site);
        redeemAs(buyer.addr, product, 100);
        offerAs(provider.addr, site, product, 2, 100);
        (uint64 units,,, uint256 still) = delivery.reservedOf(product, site);
        assertEq(units, 200);
        assertEq(still, floor);
        assertEq(floor, 24 * 2200);
    }

    function test_reserveOffer_revertsWhen_anEarlierRoundIsNotSettled() public {
        uint256 product = productOf(2, 24);
        offerAs(provider.addr, site, product, TICK, UNITS);
        uint64 round = nextRound();
        bytes memory expected =
            abi.encodeWithSelector(IDelivery.Delivery_OffersUnsettled.selector, product, site, round);
        vm.expectRevert(expected);
        offerAs(provider.addr, site, product, TICK, UNITS);
        exchange.clear(product, round);
        vm.expectRevert(expected);
        offerAs(provider.addr, site, product, TICK, UNITS);
        // Another site and another product are free.
        uint32 other = attestedSite(provider.addr, 1);
        offerAs(provider.addr, other, product, TICK, UNITS);
        offerAs(provider.addr, site, productOf(1, 24), TICK, UNITS);
        uint32[] memory first = new uint32[](1);
        exchange.settle(product, round, first);
        offerAs(provider.addr, site, product, TICK, UNITS);
    }

    function test_reserveOffer_revertsWhen_theMarginIsNotCovered() public {
        uint32 poor = attestedSite(thief.addr, 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                ITreasury.Treasury_InsufficientCash.selector, thief.addr, 0, uint256(UNITS) * 24 * MARGIN
            )
        );
        offerAs(thief.addr, poor, productOf(2, 24), TICK, UNITS);
    }

    function testFuzz_reserveOffer_revertsWhen_theCallerIsNotExchange(address caller) public {
        if (caller == address(exchange)) caller = address(capacity);
        ProductId product = ProductId.wrap(productOf(2, 24));
        uint64 round = exchange.currentRound();
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_OnlyMarket.selector, caller));
        vm.prank(caller);
        delivery.reserveOffer(product, site, 1, round, 1, provider.addr);
    }
}
