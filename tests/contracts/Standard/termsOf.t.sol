// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IStandard} from "../../../contracts/interfaces/IStandard.sol";
import {Market} from "../support/Market.sol";

contract Standard_termsOf_Test is Market {
    function test_termsOf_givesWhatWasSet() public view {
        IStandard.ClassTerms memory terms = standard.termsOf(AI_LARGE);
        assertEq(terms.name, "AI_LARGE");
        assertEq(terms.unit, "1/1000 H100");
        assertEq(terms.minMemoryGb, 80);
        assertEq(terms.tickSizeMicro, TICK_SIZE);
        assertEq(terms.minOrderUnits, MIN_UNITS);
        assertEq(terms.bondPriceMicro, BOND_PRICE);
    }

    function testFuzz_termsOf_revertsWhen_classIsUnknown(uint8 class) public {
        vm.assume(class != AI_LARGE);
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_UnknownClass.selector, class));
        standard.termsOf(class);
    }
}
