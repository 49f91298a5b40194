// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PriceGrid} from "../../../contracts/libraries/PriceGrid.sol";
import {HOURS_MAX} from "../../../contracts/types/ProductId.sol";
import {Test} from "../support/Test.sol";

contract PriceGrid_Test is Test {
    /// @dev The rule without shifts or masks: 128 steps to an octave, each octave's steps twice as wide.
    function _price(uint256 tick) private pure returns (uint256) {
        uint256 octave = 1;
        while (tick >= 128) (tick, octave) = (tick - 128, octave * 2);
        return (128 + tick) * octave;
    }

    /* PRICE */

    function test_priceOf_isTheRuleForEveryTick() public pure {
        for (uint256 tick = 0; tick <= PriceGrid.TICK_MAX; ++tick) {
            assertEq(PriceGrid.priceOf(tick), _price(tick));
        }
    }

    function test_priceOf_growsByFourToEightInAThousand() public pure {
        for (uint256 tick = 1; tick < PriceGrid.TICK_MAX; ++tick) {
            (uint256 price, uint256 next) = (PriceGrid.priceOf(tick), PriceGrid.priceOf(tick + 1));
            assertGt(next, price);
            uint256 stepBp = (next - price) * 10_000 / price;
            assertGe(stepBp, 39);
            assertLe(stepBp, 78);
        }
    }

    function test_priceOf_spansEightOctaves() public pure {
        assertEq(PriceGrid.priceOf(1), 129);
        assertEq(PriceGrid.priceOf(PriceGrid.TICK_MAX), 32_640);
        for (uint256 tick = 0; tick + 128 <= PriceGrid.TICK_MAX; ++tick) {
            assertEq(PriceGrid.priceOf(tick + 128), 2 * PriceGrid.priceOf(tick));
        }
    }

    /* COST */

    function testFuzz_cost_isExact(uint32 units, uint256 count, uint256 tick, uint32 tickSize) public pure {
        count = bound(count, 1, HOURS_MAX);
        tick = bound(tick, 1, PriceGrid.TICK_MAX);
        uint256 cost = PriceGrid.cost(units, count, tick, tickSize);
        assertEq(cost, _price(tick) * tickSize * count * units);
        // What Exchange and Treasury pack amounts on.
        assertLt(cost, 2 ** 87);
    }

    /// @dev Orders of one tick cost the same apart and together: nothing is rounded.
    function testFuzz_cost_isAdditive(uint32 a, uint32 b, uint256 count, uint256 tick, uint32 tickSize) public pure {
        count = bound(count, 1, HOURS_MAX);
        tick = bound(tick, 1, PriceGrid.TICK_MAX);
        uint256 apart = PriceGrid.cost(a, count, tick, tickSize) + PriceGrid.cost(b, count, tick, tickSize);
        assertEq(PriceGrid.cost(uint256(a) + b, count, tick, tickSize), apart);
    }

    /* PROOFS */

    function check_priceOf_increasesStrictly(uint256 tick, uint256 higher) public pure {
        vm.assume(tick >= 1 && tick < higher && higher <= PriceGrid.TICK_MAX);
        assert(PriceGrid.priceOf(tick) < PriceGrid.priceOf(higher));
    }

    /// @custom:halmos --loop 8
    function check_priceOf_isTheFormula(uint256 tick) public pure {
        vm.assume(tick >= 1 && tick <= PriceGrid.TICK_MAX);
        assert(PriceGrid.priceOf(tick) == _price(tick));
    }

    function check_priceOf_staysOnTheGrid(uint256 tick) public pure {
        vm.assume(tick >= 1 && tick <= PriceGrid.TICK_MAX);
        uint256 price = PriceGrid.priceOf(tick);
        assert(price >= 129 && price <= 32_640);
    }
}
