// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IExchange} from "../../../../contracts/interfaces/IExchange.sol";
import {IStandard} from "../../../../contracts/interfaces/IStandard.sol";
import {Rounds} from "./Rounds.sol";

/// @title OrderTest
/// @notice What every order must be, however it is placed: each requirement alone, and their order. A test of one way to
/// place orders says how it places one, and how it sees a refusal.
abstract contract OrderTest is Rounds {
    uint256 internal constant ROUNDS_MAX = 2 ** 20;
    /// @dev How many hours ahead the furthest product trades from minute 45 of an hour on: 60 rounds an hour.
    uint256 internal constant HOURS_AHEAD_MAX = 17_477;

    /// @dev By someone who has whatever it takes for a good product.
    function place(uint256 product_, uint16 tick, uint64 units) internal virtual;

    /// @dev By someone who has nothing.
    function placePoor(uint256 product_, uint16 tick, uint64 units) internal virtual;

    function poorReason(uint256 product_, uint16 tick, uint64 units) internal virtual returns (bytes memory);

    function isBid() internal pure virtual returns (bool);

    function expectRefusal(bytes memory reason) internal virtual {
        vm.expectRevert(reason);
    }

    /* PRODUCTS */

    function productOf(uint8 class, uint8 tier, uint16 area, uint8 grade, uint256 startHour, uint16 length)
        internal
        pure
        returns (uint256)
    {
        uint256 place_ = (uint256(class) * 2 ** 8 + tier) * 2 ** 16 + area;
        return ((place_ * 2 ** 8 + grade) * 2 ** 32 + startHour) * 2 ** 16 + length;
    }

    /// @dev A good product but for its start.
    function startingAt(uint256 hour) internal pure returns (uint256) {
        return productOf(AI_LARGE, 2, EU_WEST, 2, hour, HOURS);
    }

    function thisHour() internal view returns (uint256) {
        return vm.getBlockTimestamp() / 1 hours;
    }

    /// @dev When the current round ends, and LEAD after it.
    function ready_s() internal view returns (uint256) {
        return (vm.getBlockTimestamp() / ROUND + 1) * ROUND + LEAD;
    }

    function closed(uint256 product_) internal view returns (bytes memory) {
        return abi.encodeWithSelector(IExchange.Exchange_TradingClosed.selector, product_, ready_s(), startOf(product_));
    }

    /// @dev Fills a tick of the side that this test places on.
    function fillTick(uint256 product_, uint16 tick, uint64 units) internal {
        if (isBid()) bidAs(people[1].addr, product_, tick, units);
        else offerAs(provider.addr, sites[0], product_, tick, units);
    }

    /* EACH REQUIREMENT */

    function assertPausable(uint16 tick, uint64 units) internal {
        vm.prank(guardian);
        exchange.setOrdersPaused(true);
        expectRefusal(abi.encodeWithSelector(IExchange.Exchange_OrdersPaused.selector));
        place(product, tick, units);
        vm.prank(guardian);
        exchange.setOrdersPaused(false);
        place(product, TICK, 100);
    }

    function testFuzz_place_revertsWhen_productIsMalformed(uint256 bits, uint8 how) public {
        uint256 hour = thisHour() + 24;
        uint256 wrong = product;
        if (how % 6 == 0) wrong |= bound(bits, 1, 2 ** 168 - 1) << 88;
        else if (how % 6 == 1) wrong = productOf(AI_LARGE, uint8(bound(bits, 4, 255)), EU_WEST, 2, hour, HOURS);
        else if (how % 6 == 2) wrong = productOf(AI_LARGE, 2, EU_WEST, uint8(bound(bits, 4, 255)), hour, HOURS);
        else if (how % 6 == 3) wrong = productOf(AI_LARGE, 2, EU_WEST, 2, hour, uint16(bound(bits, 169, 65_535)));
        else if (how % 6 == 4) wrong = productOf(AI_LARGE, 2, EU_WEST, 2, hour, 0);
        else wrong = productOf(AI_LARGE, bits % 2 == 0 ? 2 : 3, uint16(bits % 2), 2, hour, HOURS);
        if (!carries(wrong)) return;
        expectRefusal(abi.encodeWithSelector(IStandard.Standard_MalformedProduct.selector, wrong));
        place(wrong, TICK, 100);
    }

    /// @dev Whether an order of this kind can name that product at all.
    function carries(uint256) internal pure virtual returns (bool) {
        return true;
    }

    function testFuzz_place_revertsWhen_classIsUnknown(uint8 class) public {
        vm.assume(class != AI_LARGE);
        uint256 wrong = productOf(class, 2, EU_WEST, 2, thisHour() + 24, HOURS);
        expectRefusal(abi.encodeWithSelector(IStandard.Standard_UnknownClass.selector, class));
        place(wrong, TICK, 100);
    }

    function testFuzz_place_revertsWhen_deliveryIsTooManyRoundsAway(uint32 hour) public {
        uint256 far = startingAt(bound(hour, thisHour() + HOURS_AHEAD_MAX, type(uint32).max - 200));
        uint256 roundsAway = startOf(far) / ROUND - vm.getBlockTimestamp() / ROUND;
        expectRefusal(
            abi.encodeWithSelector(IExchange.Exchange_TradingNotOpen.selector, far, roundsAway, ROUNDS_MAX - 1)
        );
        place(far, TICK, 100);
    }

    function testFuzz_place_revertsWhen_tickIsOutOfRange(uint16 tick) public {
        tick = tick == 0 ? 0 : uint16(bound(tick, 1024, type(uint16).max));
        expectRefusal(abi.encodeWithSelector(IExchange.Exchange_TickOutOfRange.selector, tick, 1023));
        place(product, tick, 100);
    }

    function testFuzz_place_revertsWhen_unitsAreDust(uint64 units) public {
        units = uint64(bound(units, 0, MIN_UNITS - 1));
        expectRefusal(abi.encodeWithSelector(IExchange.Exchange_TooFewUnits.selector, units, MIN_UNITS));
        place(product, TICK, units);
    }

    function testFuzz_place_revertsWhen_windowHasStarted(uint256 hour) public {
        uint256 past = startingAt(bound(hour, 0, thisHour()));
        expectRefusal(closed(past));
        place(past, TICK, 100);
    }

    /// @dev The last round ends LEAD before delivery: one second later is too late.
    function test_place_revertsWhen_roundEndsTooLate() public {
        goTo(startOf(product) - LEAD - 1);
        place(product, TICK, 100);
        goTo(startOf(product) - LEAD);
        expectRefusal(closed(product));
        place(product, TICK, 100);
    }

    function testFuzz_place_revertsWhen_tickIsFull(uint64 standing, uint64 units) public {
        standing = uint64(bound(standing, MIN_UNITS, UNITS_MAX));
        fillTick(product, TICK, standing);
        units = uint64(bound(units, MIN_UNITS, 1e6));
        if (units > UNITS_MAX - standing) {
            expectRefusal(abi.encodeWithSelector(IExchange.Exchange_TickFull.selector, TICK, standing, units));
        }
        place(product, TICK, units);
        (uint64[1024] memory bids, uint64[1024] memory asks) = exchange.depthOf(product, round);
        uint64 expected = units > UNITS_MAX - standing ? standing : standing + units;
        assertEq((isBid() ? bids : asks)[TICK], expected);
        assertEq((isBid() ? asks : bids)[TICK], 0);
    }

    /* THEIR ORDER */

    /// @dev Everything is wrong at first, and is put right from the first requirement to the last.
    function test_place_namesTheFirstThatFailsWhen_manyDo() public virtual {
        climb(false, true);
    }

    function climb(bool unitsFit, bool pausable) internal {
        uint256 malformed = productOf(9, 0, 0, 0, type(uint32).max, 0);
        if (pausable) {
            vm.prank(guardian);
            exchange.setOrdersPaused(true);
            expectRefusal(abi.encodeWithSelector(IExchange.Exchange_OrdersPaused.selector));
            placePoor(malformed, 0, 0);
            vm.prank(guardian);
            exchange.setOrdersPaused(false);
        }
        expectRefusal(abi.encodeWithSelector(IStandard.Standard_MalformedProduct.selector, malformed));
        placePoor(malformed, 0, 0);
        uint256 unknown = productOf(9, 2, EU_WEST, 2, type(uint32).max - 200, HOURS);
        expectRefusal(abi.encodeWithSelector(IStandard.Standard_UnknownClass.selector, 9));
        placePoor(unknown, 0, 0);
        uint256 far = startingAt(type(uint32).max - 200);
        uint256 roundsAway = startOf(far) / ROUND - vm.getBlockTimestamp() / ROUND;
        expectRefusal(
            abi.encodeWithSelector(IExchange.Exchange_TradingNotOpen.selector, far, roundsAway, ROUNDS_MAX - 1)
        );
        placePoor(far, 0, 0);
        uint256 past = startingAt(thisHour());
        expectRefusal(abi.encodeWithSelector(IExchange.Exchange_TickOutOfRange.selector, 0, 1023));
        placePoor(past, 0, 0);
        expectRefusal(abi.encodeWithSelector(IExchange.Exchange_TooFewUnits.selector, 0, MIN_UNITS));
        placePoor(past, TICK, 0);
        if (!unitsFit) {
            expectRefusal(abi.encodeWithSelector(IExchange.Exchange_TooManyUnits.selector, 2 ** 32, 2 ** 32 - 1));
            placePoor(past, TICK, 2 ** 32);
        }
        expectRefusal(closed(past));
        placePoor(past, TICK, 100);
        fillTick(product, TICK, uint64(UNITS_MAX));
        expectRefusal(abi.encodeWithSelector(IExchange.Exchange_TickFull.selector, TICK, UNITS_MAX, 100));
        placePoor(product, TICK, 100);
        expectRefusal(poorReason(product, TICK + 1, 100));
        placePoor(product, TICK + 1, 100);
        place(product, TICK + 1, 100);
    }
}
