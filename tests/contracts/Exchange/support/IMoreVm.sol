// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IMoreVm
/// @notice Cheatcodes of forge that only the tests of Exchange use.
interface IMoreVm {
    /// @notice Any nonce, lower ones included.
    function setNonceUnsafe(address account, uint64 nonce) external;

    /// @notice The digest of `eth_signTypedData_v4` for its JSON.
    function eip712HashTypedData(string calldata json) external pure returns (bytes32);
}
