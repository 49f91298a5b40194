// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1155Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC1155} from "@openzeppelin/contracts/token/ERC1155/IERC1155.sol";

import {ICapacity} from "../../../contracts/interfaces/ICapacity.sol";
import {ProductId} from "../../../contracts/types/ProductId.sol";
import {Sites} from "./Sites.sol";

contract Capacity_burn_Test is Sites {
    /// @dev Redeemed units are gone, and their hours are not: they are work now.
    function testFuzz_burn_keepsTheHours(uint256 seed, uint64 had, uint64 units) public {
        uint256 product = anyProduct(seed, 1, 48);
        had = uint64(bound(had, 1, CAP));
        units = uint64(bound(units, 1, had));
        issueTo(buyer.addr, provider.addr, site, product, had);
        vm.expectEmit(address(capacity));
        emit IERC1155.TransferSingle(address(delivery), buyer.addr, address(0), product, units);
        vm.prank(buyer.addr);
        delivery.redeem(product, site, units, "");
        assertEq(capacity.balanceOf(buyer.addr, product), had - units);
        assertEq(capacity.totalSupply(product), had - units);
        assertCommitted(site, product, had);
    }

    /* REVERTS */

    function testFuzz_burn_revertsWhen_callerIsNotDelivery(address caller) public {
        vm.assume(caller != address(delivery));
        issueTo(buyer.addr, provider.addr, site, tomorrow(), 10);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_OnlyMarket.selector, caller));
        vm.prank(caller);
        capacity.burn(buyer.addr, ProductId.wrap(tomorrow()), 1);
    }

    function test_burn_revertsWhen_callerIsExchangeOrTheHolder() public {
        issueTo(buyer.addr, provider.addr, site, tomorrow(), 10);
        address[2] memory callers = [address(exchange), buyer.addr];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_OnlyMarket.selector, callers[i]));
            vm.prank(callers[i]);
            capacity.burn(buyer.addr, ProductId.wrap(tomorrow()), 1);
        }
    }

    function testFuzz_burn_revertsWhen_unitsAreNotHeld(uint64 had, uint64 units) public {
        had = uint64(bound(had, 1, CAP));
        units = uint64(bound(units, had + 1, type(uint64).max));
        uint256 product = tomorrow();
        issueTo(buyer.addr, provider.addr, site, product, had);
        vm.expectRevert(
            abi.encodeWithSelector(IERC1155Errors.ERC1155InsufficientBalance.selector, buyer.addr, had, units, product)
        );
        vm.prank(address(delivery));
        capacity.burn(buyer.addr, ProductId.wrap(product), units);
    }
}
