// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IExchange} from "../../../contracts/interfaces/IExchange.sol";
import {IStandard} from "../../../contracts/interfaces/IStandard.sol";
import {ITreasury} from "../../../contracts/interfaces/ITreasury.sol";
import {Book} from "../../../contracts/types/Book.sol";
import {Kind, Order} from "../../../contracts/types/Order.sol";
import {OrderTest} from "./support/OrderTest.sol";
import {Wallet} from "./support/Wallet.sol";

contract Exchange_bid_Test is OrderTest {
    function place(uint256 product_, uint16 tick, uint64 units) internal override {
        bidAs(people[0].addr, product_, tick, units);
    }

    function placePoor(uint256 product_, uint16 tick, uint64 units) internal override {
        bidAs(thief.addr, product_, tick, units);
    }

    function poorReason(uint256, uint16 tick, uint64 units) internal view override returns (bytes memory) {
        return
            abi.encodeWithSelector(ITreasury.Treasury_InsufficientCash.selector, thief.addr, 0, units * priceOf(tick));
    }

    function isBid() internal pure override returns (bool) {
        return true;
    }

    function testFuzz_bid_revertsWhen_ordersArePaused(uint16 tick, uint64 units) public {
        assertPausable(tick, units);
    }

    /* MONEY */

    function testFuzz_bid_escrowsItsWholeLimit(uint16 tick, uint64 units) public {
        tick = uint16(bound(tick, 1, 1023));
        units = uint64(bound(units, MIN_UNITS, UNITS_MAX));
        uint256 cash = treasury.cashOf(people[0].addr);
        uint256 held = dollar.balanceOf(address(treasury));
        placeBid(people[0], tick, units);
        assertEq(treasury.cashOf(people[0].addr), cash - units * priceOf(tick), "cash");
        assertEq(escrowOf(product), units * priceOf(tick), "escrow");
        assertEq(dollar.balanceOf(address(treasury)), held, "no money moved");
    }

    function testFuzz_bid_costsItsPriceForEveryHour(uint16 length, uint8 tier) public {
        length = uint16(bound(length, 1, 168));
        tier = uint8(bound(tier, 1, 3));
        uint16 area = [FRANKFURT, EU_WEST, 0][tier - 1];
        uint256 window = productOf(AI_LARGE, tier, area, 2, thisHour() + 24, length);
        bidAs(people[0].addr, window, TICK, 100);
        assertEq(escrowOf(window), 100 * uint256(length) * priceOf(TICK) / HOURS);
    }

    /// @dev Cash first, then the allowance, to the micro; one micro less and it is refused.
    function testFuzz_bid_pullsFromTheAllowanceWhatCashDoesNotCover(uint64 units, uint256 cash, uint256 missing)
        public
    {
        units = uint64(bound(units, MIN_UNITS, UNITS_MAX));
        uint256 cost = units * priceOf(TICK);
        cash = bound(cash, 0, cost - 1);
        missing = bound(missing, 0, 1);
        address owner = makeAddr("newcomer");
        dollar.mint(owner, cost - missing);
        vm.startPrank(owner);
        dollar.approve(address(treasury), type(uint256).max);
        if (cash != 0) treasury.deposit(cash - (cash > missing ? missing : 0));
        vm.stopPrank();
        cash = treasury.cashOf(owner);
        if (missing != 0) {
            vm.expectRevert(
                abi.encodeWithSelector(ITreasury.Treasury_InsufficientCash.selector, owner, cost - missing, cost)
            );
        } else {
            vm.expectEmit(address(treasury));
            emit ITreasury.Deposited(owner, cost - cash);
        }
        bidAs(owner, product, TICK, units);
        assertEq(moneyOf(owner), missing == 0 ? 0 : cost - missing);
    }

    function testFuzz_bid_revertsWhen_allowanceIsShort(uint256 allowed) public {
        address owner = makeAddr("newcomer");
        uint256 cost = 100 * priceOf(TICK);
        allowed = bound(allowed, 0, cost - 1);
        dollar.mint(owner, 2 * cost);
        vm.prank(owner);
        dollar.approve(address(treasury), allowed);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_InsufficientCash.selector, owner, allowed, cost));
        bidAs(owner, product, TICK, 100);
    }

    function testFuzz_bid_revertsWhen_unitsPass32Bits(uint64 units) public {
        units = uint64(bound(units, 2 ** 32, type(uint64).max));
        vm.expectRevert(abi.encodeWithSelector(IExchange.Exchange_TooManyUnits.selector, units, UNITS_MAX));
        place(product, TICK, units);
    }

    /* THE ORDER */

    function testFuzz_bid_standsAsOneSlot(uint16 tick, uint32 first, uint32 second, uint8 rounds) public {
        tick = uint16(bound(tick, 1, 1023));
        uint64 before = uint64(bound(first, MIN_UNITS, UNITS_MAX - MIN_UNITS));
        uint64 units = uint64(bound(second, MIN_UNITS, UNITS_MAX - before));
        placeBid(people[1], TICK, 100);
        for (uint256 i = 0; i < rounds % 32; ++i) {
            nextRound();
        }
        bidAs(people[1].addr, product, tick, before);
        vm.prank(people[0].addr, people[0].addr);
        assertEq(exchange.bid(product, tick, units), 2, "index");
        (Order order, bool settled) = exchange.orderOf(product, 2);
        assertEq(order.principalOf(), uint160(people[0].addr), "owner");
        assertEq(uint256(order.kindOf()), uint256(Kind.BID_BY_KEY), "kind");
        assertEq(order.tickOf(), tick, "tick");
        assertEq(order.roundOf(), rounds % 32, "round");
        // Of another round nothing stands before it, even at the same tick.
        assertEq(order.prefixOf(), before + (rounds % 32 == 0 && tick == TICK ? 100 : 0), "prefix");
        assertEq(order.unitsOf(), units, "units");
        assertFalse(settled, "settled");
    }

    function testFuzz_bid_emitsTheOrder(uint16 tick, uint64 units) public {
        tick = uint16(bound(tick, 1, 1023));
        units = uint64(bound(units, MIN_UNITS, UNITS_MAX));
        // firstRound 40 | orders 32 | tickSize 32 | minUnits 32 | escrow 112.
        Book book = Book.wrap(((uint256(round) * 2 ** 64 + TICK_SIZE) * 2 ** 32 + MIN_UNITS) * 2 ** 112);
        // principal 160 | kind 2 | tick 10 | round 20 | prefix 32 | units 32.
        uint256 word = uint256(uint160(people[0].addr)) * 4 + uint256(Kind.BID_BY_KEY);
        Order order = Order.wrap((word * 2 ** 10 + tick) * 2 ** 84 + units);
        vm.expectEmit(address(exchange));
        emit IExchange.BookOpened(product, book);
        vm.expectEmit(address(exchange));
        emit IExchange.OrderPlaced(product, people[0].addr, 0, order);
        vm.prank(people[0].addr, people[0].addr);
        exchange.bid(product, tick, units);
    }

    function test_bid_isNotByKeyWhen_aContractSendsIt() public {
        Wallet wallet = new Wallet(people[0].addr);
        enrich(address(wallet));
        wallet.act(address(exchange), abi.encodeCall(exchange.bid, (product, TICK, 100)));
        (Order order,) = orderAt(0);
        assertEq(order.principalOf(), uint160(address(wallet)));
        assertEq(uint256(order.kindOf()), uint256(Kind.BID));
    }

    /* THE BOOK */

    function test_bid_keepsTheBooksTermsWhen_theStandardChanges() public {
        placeBid(people[0], TICK, 100);
        vm.prank(committee);
        standard.setClass(
            AI_LARGE, IStandard.ClassTerms("AI_LARGE", "1/1000 H100", 80, 2 * TICK_SIZE, 2 * MIN_UNITS, BOND_PRICE)
        );
        uint256 escrow = escrowOf(product);
        placeBid(people[0], TICK, MIN_UNITS);
        assertEq(escrowOf(product), escrow + MIN_UNITS * priceOf(TICK), "the old tick size");

        uint256 later = startingAt(thisHour() + 25);
        vm.expectRevert(abi.encodeWithSelector(IExchange.Exchange_TooFewUnits.selector, MIN_UNITS, 2 * MIN_UNITS));
        bidAs(people[0].addr, later, TICK, MIN_UNITS);
        bidAs(people[0].addr, later, TICK, 2 * MIN_UNITS);
        assertEq(escrowOf(later), 2 * MIN_UNITS * 2 * priceOf(TICK), "the new one");
    }

    /// @dev The last round that 20 bits count, of the furthest product there can be.
    function test_bid_countsRoundsTo20BitsWhen_deliveryIsFurthest() public {
        goTo(vm.getBlockTimestamp() - vm.getBlockTimestamp() % 1 hours + 1 hours + 44 minutes);
        uint256 far = startingAt(thisHour() + HOURS_AHEAD_MAX);
        vm.expectRevert(
            abi.encodeWithSelector(IExchange.Exchange_TradingNotOpen.selector, far, ROUNDS_MAX, ROUNDS_MAX - 1)
        );
        bidAs(people[0].addr, far, TICK, 100);
        nextRound();
        bidAs(people[0].addr, far, TICK, 100);
        goTo(startOf(far) - LEAD - ROUND);
        bidAs(people[0].addr, far, TICK, 200);
        (Order order,) = exchange.orderOf(far, 1);
        assertEq(order.roundOf(), ROUNDS_MAX - 1 - LEAD / ROUND - 1);
        assertEq(order.prefixOf(), 0, "of its own round");
        uint64 last = nextRound();
        exchange.clear(far, last);
        uint256 money = moneyOf(people[0].addr);
        exchange.settle(far, last, firstIndices(2));
        assertEq(moneyOf(people[0].addr), money + 200 * priceOf(TICK), "its own and no other");
    }
}
