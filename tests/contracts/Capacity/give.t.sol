// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1155Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC1155} from "@openzeppelin/contracts/token/ERC1155/IERC1155.sol";

import {ICapacity} from "../../../contracts/interfaces/ICapacity.sol";
import {ProductId} from "../../../contracts/types/ProductId.sol";
import {Sites} from "./Sites.sol";

contract Capacity_give_Test is Sites {
    mapping(address owner => uint256) private _due;

    function _fill(uint256 product, uint64 units) private {
        vm.prank(address(exchange));
        capacity.reserve(site, ProductId.wrap(product), units, provider.addr);
    }

    function _give(uint256 product, uint256[] memory deliveries) private {
        vm.prank(address(exchange));
        capacity.give(ProductId.wrap(product), deliveries);
    }

    /// @dev Owners that come twice, and entries that are none.
    function testFuzz_give_handsOutEachDelivery(uint16[12] memory units, uint8[12] memory owners) public {
        uint256 product = tomorrow();
        uint256[] memory deliveries = new uint256[](units.length);
        uint256 total = 0;
        for (uint256 i = 0; i < units.length; ++i) {
            if (owners[i] % 6 == 5) continue;
            units[i] %= uint16(CAP / 12);
            address owner = address(uint160(0x1000 + owners[i] % 6));
            deliveries[i] = uint256(uint160(owner)) * 2 ** 96 + units[i];
            _due[owner] += units[i];
            total += units[i];
        }
        _fill(product, CAP);
        _give(product, deliveries);
        for (uint160 owner = 0x1000; owner < 0x1006; ++owner) {
            assertEq(capacity.balanceOf(address(owner), product), _due[address(owner)]);
        }
        assertEq(capacity.balanceOf(address(exchange), product), CAP - total);
        assertEq(capacity.totalSupply(product), CAP);
    }

    function test_give_saysWhoGotWhat() public {
        uint256 product = tomorrow();
        _fill(product, 10);
        uint256[] memory deliveries = new uint256[](3);
        deliveries[0] = uint256(uint160(buyer.addr)) * 2 ** 96 + 3;
        deliveries[2] = uint256(uint160(reseller.addr)) * 2 ** 96 + 7;
        vm.expectEmit(address(capacity));
        emit IERC1155.TransferSingle(address(exchange), address(exchange), buyer.addr, product, 3);
        vm.expectEmit(address(capacity));
        emit IERC1155.TransferSingle(address(exchange), address(exchange), reseller.addr, product, 7);
        _give(product, deliveries);
    }

    /* REVERTS */

    function testFuzz_give_revertsWhen_callerIsNotExchange(address caller) public {
        vm.assume(caller != address(exchange));
        _fill(tomorrow(), 10);
        vm.expectRevert(abi.encodeWithSelector(ICapacity.Capacity_OnlyMarket.selector, caller));
        vm.prank(caller);
        capacity.give(ProductId.wrap(tomorrow()), new uint256[](1));
    }

    function testFuzz_give_revertsWhen_escrowHoldsLess(uint64 had, uint64 first, uint96 second) public {
        had = uint64(bound(had, 1, CAP));
        first = uint64(bound(first, 0, had));
        second = uint96(bound(second, had - first + 1, type(uint96).max));
        uint256 product = tomorrow();
        _fill(product, had);
        uint256[] memory deliveries = new uint256[](2);
        deliveries[0] = uint256(uint160(buyer.addr)) * 2 ** 96 + first;
        deliveries[1] = uint256(uint160(buyer.addr)) * 2 ** 96 + second;
        vm.expectRevert(
            abi.encodeWithSelector(
                IERC1155Errors.ERC1155InsufficientBalance.selector, address(exchange), had - first, second, product
            )
        );
        _give(product, deliveries);
    }
}
