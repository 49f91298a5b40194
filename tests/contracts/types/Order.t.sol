// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Kind, Order, ROUNDS_MAX, packOrder} from "../../../contracts/types/Order.sol";
import {Test} from "../support/Test.sol";

contract Order_Test is Test {
    function test_roundsMax_isWhatTheFieldHolds() public pure {
        assertEq(ROUNDS_MAX, 2 ** 20);
    }

    function testFuzz_fields_comeBack(
        uint160 principal,
        uint8 kind,
        uint16 tick,
        uint256 round,
        uint32 prefix,
        uint32 units
    ) public pure {
        (kind, tick, round) = (kind % 4, tick % 1024, round % ROUNDS_MAX);
        Order order = packOrder(principal, Kind(kind), tick, round, prefix, units);
        assertEq(order.principalOf(), principal, "principal");
        assertEq(uint8(order.kindOf()), kind, "kind");
        assertEq(order.tickOf(), tick, "tick");
        assertEq(order.roundOf(), round, "round");
        assertEq(order.prefixOf(), prefix, "prefix");
        assertEq(order.unitsOf(), units, "units");
    }

    /// @dev The layout that an indexer reads from OrderPlaced: `principal 160 | kind 2 | tick 10 | round 20 | …`.
    function testFuzz_packOrder_laysOutAsDocumented(
        uint160 principal,
        uint8 kind,
        uint16 tick,
        uint256 round,
        uint32 prefix,
        uint32 units
    ) public pure {
        (kind, tick, round) = (kind % 4, tick % 1024, round % ROUNDS_MAX);
        uint256 word = principal;
        word = word * 2 ** 2 + kind;
        word = word * 2 ** 10 + tick;
        word = word * 2 ** 20 + round;
        word = word * 2 ** 32 + prefix;
        word = word * 2 ** 32 + units;
        assertEq(Order.unwrap(packOrder(principal, Kind(kind), tick, round, prefix, units)), word);
    }

    function testFuzz_waitsIn_isTrueIn_theOrdersRoundAlone(
        uint160 principal,
        uint8 kind,
        uint256 round,
        uint32 units,
        uint256 other
    ) public pure {
        units = uint32(bound(units, 1, type(uint32).max));
        (round, other) = (round % ROUNDS_MAX, other % 4 == 0 ? other : round % ROUNDS_MAX);
        Order order = packOrder(principal, Kind(kind % 4), 1, round, 0, units);
        assertEq(order.waitsIn(other), other == round);
    }

    function testFuzz_waitsIn_isFalseFor_anEmptySlot(uint256 round) public pure {
        assertFalse(Order.wrap(0).waitsIn(round));
        assertFalse(Order.wrap(0).waitsIn(0));
    }

    /* PROOFS */

    function check_fields_comeBack(
        uint160 principal,
        uint8 kind,
        uint16 tick,
        uint256 round,
        uint256 prefix,
        uint256 units
    ) public pure {
        vm.assume(kind < 4 && tick < 1024 && round < ROUNDS_MAX);
        vm.assume(prefix <= type(uint32).max && units <= type(uint32).max);
        Order order = packOrder(principal, Kind(kind), tick, round, prefix, units);
        assert(order.principalOf() == principal && uint8(order.kindOf()) == kind && order.tickOf() == tick);
        assert(order.roundOf() == round && order.prefixOf() == prefix && order.unitsOf() == units);
    }
}
