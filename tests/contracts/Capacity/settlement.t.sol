// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1155} from "@openzeppelin/contracts/token/ERC1155/IERC1155.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {ICapacity} from "../../../contracts/interfaces/ICapacity.sol";
import {IDelivery} from "../../../contracts/interfaces/IDelivery.sol";
import {IExchange} from "../../../contracts/interfaces/IExchange.sol";
import {SignedOrder} from "../../../contracts/types/SignedOrder.sol";
import {Puppet} from "../support/recipients/Puppet.sol";
import {Sites} from "./Sites.sol";

/// @dev Buyers that are contracts, when their units reach them in the middle of a settlement.
contract Capacity_settlement_Test is Sites {
    uint256 private product;
    Puppet private puppet;

    function setUp() public override {
        super.setUp();
        product = tomorrow();
        puppet = new Puppet();
        fund(address(puppet), FUNDS);
    }

    /// @dev The puppet buys 30, the buyer 20, and the site sells 100 of which 50 go.
    function _trade() private returns (uint64 round) {
        puppet.act(address(exchange), abi.encodeCall(IExchange.bid, (product, TICK, 30)));
        offerAs(provider.addr, site, product, TICK, 100);
        bidAs(buyer.addr, product, TICK, 20);
        round = nextRound();
        exchange.clear(product, round);
    }

    function _assertSettled(uint256 puppets, uint256 held) private view {
        assertEq(capacity.balanceOf(buyer.addr, product), 20);
        assertEq(capacity.balanceOf(address(puppet), product), puppets);
        assertEq(exchange.heldOf(product, address(puppet)), held);
        assertEq(capacity.balanceOf(address(exchange), product), held);
        assertEq(owedBy(site, product), 50);
        assertEq(capacity.totalSupply(product), 50);
        assertCommitted(site, product, 50);
        (,,,, uint256 escrowed) = exchange.bookOf(product);
        assertEq(escrowed, 0);
    }

    function test_settlement_reachesAContractThatAccepts() public {
        settleAll(product, _trade());
        _assertSettled(30, 0);
        assertEq(puppet.received(), 30);
    }

    function testFuzz_settlement_isNotStoppedBy_aContractThatRefuses(uint8 manner) public {
        uint64 round = _trade();
        puppet.setManner(Puppet.Manner(1 + manner % 3));
        settleAll(product, round);
        _assertSettled(0, 30);
        // What was refused is collected by its owner, to where it likes.
        puppet.act(address(exchange), abi.encodeCall(IExchange.collect, (product, reseller.addr)));
        assertEq(capacity.balanceOf(reseller.addr, product), 30);
    }

    /// @dev What settles, relays and hands out is locked meanwhile. The rest of the market stands as far as the settlement
    /// got: the round was cleared, and what no site owes yet cannot be redeemed or converted.
    function testFuzz_settlement_isOneActWhen_theContractReenters(uint8 which) public {
        uint64 round = _trade();
        (address target, bytes memory data) = _attempt(which % 7, round);
        puppet.plan(target, data);
        settleAll(product, round);

        assertEq(puppet.answers(), 1);
        assertFalse(puppet.answerOf(0).done);
        if (which % 7 < 3) {
            bytes memory guard = abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
            assertTrue(puppet.wasRefused(0, guard));
        }
        _assertSettled(30, 0);
    }

    function _attempt(uint256 which, uint64 round) private view returns (address, bytes memory) {
        address market = address(exchange);
        if (which == 0) return (market, abi.encodeCall(IExchange.settle, (product, round, firstIndices(3))));
        if (which == 1) return (market, abi.encodeCall(IExchange.collect, (product, address(puppet))));
        if (which == 2) {
            return (market, abi.encodeCall(IExchange.placeSigned, (new SignedOrder[](0), firstIndices(3))));
        }
        if (which == 3) return (market, abi.encodeCall(IExchange.clear, (product, round)));
        if (which == 4) return (address(delivery), abi.encodeCall(IDelivery.redeem, (product, site, 1, "")));
        if (which == 5) return (address(capacity), abi.encodeCall(ICapacity.relax, (site, product, 1, WIDE)));
        return (address(capacity), abi.encodeCall(ICapacity.mint, (site, product, 1)));
    }

    /// @dev The units are the buyer's when it is told: it may hand them on at once.
    function test_settlement_isDoneFor_theContractThatIsCalledBack() public {
        uint64 round = _trade();
        bytes memory data = abi.encodeCall(IERC1155.safeTransferFrom, (address(puppet), reseller.addr, product, 25, ""));
        puppet.plan(address(capacity), data);
        settleAll(product, round);
        assertTrue(puppet.answerOf(0).done);
        assertEq(capacity.balanceOf(reseller.addr, product), 25);
        _assertSettled(5, 0);
    }
}
