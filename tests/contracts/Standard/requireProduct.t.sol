// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IStandard} from "../../../contracts/interfaces/IStandard.sol";
import {HUB, METRO, ProductId, WIDE} from "../../../contracts/types/ProductId.sol";
import {Market} from "../support/Market.sol";

contract Standard_requireProduct_Test is Market {
    function _product(uint8 class, uint8 tier, uint16 area, uint8 grade, uint32 startHour, uint16 count)
        private
        pure
        returns (ProductId)
    {
        return ProductId.wrap(
            (uint256(class) << 80) | (uint256(tier) << 72) | (uint256(area) << 56) | (uint256(grade) << 48)
                | (uint256(startHour) << 16) | count
        );
    }

    function testFuzz_requireProduct_givesTheTermsFor_everyProductOfTheStandard(
        uint8 tier,
        uint8 place,
        uint8 grade,
        uint32 startHour,
        uint16 count
    ) public view {
        tier = uint8(bound(tier, METRO, WIDE));
        uint16 area = tier == WIDE ? 0 : tier == METRO ? FRANKFURT + place % 2 : place % 2 == 0 ? EU_WEST : US_EAST;
        grade = uint8(bound(grade, 1, 3));
        count = uint16(bound(count, 1, 168));
        startHour = uint32(bound(startHour, 0, 2 ** 32 - count));
        (uint32 tickSize, uint32 minUnits, uint64 bondPrice) =
            standard.requireProduct(_product(AI_LARGE, tier, area, grade, startHour, count));
        assertEq(tickSize, TICK_SIZE);
        assertEq(minUnits, MIN_UNITS);
        assertEq(bondPrice, BOND_PRICE);
    }

    /* REVERTS */

    function testFuzz_requireProduct_revertsWhen_idIsMalformed(uint256 word, uint8 flaw, uint8 value, uint32 startHour)
        public
    {
        (uint8 tier, uint16 area, uint8 grade, uint16 count) = (HUB, EU_WEST, 1, 24);
        uint256 garbage = 0;
        flaw %= 6;
        if (flaw == 0) tier = value == METRO || value == HUB || value == WIDE ? 0 : value;
        else if (flaw == 1) area = 0;
        else if (flaw == 2) (tier, area) = (WIDE, EU_WEST);
        else if (flaw == 3) grade = value >= 1 && value <= 3 ? 4 : value;
        else if (flaw == 4) count = uint16(value < 24 ? 0 : uint256(value) + 168);
        else garbage = (word | 1) << 88;
        uint256 id = _product(AI_LARGE, tier, area, grade, startHour, count).raw() | garbage;
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_MalformedProduct.selector, id));
        standard.requireProduct(ProductId.wrap(id));
    }

    function testFuzz_requireProduct_revertsWhen_classIsUnknown(uint8 class, uint32 startHour) public {
        vm.assume(class != AI_LARGE);
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_UnknownClass.selector, class));
        standard.requireProduct(_product(class, HUB, EU_WEST, 1, startHour, 1));
    }

    function testFuzz_requireProduct_revertsWhen_areaIsNoMetro(uint16 area) public {
        vm.assume(area != 0 && area != FRANKFURT && area != PARIS);
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_WrongArea.selector, METRO, area));
        standard.requireProduct(_product(AI_LARGE, METRO, area, 1, 1, 1));
    }

    function test_requireProduct_revertsWhen_metroIsAHub() public {
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_WrongArea.selector, METRO, EU_WEST));
        standard.requireProduct(_product(AI_LARGE, METRO, EU_WEST, 1, 1, 1));
    }

    function testFuzz_requireProduct_revertsWhen_areaIsNoHub(uint16 area) public {
        vm.assume(area != 0 && area != EU_WEST && area != US_EAST);
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_WrongArea.selector, HUB, area));
        standard.requireProduct(_product(AI_LARGE, HUB, area, 1, 1, 1));
    }

    function test_requireProduct_revertsWhen_hubIsAMetro() public {
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_WrongArea.selector, HUB, PARIS));
        standard.requireProduct(_product(AI_LARGE, HUB, PARIS, 1, 1, 1));
    }

    function test_requireProduct_revertsWith_theFirstOfSeveral() public {
        uint256 malformed = _product(9, METRO, EU_WEST, 4, 1, 1).raw();
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_MalformedProduct.selector, malformed));
        standard.requireProduct(ProductId.wrap(malformed));

        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_UnknownClass.selector, 9));
        standard.requireProduct(_product(9, METRO, EU_WEST, 3, 1, 1));
    }
}
