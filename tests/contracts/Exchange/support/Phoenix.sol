// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Nest
/// @notice Hatches one account, the phoenix, at always the same address. What it hatches and lets die within one
/// transaction leaves an address without code that may have placed orders, and that can have code again at any moment.
contract Nest {
    struct Act {
        address target;
        bytes data;
    }

    /// @dev Calls with data: forwards all but the first word to the address in the first word. Without: dies.
    bytes private constant PHOENIX = hex"60228060095f395ff3"
        hex"3615601f57602036038060205f375f5f915f5f5f355af1601d575f5ffd5b005b33ff";

    /// @notice Where the phoenix lives.
    function phoenix() public view returns (address) {
        bytes32 digest = keccak256(abi.encodePacked(bytes1(0xff), address(this), bytes32(0), keccak256(PHOENIX)));
        return address(uint160(uint256(digest)));
    }

    function hatch() public {
        bytes memory code = PHOENIX;
        assembly ("memory-safe") {
            pop(create2(0, add(code, 0x20), mload(code), 0))
        }
        require(phoenix().code.length != 0, "not hatched");
    }

    /// @notice Hatches it, lets it act, and lets it die: at the end of the transaction its code is gone.
    function liveADay(Act[] calldata acts) external {
        hatch();
        for (uint256 i = 0; i < acts.length; ++i) {
            (bool done,) = phoenix().call(abi.encodePacked(uint256(uint160(acts[i].target)), acts[i].data));
            require(done, "act failed");
        }
        (bool died,) = phoenix().call("");
        require(died, "still alive");
    }
}
