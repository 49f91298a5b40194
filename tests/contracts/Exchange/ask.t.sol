// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IExchange} from "../../../contracts/interfaces/IExchange.sol";
import {Kind, Order} from "../../../contracts/types/Order.sol";
import {OrderTest} from "./support/OrderTest.sol";
import {IERC1155Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

contract Exchange_ask_Test is OrderTest {
    function setUp() public override {
        super.setUp();
        stock(people[0].addr, 1e9);
        openAccounts();
    }

    function place(uint256 product_, uint16 tick, uint64 units) internal override {
        askAs(people[0].addr, product_, tick, units);
    }

    function placePoor(uint256 product_, uint16 tick, uint64 units) internal override {
        askAs(thief.addr, product_, tick, units);
    }

    function poorReason(uint256 product_, uint16, uint64 units) internal view override returns (bytes memory) {
        return insufficient(thief.addr, 0, units, product_);
    }

    function insufficient(address owner, uint256 balance, uint256 needed, uint256 id)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodeWithSelector(IERC1155Errors.ERC1155InsufficientBalance.selector, owner, balance, needed, id);
    }

    function isBid() internal pure override returns (bool) {
        return false;
    }

    function testFuzz_ask_revertsWhen_ordersArePaused(uint16 tick, uint64 units) public {
        assertPausable(tick, units);
    }

    /* UNITS */

    function testFuzz_ask_escrowsItsUnits(uint16 tick, uint64 units) public {
        tick = uint16(bound(tick, 1, 1023));
        units = uint64(bound(units, MIN_UNITS, 1e9));
        assertFalse(capacity.isApprovedForAll(people[0].addr, address(exchange)), "needs no approval");
        placeAsk(people[0], tick, units);
        assertEq(unitsOf(people[0].addr), 1e9 - units, "owner");
        assertEq(unitsOf(address(exchange)), units, "exchange");
        assertEq(moneyOf(people[0].addr), moneyBefore[people[0].addr], "money");
        assertEq(escrowOf(product), 0, "escrow");
    }

    function testFuzz_ask_revertsWhen_unitsAreNotHeld(uint64 units) public {
        units = uint64(bound(units, 1e9 + 1, UNITS_MAX));
        vm.expectRevert(insufficient(people[0].addr, 1e9, units, product));
        place(product, TICK, units);
    }

    function testFuzz_ask_revertsWhen_unitsAreOfAnotherProduct(uint64 units) public {
        units = uint64(bound(units, MIN_UNITS, 1e9));
        uint256 other = startingAt(thisHour() + 25);
        vm.expectRevert(insufficient(people[0].addr, 0, units, other));
        place(other, TICK, units);
    }

    /// @dev What stands in the book already cannot be asked twice.
    function test_ask_revertsWhen_unitsAreInTheBook() public {
        placeAsk(people[0], TICK, 1e9);
        vm.expectRevert(insufficient(people[0].addr, 0, MIN_UNITS, product));
        place(product, TICK, MIN_UNITS);
    }

    function testFuzz_ask_revertsWhen_unitsPass32Bits(uint64 units) public {
        units = uint64(bound(units, 2 ** 32, type(uint64).max));
        vm.expectRevert(abi.encodeWithSelector(IExchange.Exchange_TooManyUnits.selector, units, UNITS_MAX));
        place(product, TICK, units);
    }

    /* THE ORDER */

    function testFuzz_ask_standsBehindOffersAtItsTick(uint16 tick, uint32 first, uint32 second) public {
        tick = uint16(bound(tick, 1, 1023));
        uint64 before = uint64(bound(first, MIN_UNITS, 1e9));
        uint64 units = uint64(bound(second, MIN_UNITS, 1e9));
        placeOffer(sites[0], tick, before);
        // principal 160 | kind 2 | tick 10 | round 20 | prefix 32 | units 32.
        uint256 word = uint256(uint160(people[0].addr)) * 4 + uint256(Kind.ASK);
        Order order = Order.wrap(((word * 2 ** 10 + tick) * 2 ** 52 + before) * 2 ** 32 + units);
        vm.expectEmit(address(exchange));
        emit IExchange.OrderPlaced(product, people[0].addr, 1, order);
        vm.prank(people[0].addr);
        assertEq(exchange.ask(product, tick, units), 1, "index");
        (Order placed_, bool settled) = orderAt(1);
        assertEq(Order.unwrap(placed_), Order.unwrap(order));
        assertFalse(settled);
    }
}
