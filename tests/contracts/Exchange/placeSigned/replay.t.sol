// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IExchange} from "../../../../contracts/interfaces/IExchange.sol";
import {ITreasury} from "../../../../contracts/interfaces/ITreasury.sol";
import {Kind} from "../../../../contracts/types/Order.sol";
import {SignedOrder} from "../../../../contracts/types/SignedOrder.sol";
import {OrderTerms} from "../../support/OrderTerms.sol";
import {Signing} from "../support/Signing.sol";

contract Exchange_placeSigned_Replay_Test is Signing {
    function _indexUsed(OrderTerms memory order) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ITreasury.Treasury_IndexUsed.selector, order.owner, order.round, order.index);
    }

    function _wrongRound(OrderTerms memory order) private view returns (bytes memory) {
        return abi.encodeWithSelector(IExchange.Exchange_WrongRound.selector, order.round, exchange.currentRound());
    }

    function _wrongEpoch(OrderTerms memory order, uint32 current) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ITreasury.Treasury_WrongEpoch.selector, order.owner, order.epoch, current);
    }

    /* THE INDEX */

    function testFuzz_placeSigned_placesAnOrderOnce(uint8 index) public {
        OrderTerms memory order = goodBid(people[0], uint8(bound(index, 0, 79)));
        SignedOrder memory packed = sign(people[0], order);
        expectSkipped(order, 1, _indexUsed(order));
        exchange.placeSigned(two(packed, packed), noSlots);
        assertEq(orderCount(), 1, "once in a batch");
        assertSkipped(packed, order, _indexUsed(order));
    }

    /// @dev The index counts the owner's orders, whatever they want and of whatever product.
    function test_placeSigned_skipsWhen_anotherOrderHasTheIndex() public {
        OrderTerms memory order = goodBid(people[0], 4);
        assertPlaced(sign(people[0], order), order);
        stock(people[0].addr, 1000);
        OrderTerms memory other = terms(people[0].addr, Kind.ASK, TICK, 100, 4);
        assertSkipped(sign(people[0], other), other, _indexUsed(other));
        other = goodBid(people[0], 4);
        other.product = productIn(2, EU_WEST, 2, 30, 24);
        assertSkipped(sign(people[0], other), other, _indexUsed(other));
        other = goodBid(people[1], 4);
        assertPlaced(sign(people[1], other), other);
    }

    function test_placeSigned_placesEightyOrdersOfAnOwner() public {
        SignedOrder[] memory orders = new SignedOrder[](80);
        for (uint8 i = 0; i < 80; ++i) {
            orders[i] = sign(people[0], goodBid(people[0], 79 - i));
        }
        exchange.placeSigned(orders, noSlots);
        assertEq(orderCount(), 80);
        (, uint32 epoch, uint64 lastRound, uint80 used) = treasury.accountOf(people[0].addr);
        assertEq(used, type(uint80).max);
        assertEq(lastRound, round);
        assertEq(epoch, 0, "the bits stop short of the epoch");
    }

    function testFuzz_placeSigned_skipsWhen_indexIsOutOfRange(uint8 index) public {
        OrderTerms memory order = goodBid(people[0], uint8(bound(index, 80, 255)));
        assertSkipped(
            sign(people[0], order),
            order,
            abi.encodeWithSelector(ITreasury.Treasury_IndexOutOfRange.selector, order.index, 80)
        );
    }

    /// @dev What was passed over is not used up: with money behind it, the same signature is good.
    function test_placeSigned_placesASkippedOrderLater() public {
        User memory poor = makeUser("poor");
        OrderTerms memory order = goodBid(poor, 0);
        SignedOrder memory packed = sign(poor, order);
        uint256 cost = 100 * priceOf(TICK);
        assertSkipped(
            packed, order, abi.encodeWithSelector(ITreasury.Treasury_InsufficientCash.selector, poor.addr, 0, cost)
        );
        dollar.mint(poor.addr, cost);
        vm.prank(poor.addr);
        dollar.approve(address(treasury), cost);
        assertPlaced(packed, order);
        assertEq(moneyOf(poor.addr), 0);
    }

    /* THE ROUND */

    function testFuzz_placeSigned_skipsWhen_roundIsAnother(uint40 named) public {
        OrderTerms memory order = goodBid(people[0], 0);
        vm.assume(named != order.round);
        order.round = named;
        assertSkipped(sign(people[0], order), order, _wrongRound(order));
    }

    /// @dev Placed or not, in its round or ever after.
    function testFuzz_placeSigned_skipsWhen_itsRoundIsOver(uint8 rounds, bool wasPlaced) public {
        OrderTerms memory order = goodBid(people[0], 0);
        SignedOrder memory packed = sign(people[0], order);
        if (wasPlaced) assertPlaced(packed, order);
        skip(ROUND - 1);
        if (!wasPlaced) {
            uint256 state = vm.snapshotState();
            assertPlaced(packed, order);
            vm.revertToState(state);
        }
        skip(1 + uint256(rounds) * ROUND);
        assertSkipped(packed, order, _wrongRound(order));
    }

    function testFuzz_placeSigned_takesTheIndexAgainNextRound(uint8 index) public {
        index = uint8(bound(index, 0, 79));
        OrderTerms memory order = goodBid(people[0], index);
        assertPlaced(sign(people[0], order), order);
        nextRound();
        order = goodBid(people[0], index);
        assertPlaced(sign(people[0], order), order);
        assertSkipped(sign(people[0], order), order, _indexUsed(order));
        (,, uint64 lastRound, uint80 used) = treasury.accountOf(people[0].addr);
        assertEq(lastRound, round + 1);
        assertEq(used, uint80(1) << index);
    }

    /* THE EPOCH */

    function testFuzz_placeSigned_skipsWhen_ownerRevoked(uint8 times) public {
        OrderTerms memory order = goodBid(people[0], 0);
        SignedOrder memory packed = sign(people[0], order);
        uint32 epoch = 1 + times % 5;
        for (uint256 i = 0; i < epoch; ++i) {
            vm.prank(people[0].addr);
            exchange.revokeSigned();
        }
        assertSkipped(packed, order, _wrongEpoch(order, epoch));
        OrderTerms memory other = goodBid(people[1], 0);
        assertPlaced(sign(people[1], other), other);
        order.epoch = epoch;
        assertPlaced(sign(people[0], order), order);
    }

    function testFuzz_placeSigned_skipsWhen_epochIsAhead(uint24 epoch) public {
        OrderTerms memory order = goodBid(people[0], 0);
        order.epoch = uint32(bound(epoch, 1, type(uint24).max));
        assertSkipped(sign(people[0], order), order, _wrongEpoch(order, 0));
    }

    /// @dev Revoking after one was placed does not make its index free: the epoch is part of what is signed.
    function test_placeSigned_keepsUsedIndicesWhen_ownerRevoked() public {
        OrderTerms memory order = goodBid(people[0], 0);
        assertPlaced(sign(people[0], order), order);
        vm.prank(people[0].addr);
        exchange.revokeSigned();
        order.epoch = 1;
        assertSkipped(sign(people[0], order), order, _indexUsed(order));
        order.index = 1;
        assertPlaced(sign(people[0], order), order);
    }

    /* THE RELAYER */

    /// @dev A relayer that gives too little gas spoils its own call at most: every order is placed then or later.
    function testFuzz_placeSigned_losesNoOrderWhen_relayerSavesGas(uint256 gas_) public {
        SignedOrder[] memory orders = new SignedOrder[](4);
        for (uint8 i = 0; i < 4; ++i) {
            orders[i] = sign(people[i], goodBid(people[i], 0));
        }
        gas_ = bound(gas_, 50_000, 900_000);
        try exchange.placeSigned{gas: gas_}(orders, noSlots) {} catch {}
        uint32 first = orderCount();
        assertLe(first, 4);
        exchange.placeSigned(orders, noSlots);
        assertEq(orderCount(), 4, "all of them, once");
        for (uint256 i = 0; i < 4; ++i) {
            assertEq(moneyOf(people[i].addr), moneyBefore[people[i].addr] - 100 * priceOf(TICK));
        }
    }

    /// @dev An offer of 168 hours in fresh calendar words is the dearest order there is.
    function test_placeSigned_placesTheDearestOffer() public {
        OrderTerms memory order = terms(provider.addr, Kind.OFFER, TICK, 100, 0);
        (order.site, order.product) = (sites[0], productIn(2, EU_WEST, 2, 24, 168));
        relayOne(sign(provider, order));
        (, uint32 count,,,) = exchange.bookOf(order.product);
        assertEq(count, 1);
    }
}
