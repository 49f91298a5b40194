// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Rounds} from "./support/Rounds.sol";

contract Exchange_bookOf_Test is Rounds {
    function testFuzz_bookOf_countsOrdersAndMoney(uint256 seed_, uint8 orders, uint8 late) public {
        seed(seed_);
        stock(people[0].addr, uint64(UNITS_MAX));
        skip(uint256(late) * ROUND);
        round = exchange.currentRound();
        uint256 escrow = 0;
        for (uint256 i = 0; i < orders % 16; ++i) {
            (uint16 tick, uint64 units) = (uint16(random(1, 1023)), uint64(random(MIN_UNITS, 1e6)));
            if (random(0, 2) == 0) {
                placeAsk(people[0], tick, units);
            } else {
                placeBid(people[random(0, 3)], tick, units);
                escrow += units * priceOf(tick);
            }
            nextRound();
        }
        (uint64 firstRound, uint32 count, uint32 tickSize, uint32 minUnits, uint256 escrowMicro) =
            exchange.bookOf(product);
        bool isOpen = orders % 16 != 0;
        assertEq(firstRound, isOpen ? round : 0, "first round");
        assertEq(count, orders % 16, "orders");
        assertEq(tickSize, isOpen ? TICK_SIZE : 0, "tick size");
        assertEq(minUnits, isOpen ? MIN_UNITS : 0, "least order");
        assertEq(escrowMicro, escrow, "escrow");
    }

    function testFuzz_bookOf_isNothingWhen_productNeverTraded(uint256 product_) public {
        placeBid(people[0], TICK, 100);
        vm.assume(product_ != product);
        (uint64 firstRound, uint32 count,,, uint256 escrowMicro) = exchange.bookOf(product_);
        assertEq(firstRound, 0);
        assertEq(count, 0);
        assertEq(escrowMicro, 0);
    }
}
