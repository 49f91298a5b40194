// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IExchange} from "../../../contracts/interfaces/IExchange.sol";
import {ITreasury} from "../../../contracts/interfaces/ITreasury.sol";
import {Kind} from "../../../contracts/types/Order.sol";
import {SignedOrder} from "../../../contracts/types/SignedOrder.sol";
import {OrderTerms} from "../support/OrderTerms.sol";
import {OrderTest} from "./support/OrderTest.sol";
import {Signing} from "./support/Signing.sol";
import {IERC1155Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

/// @dev Called as Exchange calls itself.
contract Exchange_placeOne_Test is OrderTest, Signing {
    uint32 private constant APPEND = type(uint32).max;

    bytes private _reason;
    uint8 private _index;

    function place(uint256 product_, uint16 tick, uint64 units) internal override {
        _place(people[0], product_, tick, units);
    }

    function placePoor(uint256 product_, uint16 tick, uint64 units) internal override {
        _place(thief, product_, tick, units);
    }

    function poorReason(uint256, uint16 tick, uint64 units) internal view override returns (bytes memory) {
        return
            abi.encodeWithSelector(ITreasury.Treasury_InsufficientCash.selector, thief.addr, 0, units * priceOf(tick));
    }

    function isBid() internal pure override returns (bool) {
        return true;
    }

    function carries(uint256 product_) internal pure override returns (bool) {
        return product_ < 2 ** 88;
    }

    /// @dev The pause is the whole batch's, and comes before any order.
    function test_place_namesTheFirstThatFailsWhen_manyDo() public override {
        climb(true, false);
    }

    function _place(User memory owner, uint256 product_, uint16 tick, uint64 units) private {
        OrderTerms memory order = terms(owner.addr, Kind.BID, tick, units, _index++);
        order.product = product_;
        _placeOne(sign(owner, order));
    }

    /// @dev Said now, expected of the very call.
    function expectRefusal(bytes memory reason) internal override {
        _reason = reason;
    }

    function _placeOne(SignedOrder memory order) private {
        if (_reason.length != 0) vm.expectRevert(_reason);
        delete _reason;
        vm.prank(address(exchange));
        exchange.placeOne(order, APPEND);
    }

    function testFuzz_placeOne_revertsWhen_callerIsNotExchange(address caller) public {
        vm.assume(caller != address(exchange));
        SignedOrder memory order = sign(people[0], goodBid(people[0], 0));
        vm.expectRevert(abi.encodeWithSelector(IExchange.Exchange_OnlySelf.selector, caller));
        vm.prank(caller);
        exchange.placeOne(order, APPEND);
    }

    /// @dev From the caller to the units held, all wrong at first and put right one by one; what {bid} requires is
    /// climbed above.
    function test_placeOne_namesTheFirstThatFails() public {
        OrderTerms memory order = terms(people[0].addr, Kind.ASK, 0, 100, 80);
        (order.round, order.kind, order.epoch) = (round + 1, 9, 1);
        SignedOrder memory packed = order.pack("");
        vm.expectRevert(abi.encodeWithSelector(IExchange.Exchange_OnlySelf.selector, address(this)));
        exchange.placeOne(packed, APPEND);
        expectRefusal(abi.encodeWithSelector(IExchange.Exchange_WrongRound.selector, round + 1, round));
        _placeOne(packed);
        order.round = round;
        expectRefusal(badSignature(order));
        _placeOne(order.pack(""));
        expectRefusal(abi.encodeWithSelector(IExchange.Exchange_UnknownKind.selector, 9));
        _placeOne(sign(people[0], order));
        order.kind = uint8(Kind.ASK);
        expectRefusal(abi.encodeWithSelector(IExchange.Exchange_TickOutOfRange.selector, 0, 1023));
        _placeOne(sign(people[0], order));
        order.tick = TICK;
        expectRefusal(abi.encodeWithSelector(ITreasury.Treasury_WrongEpoch.selector, order.owner, 1, 0));
        _placeOne(sign(people[0], order));
        order.epoch = 0;
        expectRefusal(abi.encodeWithSelector(ITreasury.Treasury_IndexOutOfRange.selector, 80, 80));
        _placeOne(sign(people[0], order));
        order.index = 0;
        expectRefusal(
            abi.encodeWithSelector(IERC1155Errors.ERC1155InsufficientBalance.selector, order.owner, 0, 100, product)
        );
        _placeOne(sign(people[0], order));
        stock(people[0].addr, 100);
        _placeOne(sign(people[0], order));
    }

    function testFuzz_placeOne_givesTheSlotItUsed(uint8 orders, uint32 freeSlot) public {
        for (uint256 i = 0; i < orders % 8; ++i) {
            placeBid(people[1], TICK, 100);
        }
        SignedOrder memory order = sign(people[0], goodBid(people[0], 0));
        vm.prank(address(exchange));
        assertEq(exchange.placeOne(order, freeSlot), orders % 8, "none is free yet");
    }
}
