// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice One owner's free cash, and what keeps its signed orders from being placed twice, in one slot.
/// @dev `cash 112 | epoch 24 | round 40 | used 80`, from high to low. `used` has a bit per signed order of `round`.
type Account is uint256;

uint256 constant CASH_MAX = (1 << 112) - 1;
uint8 constant SIGNED_PER_ROUND = 80;
uint32 constant EPOCH_MAX = (1 << 24) - 1;

using {cash, epoch, lastRound, isUsed, withCash, credited, withUsed, nextEpoch} for Account global;

function cash(Account account) pure returns (uint256) {
    return Account.unwrap(account) >> 144;
}

function epoch(Account account) pure returns (uint32) {
    return uint24(Account.unwrap(account) >> 120);
}

function lastRound(Account account) pure returns (uint64) {
    return uint40(Account.unwrap(account) >> 80);
}

/// @notice Whether the owner's signed order number `index` of `round` was placed.
function isUsed(Account account, uint64 round, uint8 index) pure returns (bool) {
    return lastRound(account) == round && (Account.unwrap(account) >> index) & 1 == 1;
}

function withCash(Account account, uint256 amount) pure returns (Account) {
    // The caller keeps amount <= CASH_MAX.
    return Account.wrap((Account.unwrap(account) & ((1 << 144) - 1)) | (amount << 144));
}

function credited(Account account, uint256 amount) pure returns (Account) {
    unchecked {
        // The caller keeps cash + amount <= CASH_MAX: the sum stays in the uppermost 112 bits.
        return Account.wrap(Account.unwrap(account) + (amount << 144));
    }
}

/// @notice Marks one signed order as placed. Another round's marks are dropped: only orders of the current round can
/// be placed, and rounds do not come back.
function withUsed(Account account, uint64 round, uint8 index) pure returns (Account) {
    uint256 word = Account.unwrap(account);
    if (lastRound(account) != round) word = ((word >> 120) << 120) | (uint256(round) << 80);
    return Account.wrap(word | (1 << index));
}

function nextEpoch(Account account) pure returns (Account) {
    // The caller keeps epoch < EPOCH_MAX.
    return Account.wrap(Account.unwrap(account) + (1 << 120));
}
