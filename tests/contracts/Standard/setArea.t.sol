// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";

import {IStandard} from "../../../contracts/interfaces/IStandard.sol";
import {Market} from "../support/Market.sol";

contract Standard_setArea_Test is Market {
    function _free(uint16 area) private pure returns (uint16) {
        // Above the areas that Market names.
        return uint16(bound(area, US_EAST + 1, type(uint16).max));
    }

    function _setArea(uint16 area, uint16 hub) private {
        vm.prank(committee);
        standard.setArea(area, hub, "somewhere");
    }

    function testFuzz_setArea_namesAHub(uint16 area, string memory name) public {
        area = _free(area);
        vm.expectEmit(address(standard));
        emit IStandard.AreaSet(area, 0, name);
        vm.prank(committee);
        standard.setArea(area, 0, name);
        assertTrue(standard.isHub(area));
        assertEq(standard.hubOf(area), 0);
    }

    function testFuzz_setArea_namesAMetro(uint16 area, bool west, string memory name) public {
        area = _free(area);
        uint16 hub = west ? EU_WEST : US_EAST;
        vm.expectEmit(address(standard));
        emit IStandard.AreaSet(area, hub, name);
        vm.prank(committee);
        standard.setArea(area, hub, name);
        assertFalse(standard.isHub(area));
        assertEq(standard.hubOf(area), hub);
    }

    /* REVERTS */

    function testFuzz_setArea_revertsWhen_callerIsNotStandards(address caller) public {
        vm.assume(caller != committee);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, caller));
        vm.prank(caller);
        standard.setArea(99, 0, "");
    }

    function testFuzz_setArea_revertsWhen_areaIsZero(uint16 hub) public {
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_AreaZero.selector));
        _setArea(0, hub);
    }

    function testFuzz_setArea_revertsWhen_areaIsTaken(uint8 which, uint16 hub) public {
        uint16[4] memory taken = [EU_WEST, US_EAST, FRANKFURT, PARIS];
        uint16 area = taken[which % 4];
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_AreaTaken.selector, area));
        _setArea(area, hub);
    }

    function testFuzz_setArea_revertsWhen_hubIsNone(uint16 area, uint16 hub) public {
        area = _free(area);
        vm.assume(hub != 0 && hub != EU_WEST && hub != US_EAST);
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_NotAHub.selector, hub));
        _setArea(area, hub);
    }

    function testFuzz_setArea_revertsWhen_hubIsTheAreaItself(uint16 area) public {
        area = _free(area);
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_NotAHub.selector, area));
        _setArea(area, area);
    }

    function test_setArea_revertsWhen_hubIsAMetro() public {
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_NotAHub.selector, FRANKFURT));
        _setArea(99, FRANKFURT);
    }

    function test_setArea_revertsWith_theFirstOfSeveral() public {
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_AreaTaken.selector, PARIS));
        _setArea(PARIS, FRANKFURT);
    }
}
