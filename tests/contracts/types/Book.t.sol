// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Book, emptyBook} from "../../../contracts/types/Book.sol";
import {Test} from "../support/Test.sol";

contract Book_Test is Test {
    struct Fields {
        uint40 firstRound;
        uint32 orders;
        uint32 tickSize;
        uint32 minUnits;
        uint112 escrow;
    }

    function _pack(Fields memory f) private pure returns (Book) {
        uint256 word = uint256(f.firstRound) * 2 ** 32 + f.orders;
        word = (word * 2 ** 32 + f.tickSize) * 2 ** 32 + f.minUnits;
        return Book.wrap(word * 2 ** 112 + f.escrow);
    }

    function _assertFields(Book book, Fields memory f) private pure {
        assertEq(book.firstRound(), f.firstRound, "firstRound");
        assertEq(book.orderCount(), f.orders, "orders");
        assertEq(book.tickSizeMicro(), f.tickSize, "tickSize");
        assertEq(book.minUnits(), f.minUnits, "minUnits");
        assertEq(book.escrowMicro(), f.escrow, "escrow");
    }

    /* FIELDS */

    function testFuzz_fields_comeBack(Fields memory f) public pure {
        _assertFields(_pack(f), f);
    }

    function testFuzz_opened_isEmptyAndOpen(Fields memory f) public pure {
        f.tickSize = uint32(bound(f.tickSize, 1, type(uint32).max));
        (f.orders, f.escrow) = (0, 0);
        Book book = emptyBook(f.tickSize, f.minUnits).opened(f.firstRound);
        _assertFields(book, f);
        assertTrue(book.isOpen());
    }

    /// @dev A class's terms wait as a book of round 0: set where the tick size is not zero.
    function testFuzz_emptyBook_isOpenWhen_tickSizeIsSet(uint32 tickSize, uint32 least) public pure {
        vm.assume(tickSize != 0);
        assertTrue(emptyBook(tickSize, least).isOpen());
        assertEq(emptyBook(tickSize, least).firstRound(), 0);
    }

    function test_isOpen_isFalseFor_theZeroWord() public pure {
        assertFalse(Book.wrap(0).isOpen());
    }

    function testFuzz_addOrder_changesTheCountAlone(Fields memory f) public pure {
        f.orders = uint32(bound(f.orders, 0, type(uint32).max - 1));
        Book book = _pack(f).addOrder();
        ++f.orders;
        _assertFields(book, f);
    }

    /* ESCROW */

    function testFuzz_addEscrow_changesTheEscrowAlone(Fields memory f, uint256 amount) public pure {
        amount = bound(amount, 0, type(uint112).max - f.escrow);
        Book book = _pack(f).addEscrow(amount);
        f.escrow += uint112(amount);
        _assertFields(book, f);
    }

    function testFuzz_subEscrow_changesTheEscrowAlone(Fields memory f, uint256 amount) public pure {
        amount = bound(amount, 0, f.escrow);
        Book book = _pack(f).subEscrow(amount);
        f.escrow -= uint112(amount);
        _assertFields(book, f);
    }

    function testFuzz_addEscrow_panicsWhen_sumLeavesTheField(Fields memory f, uint256 amount) public {
        amount = bound(amount, uint256(type(uint112).max) - f.escrow + 1, type(uint256).max);
        vm.expectRevert(_failedAssertion());
        this.addEscrow(_pack(f), amount);
    }

    function testFuzz_subEscrow_panicsWhen_moreLeavesThanCameIn(Fields memory f, uint256 amount) public {
        amount = bound(amount, uint256(f.escrow) + 1, type(uint256).max);
        vm.expectRevert(_failedAssertion());
        this.subEscrow(_pack(f), amount);
    }

    /// @dev A call of its own, so that its revert can be expected.
    function addEscrow(Book book, uint256 amount) external pure returns (Book) {
        return book.addEscrow(amount);
    }

    function subEscrow(Book book, uint256 amount) external pure returns (Book) {
        return book.subEscrow(amount);
    }

    function _failedAssertion() private pure returns (bytes memory) {
        return abi.encodeWithSignature("Panic(uint256)", 0x01);
    }

    /* PROOFS */

    function check_fields_comeBack(uint40 round, uint32 tickSize, uint32 least) public pure {
        Book book = emptyBook(tickSize, least).opened(round);
        assert(book.firstRound() == round && book.tickSizeMicro() == tickSize && book.minUnits() == least);
        assert(book.orderCount() == 0 && book.escrowMicro() == 0);
    }

    function check_escrow_comesBack(uint256 word, uint112 amount) public pure {
        Book book = Book.wrap(word);
        vm.assume(book.escrowMicro() + amount <= type(uint112).max);
        Book more = book.addEscrow(amount);
        assert(more.escrowMicro() == book.escrowMicro() + amount);
        assert(Book.unwrap(more) >> 112 == word >> 112);
        assert(Book.unwrap(more.subEscrow(amount)) == word);
    }

    function check_addOrder_changesTheCountAlone(uint256 word) public pure {
        Book book = Book.wrap(word);
        vm.assume(book.orderCount() < type(uint32).max);
        Book more = book.addOrder();
        assert(more.orderCount() == book.orderCount() + 1 && more.firstRound() == book.firstRound());
        assert(uint176(Book.unwrap(more)) == uint176(word));
    }
}
