// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {ITreasury} from "./interfaces/ITreasury.sol";
import {Account, CASH_MAX, EPOCH_MAX, SIGNED_PER_ROUND} from "./types/Account.sol";

/// @title Treasury
/// @notice Holds the settlement token. Specified in {ITreasury}.
contract Treasury is ITreasury, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /* IMMUTABLES */

    /// @inheritdoc ITreasury
    IERC20 public immutable token;
    /// @inheritdoc ITreasury
    address public immutable exchange;
    /// @inheritdoc ITreasury
    address public immutable delivery;

    /* STORAGE */

    mapping(address owner => Account) private _accounts;

    constructor(IERC20 token_, address exchange_, address delivery_) {
        token = token_;
        exchange = exchange_;
        delivery = delivery_;
    }

    modifier onlyMarket() {
        require(msg.sender == exchange || msg.sender == delivery, Treasury_OnlyMarket(msg.sender));
        _;
    }

    /* DEPOSIT AND WITHDRAW */

    /// @inheritdoc ITreasury
    function deposit(uint256 amount) public {
        require(amount != 0, Treasury_ZeroAmount());
        _pull(msg.sender, amount);
        _setCash(msg.sender, _accounts[msg.sender], amount);
    }

    /// @inheritdoc ITreasury
    function depositWithPermit(uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external {
        try IERC20Permit(address(token)).permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        deposit(amount);
    }

    /// @inheritdoc ITreasury
    function withdraw(uint256 amount, address to) external nonReentrant {
        require(amount != 0, Treasury_ZeroAmount());
        require(to != address(0), Treasury_ZeroAddress());
        require(to != address(this), Treasury_ToItself());
        Account account = _accounts[msg.sender];
        uint256 available = account.cash();
        require(available >= amount, Treasury_InsufficientCash(msg.sender, available, amount));
        unchecked {
            // available >= amount, checked above.
            _accounts[msg.sender] = account.withCash(available - amount);
        }
        emit Withdrawn(msg.sender, to, amount);
        token.safeTransfer(to, amount);
    }

    /* FOR THE MARKET'S CONTRACTS */

    /// @inheritdoc ITreasury
    function escrow(address owner, uint256 amount) external onlyMarket returns (uint256 cash) {
        return _take(owner, _accounts[owner], amount);
    }

    /// @inheritdoc ITreasury
    function escrowSigned(address owner, uint256 amount, uint64 round, uint8 index, uint32 epoch)
        external
        onlyMarket
        returns (uint256 cash)
    {
        Account account = _accounts[owner];
        require(epoch == account.epoch(), Treasury_WrongEpoch(owner, epoch, account.epoch()));
        require(index < SIGNED_PER_ROUND, Treasury_IndexOutOfRange(index, SIGNED_PER_ROUND));
        require(!account.isUsed(round, index), Treasury_IndexUsed(owner, round, index));
        return _take(owner, account.withUsed(round, index), amount);
    }

    /// @inheritdoc ITreasury
    function credit(uint256[] calldata payments) external onlyMarket {
        for (uint256 i = 0; i < payments.length; ++i) {
            uint256 payment = payments[i];
            if (payment == 0) continue;
            address owner = address(uint160(payment >> 96));
            _setCash(owner, _accounts[owner], uint96(payment));
        }
    }

    /// @inheritdoc ITreasury
    function revoke(address owner) external {
        require(msg.sender == exchange, Treasury_OnlyMarket(msg.sender));
        Account account = _accounts[owner];
        require(account.epoch() < EPOCH_MAX, Treasury_EpochsExhausted(owner));
        _accounts[owner] = account.nextEpoch();
        emit Revoked(owner, account.epoch() + 1);
    }

    /// @dev Sets the account to what is left after `amount`, with what cash does not cover pulled from the allowance.
    function _take(address owner, Account account, uint256 amount) private returns (uint256 left) {
        uint256 available = account.cash();
        if (available >= amount) {
            unchecked {
                // available >= amount, checked above.
                left = available - amount;
            }
            _accounts[owner] = account.withCash(left);
            return left;
        }
        uint256 short = amount - available;
        uint256 reach = Math.min(token.allowance(owner, address(this)), token.balanceOf(owner));
        require(reach >= short, Treasury_InsufficientCash(owner, available + reach, amount));
        _accounts[owner] = account.withCash(0);
        _pull(owner, short);
    }

    /// @dev The guard is for the balances before and after: a token that calls back cannot deposit in between.
    function _pull(address owner, uint256 amount) private nonReentrant {
        uint256 before = token.balanceOf(address(this));
        emit Deposited(owner, amount);
        token.safeTransferFrom(owner, address(this), amount);
        uint256 received = token.balanceOf(address(this)) - before;
        // slither-disable-next-line incorrect-equality a token that delivers more than it was asked for is refused too
        require(received == amount, Treasury_WrongAmountReceived(amount, received));
    }

    function _setCash(address owner, Account account, uint256 added) private {
        uint256 available = account.cash();
        require(added <= CASH_MAX - available, Treasury_CashOverflow(owner, available, added));
        _accounts[owner] = account.credited(added);
    }

    /* READ */

    /// @inheritdoc ITreasury
    function cashOf(address owner) external view returns (uint256) {
        return _accounts[owner].cash();
    }

    /// @inheritdoc ITreasury
    function accountOf(address owner) external view returns (uint256 cash, uint32 epoch, uint64 round, uint80 used) {
        Account account = _accounts[owner];
        return (account.cash(), account.epoch(), account.lastRound(), uint80(Account.unwrap(account)));
    }
}
