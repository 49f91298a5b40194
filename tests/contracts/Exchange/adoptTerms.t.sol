// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IExchange} from "../../../contracts/interfaces/IExchange.sol";
import {IStandard} from "../../../contracts/interfaces/IStandard.sol";
import {Rounds} from "./support/Rounds.sol";

contract Exchange_adoptTerms_Test is Rounds {
    uint8 private constant HPC = 3;

    function _setClass(uint8 class, uint32 tickSize, uint32 minUnits) private {
        vm.prank(committee);
        standard.setClass(class, IStandard.ClassTerms("CLASS", "one", 1, tickSize, minUnits, BOND_PRICE));
    }

    function _hpc(uint256 inHours) private view returns (uint256) {
        return (productIn(2, EU_WEST, 2, inHours, HOURS) & ~(uint256(0xFF) << 80)) | (uint256(HPC) << 80);
    }

    /// @dev What the committee sets is what the next book opens with, and what an open one never sees.
    function testFuzz_adoptTerms_rulesTheBooksThatOpenNext(uint32 tickSize, uint32 minUnits, uint32 later) public {
        tickSize = uint32(bound(tickSize, 1, type(uint32).max));
        minUnits = uint32(bound(minUnits, 1, type(uint32).max));
        later = uint32(bound(later, 1, type(uint32).max));
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_UnknownClass.selector, HPC));
        bidAs(people[0].addr, _hpc(24), 1, minUnits);
        _setClass(HPC, tickSize, minUnits);
        bidAs(people[0].addr, _hpc(24), 1, minUnits);
        _setClass(HPC, later, later);
        bidAs(people[0].addr, _hpc(25), 1, later);
        (,, uint32 size, uint32 least, uint256 escrow) = exchange.bookOf(_hpc(24));
        assertEq(size, tickSize);
        assertEq(least, minUnits);
        assertEq(escrow, uint256(minUnits) * HOURS * 129 * tickSize);
        (,, size, least, escrow) = exchange.bookOf(_hpc(25));
        assertEq(size, later);
        assertEq(least, later);
        assertEq(escrow, uint256(later) * HOURS * 129 * later);
    }

    function testFuzz_adoptTerms_revertsWhen_callerIsNotStandard(address caller, uint8 class, uint32 size) public {
        vm.assume(caller != address(standard));
        vm.expectRevert(abi.encodeWithSelector(IExchange.Exchange_OnlyStandard.selector, caller));
        vm.prank(caller);
        exchange.adoptTerms(class, size, size);
    }
}
