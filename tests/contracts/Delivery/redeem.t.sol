// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1155Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {Leases} from "./Leases.sol";

contract Delivery_redeem_Test is Leases {
    /// @dev An obligation whose bond does not divide by its units: minted ones and dearer sold ones.
    function _mixed(uint64 minted, uint64 sold, uint16 tick) private returns (uint256 product) {
        product = productOf(2, 24);
        issueTo(buyer.addr, product, minted);
        sell(site, product, tick, sold);
    }

    function testFuzz_redeem_movesTheShareOfTheBondWhen_unitsAreOwed(
        uint64 minted,
        uint64 sold,
        uint64 units,
        uint16 tick,
        bytes32 job
    ) public {
        minted = uint64(bound(minted, 1, 5000));
        sold = uint64(bound(sold, MIN_UNITS, 5000));
        uint256 product = _mixed(minted, sold, uint16(bound(tick, 1, 600)));
        (uint64 owed, uint256 bond) = delivery.obligationOf(product, site);
        assertEq(owed, minted + sold);
        units = uint64(bound(units, 1, owed));
        uint256 share = bond * units / owed;

        vm.expectEmit(address(delivery));
        emit IDelivery.Discharged(product, site, units, share);
        vm.expectEmit(address(delivery));
        emit IDelivery.Redeemed(1, product, buyer.addr, site, units, share, job);
        vm.prank(buyer.addr);
        assertEq(delivery.redeem(product, site, units, job), 1);

        IDelivery.Lease memory l = delivery.leaseOf(1);
        assertEq(l.holder, buyer.addr);
        assertEq(l.units, units);
        assertEq(uint256(l.state), uint256(IDelivery.State.OPEN));
        assertFalse(l.aborted);
        assertEq(l.product, product);
        assertEq(l.site, site);
        assertEq(l.bondMicro, share);
        assertEq(uint256(l.at_s) + l.reportedMilli + l.disputedAt_s + l.depositMicro, 0);
        (uint64 owedAfter, uint256 bondAfter) = delivery.obligationOf(product, site);
        assertEq(owedAfter, owed - units);
        assertEq(bondAfter, bond - share);
        assertEq(capacity.balanceOf(buyer.addr, product), owed - units);
        assertEq(capacity.totalSupply(product), owed - units);
        assertSolvent(bond);
    }

    /// @dev In parts of any size: nobody who stays loses, the parts sum to the whole, and the last takes all.
    function testFuzz_redeem_sharesSumToTheBondWhen_redeemedInParts(
        uint64 minted,
        uint64 sold,
        uint16 tick,
        uint256 seed
    ) public {
        minted = uint64(bound(minted, 1, 500));
        sold = uint64(bound(sold, MIN_UNITS, 500));
        uint256 product = _mixed(minted, sold, uint16(bound(tick, 1, 600)));
        (uint64 owed, uint256 bond) = delivery.obligationOf(product, site);
        (uint256 left, uint256 paid) = (bond, 0);
        while (owed != 0) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint64 units = uint64(bound(seed, 1, owed < 200 ? owed : 200));
            paid += bondOf(redeemAs(buyer.addr, product, units));
            (uint64 owedAfter, uint256 after_) = delivery.obligationOf(product, site);
            assertGe(after_ * owed, left * owedAfter, "per unit fell");
            (owed, left) = (owedAfter, after_);
        }
        assertEq(paid, bond);
        assertEq(left, 0);
    }

    function test_redeem_servesFromAnySiteWhen_itOwesTheProduct() public {
        uint256 product = productOf(2, 24);
        uint32 other = attestedSite(reseller.addr, 10);
        mintAs(reseller.addr, other, product, UNITS);
        issueTo(buyer.addr, product, UNITS);
        vm.prank(buyer.addr);
        uint64 lease = delivery.redeem(product, other, UNITS, JOB);
        assertEq(delivery.leaseOf(lease).site, other);
        (uint64 owed,) = delivery.obligationOf(product, other);
        assertEq(owed, 0);
        (owed,) = delivery.obligationOf(product, site);
        assertEq(owed, UNITS);
    }

    function test_redeem_numbersLeasesWhen_severalAreMade() public {
        uint256 product = productOf(2, 24);
        issueTo(buyer.addr, product, 3);
        for (uint64 i = 1; i <= 3; ++i) {
            assertEq(redeemAs(buyer.addr, product, 1), i);
            assertEq(delivery.leaseCount(), i);
        }
    }

    function testFuzz_redeem_passesWhen_theWindowHasNotStarted(uint256 when) public {
        uint256 product = productOf(2, 24);
        issueTo(buyer.addr, product, 1);
        goTo(bound(when, block.timestamp, startOf(product) - 1));
        redeemAs(buyer.addr, product, 1);
    }

    function testFuzz_redeem_revertsWhen_theWindowHasStarted(uint256 when) public {
        uint256 product = productOf(2, 24);
        issueTo(buyer.addr, product, 1);
        uint256 start_s = startOf(product);
        when = bound(when, start_s, start_s + 365 days);
        goTo(when);
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_WindowStarted.selector, start_s, when));
        redeemAs(buyer.addr, product, 1);
    }

    function test_redeem_revertsWhen_noUnitsAreNamed() public {
        uint256 product = productOf(2, 24);
        goTo(startOf(product));
        // Before the window's start, which has passed as well.
        vm.expectRevert(IDelivery.Delivery_ZeroUnits.selector);
        redeemAs(buyer.addr, product, 0);
    }

    function testFuzz_redeem_revertsWhen_theSiteOwesLess(uint64 owed, uint64 units) public {
        owed = uint64(bound(owed, 1, 10_000));
        units = uint64(bound(units, owed + 1, type(uint64).max));
        uint256 product = productOf(2, 24);
        issueTo(buyer.addr, product, owed);
        // The caller does not hold them either: what the site owes is asked first.
        vm.expectRevert(
            abi.encodeWithSelector(IDelivery.Delivery_InsufficientObligation.selector, product, site, owed, units)
        );
        redeemAs(thief.addr, product, units);
    }

    function test_redeem_revertsWhen_theWindowHasStartedAndNothingIsOwed() public {
        uint256 product = productOf(2, 24);
        uint256 start_s = startOf(product);
        goTo(start_s);
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_WindowStarted.selector, start_s, start_s));
        redeemAs(buyer.addr, product, 1);
    }

    function test_redeem_revertsWhen_theUnitsWaitInAnOffer() public {
        uint256 product = productOf(2, 24);
        offerAs(provider.addr, site, product, TICK, UNITS);
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_InsufficientObligation.selector, product, site, 0, 1));
        redeemAs(buyer.addr, product, 1);
    }

    function testFuzz_redeem_revertsWhen_theCallerHoldsLess(uint64 held, uint64 units) public {
        held = uint64(bound(held, 0, UNITS - 1));
        units = uint64(bound(units, held + 1, UNITS));
        uint256 product = productOf(2, 24);
        issueTo(buyer.addr, product, UNITS);
        vm.prank(buyer.addr);
        capacity.safeTransferFrom(buyer.addr, thief.addr, product, held, "");
        vm.expectRevert(
            abi.encodeWithSelector(IERC1155Errors.ERC1155InsufficientBalance.selector, thief.addr, held, units, product)
        );
        redeemAs(thief.addr, product, units);
    }

    /// @dev The id is stored in 88 bits: another id with the same ones must find nothing.
    function testFuzz_redeem_revertsWhen_theProductHasUpperBits(uint256 upper) public {
        upper = bound(upper, 1, type(uint168).max);
        uint256 product = productOf(2, 24);
        issueTo(buyer.addr, product, UNITS);
        uint256 alias_ = product | (upper << 88);
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_InsufficientObligation.selector, alias_, site, 0, 1));
        redeemAs(buyer.addr, alias_, 1);
    }
}
