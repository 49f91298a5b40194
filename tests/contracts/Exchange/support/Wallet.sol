// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IERC1155Receiver} from "@openzeppelin/contracts/token/ERC1155/IERC1155Receiver.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

/// @title Wallet
/// @notice A contract that trades: it signs by ERC-1271 and takes units, each well or badly as it is told. Lean, since
/// what it does when it is called back must fit the gas that Exchange gives it.
contract Wallet is IERC1271, IERC1155Receiver {
    using Address for address;

    enum Manner {
        GOOD,
        REFUSE,
        ANSWER_WRONG,
        ANSWER_SHORT,
        BURN_GAS
    }

    error Wallet_Refuses();

    /// @notice Whose ECDSA signature counts as the wallet's.
    address public signer;
    Manner public signing;
    Manner public taking;
    /// @notice How the call back that it was told to make ended.
    bool public done;
    bytes4 public failure;
    uint64 public burnt;
    address private _target;
    bytes private _data;

    constructor(address signer_) {
        signer = signer_;
    }

    /* WHAT IT IS TOLD */

    function setSigning(Manner manner) external {
        signing = manner;
    }

    function setTaking(Manner manner) external {
        taking = manner;
    }

    /// @notice What it calls when units reach it.
    function whenTaking(address target, bytes calldata data) external {
        (_target, _data) = (target, data);
    }

    /// @notice How much gas it burns before it takes units, about.
    function setBurnt(uint64 gas_) external {
        burnt = gas_;
    }

    /// @notice Calls at once; reverts as the target does.
    function act(address target, bytes calldata data) external returns (bytes memory) {
        return target.functionCall(data);
    }

    /* SIGN */

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        _behave(signing);
        (address recovered,,) = ECDSA.tryRecoverCalldata(digest, signature);
        return recovered == signer ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }

    /* TAKE */

    function onERC1155Received(address, address, uint256, uint256, bytes calldata) external returns (bytes4) {
        _behave(taking);
        uint256 end = gasleft() - burnt;
        while (burnt != 0 && gasleft() > end) {}
        if (_target != address(0)) {
            (bool done_, bytes memory answer) = _target.call(_data);
            (done, failure) = (done_, bytes4(answer));
        }
        return this.onERC1155Received.selector;
    }

    function onERC1155BatchReceived(address, address, uint256[] calldata, uint256[] calldata, bytes calldata)
        external
        view
        returns (bytes4)
    {
        _behave(taking);
        return this.onERC1155BatchReceived.selector;
    }

    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == type(IERC1155Receiver).interfaceId || id == type(IERC165).interfaceId;
    }

    /// @dev Returns if it is good; else it ends the call in its manner.
    function _behave(Manner manner) private pure {
        if (manner == Manner.REFUSE) revert Wallet_Refuses();
        while (manner == Manner.BURN_GAS) {}
        bytes32 word = bytes32(bytes4(0xdeadbeef));
        uint256 size = manner == Manner.ANSWER_SHORT ? 4 : 32;
        if (manner == Manner.GOOD) return;
        assembly ("memory-safe") {
            mstore(0, word)
            return(0, size)
        }
    }
}
