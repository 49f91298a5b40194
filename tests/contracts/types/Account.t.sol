// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Account, CASH_MAX, EPOCH_MAX, SIGNED_PER_ROUND} from "../../../contracts/types/Account.sol";
import {Test} from "../support/Test.sol";

contract Account_Test is Test {
    function _pack(uint112 cash, uint24 epoch, uint40 round, uint80 used) private pure returns (Account) {
        return Account.wrap(((uint256(cash) * 2 ** 24 + epoch) * 2 ** 40 + round) * 2 ** 80 + used);
    }

    function _assertAccount(Account account, uint112 cash, uint24 epoch, uint40 round, uint80 used) private pure {
        assertEq(account.cash(), cash, "cash");
        assertEq(account.epoch(), epoch, "epoch");
        assertEq(account.lastRound(), round, "round");
        assertEq(uint80(Account.unwrap(account)), used, "used");
    }

    function test_limits_areThoseOfTheFields() public pure {
        assertEq(CASH_MAX, type(uint112).max);
        assertEq(EPOCH_MAX, type(uint24).max);
        assertEq(SIGNED_PER_ROUND, 80);
    }

    /* FIELDS */

    function testFuzz_fields_comeBack(uint112 cash, uint24 epoch, uint40 round, uint80 used) public pure {
        _assertAccount(_pack(cash, epoch, round, used), cash, epoch, round, used);
    }

    function testFuzz_withCash_changesCashAlone(uint112 cash, uint24 epoch, uint40 round, uint80 used, uint112 wanted)
        public
        pure
    {
        _assertAccount(_pack(cash, epoch, round, used).withCash(wanted), wanted, epoch, round, used);
    }

    function testFuzz_credited_addsToCashAlone(uint112 cash, uint24 epoch, uint40 round, uint80 used, uint112 amount)
        public
        pure
    {
        amount = uint112(bound(amount, 0, CASH_MAX - cash));
        _assertAccount(_pack(cash, epoch, round, used).credited(amount), cash + amount, epoch, round, used);
    }

    function testFuzz_nextEpoch_changesTheEpochAlone(uint112 cash, uint24 epoch, uint40 round, uint80 used)
        public
        pure
    {
        epoch = uint24(bound(epoch, 0, EPOCH_MAX - 1));
        _assertAccount(_pack(cash, epoch, round, used).nextEpoch(), cash, epoch + 1, round, used);
    }

    /* USED */

    function testFuzz_isUsed_readsTheRoundsBit(uint112 cash, uint24 epoch, uint40 round, uint80 used, uint8 index)
        public
        pure
    {
        index = uint8(bound(index, 0, SIGNED_PER_ROUND - 1));
        bool marked = used / uint80(2 ** uint256(index)) % 2 == 1;
        assertEq(_pack(cash, epoch, round, used).isUsed(round, index), marked);
    }

    function testFuzz_isUsed_isFalseWhen_roundIsAnother(
        uint112 cash,
        uint24 epoch,
        uint40 round,
        uint64 other,
        uint8 index
    ) public pure {
        vm.assume(other != round);
        index = uint8(bound(index, 0, SIGNED_PER_ROUND - 1));
        assertFalse(_pack(cash, epoch, round, type(uint80).max).isUsed(other, index));
    }

    function testFuzz_withUsed_addsABitWhen_roundIsTheSame(
        uint112 cash,
        uint24 epoch,
        uint40 round,
        uint80 used,
        uint8 index
    ) public pure {
        index = uint8(bound(index, 0, SIGNED_PER_ROUND - 1));
        Account marked = _pack(cash, epoch, round, used).withUsed(round, index);
        _assertAccount(marked, cash, epoch, round, used | uint80(2 ** uint256(index)));
    }

    function testFuzz_withUsed_dropsTheOldMarksWhen_roundIsAnother(
        uint112 cash,
        uint24 epoch,
        uint40 round,
        uint40 next,
        uint80 used,
        uint8 index
    ) public pure {
        vm.assume(next != round);
        index = uint8(bound(index, 0, SIGNED_PER_ROUND - 1));
        Account marked = _pack(cash, epoch, round, used).withUsed(next, index);
        _assertAccount(marked, cash, epoch, next, uint80(2 ** uint256(index)));
    }

    /* PROOFS */

    function check_withCash_changesCashAlone(uint256 word, uint256 amount) public pure {
        vm.assume(amount <= CASH_MAX);
        Account after_ = Account.wrap(word).withCash(amount);
        assert(after_.cash() == amount && uint144(Account.unwrap(after_)) == uint144(word));
    }

    function check_credited_addsToCashAlone(uint256 word, uint256 amount) public pure {
        Account before = Account.wrap(word);
        vm.assume(amount <= CASH_MAX - before.cash());
        Account after_ = before.credited(amount);
        assert(after_.cash() == before.cash() + amount && uint144(Account.unwrap(after_)) == uint144(word));
    }

    function check_withUsed_marksOneIndexAlone(uint256 word, uint40 round, uint8 index, uint8 other) public pure {
        vm.assume(index < SIGNED_PER_ROUND && other < SIGNED_PER_ROUND && other != index);
        (Account before, Account marked) = (Account.wrap(word), Account.wrap(word).withUsed(round, index));
        assert(marked.isUsed(round, index) && marked.lastRound() == round);
        assert(marked.isUsed(round, other) == before.isUsed(round, other));
        assert(Account.unwrap(marked) >> 120 == word >> 120);
    }

    function check_nextEpoch_changesTheEpochAlone(uint256 word) public pure {
        Account before = Account.wrap(word);
        vm.assume(before.epoch() < EPOCH_MAX);
        Account after_ = before.nextEpoch();
        assert(after_.epoch() == before.epoch() + 1 && after_.cash() == before.cash());
        assert(uint120(Account.unwrap(after_)) == uint120(word));
    }
}
