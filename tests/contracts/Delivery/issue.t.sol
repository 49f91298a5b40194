// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {ITreasury} from "../../../contracts/interfaces/ITreasury.sol";
import {ProductId} from "../../../contracts/types/ProductId.sol";
import {Leases} from "./Leases.sol";

contract Delivery_issue_Test is Leases {
    function testFuzz_issue_takesTheFullBondWhen_minted(uint64 units, uint16 length) public {
        units = uint64(bound(units, 1, 10_000));
        length = uint16(bound(length, 1, 168));
        uint256 product = productOf(2, length);
        uint256 provided = cashOf(provider);
        vm.expectEmit(address(delivery));
        emit IDelivery.Obliged(product, site, units, mintBond(units, length));
        vm.expectEmit(address(delivery));
        emit IDelivery.BondPosted(provider.addr, mintBond(units, length));
        mintAs(provider.addr, site, product, units);
        (uint64 owed, uint256 bond) = delivery.obligationOf(product, site);
        assertEq(owed, units);
        assertEq(bond, mintBond(units, length));
        assertEq(cashOf(provider), provided - bond);
        assertSolvent(bond);
    }

    /// @dev Units that stand at a dearer bond are not diluted: more is taken, rounded up.
    function testFuzz_issue_takesWhatTheFellowsCarryWhen_thatIsMore(
        uint64 sold,
        uint64 minted,
        uint64 units,
        uint16 tick
    ) public {
        sold = uint64(bound(sold, MIN_UNITS, 1000));
        minted = uint64(bound(minted, 1, 1000));
        units = uint64(bound(units, 1, 1000));
        uint256 product = productOf(2, 24);
        mintAs(provider.addr, site, product, minted);
        // Between 2,000 and 32,640 micro an hour: above the minted units' bond, so that the mix divides badly.
        sell(site, product, uint16(bound(tick, 256, 767)), sold);
        (uint64 owed, uint256 bond) = delivery.obligationOf(product, site);
        mintAs(provider.addr, site, product, units);
        (uint64 owedAfter, uint256 bondAfter) = delivery.obligationOf(product, site);
        assertEq(owedAfter, owed + units);
        assertGe(bondAfter * owed, bond * owedAfter, "diluted");
        assertLt((bondAfter - bond - 1) * owed, bond * units, "more than needed");
        assertGt(bondAfter - bond, mintBond(units, 24));
    }

    function test_issue_revertsWhen_anOfferWaits() public {
        uint256 product = productOf(2, 24);
        uint64 round = exchange.currentRound();
        offerAs(provider.addr, site, product, TICK, UNITS);
        bytes memory expected =
            abi.encodeWithSelector(IDelivery.Delivery_OffersUnsettled.selector, product, site, round);
        vm.expectRevert(expected);
        mintAs(provider.addr, site, product, 1);
        // Not after the round either, until the offer is settled; another product is free.
        nextRound();
        vm.expectRevert(expected);
        mintAs(provider.addr, site, product, 1);
        mintAs(provider.addr, site, productOf(1, 24), 1);
        exchange.clear(product, round);
        vm.expectRevert(expected);
        mintAs(provider.addr, site, product, 1);
        settleAll(product, round);
        mintAs(provider.addr, site, product, 1);
    }

    function test_issue_revertsWhen_theBondIsNotCovered() public {
        uint256 product = productOf(2, 168);
        uint256 rest = cashOf(provider);
        vm.startPrank(provider.addr);
        dollar.approve(address(treasury), 0);
        treasury.withdraw(rest, provider.addr);
        vm.expectRevert(
            abi.encodeWithSelector(ITreasury.Treasury_InsufficientCash.selector, provider.addr, 0, mintBond(UNITS, 168))
        );
        capacity.mint(site, product, UNITS);
        vm.stopPrank();
    }

    function testFuzz_issue_revertsWhen_theCallerIsNotCapacity(address caller) public {
        if (caller == address(capacity)) caller = address(exchange);
        ProductId product = ProductId.wrap(productOf(2, 24));
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_OnlyMarket.selector, caller));
        vm.prank(caller);
        delivery.issue(product, site, 1, provider.addr);
    }
}
