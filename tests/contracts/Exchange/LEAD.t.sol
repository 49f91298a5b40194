// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IExchange} from "../../../contracts/interfaces/IExchange.sol";
import {Clocked} from "./support/Clocked.sol";

contract Exchange_LEAD_Test is Clocked {
    /// @dev The last round to trade in ends LEAD before delivery, to the second.
    function testFuzz_LEAD_closesTrading(uint32 lead, uint16 length) public {
        length = uint16(bound(length, 1, 3600));
        lead = uint32(bound(lead, 0, startOf(product) - vm.getBlockTimestamp() - 2 * uint256(length)));
        IExchange other = clocked(length, lead);
        assertEq(other.LEAD(), lead);
        uint256 last = (startOf(product) - lead) / length - 1;
        goTo(last * length + length - 1);
        assertInTime(other);
        skip(1);
        assertLate(other, (last + 2) * length + lead);
    }

    /// @dev A lead longer than the clock is old closes everything, and breaks nothing.
    function testFuzz_LEAD_closesEverythingWhen_longerThanTime(uint64 lead) public {
        uint256 longest = bound(lead, startOf(product), type(uint64).max);
        IExchange other = clocked(60, longest);
        assertLate(other, (vm.getBlockTimestamp() / 60 + 1) * 60 + longest);
    }

    function test_LEAD_isProductions() public view {
        assertEq(exchange.LEAD(), 600);
    }
}
