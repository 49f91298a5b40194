// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Rounds} from "./support/Rounds.sol";
import {Wallet} from "./support/Wallet.sol";

contract Exchange_heldOf_Test is Rounds {
    /// @dev By product and owner, until it is collected.
    function testFuzz_heldOf_countsWhatAnOwnerRefused(uint64 units, address another, uint256 product_) public {
        Wallet wallet = new Wallet(people[0].addr);
        vm.assume(another != address(wallet) && product_ != product);
        wallet.setTaking(Wallet.Manner.REFUSE);
        enrich(address(wallet));
        units = uint64(bound(units, MIN_UNITS, UNITS_MAX));
        wallet.act(address(exchange), abi.encodeCall(exchange.bid, (product, TICK, units)));
        offerAs(provider.addr, sites[0], product, TICK, units);
        nextRound();
        exchange.clear(product, round);
        assertEq(exchange.heldOf(product, address(wallet)), 0);
        exchange.settle(product, round, firstIndices(2));
        assertEq(exchange.heldOf(product, address(wallet)), units);
        assertEq(exchange.heldOf(product, another), 0);
        assertEq(exchange.heldOf(product_, address(wallet)), 0);
        wallet.act(address(exchange), abi.encodeCall(exchange.collect, (product, people[0].addr)));
        assertEq(exchange.heldOf(product, address(wallet)), 0);
    }
}
