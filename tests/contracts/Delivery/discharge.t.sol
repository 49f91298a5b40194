// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {ProductId} from "../../../contracts/types/ProductId.sol";
import {Leases} from "./Leases.sol";

contract Delivery_discharge_Test is Leases {
    /// @dev The share is rounded down: those who stay lose nothing.
    function testFuzz_discharge_returnsTheShareWhen_retired(uint64 minted, uint64 sold, uint64 units, uint16 tick)
        public
    {
        minted = uint64(bound(minted, 1, 1000));
        sold = uint64(bound(sold, MIN_UNITS, 1000));
        units = uint64(bound(units, 1, minted));
        uint256 product = productOf(2, 24);
        mintAs(provider.addr, site, product, minted);
        sell(site, product, uint16(bound(tick, 1, 600)), sold);
        (uint64 owed, uint256 bond) = delivery.obligationOf(product, site);
        uint256 share = bond * units / owed;
        uint256 provided = cashOf(provider);

        vm.expectEmit(address(delivery));
        emit IDelivery.Discharged(product, site, units, share);
        vm.expectEmit(address(delivery));
        emit IDelivery.BondReleased(provider.addr, share);
        vm.prank(provider.addr);
        capacity.retire(site, product, units);

        (uint64 owedAfter, uint256 bondAfter) = delivery.obligationOf(product, site);
        assertEq(owedAfter, owed - units);
        assertEq(bondAfter, bond - share);
        assertGe(bondAfter * owed, bond * owedAfter, "diluted");
        assertEq(cashOf(provider), provided + share);
        assertSolvent(bond - share);
    }

    function testFuzz_discharge_returnsEverythingWhen_retiredInParts(uint64 units, uint256 seed) public {
        units = uint64(bound(units, 1, 500));
        uint256 product = productOf(2, 7);
        uint256 provided = cashOf(provider);
        mintAs(provider.addr, site, product, units);
        while (units != 0) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint64 part = uint64(bound(seed, 1, units));
            vm.prank(provider.addr);
            capacity.retire(site, product, part);
            units -= part;
        }
        assertEq(cashOf(provider), provided);
        assertSolvent(0);
    }

    /// @dev The provider bought another site's units: it holds them, but its own site does not owe them.
    function test_discharge_revertsWhen_theSiteOwesLess() public {
        uint32 other = attestedSite(reseller.addr, 10);
        uint256 product = productOf(2, 24);
        mintAs(provider.addr, site, product, UNITS);
        // Another product of the same hours: the calendar alone would let more go.
        mintAs(provider.addr, site, productOf(1, 24), UNITS);
        mintAs(reseller.addr, other, product, UNITS);
        vm.prank(reseller.addr);
        capacity.safeTransferFrom(reseller.addr, provider.addr, product, UNITS, "");
        vm.expectRevert(
            abi.encodeWithSelector(IDelivery.Delivery_InsufficientObligation.selector, product, site, UNITS, UNITS + 1)
        );
        vm.prank(provider.addr);
        capacity.retire(site, product, UNITS + 1);
    }

    function testFuzz_discharge_revertsWhen_theCallerIsNotCapacity(address caller) public {
        if (caller == address(capacity)) caller = address(exchange);
        uint256 product = productOf(2, 24);
        issueTo(provider.addr, product, UNITS);
        vm.expectRevert(abi.encodeWithSelector(IDelivery.Delivery_OnlyMarket.selector, caller));
        vm.prank(caller);
        delivery.discharge(ProductId.wrap(product), site, UNITS, caller);
    }
}
