// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {ITreasury} from "../../../contracts/interfaces/ITreasury.sol";
import {CASH_MAX} from "../../../contracts/types/Account.sol";
import {Puppet} from "../support/recipients/Puppet.sol";
import {BlockDollar} from "../support/tokens/BlockDollar.sol";
import {FalseDollar} from "../support/tokens/FalseDollar.sol";
import {FeeDollar} from "../support/tokens/FeeDollar.sol";
import {HookDollar} from "../support/tokens/HookDollar.sol";
import {SilentDollar} from "../support/tokens/SilentDollar.sol";
import {Accounts} from "./Accounts.sol";

contract Treasury_withdraw_Test is Accounts {
    function testFuzz_withdraw_paysOut(uint256 cash, uint256 amount, address to) public {
        cash = bound(cash, 1, CASH_MAX);
        amount = bound(amount, 1, cash);
        vm.assume(to != address(0) && to != address(treasury));
        address owner = ownerWith(cash, 0, 0);
        (uint256 before, uint256 had) = (held(), dollar.balanceOf(to));

        vm.expectEmit(address(treasury));
        emit ITreasury.Withdrawn(owner, to, amount);
        vm.prank(owner);
        treasury.withdraw(amount, to);

        assertEq(treasury.cashOf(owner), cash - amount);
        assertEq(dollar.balanceOf(to), had + amount);
        assertEq(held(), before - amount);
    }

    function testFuzz_withdraw_leavesTheRestOfTheAccount(uint256 amount, uint40 round, uint8 index) public {
        amount = bound(amount, 1, CASH_MAX);
        index = uint8(bound(index, 0, 79));
        address owner = ownerWith(amount, 0, 0);
        revoke(owner);
        escrowSigned(owner, 0, round, index, 1);
        vm.prank(owner);
        treasury.withdraw(amount, owner);
        (uint256 cash, uint32 epoch, uint64 lastRound, uint80 used) = treasury.accountOf(owner);
        assertEq(cash, 0);
        assertEq(epoch, 1);
        assertEq(lastRound, round);
        assertEq(used, 2 ** uint256(index));
    }

    function test_withdraw_worksWhen_theMarketIsPaused() public {
        vm.startPrank(guardian);
        exchange.setOrdersPaused(true);
        capacity.setIssuePaused(true);
        vm.stopPrank();
        uint256 cash = treasury.cashOf(buyer.addr);
        vm.prank(buyer.addr);
        treasury.withdraw(cash, buyer.addr);
        assertEq(treasury.cashOf(buyer.addr), 0);
    }

    /* REVERTS */

    function test_withdraw_revertsWhen_amountIsZero() public {
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_ZeroAmount.selector));
        vm.prank(buyer.addr);
        treasury.withdraw(0, buyer.addr);
    }

    function test_withdraw_revertsWhen_payeeIsZero() public {
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_ZeroAddress.selector));
        vm.prank(buyer.addr);
        treasury.withdraw(1, address(0));
    }

    function testFuzz_withdraw_revertsWhen_cashIsShort(uint256 cash, uint256 amount) public {
        cash = bound(cash, 0, CASH_MAX);
        amount = bound(amount, cash + 1, type(uint256).max);
        address owner = ownerWith(cash, FUNDS, type(uint256).max);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_InsufficientCash.selector, owner, cash, amount));
        vm.prank(owner);
        treasury.withdraw(amount, owner);
    }

    /// @dev What stands in the market's pots is nobody's cash.
    function test_withdraw_revertsWhen_moneyIsEscrowed() public {
        uint256 cash = treasury.cashOf(buyer.addr);
        escrow(buyer.addr, 1);
        vm.expectRevert(
            abi.encodeWithSelector(ITreasury.Treasury_InsufficientCash.selector, buyer.addr, cash - 1, cash)
        );
        vm.prank(buyer.addr);
        treasury.withdraw(cash, buyer.addr);
    }

    function test_withdraw_revertsWith_theFirstOfSeveral() public {
        vm.startPrank(thief.addr);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_ZeroAmount.selector));
        treasury.withdraw(0, address(0));
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_ZeroAddress.selector));
        treasury.withdraw(1, address(0));
        vm.stopPrank();
    }

    /* TOKENS THAT ARE NOT PLAIN */

    function testFuzz_withdraw_stopsNobodyElseWhen_payeeIsBlocked(uint256 amount) public {
        amount = bound(amount, 1, FUNDS / 2);
        upgradeToken(address(new BlockDollar()));
        BlockDollar(address(dollar)).setBlocked(buyer.addr, true);
        uint256 cash = treasury.cashOf(buyer.addr);

        vm.expectRevert(abi.encodeWithSelector(BlockDollar.BlockDollar_Blocked.selector, buyer.addr));
        vm.prank(buyer.addr);
        treasury.withdraw(amount, buyer.addr);
        assertEq(treasury.cashOf(buyer.addr), cash);

        uint256 had = dollar.balanceOf(reseller.addr);
        vm.prank(reseller.addr);
        treasury.withdraw(amount, reseller.addr);
        // The blocked owner may name another payee.
        vm.prank(buyer.addr);
        treasury.withdraw(amount, reseller.addr);
        assertEq(dollar.balanceOf(reseller.addr), had + 2 * amount);
    }

    /// @dev A blocked seller does not stop the buyer's settlement, nor does a blocked buyer the seller's: payments are
    /// credits.
    function testFuzz_withdraw_isTheOnlyThingThatABlockStops(bool seller) public {
        uint32 site = attestedSite(provider.addr, 10);
        uint256 product = tomorrow();
        upgradeToken(address(new BlockDollar()));
        BlockDollar(address(dollar)).setBlocked(seller ? provider.addr : buyer.addr, true);
        sell(site, product, TICK, 100);
        assertEq(capacity.balanceOf(buyer.addr, product), 100);
        (uint64 units, uint256 bond) = delivery.obligationOf(product, site);
        assertEq(units, 100);
        assertGt(bond, 0);
    }

    function test_withdraw_revertsWhen_tokenReturnsFalse() public {
        upgradeToken(address(new FalseDollar()));
        uint256 cash = treasury.cashOf(buyer.addr);
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(dollar)));
        vm.prank(buyer.addr);
        treasury.withdraw(1, buyer.addr);
        assertEq(treasury.cashOf(buyer.addr), cash);
    }

    function testFuzz_withdraw_worksWhen_tokenReturnsNothing(uint256 cash, uint256 amount) public {
        cash = bound(cash, 1, CASH_MAX);
        amount = bound(amount, 1, cash);
        SilentDollar token = new SilentDollar();
        useToken(address(token));
        token.mint(buyer.addr, cash);
        vm.startPrank(buyer.addr);
        token.approve(address(treasury), cash);
        treasury.deposit(cash);
        treasury.withdraw(amount, thief.addr);
        vm.stopPrank();
        assertEq(token.balanceOf(thief.addr), amount);
        assertEq(token.balanceOf(address(treasury)), cash - amount);
    }

    /// @dev A token that starts to take fees costs the one who withdraws, not those who stay.
    function testFuzz_withdraw_costsThePayeeWhen_tokenTakesAFee(uint256 amount) public {
        amount = bound(amount, 1, FUNDS / 2);
        upgradeToken(address(new FeeDollar()));
        uint256 fee = FeeDollar(address(dollar)).feeOf(amount);
        uint256 before = held();
        vm.prank(buyer.addr);
        treasury.withdraw(amount, thief.addr);
        assertEq(held(), before - amount);
        assertEq(dollar.balanceOf(thief.addr), amount - fee);
    }

    /* TOKENS THAT CALL BACK */

    function testFuzz_withdraw_paysOnceWhen_tokenCallsBack(uint256 cash, uint256 amount) public {
        cash = bound(cash, 2, CASH_MAX);
        amount = bound(amount, 1, cash - 1);
        Puppet puppet = puppetWith(cash, 0);
        upgradeToken(address(new HookDollar()));
        puppet.plan(address(treasury), abi.encodeCall(ITreasury.withdraw, (1, address(puppet))));
        puppet.plan(address(treasury), abi.encodeCall(ITreasury.deposit, (amount)));
        puppet.act(address(treasury), abi.encodeCall(ITreasury.withdraw, (amount, address(puppet))));

        for (uint256 i = 0; i < 2; ++i) {
            bytes memory guard = abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
            assertTrue(puppet.wasRefused(i, guard));
        }
        assertEq(treasury.cashOf(address(puppet)), cash - amount);
        assertEq(dollar.balanceOf(address(puppet)), amount);
    }

    /// @dev The payee may spend what is left of its cash while it is paid, and no more than that.
    function test_withdraw_leavesOnlyTheRestWhen_tokenCallsBackIntoABid() public {
        uint256 product = tomorrow();
        bidAs(buyer.addr, product, TICK, MIN_UNITS);
        (,,,, uint256 cost) = exchange.bookOf(product);
        Puppet puppet = puppetWith(cost, 0);
        vm.prank(address(puppet));
        dollar.approve(address(treasury), 0);
        upgradeToken(address(new HookDollar()));
        puppet.plan(address(exchange), abi.encodeCall(exchange.bid, (product, TICK, MIN_UNITS)));
        puppet.act(address(treasury), abi.encodeCall(ITreasury.withdraw, (1, address(puppet))));
        assertFalse(puppet.answerOf(0).done);
        bytes memory refused =
            abi.encodeWithSelector(ITreasury.Treasury_InsufficientCash.selector, address(puppet), cost - 1, cost);
        assertTrue(puppet.wasRefused(0, refused));
    }

    /// @dev It would be a gift to nobody.
    function testFuzz_withdraw_revertsWhen_payeeIsTreasury(uint256 amount) public {
        amount = bound(amount, 1, treasury.cashOf(buyer.addr));
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_ToItself.selector));
        vm.prank(buyer.addr);
        treasury.withdraw(amount, address(treasury));
    }
}
