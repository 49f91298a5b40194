// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {Leases} from "./Leases.sol";

contract Delivery_expire_Test is Leases {
    function _expire(uint256 product) private {
        // Anyone may: here one who has nothing to do with it.
        vm.prank(thief.addr);
        delivery.expire(product, site);
    }

    /// @dev Take or pay: what nobody redeemed is the provider's, leases are not touched.
    function testFuzz_expire_paysTheProviderWhen_theGraceHasPassed(
        uint64 units,
        uint64 redeemed,
        uint16 length,
        uint256 later
    ) public {
        units = uint64(bound(units, 1, 10_000));
        redeemed = uint64(bound(redeemed, 0, units - 1));
        length = uint16(bound(length, 1, 168));
        uint256 product = productOf(2, length);
        issueTo(buyer.addr, product, units);
        if (redeemed != 0) redeemAs(buyer.addr, product, redeemed);
        goTo(bound(later, endOf(product) + GRACE + 1, endOf(product) + 365 days));
        uint256 bond = mintBond(units - redeemed, length);
        uint256 provided = cashOf(provider);

        vm.expectEmit(address(delivery));
        emit IDelivery.Discharged(product, site, units - redeemed, bond);
        vm.expectEmit(address(delivery));
        emit IDelivery.Expired(product, site, units - redeemed, bond);
        vm.expectEmit(address(delivery));
        emit IDelivery.BondReleased(provider.addr, bond);
        _expire(product);

        assertEq(cashOf(provider), provided + bond);
        (uint64 owed, uint256 left) = delivery.obligationOf(product, site);
        assertEq(owed + left, 0);
        // Not redeemed is not failed.
        assertRecord(0, 0);
        assertSolvent(mintBond(redeemed, length));
    }

    function testFuzz_expire_revertsWhen_theGraceHasNotPassed(uint256 when) public {
        uint256 product = productOf(2, 24);
        issueTo(buyer.addr, product, UNITS);
        uint256 deadline_s = endOf(product) + GRACE;
        when = bound(when, block.timestamp, deadline_s);
        goTo(when);
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_TooEarly.selector, deadline_s, when));
        _expire(product);
    }

    function test_expire_passesWhen_theGraceHasJustPassed() public {
        uint256 product = productOf(2, 24);
        issueTo(buyer.addr, product, UNITS);
        goTo(endOf(product) + GRACE + 1);
        _expire(product);
    }

    function test_expire_revertsWhen_nothingIsOwed() public {
        uint256 product = productOf(2, 24);
        uint256 deadline_s = endOf(product) + GRACE;
        // The clock is asked first.
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_TooEarly.selector, deadline_s, block.timestamp));
        _expire(product);
        goTo(deadline_s + 1);
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_NothingToExpire.selector, product, site));
        _expire(product);
    }

    function test_expire_revertsWhen_itHasExpired() public {
        uint256 product = productOf(2, 24);
        issueTo(buyer.addr, product, UNITS);
        goTo(endOf(product) + GRACE + 1);
        _expire(product);
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_NothingToExpire.selector, product, site));
        _expire(product);
    }

    /// @dev An offer that traded but was settled only after the grace: its bond expires by a second call.
    function test_expire_passesAgainWhen_anOfferSettledLate() public {
        uint256 product = productOf(2, 24);
        issueTo(buyer.addr, product, UNITS);
        offerAs(provider.addr, site, product, TICK, UNITS);
        bidAs(buyer.addr, product, TICK, UNITS);
        uint64 round = nextRound();
        exchange.clear(product, round);
        goTo(endOf(product) + GRACE + 1);
        _expire(product);
        settleAll(product, round);
        (uint64 owed, uint256 bond) = delivery.obligationOf(product, site);
        assertEq(owed, UNITS);
        uint256 provided = cashOf(provider);
        _expire(product);
        assertEq(cashOf(provider), provided + bond);
        assertSolvent(0);
    }

    function test_expire_paysEachItsOwnWhen_severalSitesOwe() public {
        uint256 product = productOf(2, 24);
        uint32 other = attestedSite(reseller.addr, 10);
        mintAs(reseller.addr, other, product, UNITS);
        issueTo(buyer.addr, product, UNITS / 2);
        goTo(endOf(product) + GRACE + 1);
        (uint256 provided, uint256 resold) = (cashOf(provider), cashOf(reseller));
        delivery.expire(product, other);
        assertEq(cashOf(reseller), resold + mintBond(UNITS, 24));
        _expire(product);
        assertEq(cashOf(provider), provided + mintBond(UNITS / 2, 24));
    }
}
