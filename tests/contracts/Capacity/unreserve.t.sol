// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1155Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC1155} from "@openzeppelin/contracts/token/ERC1155/IERC1155.sol";

import {ICapacity} from "../../../contracts/interfaces/ICapacity.sol";
import {ProductId} from "../../../contracts/types/ProductId.sol";
import {Sites} from "./Sites.sol";

contract Capacity_unreserve_Test is Sites {
    function _reserve(uint256 product, uint64 units) private {
        vm.prank(address(exchange));
        capacity.reserve(site, ProductId.wrap(product), units, provider.addr);
    }

    function _unreserve(uint256 product, uint64 units) private {
        vm.prank(address(exchange));
        capacity.unreserve(site, ProductId.wrap(product), units);
    }

    function testFuzz_unreserve_burnsAndFrees(uint256 seed, uint64 reserved, uint64 units) public {
        uint256 product = anyProduct(seed, 1, 168);
        reserved = uint64(bound(reserved, 1, CAP));
        units = uint64(bound(units, 1, reserved));
        _reserve(product, reserved);
        vm.expectEmit(address(capacity));
        emit IERC1155.TransferSingle(address(exchange), address(exchange), address(0), product, units);
        vm.expectEmit(address(capacity));
        emit ICapacity.Released(site, product, units);
        _unreserve(product, units);
        assertEq(capacity.balanceOf(address(exchange), product), reserved - units);
        assertEq(capacity.totalSupply(product), reserved - units);
        assertCommitted(site, product, reserved - units);
    }

    /// @dev What other windows took of the same words stays.
    function testFuzz_unreserve_leavesOtherWindows(uint256 seedA, uint256 seedB, uint64 a, uint64 b) public {
        (uint256 first, uint256 second) = (anyProduct(seedA, 1, 48), anyProduct(seedB, 1, 48));
        a = uint64(bound(a, 1, CAP / 2));
        b = uint64(bound(b, 1, CAP / 2));
        _reserve(first, a);
        _reserve(second, b);
        _unreserve(first, a);
        assertCommitted(site, second, b);
    }

    /// @dev An offer that did not sell comes back whole.
    function test_unreserve_isWhatSettlingAnUnsoldOfferDoes() public {
        uint256 product = tomorrow();
        offerAs(provider.addr, site, product, TICK, 100);
        bidAs(buyer.addr, product, TICK, 30);
        assertCommitted(site, product, 100);
        uint64 round = nextRound();
        exchange.clear(product, round);
        vm.expectEmit(address(capacity));
        emit ICapacity.Released(site, product, 70);
        settleAll(product, round);
        assertCommitted(site, product, 30);
    }

    /* REVERTS */

    function testFuzz_unreserve_revertsWhen_callerIsNotExchange(address caller) public {
        vm.assume(caller != address(exchange));
        _reserve(tomorrow(), 10);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_OnlyMarket.selector, caller));
        vm.prank(caller);
        capacity.unreserve(site, ProductId.wrap(tomorrow()), 1);
    }

    function testFuzz_unreserve_revertsWhen_escrowHoldsLess(uint64 reserved, uint64 units) public {
        reserved = uint64(bound(reserved, 1, CAP));
        units = uint64(bound(units, reserved + 1, type(uint64).max));
        uint256 product = tomorrow();
        _reserve(product, reserved);
        vm.expectRevert(
            abi.encodeWithSelector(
                IERC1155Errors.ERC1155InsufficientBalance.selector, address(exchange), reserved, units, product
            )
        );
        _unreserve(product, units);
    }
}
