// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {ProductId} from "../../../contracts/types/ProductId.sol";
import {Leases} from "./Leases.sol";

contract Delivery_settleOffer_Test is Leases {
    uint256 private constant MARGIN = 200;

    /// @dev Price and margin of what was sold become the bond; the margin of the rest is cash again.
    function testFuzz_settleOffer_bondsWhatWasSoldWhen_cleared(
        uint64 offered,
        uint64 wanted,
        uint16 length,
        uint16 limit,
        uint16 above
    ) public {
        offered = uint64(bound(offered, MIN_UNITS, 5000));
        wanted = uint64(bound(wanted, MIN_UNITS, 5000));
        length = uint16(bound(length, 1, 168));
        limit = uint16(bound(limit, 1, 400));
        uint256 product = productOf(2, length);
        offerAs(provider.addr, site, product, limit, offered);
        bidAs(buyer.addr, product, uint16(bound(above, limit, 400)), wanted);
        uint64 round = nextRound();
        exchange.clear(product, round);
        (, uint16 tick, uint64 filled) = exchange.clearingOf(product, round);
        assertEq(filled, offered < wanted ? offered : wanted);
        _assertBonds(product, round, filled, offered - filled, length * (exchange.priceOf(AI_LARGE, tick) + MARGIN));
    }

    /// @dev One sold unit brings `each`, of which the margin is what an unsold one gets back.
    function _assertBonds(uint256 product, uint64 round, uint64 filled, uint64 unfilled, uint256 each) private {
        uint256 back = unfilled * ProductId.wrap(product).hoursOf() * MARGIN;
        uint256 provided = cashOf(provider);
        vm.expectEmit(address(delivery));
        emit IDelivery.OfferSettled(product, site, filled, unfilled, back);
        vm.expectEmit(address(delivery));
        emit IDelivery.Obliged(product, site, filled, filled * each);
        settleAll(product, round);

        (uint64 owed, uint256 held) = delivery.obligationOf(product, site);
        assertEq(owed, filled);
        assertEq(held, filled * each);
        (uint64 reserved,,,) = delivery.reservedOf(product, site);
        assertEq(reserved, 0);
        assertEq(cashOf(provider), provided + back);
        assertSolvent(held);
    }

    function test_settleOffer_returnsTheMarginWhen_nothingWasSold() public {
        uint256 product = productOf(2, 24);
        uint256 provided = cashOf(provider);
        offerAs(provider.addr, site, product, TICK, UNITS);
        bidAs(buyer.addr, product, TICK - 1, UNITS);
        uint64 round = nextRound();
        exchange.clear(product, round);
        settleAll(product, round);
        assertEq(cashOf(provider), provided);
        (uint64 owed, uint256 bond) = delivery.obligationOf(product, site);
        assertEq(owed + bond, 0);
        assertEq(capacity.totalSupply(product), 0);
        assertSolvent(0);
    }

    function test_settleOffer_returnsTheMarginWhen_theRoundIsVoid() public {
        uint256 product = productOf(2, 24);
        uint256 provided = cashOf(provider);
        offerAs(provider.addr, site, product, TICK, UNITS);
        bidAs(buyer.addr, product, TICK, UNITS);
        uint64 round = nextRound();
        goTo(startOf(product));
        settleAll(product, round);
        assertEq(cashOf(provider), provided);
        assertEq(capacity.totalSupply(product), 0);
        assertSolvent(0);
    }

    /// @dev Cheap units that a provider buys from itself bring as much for each as stands there: the thief pays the
    /// difference, and the fellows' claim does not fall.
    function testFuzz_settleOffer_dilutesNobodyWhen_aProviderBuysItsOwnCheapOffers(
        uint64 sold,
        uint16 soldAt,
        uint64 cheap,
        uint16 cheapAt
    ) public {
        sold = uint64(bound(sold, MIN_UNITS, 1000));
        cheap = uint64(bound(cheap, MIN_UNITS, 10_000));
        uint256 product = productOf(2, 24);
        sell(site, product, uint16(bound(soldAt, 128, 600)), sold);
        (, uint256 before) = delivery.obligationOf(product, site);
        cheapAt = uint16(bound(cheapAt, 1, 127));
        offerAs(provider.addr, site, product, cheapAt, cheap);
        bidAs(reseller.addr, product, cheapAt, cheap);
        uint64 round = nextRound();
        exchange.clear(product, round);
        settleAll(product, round);
        (uint64 owed, uint256 bond) = delivery.obligationOf(product, site);
        assertEq(owed, sold + cheap);
        assertGe(bond * sold, before * owed, "diluted");
    }

    /// @dev Offers of one site in one round at several limits, settled in any order, beside units that stand already:
    /// nobody who stood there before the round ends below what they had.
    function testFuzz_settleOffer_keepsTheFloorWhen_oneRoundHasSeveralLimits(
        uint64 standing,
        uint16[4] memory ticks,
        uint64 wanted,
        uint256 order
    ) public {
        standing = uint64(bound(standing, 1, 1000));
        wanted = uint64(bound(wanted, MIN_UNITS, 4 * UNITS));
        uint256 product = productOf(2, 24);
        issueTo(buyer.addr, product, standing);
        (, uint256 before) = delivery.obligationOf(product, site);
        for (uint256 i = 0; i < 4; ++i) {
            offerAs(provider.addr, site, product, uint16(bound(ticks[i], 1, 400)), UNITS);
        }
        bidAs(reseller.addr, product, 400, wanted);
        uint64 round = nextRound();
        exchange.clear(product, round);
        uint32[] memory one = new uint32[](1);
        for (uint256 i = 0; i < 4; ++i) {
            // Starts anywhere, goes up or down.
            one[0] = uint32(order % 2 == 0 ? (order / 2 % 4 + i) % 4 : (order / 2 % 4 + 4 - i) % 4);
            exchange.settle(product, round, one);
            (uint64 owed, uint256 bond) = delivery.obligationOf(product, site);
            assertGe(bond * standing, before * owed, "diluted");
        }
        (uint64 reserved,,,) = delivery.reservedOf(product, site);
        assertEq(reserved, 0);
    }

    /// @dev Redeeming while offers wait cannot push the bond per unit above what they were held to.
    function testFuzz_settleOffer_keepsTheFloorWhen_unitsAreRedeemedMeanwhile(uint64 odd, uint64 redeemed) public {
        odd = uint64(bound(odd, 1, 1000));
        uint256 product = productOf(2, 24);
        sell(site, product, 1, 17);
        issueTo(buyer.addr, product, odd);
        offerAs(provider.addr, site, product, 1, UNITS);
        bidAs(reseller.addr, product, 1, UNITS);
        redeemed = uint64(bound(redeemed, 1, odd + 16));
        redeemAs(buyer.addr, product, redeemed);
        uint64 round = nextRound();
        (uint64 owed, uint256 before) = delivery.obligationOf(product, site);
        exchange.clear(product, round);
        settleAll(product, round);
        (uint64 owedAfter, uint256 bond) = delivery.obligationOf(product, site);
        assertEq(owedAfter, owed + UNITS);
        assertGe(bond * owed, before * owedAfter, "diluted");
    }

    function testFuzz_settleOffer_revertsWhen_theCallerIsNotExchange(address caller) public {
        if (caller == address(exchange)) caller = address(capacity);
        ProductId product = ProductId.wrap(productOf(2, 24));
        offerAs(provider.addr, site, productOf(2, 24), TICK, UNITS);
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_OnlyMarket.selector, caller));
        vm.prank(caller);
        delivery.settleOffer(product, site, UNITS, 0, 1, UNITS);
    }
}
