// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1155Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC1155} from "@openzeppelin/contracts/token/ERC1155/IERC1155.sol";

import {ICapacity} from "../../../contracts/interfaces/ICapacity.sol";
import {ProductId} from "../../../contracts/types/ProductId.sol";
import {Sites} from "./Sites.sol";

contract Capacity_take_Test is Sites {
    function _take(address owner, uint256 product, uint256 units) private {
        vm.prank(address(exchange));
        capacity.take(owner, ProductId.wrap(product), units);
    }

    function testFuzz_take_movesIntoEscrowWithoutApproval(uint256 seed, uint64 had, uint64 units) public {
        uint256 product = anyProduct(seed, 1, 24);
        had = uint64(bound(had, 1, CAP));
        units = uint64(bound(units, 0, had));
        issueTo(buyer.addr, provider.addr, site, product, had);
        vm.expectEmit(address(capacity));
        emit IERC1155.TransferSingle(address(exchange), buyer.addr, address(exchange), product, units);
        _take(buyer.addr, product, units);
        assertEq(capacity.balanceOf(buyer.addr, product), had - units);
        assertEq(capacity.balanceOf(address(exchange), product), units);
        assertEq(capacity.totalSupply(product), had);
        assertEq(owedBy(site, product), had);
    }

    /* REVERTS */

    function testFuzz_take_revertsWhen_callerIsNotExchange(address caller) public {
        vm.assume(caller != address(exchange));
        issueTo(buyer.addr, provider.addr, site, tomorrow(), 10);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_OnlyMarket.selector, caller));
        vm.prank(caller);
        capacity.take(buyer.addr, ProductId.wrap(tomorrow()), 1);
    }

    function testFuzz_take_revertsWhen_unitsAreNotHeld(uint64 had, uint256 units) public {
        had = uint64(bound(had, 1, CAP));
        units = bound(units, uint256(had) + 1, type(uint256).max);
        uint256 product = tomorrow();
        issueTo(buyer.addr, provider.addr, site, product, had);
        vm.expectRevert(
            abi.encodeWithSelector(IERC1155Errors.ERC1155InsufficientBalance.selector, buyer.addr, had, units, product)
        );
        _take(buyer.addr, product, units);
    }
}
