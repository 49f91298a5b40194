// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IStandard} from "../../../contracts/interfaces/IStandard.sol";
import {Leases} from "./Leases.sol";

contract Delivery_mintBondOf_Test is Leases {
    /// @dev Bond price and margin, rounded up: a bond is never short.
    function testFuzz_mintBondOf_isTheFullBondWhen_nothingStands(uint64 units, uint16 length, uint64 bondPrice) public {
        units = uint64(bound(units, 1, type(uint32).max));
        length = uint16(bound(length, 1, 168));
        bondPrice = uint64(bound(bondPrice, 1, 1e9));
        vm.prank(committee);
        standard.setClass(AI_LARGE, IStandard.ClassTerms("AI_LARGE", "unit", 80, TICK_SIZE, MIN_UNITS, bondPrice));
        uint256 exact11 = uint256(units) * length * bondPrice * 11;
        assertEq(delivery.mintBondOf(productOf(2, length), site, units), Math.ceilDiv(exact11, 10));
    }

    function testFuzz_mintBondOf_isWhatAMintTakesWhen_dearerUnitsStand(uint64 sold, uint64 units, uint16 tick) public {
        sold = uint64(bound(sold, MIN_UNITS, 1000));
        units = uint64(bound(units, 1, 1000));
        uint256 product = productOf(2, 24);
        mintAs(provider.addr, site, product, 7);
        sell(site, product, uint16(bound(tick, 1, 600)), sold);
        (uint64 owed, uint256 stands) = delivery.obligationOf(product, site);
        uint256 expected = Math.max(mintBond(units, 24), Math.ceilDiv(stands * units, owed));
        assertEq(delivery.mintBondOf(product, site, units), expected);
        uint256 provided = cashOf(provider);
        mintAs(provider.addr, site, product, units);
        assertEq(provided - cashOf(provider), expected);
    }

    function test_mintBondOf_revertsWhen_theProductIsNone() public {
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_MalformedProduct.selector, 1));
        delivery.mintBondOf(1, site, 1);
    }
}
