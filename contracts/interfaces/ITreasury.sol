// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title ITreasury
/// @notice Whose money it is. The only contract that moves the settlement token: everyone else's free cash is a number
/// here, and what the market holds in escrow or in bonds is a number in the contract that holds it. Payments are
/// credits: no payee can stop another's. Nobody, and no role, can move a user's cash but the user.
///
/// All amounts are in micro: the smallest unit of the 6-decimal settlement token.
interface ITreasury {
    /* ERRORS */

    error Treasury_ZeroAmount();
    error Treasury_ZeroAddress();
    /// @notice Withdrawn to Treasury, the money would be nobody's.
    error Treasury_ToItself();
    error Treasury_OnlyMarket(address caller);
    /// @notice The token delivered another amount than it was asked for: it takes a fee, or rebases.
    error Treasury_WrongAmountReceived(uint256 expected, uint256 received);
    error Treasury_InsufficientCash(address owner, uint256 cash, uint256 needed);
    error Treasury_CashOverflow(address owner, uint256 cash, uint256 added);
    /// @notice The owner revoked the orders of that epoch, or signed for a later one.
    error Treasury_WrongEpoch(address owner, uint32 epoch, uint32 current);
    error Treasury_IndexOutOfRange(uint8 index, uint8 limit);
    /// @notice The owner's signed order of that number was placed already.
    error Treasury_IndexUsed(address owner, uint64 round, uint8 index);
    error Treasury_EpochsExhausted(address owner);

    /* EVENTS */

    /// @notice Money came in: by deposit, or pulled from the owner's allowance for what its cash did not cover.
    event Deposited(address indexed owner, uint256 amount);
    event Withdrawn(address indexed owner, address indexed to, uint256 amount);
    event Revoked(address indexed owner, uint32 epoch);

    /* DEPOSIT AND WITHDRAW */

    /// @notice Brings money in. Requirements:
    /// - `amount` is not zero
    /// - the caller's balance and allowance cover it, and the token delivers it whole
    /// @param amount In micro.
    function deposit(uint256 amount) external;

    /// @notice {deposit} with an ERC-2612 permit. A permit that fails (a stranger may have used it first) is ignored
    /// when the allowance suffices. Requirements: those of {deposit}.
    function depositWithPermit(uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice Takes the caller's free cash out. Requirements:
    /// - `amount` and `to` are not zero, `to` is not Treasury
    /// - the caller's free cash covers it
    /// @param amount In micro.
    function withdraw(uint256 amount, address to) external;

    /* FOR THE MARKET'S CONTRACTS */

    /// @notice Moves free cash into the calling contract's keeping; what is short is pulled from the owner's allowance.
    /// Requirements:
    /// - the caller is Exchange or Delivery
    /// - the owner's cash and allowance together cover it
    /// @return cash The free cash that is left.
    function escrow(address owner, uint256 amount) external returns (uint256 cash);

    /// @notice {escrow} for an order that the owner signed, which it marks as placed in the same slot.
    /// Requirements: those of {escrow}, and before them
    /// - `epoch` is the owner's
    /// - `index` is below 80 and was not used in that round
    /// @return cash The free cash that is left.
    function escrowSigned(address owner, uint256 amount, uint64 round, uint8 index, uint32 epoch)
        external
        returns (uint256 cash);

    /// @notice Gives free cash out of the calling contract's keeping. Requirements: the caller is Exchange or Delivery.
    /// @param payments Each `owner 160 | amount 96`, amounts in micro, or 0 for none; length bounded by the caller's own batch.
    function credit(uint256[] calldata payments) external;

    /// @notice Moves the owner's epoch on, so that nothing it signed before can be placed.
    /// Requirements: the caller is Exchange; fewer than 2^24 - 1 revocations before.
    function revoke(address owner) external;

    /* READ */

    /// @notice Free cash in micro.
    function cashOf(address owner) external view returns (uint256);

    /// @notice The whole account: cash in micro, epoch for signing, the last round a signed order was placed in, and a
    /// bit per order of that round.
    function accountOf(address owner) external view returns (uint256 cash, uint32 epoch, uint64 round, uint80 used);

    /* WIRING, SET AT DEPLOYMENT */

    function token() external view returns (IERC20);

    function exchange() external view returns (address);

    function delivery() external view returns (address);
}
