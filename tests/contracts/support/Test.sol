// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Assertions} from "./Assertions.sol";
import {Targets} from "./Targets.sol";

/// @title Test
/// @notice Base of every forge test and handler: cheatcodes (`vm`), assertions, targets of invariants, people, time
/// and bounded inputs. It stands in for forge-std, which no package registry serves in a form that compiles.
abstract contract Test is Assertions, Targets {
    /// @dev One event per kind, which forge prints with -vv.
    event log(string text);
    event log_named_uint(string name, uint256 value);
    event log_named_int(string name, int256 value);
    event log_named_address(string name, address value);
    event log_named_bytes32(string name, bytes32 value);
    event log_named_string(string name, string value);

    struct User {
        address addr;
        uint256 key;
    }

    /* PEOPLE */

    /// @dev A labelled address with its private key; the same name gives the same user.
    function makeUser(string memory name) internal returns (User memory user) {
        user.key = uint256(keccak256(bytes(name)));
        user.addr = vm.addr(user.key);
        vm.label(user.addr, name);
    }

    function makeAddr(string memory name) internal returns (address) {
        return makeUser(name).addr;
    }

    function makeAddrAndKey(string memory name) internal returns (address, uint256) {
        User memory user = makeUser(name);
        return (user.addr, user.key);
    }

    /// @dev The 65 bytes r, s, v that ECDSA libraries take.
    function signatureOf(User memory user, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(user.key, digest);
        return abi.encodePacked(r, s, v);
    }

    /* TIME */

    /// @dev Moves the clock forward, and one block with it. Reads the clock through forge, since the optimizer may
    /// keep an earlier `block.timestamp`.
    function skip(uint256 seconds_) internal {
        vm.warp(vm.getBlockTimestamp() + seconds_);
        vm.roll(vm.getBlockNumber() + 1);
    }

    /* INPUTS */

    /// @dev Maps x into [min, max], both included. A value already inside stays; the ends of the type map to the ends
    /// of the range, so that a fuzzer's favourites (0, 1, 2, type max) stay edge cases.
    function bound(uint256 x, uint256 min, uint256 max) internal pure returns (uint256) {
        require(min <= max, "bound: min > max");
        if (x >= min && x <= max) return x;
        unchecked {
            // max - min < 2^256 - 1: a full range contains x, and was returned above.
            uint256 size = max - min + 1;
            if (x <= 3 && size > x) return min + x;
            uint256 fromTop = type(uint256).max - x;
            if (fromTop <= 3 && size > fromTop) return max - fromTop;
            // x % size <= max - min.
            return min + x % size;
        }
    }

    /// @dev The same for signed numbers, in their order on the number line.
    function bound(int256 x, int256 min, int256 max) internal pure returns (int256) {
        return _signed(bound(_unsigned(x), _unsigned(min), _unsigned(max)));
    }

    /// @dev The signed line shifted by 2^255, which keeps its order.
    function _unsigned(int256 x) private pure returns (uint256) {
        return uint256(x) ^ (1 << 255);
    }

    function _signed(uint256 x) private pure returns (int256) {
        return int256(x ^ (1 << 255));
    }
}
