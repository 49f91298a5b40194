// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";

import {IStandard} from "../../../contracts/interfaces/IStandard.sol";
import {ProductId} from "../../../contracts/types/ProductId.sol";
import {Market} from "../support/Market.sol";

contract Standard_setClass_Test is Market {
    /// @dev Terms that are complete, near what was drawn.
    function _complete(IStandard.ClassTerms memory terms) private pure returns (IStandard.ClassTerms memory) {
        if (bytes(terms.name).length == 0) terms.name = "A";
        if (terms.tickSizeMicro == 0) terms.tickSizeMicro = 1;
        if (terms.minOrderUnits == 0) terms.minOrderUnits = 1;
        if (terms.bondPriceMicro == 0) terms.bondPriceMicro = 1;
        return terms;
    }

    function testFuzz_setClass_storesTheTerms(uint8 class, IStandard.ClassTerms memory terms) public {
        class = uint8(bound(class, 1, type(uint8).max));
        terms = _complete(terms);
        vm.expectEmit(address(standard));
        emit IStandard.ClassSet(class, terms);
        vm.prank(committee);
        standard.setClass(class, terms);
        assertEq(abi.encode(standard.termsOf(class)), abi.encode(terms));
    }

    function testFuzz_setClass_replacesTheTerms(
        uint8 class,
        IStandard.ClassTerms memory first,
        IStandard.ClassTerms memory second
    ) public {
        class = uint8(bound(class, 1, type(uint8).max));
        (first, second) = (_complete(first), _complete(second));
        vm.startPrank(committee);
        standard.setClass(class, first);
        standard.setClass(class, second);
        vm.stopPrank();
        assertEq(abi.encode(standard.termsOf(class)), abi.encode(second));
    }

    function testFuzz_setClass_leavesOtherClasses(uint8 class, IStandard.ClassTerms memory terms) public {
        class = uint8(bound(class, AI_LARGE + 1, type(uint8).max));
        bytes memory before = abi.encode(standard.termsOf(AI_LARGE));
        vm.prank(committee);
        standard.setClass(class, _complete(terms));
        assertEq(abi.encode(standard.termsOf(AI_LARGE)), before);
    }

    function test_setClass_keepsTheTermsOf_openBooks() public {
        uint256 product = tomorrow();
        bidAs(buyer.addr, product, TICK, MIN_UNITS);
        vm.prank(committee);
        standard.setClass(AI_LARGE, IStandard.ClassTerms("AI_LARGE", "", 80, TICK_SIZE * 2, MIN_UNITS * 2, BOND_PRICE));

        uint256 opensNow = productIn(2, EU_WEST, 2, 48, 24);
        bidAs(buyer.addr, opensNow, TICK, MIN_UNITS * 2);
        (,, uint32 tickSize, uint32 minUnits,) = exchange.bookOf(product);
        assertEq(tickSize, TICK_SIZE);
        assertEq(minUnits, MIN_UNITS);
        (,, tickSize, minUnits,) = exchange.bookOf(opensNow);
        assertEq(tickSize, TICK_SIZE * 2);
        assertEq(minUnits, MIN_UNITS * 2);
    }

    function testFuzz_setClass_givesTradingItsTerms(uint32 tickSize, uint32 minUnits, uint64 bondPrice) public {
        IStandard.ClassTerms memory terms = _complete(IStandard.ClassTerms("NEW", "", 0, tickSize, minUnits, bondPrice));
        vm.prank(committee);
        standard.setClass(AI_LARGE, terms);
        (uint32 tick, uint32 least, uint64 bond) = standard.requireProduct(ProductId.wrap(tomorrow()));
        assertEq(tick, terms.tickSizeMicro);
        assertEq(least, terms.minOrderUnits);
        assertEq(bond, terms.bondPriceMicro);
    }

    /* REVERTS */

    function testFuzz_setClass_revertsWhen_callerIsNotStandards(address caller) public {
        vm.assume(caller != committee);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, caller));
        vm.prank(caller);
        standard.setClass(AI_LARGE, IStandard.ClassTerms("A", "", 1, 1, 1, 1));
    }

    function testFuzz_setClass_revertsWhen_termsAreIncomplete(
        uint8 class,
        uint8 missing,
        IStandard.ClassTerms memory terms
    ) public {
        class = uint8(bound(class, 1, type(uint8).max));
        (missing, terms) = (missing % 5, _complete(terms));
        if (missing == 0) class = 0;
        else if (missing == 1) terms.name = "";
        else if (missing == 2) terms.tickSizeMicro = 0;
        else if (missing == 3) terms.minOrderUnits = 0;
        else terms.bondPriceMicro = 0;
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_IncompleteTerms.selector, class));
        vm.prank(committee);
        standard.setClass(class, terms);
    }
}
