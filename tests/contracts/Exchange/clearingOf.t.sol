// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IStandard} from "../../../contracts/interfaces/IStandard.sol";
import {Rounds} from "./support/Rounds.sol";

/// @dev What it says of cleared rounds is asserted wherever one is cleared: see {Rounds.clearRound}.
contract Exchange_clearingOf_Test is Rounds {
    function testFuzz_clearingOf_isNothingWhen_roundIsNotCleared(uint64 named) public {
        placeBid(people[0], TICK, 100);
        placeOffer(sites[0], TICK, 100);
        clearRound();
        vm.assume(named != round);
        (bool cleared, uint16 tick, uint64 units) = exchange.clearingOf(product, named);
        assertFalse(cleared);
        assertEq(tick, 0);
        assertEq(units, 0);
    }

    function testFuzz_clearingOf_staysWhen_everythingIsSettled(uint64 units) public {
        units = uint64(bound(units, MIN_UNITS, UNITS_MAX));
        placeBid(people[0], TICK + 2, units);
        placeOffer(sites[0], TICK, units);
        clearRound();
        settleRandomly();
        (bool cleared, uint16 tick, uint64 traded) = exchange.clearingOf(product, round);
        assertTrue(cleared);
        assertEq(tick, TICK + 1, "the middle");
        assertEq(traded, units);
    }

    function testFuzz_clearingOf_revertsWhen_productHasUpperBits(uint168 bits, uint64 named) public {
        vm.assume(bits != 0);
        uint256 wrong = product | (uint256(bits) << 88);
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_MalformedProduct.selector, wrong));
        exchange.clearingOf(wrong, named);
    }
}
