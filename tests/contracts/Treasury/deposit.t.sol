// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {ITreasury} from "../../../contracts/interfaces/ITreasury.sol";
import {CASH_MAX} from "../../../contracts/types/Account.sol";
import {Puppet} from "../support/recipients/Puppet.sol";
import {BlockDollar} from "../support/tokens/BlockDollar.sol";
import {BonusDollar} from "../support/tokens/BonusDollar.sol";
import {FalseDollar} from "../support/tokens/FalseDollar.sol";
import {FeeDollar} from "../support/tokens/FeeDollar.sol";
import {HookDollar} from "../support/tokens/HookDollar.sol";
import {LiarDollar} from "../support/tokens/LiarDollar.sol";
import {SilentDollar} from "../support/tokens/SilentDollar.sol";
import {Accounts} from "./Accounts.sol";

contract Treasury_deposit_Test is Accounts {
    function testFuzz_deposit_turnsMoneyIntoCash(uint256 cash, uint256 wallet, uint256 amount) public {
        cash = bound(cash, 0, CASH_MAX / 2);
        wallet = bound(wallet, 1, CASH_MAX / 2);
        amount = bound(amount, 1, wallet);
        address owner = ownerWith(cash, wallet, amount);
        uint256 before = held();

        vm.expectEmit(address(treasury));
        emit ITreasury.Deposited(owner, amount);
        vm.prank(owner);
        treasury.deposit(amount);

        assertEq(treasury.cashOf(owner), cash + amount);
        assertEq(dollar.balanceOf(owner), wallet - amount);
        assertEq(held(), before + amount);
    }

    function testFuzz_deposit_leavesTheRestOfTheAccount(uint256 amount, uint40 round, uint8 index) public {
        amount = bound(amount, 1, CASH_MAX);
        index = uint8(bound(index, 0, 79));
        address owner = ownerWith(0, amount, amount);
        revoke(owner);
        escrowSigned(owner, 0, round, index, 1);
        vm.prank(owner);
        treasury.deposit(amount);
        (uint256 cash, uint32 epoch, uint64 lastRound, uint80 used) = treasury.accountOf(owner);
        assertEq(cash, amount);
        assertEq(epoch, 1);
        assertEq(lastRound, round);
        assertEq(used, 2 ** uint256(index));
    }

    /* REVERTS */

    function test_deposit_revertsWhen_amountIsZero() public {
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_ZeroAmount.selector));
        vm.prank(buyer.addr);
        treasury.deposit(0);
    }

    function testFuzz_deposit_revertsWhen_allowanceIsShort(uint256 amount, uint256 allowed) public {
        amount = bound(amount, 1, CASH_MAX);
        allowed = bound(allowed, 0, amount - 1);
        address owner = ownerWith(0, amount, allowed);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(treasury), allowed, amount)
        );
        vm.prank(owner);
        treasury.deposit(amount);
    }

    function testFuzz_deposit_revertsWhen_walletIsShort(uint256 amount, uint256 wallet) public {
        amount = bound(amount, 1, CASH_MAX);
        wallet = bound(wallet, 0, amount - 1);
        address owner = ownerWith(0, wallet, amount);
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, owner, wallet, amount));
        vm.prank(owner);
        treasury.deposit(amount);
    }

    function testFuzz_deposit_revertsWhen_cashWouldOverflow(uint256 cash, uint256 amount) public {
        cash = bound(cash, 1, CASH_MAX);
        amount = bound(amount, CASH_MAX - cash + 1, CASH_MAX);
        address owner = ownerWith(cash, amount, amount);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_CashOverflow.selector, owner, cash, amount));
        vm.prank(owner);
        treasury.deposit(amount);
    }

    function test_deposit_fillsAnAccountToTheLastUnit() public {
        address owner = ownerWith(CASH_MAX - 1, 1, 1);
        vm.prank(owner);
        treasury.deposit(1);
        assertEq(treasury.cashOf(owner), CASH_MAX);
    }

    /* TOKENS THAT ARE NOT PLAIN */

    function testFuzz_deposit_revertsWhen_tokenTakesAFee(uint256 amount) public {
        amount = bound(amount, 1, CASH_MAX);
        address owner = ownerWith(0, amount, amount);
        upgradeToken(address(new FeeDollar()));
        uint256 received = amount - FeeDollar(address(dollar)).feeOf(amount);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_WrongAmountReceived.selector, amount, received));
        vm.prank(owner);
        treasury.deposit(amount);
    }

    function testFuzz_deposit_revertsWhen_tokenGivesMore(uint256 amount) public {
        amount = bound(amount, 1, CASH_MAX);
        address owner = ownerWith(0, amount, amount);
        upgradeToken(address(new BonusDollar()));
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_WrongAmountReceived.selector, amount, amount + 1));
        vm.prank(owner);
        treasury.deposit(amount);
    }

    function testFuzz_deposit_revertsWhen_tokenMovesNothing(uint256 amount) public {
        amount = bound(amount, 1, CASH_MAX);
        address owner = ownerWith(0, amount, amount);
        upgradeToken(address(new LiarDollar()));
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_WrongAmountReceived.selector, amount, 0));
        vm.prank(owner);
        treasury.deposit(amount);
    }

    function test_deposit_revertsWhen_tokenReturnsFalse() public {
        upgradeToken(address(new FalseDollar()));
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(dollar)));
        vm.prank(buyer.addr);
        treasury.deposit(1);
    }

    function testFuzz_deposit_worksWhen_tokenReturnsNothing(uint256 amount) public {
        amount = bound(amount, 1, CASH_MAX);
        SilentDollar token = new SilentDollar();
        useToken(address(token));
        token.mint(buyer.addr, amount);
        vm.startPrank(buyer.addr);
        token.approve(address(treasury), amount);
        treasury.deposit(amount);
        vm.stopPrank();
        assertEq(treasury.cashOf(buyer.addr), amount);
        assertEq(token.balanceOf(address(treasury)), amount);
    }

    function test_deposit_revertsWhen_ownerIsBlocked() public {
        upgradeToken(address(new BlockDollar()));
        BlockDollar(address(dollar)).setBlocked(buyer.addr, true);
        vm.expectRevert(abi.encodeWithSelector(BlockDollar.BlockDollar_Blocked.selector, buyer.addr));
        vm.prank(buyer.addr);
        treasury.deposit(1);
        // One owner's block is no other's.
        vm.prank(reseller.addr);
        treasury.deposit(1);
    }

    /* TOKENS THAT CALL BACK */

    function _guarded(Puppet puppet, uint256 index) private view {
        bytes memory guard = abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        assertTrue(puppet.wasRefused(index, guard));
    }

    function testFuzz_deposit_countsOnceWhen_tokenCallsBack(uint256 first, uint256 second) public {
        first = bound(first, 1, CASH_MAX / 4);
        second = bound(second, 1, CASH_MAX / 4);
        Puppet puppet = puppetWith(first, first + second);
        upgradeToken(address(new HookDollar()));
        puppet.plan(address(treasury), abi.encodeCall(ITreasury.deposit, (second)));
        puppet.plan(address(treasury), abi.encodeCall(ITreasury.withdraw, (first, address(puppet))));
        puppet.act(address(treasury), abi.encodeCall(ITreasury.deposit, (first)));

        _guarded(puppet, 0);
        _guarded(puppet, 1);
        assertEq(treasury.cashOf(address(puppet)), first * 2);
        assertEq(dollar.balanceOf(address(puppet)), second);
    }

    /// @dev Money that comes in by another way while a deposit is under way is nobody's: the deposit fails.
    function test_deposit_revertsWhen_tokenCallsBackAndGives() public {
        Puppet puppet = puppetWith(0, 300);
        upgradeToken(address(new HookDollar()));
        puppet.plan(address(dollar), abi.encodeCall(dollar.transfer, (address(treasury), 100)));
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_WrongAmountReceived.selector, 200, 300));
        puppet.act(address(treasury), abi.encodeCall(ITreasury.deposit, (200)));
    }

    /// @dev Cash spent while the deposit is under way stays spent.
    function test_deposit_addsToWhatIsLeftWhen_tokenCallsBackIntoABid() public {
        Puppet puppet = puppetWith(FUNDS, FUNDS);
        upgradeToken(address(new HookDollar()));
        uint256 product = tomorrow();
        puppet.plan(address(exchange), abi.encodeCall(exchange.bid, (product, TICK, MIN_UNITS)));
        puppet.act(address(treasury), abi.encodeCall(ITreasury.deposit, (1)));

        assertTrue(puppet.answerOf(0).done);
        (,,,, uint256 escrowed) = exchange.bookOf(product);
        assertGt(escrowed, 0);
        assertEq(treasury.cashOf(address(puppet)), FUNDS + 1 - escrowed);
    }
}
