// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title SilentDollar
/// @notice Returns nothing from transfers and approvals and knows no permits, as the oldest dollar tokens do.
contract SilentDollar {
    error SilentDollar_Insufficient();

    uint256 public totalSupply;
    mapping(address owner => uint256) public balanceOf;
    mapping(address owner => mapping(address spender => uint256)) public allowance;

    function mint(address to, uint256 amount) external {
        totalSupply += amount;
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external {
        allowance[msg.sender][spender] = amount;
    }

    function transfer(address to, uint256 amount) external {
        _move(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) external {
        require(allowance[from][msg.sender] >= amount, SilentDollar_Insufficient());
        allowance[from][msg.sender] -= amount;
        _move(from, to, amount);
    }

    function _move(address from, address to, uint256 amount) private {
        require(balanceOf[from] >= amount, SilentDollar_Insufficient());
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}
