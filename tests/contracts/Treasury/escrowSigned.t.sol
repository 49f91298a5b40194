// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITreasury} from "../../../contracts/interfaces/ITreasury.sol";
import {CASH_MAX, SIGNED_PER_ROUND} from "../../../contracts/types/Account.sol";
import {Accounts} from "./Accounts.sol";

contract Treasury_escrowSigned_Test is Accounts {
    struct Step {
        bool revokes;
        uint8 round;
        uint8 index;
        uint8 epoch;
        uint16 amount;
    }

    /// @dev The marks as a person would keep them: of the last round alone.
    uint64 private _round;
    uint32 private _epoch;
    uint256 private _cash;
    mapping(uint64 round => mapping(uint8 index => bool)) private _used;

    /* AGAINST A MODEL */

    function testFuzz_escrowSigned_doesWhatTheModelDoes(Step[32] memory steps) public {
        _cash = uint256(type(uint16).max) * 12;
        address owner = ownerWith(_cash, 0, 0);
        for (uint256 i = 0; i < steps.length; ++i) {
            _step(owner, steps[i]);
            (uint256 cash, uint32 epoch, uint64 round, uint80 used) = treasury.accountOf(owner);
            assertEq(cash, _cash, "cash");
            assertEq(epoch, _epoch, "epoch");
            assertEq(round, _round, "round");
            assertEq(used, _marks(), "used");
        }
    }

    function _marks() private view returns (uint256 marks) {
        for (uint8 index = 0; index < SIGNED_PER_ROUND; ++index) {
            if (_used[_round][index]) marks += 2 ** uint256(index);
        }
    }

    /// @dev Few rounds, indices and epochs, so that they meet: rounds mostly go on, indices lie around both ends.
    function _step(address owner, Step memory step) private {
        if (step.revokes && step.round % 8 == 0) {
            revoke(owner);
            ++_epoch;
            return;
        }
        uint64 round = step.round % 4 == 0 ? _round + 1 : _round;
        uint8 index = step.index % 8 < 4 ? step.index % 8 : 74 + step.index % 8;
        uint32 epoch = step.epoch % 4 == 0 ? step.epoch : _epoch;
        bytes memory expected = _expected(owner, step.amount, round, index, epoch);
        if (expected.length != 0) {
            vm.expectRevert(expected);
            escrowSigned(owner, step.amount, round, index, epoch);
            return;
        }
        (_round, _cash) = (round, _cash - step.amount);
        assertEq(escrowSigned(owner, step.amount, round, index, epoch), _cash, "what is left");
        _used[round][index] = true;
    }

    /// @dev The first requirement that fails, or nothing.
    function _expected(address owner, uint256 amount, uint64 round, uint8 index, uint32 epoch)
        private
        view
        returns (bytes memory)
    {
        if (epoch != _epoch) {
            return abi.encodeWithSelector(ITreasury.Treasury_WrongEpoch.selector, owner, epoch, _epoch);
        }
        if (index >= SIGNED_PER_ROUND) {
            return abi.encodeWithSelector(ITreasury.Treasury_IndexOutOfRange.selector, index, SIGNED_PER_ROUND);
        }
        if (_used[round][index]) {
            return abi.encodeWithSelector(ITreasury.Treasury_IndexUsed.selector, owner, round, index);
        }
        if (amount > _cash) {
            return abi.encodeWithSelector(ITreasury.Treasury_InsufficientCash.selector, owner, _cash, amount);
        }
        return "";
    }

    /* MONEY */

    function testFuzz_escrowSigned_pullsWhatIsShort(uint256 cash, uint256 short, uint64 round, uint8 index) public {
        cash = bound(cash, 0, CASH_MAX / 2);
        short = bound(short, 1, CASH_MAX / 2);
        round = uint64(bound(round, 0, type(uint40).max));
        index = uint8(bound(index, 0, SIGNED_PER_ROUND - 1));
        address owner = ownerWith(cash, short, short);
        vm.expectEmit(address(treasury));
        emit ITreasury.Deposited(owner, short);
        escrowSigned(owner, cash + short, round, index, 0);
        (uint256 left,, uint64 lastRound, uint80 used) = treasury.accountOf(owner);
        assertEq(left, 0);
        assertEq(lastRound, round);
        assertEq(used, 2 ** uint256(index));
        assertEq(dollar.balanceOf(owner), 0);
    }

    /// @dev An ask costs nothing, and is an order all the same.
    function testFuzz_escrowSigned_marksOrdersThatCostNothing(uint64 round, uint8 index) public {
        round = uint64(bound(round, 0, type(uint40).max));
        index = uint8(bound(index, 0, SIGNED_PER_ROUND - 1));
        address owner = makeAddr("owner");
        escrowSigned(owner, 0, round, index, 0);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_IndexUsed.selector, owner, round, index));
        escrowSigned(owner, 0, round, index, 0);
    }

    function test_escrowSigned_marksEveryIndexOfARoundOnce() public {
        address owner = makeAddr("owner");
        for (uint8 index = 0; index < SIGNED_PER_ROUND; ++index) {
            escrowSigned(owner, 0, 7, index, 0);
        }
        (,,, uint80 used) = treasury.accountOf(owner);
        assertEq(used, type(uint80).max);
    }

    function testFuzz_escrowSigned_leavesOtherOwners(address other, uint64 round, uint8 index) public {
        round = uint64(bound(round, 0, type(uint40).max));
        index = uint8(bound(index, 0, SIGNED_PER_ROUND - 1));
        address owner = makeAddr("owner");
        vm.assume(other != owner);
        escrowSigned(owner, 0, round, index, 0);
        escrowSigned(other, 0, round, index, 0);
    }

    /* REVERTS */

    function testFuzz_escrowSigned_revertsWhen_callerIsNotTheMarket(address caller) public {
        vm.assume(caller != address(exchange) && caller != address(delivery));
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_OnlyMarket.selector, caller));
        vm.prank(caller);
        treasury.escrowSigned(buyer.addr, 0, 0, 0, 0);
    }

    function testFuzz_escrowSigned_revertsWhen_epochIsAnother(uint32 epoch) public {
        revoke(buyer.addr);
        vm.assume(epoch != 1);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_WrongEpoch.selector, buyer.addr, epoch, 1));
        escrowSigned(buyer.addr, 0, 0, 0, epoch);
    }

    function testFuzz_escrowSigned_revertsWhen_indexIsOutOfRange(uint8 index) public {
        index = uint8(bound(index, SIGNED_PER_ROUND, type(uint8).max));
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_IndexOutOfRange.selector, index, SIGNED_PER_ROUND));
        escrowSigned(buyer.addr, 0, 0, index, 0);
    }

    function test_escrowSigned_leavesTheIndexFreeWhen_moneyIsShort() public {
        address owner = ownerWith(10, 5, 5);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_InsufficientCash.selector, owner, 15, 16));
        escrowSigned(owner, 16, 1, 2, 0);
        escrowSigned(owner, 15, 1, 2, 0);
    }

    function test_escrowSigned_revertsWith_theFirstOfSeveral() public {
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_OnlyMarket.selector, thief.addr));
        vm.prank(thief.addr);
        treasury.escrowSigned(thief.addr, 1, 0, 80, 1);

        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_WrongEpoch.selector, thief.addr, 1, 0));
        escrowSigned(thief.addr, 1, 0, 80, 1);

        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_IndexOutOfRange.selector, 80, SIGNED_PER_ROUND));
        escrowSigned(thief.addr, 1, 0, 80, 0);

        escrowSigned(thief.addr, 0, 0, 79, 0);
        vm.expectRevert(abi.encodeWithSelector(ITreasury.Treasury_IndexUsed.selector, thief.addr, 0, 79));
        escrowSigned(thief.addr, 1, 0, 79, 0);
    }
}
