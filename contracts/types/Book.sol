// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @notice What one product's book needs to know at every order, in one slot.
/// @dev `firstRound 40 | orders 32 | tickSize 32 | minUnits 32 | escrow 112`, from high to low. The terms are those of
/// the class when the book opened: a later change of the standard does not touch money that is already escrowed.
type Book is uint256;

using {
    opened,
    isOpen,
    firstRound,
    orderCount,
    tickSizeMicro,
    minUnits,
    escrowMicro,
    addOrder,
    addEscrow,
    subEscrow
} for Book global;

uint256 constant ESCROW_MASK = (1 << 112) - 1;

/// @notice A class's terms, as a book that waits to be opened.
function emptyBook(uint32 tickSize, uint32 least) pure returns (Book) {
    return Book.wrap((uint256(tickSize) << 144) | (uint256(least) << 112));
}

/// @notice The empty book, opened in a round.
function opened(Book book, uint256 round) pure returns (Book) {
    // round = block.timestamp / ROUND < 2^40 for every timestamp of the next 34,000 years.
    return Book.wrap(Book.unwrap(book) | (round << 208));
}

/// @notice A tick size of zero cannot be set: what was never written is the zero word.
function isOpen(Book book) pure returns (bool) {
    return Book.unwrap(book) != 0;
}

function firstRound(Book book) pure returns (uint256) {
    return Book.unwrap(book) >> 208;
}

function orderCount(Book book) pure returns (uint32) {
    return uint32(Book.unwrap(book) >> 176);
}

function tickSizeMicro(Book book) pure returns (uint256) {
    return uint32(Book.unwrap(book) >> 144);
}

function minUnits(Book book) pure returns (uint256) {
    return uint32(Book.unwrap(book) >> 112);
}

/// @notice Bidders' money that this product's book holds. No payment of the product can exceed it.
function escrowMicro(Book book) pure returns (uint256) {
    return Book.unwrap(book) & ESCROW_MASK;
}

function addOrder(Book book) pure returns (Book) {
    unchecked {
        // 2^32 orders of one product would fill 2^32 slots first: at 22,100 gas each that is 9.5e13 gas.
        return Book.wrap(Book.unwrap(book) + (1 << 176));
    }
}

/// @dev Panics beyond 112 bits: {Treasury} never holds that much.
function addEscrow(Book book, uint256 amount) pure returns (Book) {
    assert(amount <= ESCROW_MASK - escrowMicro(book));
    unchecked {
        // The sum stays within its 112 bits, the lowest of the word.
        return Book.wrap(Book.unwrap(book) + amount);
    }
}

/// @dev Panics when more would leave than came in: that would be another product's money.
function subEscrow(Book book, uint256 amount) pure returns (Book) {
    assert(amount <= escrowMicro(book));
    unchecked {
        // The difference is not negative: nothing is borrowed from the fields above.
        return Book.wrap(Book.unwrap(book) - amount);
    }
}
