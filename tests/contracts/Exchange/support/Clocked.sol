// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IExchange} from "../../../../contracts/interfaces/IExchange.sol";
import {ITreasury} from "../../../../contracts/interfaces/ITreasury.sol";
import {Rounds} from "./Rounds.sol";

/// @title Clocked
/// @notice Exchanges with other rounds and leads than production's. They are wired to this market, whose treasury does
/// not know them: an order that is in time fails there, one that is late fails before.
abstract contract Clocked is Rounds {
    function clocked(uint256 round_s, uint256 lead_s) internal returns (IExchange other) {
        other = IExchange(
            vm.deployCode(
                "out/contracts/Exchange.sol/Exchange.json",
                abi.encode(authority, this, capacity, treasury, delivery, round_s, lead_s)
            )
        );
        other.adoptTerms(AI_LARGE, TICK_SIZE, MIN_UNITS);
    }

    function assertInTime(IExchange other) internal {
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_OnlyMarket.selector, other));
        other.bid(product, TICK, 100);
    }

    function assertLate(IExchange other, uint256 ready_s) internal {
        vm.expectRevert(
            abi.encodeWithSelector(IExchange.Exchange_TradingClosed.selector, product, ready_s, startOf(product))
        );
        other.bid(product, TICK, 100);
    }
}
