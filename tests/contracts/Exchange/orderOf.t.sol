// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IStandard} from "../../../contracts/interfaces/IStandard.sol";
import {Kind, Order} from "../../../contracts/types/Order.sol";
import {Rounds} from "./support/Rounds.sol";

contract Exchange_orderOf_Test is Rounds {
    /// forge-config: default.fuzz.runs = 16
    /// forge-config: ci.fuzz.runs = 64
    /// @dev Every order as it was placed, and which are settled; across words of settled bits.
    function testFuzz_orderOf_readsEveryOrder(uint256 seed_, uint16 orders) public {
        seed(seed_);
        for (uint256 i = 0; i < orders % 300; ++i) {
            placeBid(people[i % 4], uint16(random(1, 1023)), uint64(random(MIN_UNITS, 1000)));
        }
        if (orders % 300 != 0) clearRound();
        for (uint256 i = 0; i < 4 && i < orders % 300; ++i) {
            uint32[] memory index = new uint32[](1);
            index[0] = uint32(random(0, orders % 300 - 1));
            settleExactly(index);
        }
        for (uint32 i = 0; i < orders % 300; ++i) {
            (Order order, bool settled) = orderAt(i);
            assertEq(order.principalOf(), uint160(placed[i].owner), "owner");
            assertTrue(order.kindOf() <= Kind.BID, "kind");
            assertEq(order.tickOf(), placed[i].tick, "tick");
            assertEq(order.prefixOf(), placed[i].prefix, "prefix");
            assertEq(order.unitsOf(), placed[i].units, "units");
            assertEq(settled, placed[i].settled, "settled");
        }
    }

    function testFuzz_orderOf_isNothingWhen_slotIsEmpty(uint32 index) public {
        placeBid(people[0], TICK, 100);
        (Order order, bool settled) = orderAt(index == 0 ? 1 : index);
        assertEq(Order.unwrap(order), 0);
        assertFalse(settled);
    }

    function testFuzz_orderOf_revertsWhen_productHasUpperBits(uint168 bits, uint32 index) public {
        vm.assume(bits != 0);
        uint256 wrong = product | (uint256(bits) << 88);
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_MalformedProduct.selector, wrong));
        exchange.orderOf(wrong, index);
    }
}
