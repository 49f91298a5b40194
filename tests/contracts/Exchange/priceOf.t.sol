// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IExchange} from "../../../contracts/interfaces/IExchange.sol";
import {IStandard} from "../../../contracts/interfaces/IStandard.sol";
import {Rounds} from "./support/Rounds.sol";

contract Exchange_priceOf_Test is Rounds {
    function testFuzz_priceOf_isTheGridTimesTheTickSize(uint16 tick, uint32 size) public {
        tick = uint16(bound(tick, 1, 1023));
        size = uint32(bound(size, 1, type(uint32).max));
        assertEq(exchange.priceOf(AI_LARGE, tick) * HOURS, priceOf(tick), "what a bid is charged by");
        vm.prank(committee);
        standard.setClass(AI_LARGE, IStandard.ClassTerms("AI_LARGE", "one", 80, size, MIN_UNITS, BOND_PRICE));
        assertEq(exchange.priceOf(AI_LARGE, tick) * TICK_SIZE * HOURS, priceOf(tick) * size, "by today's terms");
    }

    function testFuzz_priceOf_revertsWhen_tickIsOutOfRange(uint16 tick) public {
        tick = tick == 0 ? 0 : uint16(bound(tick, 1024, type(uint16).max));
        vm.expectRevert(abi.encodeWithSelector(IExchange.Exchange_TickOutOfRange.selector, tick, 1023));
        exchange.priceOf(AI_LARGE, tick);
    }

    function testFuzz_priceOf_revertsWhen_classIsUnknown(uint8 class, uint16 tick) public {
        vm.assume(class != AI_LARGE);
        vm.expectRevert(abi.encodeWithSelector(IStandard.Standard_UnknownClass.selector, class));
        exchange.priceOf(class, uint16(bound(tick, 1, 1023)));
    }
}
