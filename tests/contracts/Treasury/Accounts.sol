// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {Market} from "../support/Market.sol";
import {Puppet} from "../support/recipients/Puppet.sol";

/// @title Accounts
/// @notice What the tests of Treasury share: owners with exact figures, the market's own calls, and other tokens.
abstract contract Accounts is Market {
    /// @dev A stranger to the market, with so much cash, and so much more in its wallet of which so much is allowed.
    function ownerWith(uint256 cash, uint256 wallet, uint256 allowed) internal returns (address owner) {
        owner = makeAddr("owner");
        give(owner, cash, wallet, allowed);
    }

    function give(address owner, uint256 cash, uint256 wallet, uint256 allowed) internal {
        dollar.mint(owner, cash + wallet);
        vm.startPrank(owner);
        if (cash != 0) {
            dollar.approve(address(treasury), cash);
            treasury.deposit(cash);
        }
        dollar.approve(address(treasury), allowed);
        vm.stopPrank();
    }

    /* THE MARKET'S CALLS */

    function escrow(address owner, uint256 amount) internal returns (uint256 cash) {
        vm.prank(address(exchange));
        return treasury.escrow(owner, amount);
    }

    function escrowSigned(address owner, uint256 amount, uint64 round, uint8 index, uint32 epoch)
        internal
        returns (uint256 cash)
    {
        vm.prank(address(exchange));
        return treasury.escrowSigned(owner, amount, round, index, epoch);
    }

    function credit(address owner, uint256 amount) internal {
        vm.prank(address(delivery));
        treasury.credit(payment(owner, amount));
    }

    function revoke(address owner) internal {
        vm.prank(address(exchange));
        treasury.revoke(owner);
    }

    /// @dev `owner 160 | amount 96`.
    function payment(address owner, uint256 amount) internal pure returns (uint256[] memory payments) {
        payments = new uint256[](1);
        payments[0] = uint256(uint160(owner)) * 2 ** 96 + amount;
    }

    /* OTHER TOKENS */

    /// @dev A market whose money is another token: treasury, exchange and the rest are new.
    function useToken(address token) internal {
        _deploy(IERC20(token));
    }

    /// @dev The settlement token's issuer changes its code and keeps everyone's balance.
    function upgradeToken(address token) internal {
        vm.etch(address(dollar), token.code);
    }

    function held() internal view returns (uint256) {
        return dollar.balanceOf(address(treasury));
    }

    /// @dev A contract with cash and allowance of its own.
    function puppetWith(uint256 cash, uint256 wallet) internal returns (Puppet puppet) {
        puppet = new Puppet();
        give(address(puppet), cash, wallet, type(uint256).max);
    }
}
