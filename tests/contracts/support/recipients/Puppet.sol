// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1155Receiver} from "@openzeppelin/contracts/token/ERC1155/IERC1155Receiver.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

import {IMoneyHook} from "../tokens/HookDollar.sol";

/// @title Puppet
/// @notice A user that is a contract. It does what it is told, and when units or money reach or leave it, it does what
/// it was told to do then, keeps the answers, and accepts or refuses.
contract Puppet is IERC1155Receiver, IMoneyHook {
    using Address for address;

    /// @notice How it answers when units reach it.
    enum Manner {
        ACCEPT,
        REVERT,
        ANSWER_WRONG,
        BURN_GAS
    }

    struct Act {
        address target;
        bytes data;
    }

    /// @param dataHash Of the returned or reverted data, cut so that an answer is one slot.
    struct Answer {
        bool done;
        bytes31 dataHash;
    }

    error Puppet_Refuses();

    // One slot: what a buyer may burn while it is given its units is little.
    Manner public manner;
    bool private _busy;
    /// @notice How often it was called back.
    uint64 public called;
    /// @notice Units that reached it, of any product.
    uint128 public received;
    Act[] private _plan;
    Answer[] private _answers;

    /* WHAT IT IS TOLD */

    function setManner(Manner manner_) external {
        manner = manner_;
    }

    /// @notice Adds a call to what it does when it is called back.
    function plan(address target, bytes calldata data) external {
        _plan.push(Act(target, data));
    }

    /// @notice Calls at once; reverts as the target does.
    function act(address target, bytes calldata data) external returns (bytes memory) {
        return target.functionCall(data);
    }

    /// @notice Whether the planned call number `index` failed with that error.
    function wasRefused(uint256 index, bytes calldata reason) external view returns (bool) {
        return !_answers[index].done && _answers[index].dataHash == bytes31(keccak256(reason));
    }

    /// @notice What the planned call number `index` answered.
    function answerOf(uint256 index) external view returns (Answer memory) {
        return _answers[index];
    }

    function answers() external view returns (uint256) {
        return _answers.length;
    }

    /* CALLED BACK */

    function onERC1155Received(address, address, uint256, uint256 units, bytes calldata) external returns (bytes4) {
        received += uint128(units);
        return _answer(this.onERC1155Received.selector);
    }

    function onERC1155BatchReceived(address, address, uint256[] calldata, uint256[] calldata units, bytes calldata)
        external
        returns (bytes4)
    {
        for (uint256 i = 0; i < units.length; ++i) {
            received += uint128(units[i]);
        }
        return _answer(this.onERC1155BatchReceived.selector);
    }

    function onMoney() external {
        _perform();
    }

    function _answer(bytes4 selector) private returns (bytes4) {
        if (manner == Manner.REVERT) revert Puppet_Refuses();
        if (manner == Manner.ANSWER_WRONG) return bytes4(0xdeadbeef);
        while (manner == Manner.BURN_GAS) ++called;
        _perform();
        return selector;
    }

    /// @dev Once, however often its own calls lead back to it.
    function _perform() private {
        ++called;
        if (_busy) return;
        _busy = true;
        for (uint256 i = 0; i < _plan.length; ++i) {
            (bool done, bytes memory answer) = _plan[i].target.call(_plan[i].data);
            _answers.push(Answer(done, bytes31(keccak256(answer))));
        }
        _busy = false;
    }

    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == type(IERC1155Receiver).interfaceId || id == type(IERC165).interfaceId;
    }
}
