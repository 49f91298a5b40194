// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Targets
/// @notice What an invariant test's run may call. A test names its handlers in `setUp`; forge reads the lists back
/// through the views below, whose names and shapes are forge's.
abstract contract Targets {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    address[] private _contracts;
    address[] private _senders;
    address[] private _excludedContracts;
    address[] private _excludedSenders;
    FuzzSelector[] private _selectors;
    FuzzSelector[] private _excludedSelectors;

    /* NAME THEM, IN SETUP */

    /// @dev Every external function of the handler may be called.
    function targetContract(address handler) internal {
        _contracts.push(handler);
    }

    /// @dev Only these functions of the handler may be called.
    function targetSelector(FuzzSelector memory selector) internal {
        _selectors.push(selector);
    }

    /// @dev Only named senders call, once one is named.
    function targetSender(address sender) internal {
        _senders.push(sender);
    }

    function excludeContract(address excluded) internal {
        _excludedContracts.push(excluded);
    }

    function excludeSelector(FuzzSelector memory selector) internal {
        _excludedSelectors.push(selector);
    }

    function excludeSender(address excluded) internal {
        _excludedSenders.push(excluded);
    }

    /* FORGE READS THEM */

    function targetContracts() public view returns (address[] memory) {
        return _contracts;
    }

    function targetSelectors() public view returns (FuzzSelector[] memory) {
        return _selectors;
    }

    function targetSenders() public view returns (address[] memory) {
        return _senders;
    }

    function excludeContracts() public view returns (address[] memory) {
        return _excludedContracts;
    }

    function excludeSelectors() public view returns (FuzzSelector[] memory) {
        return _excludedSelectors;
    }

    function excludeSenders() public view returns (address[] memory) {
        return _excludedSenders;
    }
}
