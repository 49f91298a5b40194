// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {ITreasury} from "../../../contracts/interfaces/ITreasury.sol";
import {CASH_MAX} from "../../../contracts/types/Account.sol";
import {Puppet} from "../support/recipients/Puppet.sol";
import {FalseDollar} from "../support/tokens/FalseDollar.sol";
import {FeeDollar} from "../support/tokens/FeeDollar.sol";
import {HookDollar} from "../support/tokens/HookDollar.sol";
import {Accounts} from "./Accounts.sol";

contract Treasury_escrow_Test is Accounts {
    function testFuzz_escrow_takesFromCash(uint256 cash, uint256 amount, uint256 wallet) public {
        cash = bound(cash, 0, CASH_MAX / 2);
        amount = bound(amount, 0, cash);
        wallet = bound(wallet, 0, CASH_MAX / 2);
        address owner = ownerWith(cash, wallet, wallet);
        uint256 before = held();
        vm.recordLogs();
        assertEq(escrow(owner, amount), cash - amount, "what is left");
        assertEq(vm.getRecordedLogs().length, 0, "no money came in");
        assertEq(treasury.cashOf(owner), cash - amount);
        assertEq(dollar.balanceOf(owner), wallet);
        assertEq(held(), before);
    }

    function testFuzz_escrow_pullsWhatIsShort(uint256 cash, uint256 short, uint256 wallet, uint256 allowed) public {
        cash = bound(cash, 0, CASH_MAX / 2);
        short = bound(short, 1, CASH_MAX / 2);
        wallet = bound(wallet, short, type(uint128).max);
        allowed = bound(allowed, short, type(uint256).max);
        address owner = ownerWith(cash, wallet, allowed);
        uint256 before = held();
        vm.expectEmit(address(treasury));
        emit ITreasury.Deposited(owner, short);
        assertEq(escrow(owner, cash + short), 0, "what is left");
        assertEq(treasury.cashOf(owner), 0);
        assertEq(dollar.balanceOf(owner), wallet - short);
        assertEq(held(), before + short);
    }

    function testFuzz_escrow_leavesTheRestOfTheAccount(uint256 cash, uint256 short, uint40 round, uint8 index) public {
        cash = bound(cash, 0, CASH_MAX / 2);
        short = bound(short, 0, CASH_MAX / 2);
        index = uint8(bound(index, 0, 79));
        address owner = ownerWith(cash, short, short);
        revoke(owner);
        escrowSigned(owner, 0, round, index, 1);
        escrow(owner, cash + short);
        (uint256 left, uint32 epoch, uint64 lastRound, uint80 used) = treasury.accountOf(owner);
        assertEq(left, 0);
        assertEq(epoch, 1);
        assertEq(lastRound, round);
        assertEq(used, 2 ** uint256(index));
    }

    function test_escrow_isForBothOfTheMarketsContracts() public {
        uint256 cash = treasury.cashOf(buyer.addr);
        vm.prank(address(exchange));
        treasury.escrow(buyer.addr, 1);
        vm.prank(address(delivery));
        treasury.escrow(buyer.addr, 2);
        assertEq(treasury.cashOf(buyer.addr), cash - 3);
    }

    /* REVERTS */

    function testFuzz_escrow_revertsWhen_callerIsNotTheMarket(address caller, address owner, uint256 amount) public {
        vm.assume(caller != address(exchange) && caller != address(delivery));
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_OnlyMarket.selector, caller));
        vm.prank(caller);
        treasury.escrow(owner, amount);
    }

    function testFuzz_escrow_revertsWhen_moneyIsShort(uint256 cash, uint256 wallet, uint256 allowed, uint256 amount)
        public
    {
        cash = bound(cash, 0, CASH_MAX / 2);
        wallet = bound(wallet, 0, CASH_MAX / 2);
        uint256 reach = allowed < wallet ? allowed : wallet;
        amount = bound(amount, cash + reach + 1, type(uint256).max);
        address owner = ownerWith(cash, wallet, allowed);
        vm.expectRevert(
            abi.encodeWithSelector(ITreasury.Treasury_InsufficientCash.selector, owner, cash + reach, amount)
        );
        escrow(owner, amount);
    }

    function testFuzz_escrow_revertsWhen_tokenTakesAFee(uint256 cash, uint256 short) public {
        cash = bound(cash, 0, CASH_MAX / 2);
        short = bound(short, 1, CASH_MAX / 2);
        address owner = ownerWith(cash, short, short);
        upgradeToken(address(new FeeDollar()));
        uint256 received = short - FeeDollar(address(dollar)).feeOf(short);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_WrongAmountReceived.selector, short, received));
        escrow(owner, cash + short);
    }

    function test_escrow_revertsWhen_tokenReturnsFalse() public {
        address owner = ownerWith(10, 10, 10);
        upgradeToken(address(new FalseDollar()));
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(dollar)));
        escrow(owner, 11);
        // What the cash covers needs no token.
        escrow(owner, 10);
    }

    /* TOKENS THAT CALL BACK */

    /// @dev While its shortfall is pulled, the owner's cash is spent already and no other money can come or go.
    function testFuzz_escrow_takesOnceWhen_tokenCallsBack(uint256 cash, uint256 short) public {
        cash = bound(cash, 1, CASH_MAX / 4);
        short = bound(short, 1, CASH_MAX / 4);
        Puppet puppet = puppetWith(cash, short * 2);
        upgradeToken(address(new HookDollar()));
        puppet.plan(address(treasury), abi.encodeCall(ITreasury.withdraw, (1, address(puppet))));
        puppet.plan(address(treasury), abi.encodeCall(ITreasury.deposit, (short)));
        puppet.plan(address(exchange), abi.encodeCall(exchange.bid, (tomorrow(), TICK, MIN_UNITS)));
        uint256 before = held();
        escrow(address(puppet), cash + short);

        for (uint256 i = 0; i < 3; ++i) {
            assertFalse(puppet.answerOf(i).done);
        }
        bytes memory guard = abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        assertTrue(puppet.wasRefused(0, guard));
        assertTrue(puppet.wasRefused(1, guard));
        assertEq(treasury.cashOf(address(puppet)), 0);
        assertEq(dollar.balanceOf(address(puppet)), short);
        assertEq(held(), before + short);
    }
}
