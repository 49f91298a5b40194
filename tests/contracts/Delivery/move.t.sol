// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {ITreasury} from "../../../contracts/interfaces/ITreasury.sol";
import {ProductId} from "../../../contracts/types/ProductId.sol";
import {Leases} from "./Leases.sol";

/// @notice `move` through its three doors: split, merge and relax.
contract Delivery_move_Test is Leases {
    uint8 private constant METRO = 1;

    /// @dev A window whose bond does not divide by its units or its hours.
    function _oddWindow(uint16 length, uint64 minted, uint64 sold, uint16 tick) private returns (uint256 product) {
        product = productOf(2, length);
        issueTo(buyer.addr, product, minted);
        sell(site, product, tick, sold);
    }

    function _hour(uint256 product, uint256 index) private pure returns (uint256) {
        return ProductId.unwrap(ProductId.wrap(product).hourly(index));
    }

    function _split(address owner, uint256 product, uint64 units) private {
        vm.prank(owner);
        capacity.split(site, product, units);
    }

    function _merge(address owner, uint256 product, uint64 units) private {
        vm.prank(owner);
        capacity.merge(site, product, units);
    }

    /// @dev The hours' units, all the same, and the sum of their bonds.
    function _hours(uint256 product, uint16 length) private view returns (uint64 units, uint256 bond) {
        for (uint256 i = 0; i < length; ++i) {
            (uint64 owed, uint256 part) = delivery.obligationOf(_hour(product, i), site);
            if (i == 0) units = owed;
            assertEq(owed, units);
            bond += part;
        }
    }

    /// @dev Each hour gets an equal part, rounded down, the last the rest: not a micro is lost or made.
    function _bondOf(uint256 product) private view returns (uint256 bond) {
        (, bond) = delivery.obligationOf(product, site);
    }

    function testFuzz_move_sharesTheBondEvenlyWhen_split(
        uint16 length,
        uint64 minted,
        uint64 sold,
        uint64 units,
        uint16 tick
    ) public {
        length = uint16(bound(length, 2, 168));
        minted = uint64(bound(minted, 1, 1000));
        sold = uint64(bound(sold, MIN_UNITS, 1000));
        uint256 product = _oddWindow(length, minted, sold, uint16(bound(tick, 1, 600)));
        (uint64 owed, uint256 bond) = delivery.obligationOf(product, site);
        units = uint64(bound(units, 1, owed));
        uint256 share = bond * units / owed;
        uint256 held = cashOf(buyer);
        vm.expectEmit(address(delivery));
        emit IDelivery.Discharged(product, site, units, share);
        vm.expectEmit(address(delivery));
        emit IDelivery.Obliged(_hour(product, 0), site, units, share / length);
        _split(buyer.addr, product, units);

        _assertHours(product, length, units, share);
        // Nothing stood there: nobody had to be kept from dilution.
        assertEq(cashOf(buyer), held);
        (uint64 left, uint256 rest) = delivery.obligationOf(product, site);
        assertEq(left, owed - units);
        assertEq(rest, bond - share);
        assertSolvent(bond);
    }

    function _assertHours(uint256 product, uint16 length, uint64 units, uint256 share) private view {
        (uint64 hourly, uint256 parts) = _hours(product, length);
        assertEq(hourly, units);
        assertEq(parts, share);
        assertEq(_bondOf(_hour(product, 0)), share / length);
        assertLe(_bondOf(_hour(product, length - 1)) - share / length, length);
    }

    function testFuzz_move_bringsTheBondBackWhen_splitAndMerged(uint16 length, uint64 minted, uint64 sold, uint16 tick)
        public
    {
        length = uint16(bound(length, 2, 48));
        minted = uint64(bound(minted, 1, 1000));
        sold = uint64(bound(sold, MIN_UNITS, 1000));
        uint256 product = _oddWindow(length, minted, sold, uint16(bound(tick, 1, 600)));
        (uint64 owed, uint256 bond) = delivery.obligationOf(product, site);
        _split(buyer.addr, product, owed);
        (uint64 left,) = delivery.obligationOf(product, site);
        assertEq(left, 0);
        _merge(buyer.addr, product, owed);
        (uint64 back, uint256 bondBack) = delivery.obligationOf(product, site);
        assertEq(back, owed);
        assertEq(bondBack, bond);
        assertEq(capacity.balanceOf(buyer.addr, product), owed);
    }

    /// @dev Where dearer fellows stand, the caller adds the difference, rounded up, and no one's claim falls.
    function testFuzz_move_takesTheDifferenceWhen_anHourCarriesMore(uint64 units, uint64 dear, uint16 tick, uint8 which)
        public
    {
        units = uint64(bound(units, 1, 1000));
        dear = uint64(bound(dear, MIN_UNITS, 1000));
        uint256 product = productOf(2, 4);
        uint256 hour = _hour(product, bound(which, 0, 3));
        sell(site, hour, uint16(bound(tick, 256, 767)), dear);
        issueTo(reseller.addr, product, units);
        (, uint256 before) = delivery.obligationOf(hour, site);
        uint256 added = (before * units + dear - 1) / dear - mintBond(units, 4) / 4;
        uint256 held = cashOf(reseller);
        vm.expectEmit(address(delivery));
        emit IDelivery.BondPosted(reseller.addr, added);
        _split(reseller.addr, product, units);
        assertEq(cashOf(reseller), held - added);
        (uint64 owed, uint256 bond) = delivery.obligationOf(hour, site);
        assertGe(bond * dear, before * owed, "diluted");
        assertSolvent(mintBond(units, 4) + before + added);
    }

    function test_move_revertsWhen_theDifferenceIsNotCovered() public {
        uint256 product = productOf(2, 2);
        sell(site, _hour(product, 0), 511, 100);
        issueTo(thief.addr, product, 100);
        (, uint256 stands) = delivery.obligationOf(_hour(product, 0), site);
        vm.expectRevert(
            abi.encodeWithSelector(
                ITreasury.Treasury_InsufficientCash.selector, thief.addr, 0, stands - mintBond(100, 1)
            )
        );
        _split(thief.addr, product, 100);
    }

    /// @dev The thief's cheap hours do not thin the bond of a dear window.
    function testFuzz_move_takesTheDifferenceWhen_cheapHoursAreMerged(uint64 units) public {
        units = uint64(bound(units, MIN_UNITS, 5000));
        uint256 product = productOf(2, 2);
        sell(site, product, TICK, 100);
        (, uint256 before) = delivery.obligationOf(product, site);
        for (uint256 i = 0; i < 2; ++i) {
            offerAs(provider.addr, site, _hour(product, i), 1, units);
            bidAs(reseller.addr, _hour(product, i), 1, units);
        }
        uint64 round = nextRound();
        for (uint256 i = 0; i < 2; ++i) {
            exchange.clear(_hour(product, i), round);
            settleAll(_hour(product, i), round);
        }
        (, uint256 cheap) = _hours(product, 2);
        uint256 held = cashOf(reseller);
        _merge(reseller.addr, product, units);
        (uint64 owed, uint256 bond) = delivery.obligationOf(product, site);
        assertGe(bond * 100, before * owed, "diluted");
        assertEq(held - cashOf(reseller), before * units / 100 - cheap);
    }

    function testFuzz_move_carriesTheBondWhen_relaxed(uint64 units, uint64 relaxed, bool wide) public {
        units = uint64(bound(units, 1, 1000));
        relaxed = uint64(bound(relaxed, 1, units));
        uint256 product = productIn(METRO, FRANKFURT, 2, 24, 24);
        uint256 into = wide ? productIn(3, 0, 2, 24, 24) : productOf(2, 24);
        issueTo(buyer.addr, product, units);
        vm.prank(buyer.addr);
        capacity.relax(site, product, relaxed, wide ? 3 : 2);
        (uint64 owed, uint256 bond) = delivery.obligationOf(into, site);
        assertEq(owed, relaxed);
        assertEq(bond, mintBond(relaxed, 24));
        (owed, bond) = delivery.obligationOf(product, site);
        assertEq(owed, units - relaxed);
        assertEq(bond, mintBond(units - relaxed, 24));
    }

    function test_move_revertsWhen_anOfferWaitsThere() public {
        uint256 product = productOf(2, 3);
        uint256 hour = _hour(product, 2);
        issueTo(buyer.addr, product, UNITS);
        uint64 round = exchange.currentRound();
        offerAs(provider.addr, site, hour, TICK, UNITS);
        nextRound();
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_OffersUnsettled.selector, hour, site, round));
        _split(buyer.addr, product, 1);
        exchange.clear(hour, round);
        settleAll(hour, round);
        _split(buyer.addr, product, 1);
        // What moves away may have offers waiting.
        round = exchange.currentRound();
        offerAs(provider.addr, site, product, TICK, UNITS);
        _split(buyer.addr, product, 1);
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_OffersUnsettled.selector, product, site, round));
        _merge(buyer.addr, product, 1);
    }

    function test_move_revertsWhen_theSiteOwesLess() public {
        uint256 product = productOf(2, 2);
        uint32 other = attestedSite(reseller.addr, 10);
        mintAs(reseller.addr, other, product, UNITS);
        vm.expectRevert(
            abi.encodeWithSelector(IDelivery.Delivery_InsufficientObligation.selector, product, site, 0, UNITS)
        );
        _split(reseller.addr, product, UNITS);
    }

    function testFuzz_move_revertsWhen_theCallerIsNotCapacity(address caller) public {
        if (caller == address(capacity)) caller = address(exchange);
        ProductId[] memory from = new ProductId[](1);
        ProductId[] memory into = new ProductId[](1);
        (from[0], into[0]) = (ProductId.wrap(productOf(2, 24)), ProductId.wrap(productOf(1, 24)));
        issueTo(buyer.addr, productOf(2, 24), UNITS);
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_OnlyMarket.selector, caller));
        vm.prank(caller);
        delivery.move(from, into, site, 1, caller);
    }
}
