// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Leases} from "./Leases.sol";

contract Delivery_reservedOf_Test is Leases {
    function testFuzz_reservedOf_isZeroWhen_nothingWasOffered(uint256 product, uint32 any) public view {
        (uint64 units, uint64 round, uint256 margin, uint256 floor) = delivery.reservedOf(product, any);
        assertEq(units + round + margin + floor, 0);
    }

    function test_reservedOf_countsDownWhen_offersSettleOneByOne() public {
        uint256 product = productOf(2, 24);
        for (uint256 i = 0; i < 3; ++i) {
            offerAs(provider.addr, site, product, TICK, 100);
        }
        uint64 round = nextRound();
        exchange.clear(product, round);
        uint32[] memory one = new uint32[](1);
        for (uint32 i = 0; i < 3; ++i) {
            (uint64 units, uint64 inRound,,) = delivery.reservedOf(product, site);
            assertEq(units, 300 - i * 100);
            assertEq(inRound, round);
            one[0] = i;
            exchange.settle(product, round, one);
        }
        (uint64 left,,,) = delivery.reservedOf(product, site);
        assertEq(left, 0);
    }
}
