// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IExchange} from "../../../../contracts/interfaces/IExchange.sol";
import {Kind, Order} from "../../../../contracts/types/Order.sol";
import {SignedOrder} from "../../../../contracts/types/SignedOrder.sol";
import {OrderTerms} from "../../support/OrderTerms.sol";
import {Rounds} from "./Rounds.sol";

/// @title Signing
/// @notice Orders as their owners sign them, relayed one by one or in batches.
abstract contract Signing is Rounds {
    uint32[] internal noSlots;

    /* SIGN */

    function terms(address owner, Kind kind, uint16 tick, uint64 units, uint8 index)
        internal
        view
        returns (OrderTerms memory)
    {
        (, uint32 epoch,,) = treasury.accountOf(owner);
        return OrderTerms({
            owner: owner,
            kind: uint8(kind),
            site: 0,
            product: product,
            tick: tick,
            units: units,
            round: exchange.currentRound(),
            index: index,
            epoch: epoch
        });
    }

    function goodBid(User memory owner, uint8 index) internal view returns (OrderTerms memory) {
        return terms(owner.addr, Kind.BID, TICK, 100, index);
    }

    function sign(User memory signer, OrderTerms memory order) internal view returns (SignedOrder memory) {
        return order.pack(signatureOf(signer, digestOf(order)));
    }

    /* RELAY */

    function one(SignedOrder memory order) internal pure returns (SignedOrder[] memory orders) {
        orders = new SignedOrder[](1);
        orders[0] = order;
    }

    function two(SignedOrder memory first, SignedOrder memory second)
        internal
        pure
        returns (SignedOrder[] memory orders)
    {
        orders = new SignedOrder[](2);
        (orders[0], orders[1]) = (first, second);
    }

    function relayOne(SignedOrder memory order) internal {
        exchange.placeSigned(one(order), noSlots);
    }

    /// @dev Relays it and expects that it is passed over, for exactly this reason; nothing changes.
    function assertSkipped(SignedOrder memory order, OrderTerms memory read, bytes memory reason) internal {
        uint32 before = orderCount();
        uint256 money = moneyOf(read.owner);
        expectSkipped(read, 0, reason);
        relayOne(order);
        assertEq(orderCount(), before, "nothing stands");
        assertEq(moneyOf(read.owner), money, "nothing is paid");
    }

    function expectSkipped(OrderTerms memory read, uint256 position, bytes memory reason) internal {
        vm.expectEmit(address(exchange));
        emit IExchange.OrderSkipped(read.product, read.owner, position, reason);
    }

    function assertPlaced(SignedOrder memory order, OrderTerms memory read) internal {
        uint32 before = orderCount();
        relayOne(order);
        assertStands(before, read);
        assertEq(orderCount(), before + 1, "it stands");
    }

    function assertStands(uint32 slot, OrderTerms memory read) internal view {
        (Order order, bool settled) = orderAt(slot);
        bool isOffer = read.kind == uint8(Kind.OFFER);
        assertEq(order.principalOf(), isOffer ? read.site : uint160(read.owner), "principal");
        assertEq(order.tickOf(), read.tick, "tick");
        assertEq(order.unitsOf(), read.units, "units");
        assertFalse(settled, "settled");
    }

    function orderCount() internal view returns (uint32 count) {
        (, count,,,) = exchange.bookOf(product);
    }

    function badSignature(OrderTerms memory order) internal view returns (bytes memory) {
        return abi.encodeWithSelector(IExchange.Exchange_BadSignature.selector, order.owner, digestOf(order));
    }
}
