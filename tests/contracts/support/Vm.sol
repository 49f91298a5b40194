// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Vm
/// @notice The part of forge's cheatcode interface that our tests use. Forge answers it at one fixed address; a
/// signature that stands here must be one that forge knows, since nothing else checks it.
interface Vm {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    struct Gas {
        uint64 gasLimit;
        uint64 gasTotalUsed;
        uint64 gasMemoryUsed;
        int64 gasRefunded;
        uint64 gasRemaining;
    }

    struct SignedDelegation {
        uint8 v;
        bytes32 r;
        bytes32 s;
        uint64 nonce;
        address implementation;
    }

    /* WHO CALLS, AND WHEN */

    function prank(address sender) external;
    function prank(address sender, address origin) external;
    function startPrank(address sender) external;
    function startPrank(address sender, address origin) external;
    function stopPrank() external;
    function warp(uint256 timestamp) external;
    function roll(uint256 height) external;
    function fee(uint256 baseFee) external;
    function txGasPrice(uint256 gasPrice) external;
    function chainId(uint256 id) external;
    function coinbase(address miner) external;
    function prevrandao(bytes32 value) external;
    function getBlockTimestamp() external view returns (uint256);
    function getBlockNumber() external view returns (uint256);

    /* STATE */

    function deal(address account, uint256 wei_) external;
    function etch(address account, bytes calldata code) external;
    function load(address account, bytes32 slot) external view returns (bytes32);
    function store(address account, bytes32 slot, bytes32 value) external;
    function getNonce(address account) external view returns (uint64);
    function setNonce(address account, uint64 nonce) external;
    function record() external;
    function accesses(address account) external returns (bytes32[] memory reads, bytes32[] memory writes);
    function snapshotState() external returns (uint256 id);
    function revertToState(uint256 id) external returns (bool success);
    function label(address account, string calldata name) external;

    /* KEYS AND ADDRESSES */

    function addr(uint256 privateKey) external pure returns (address);
    function sign(uint256 privateKey, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function signCompact(uint256 privateKey, bytes32 digest) external pure returns (bytes32 r, bytes32 vs);
    function signAndAttachDelegation(address implementation, uint256 privateKey)
        external
        returns (SignedDelegation memory);
    function computeCreateAddress(address deployer, uint256 nonce) external pure returns (address);
    function getCode(string calldata artifact) external view returns (bytes memory creationCode);
    function deployCode(string calldata artifact) external returns (address);
    function deployCode(string calldata artifact, bytes calldata constructorArgs) external returns (address);

    /* WHAT THE NEXT CALL MUST DO */

    function expectRevert() external;
    function expectRevert(bytes4 selector) external;
    function expectRevert(bytes calldata data) external;
    function expectRevert(address reverter) external;
    function expectRevert(bytes4 selector, address reverter) external;
    function expectRevert(bytes calldata data, address reverter) external;
    function expectRevert(uint64 count) external;
    function expectRevert(bytes4 selector, uint64 count) external;
    function expectRevert(bytes calldata data, uint64 count) external;
    function expectRevert(address reverter, uint64 count) external;
    function expectRevert(bytes4 selector, address reverter, uint64 count) external;
    function expectRevert(bytes calldata data, address reverter, uint64 count) external;
    function expectPartialRevert(bytes4 selector) external;
    function expectPartialRevert(bytes4 selector, address reverter) external;
    function expectEmit() external;
    function expectEmit(address emitter) external;
    function expectEmit(bool topic1, bool topic2, bool topic3, bool data) external;
    function expectEmit(bool topic1, bool topic2, bool topic3, bool data, address emitter) external;
    function expectEmit(uint64 count) external;
    function expectEmit(address emitter, uint64 count) external;
    function expectCall(address callee, bytes calldata data) external;
    function expectCall(address callee, bytes calldata data, uint64 count) external;
    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory);

    /* INPUTS */

    function assume(bool condition) external pure;
    function assumeNoRevert() external pure;
    function randomUint() external view returns (uint256);
    function randomUint(uint256 min, uint256 max) external view returns (uint256);
    function randomAddress() external view returns (address);

    /* GAS */

    function lastCallGas() external view returns (Gas memory);
    function snapshotGasLastCall(string calldata name) external returns (uint256 gasUsed);
    function snapshotGasLastCall(string calldata group, string calldata name) external returns (uint256 gasUsed);
    function snapshotValue(string calldata name, uint256 value) external;
    function snapshotValue(string calldata group, string calldata name, uint256 value) external;
    function startSnapshotGas(string calldata group, string calldata name) external;
    function stopSnapshotGas(string calldata group, string calldata name) external returns (uint256 gasUsed);
    function pauseGasMetering() external;
    function resumeGasMetering() external;
    function cool(address account) external;

    /* FILES AND TEXT */

    function projectRoot() external view returns (string memory);
    function exists(string calldata path) external view returns (bool);
    function readFile(string calldata path) external view returns (string memory);
    function readLine(string calldata path) external view returns (string memory);
    function writeFile(string calldata path, string calldata data) external;
    function keyExistsJson(string calldata json, string calldata key) external view returns (bool);
    function parseJson(string calldata json) external pure returns (bytes memory);
    function parseJson(string calldata json, string calldata key) external pure returns (bytes memory);
    function parseJsonUint(string calldata json, string calldata key) external pure returns (uint256);
    function parseJsonUintArray(string calldata json, string calldata key) external pure returns (uint256[] memory);
    function parseJsonBool(string calldata json, string calldata key) external pure returns (bool);
    function parseJsonAddress(string calldata json, string calldata key) external pure returns (address);
    function parseJsonString(string calldata json, string calldata key) external pure returns (string memory);
    function parseJsonBytes(string calldata json, string calldata key) external pure returns (bytes memory);
    function parseJsonBytes32(string calldata json, string calldata key) external pure returns (bytes32);
    function parseJsonKeys(string calldata json, string calldata key) external pure returns (string[] memory);
    function serializeUint(string calldata object, string calldata key, uint256 value) external returns (string memory);
    function serializeString(string calldata object, string calldata key, string calldata value)
        external
        returns (string memory);
    function writeJson(string calldata json, string calldata path) external;
    function toString(uint256 value) external pure returns (string memory);
    function toString(int256 value) external pure returns (string memory);
    function toString(bool value) external pure returns (string memory);
    function toString(address value) external pure returns (string memory);
    function toString(bytes32 value) external pure returns (string memory);
    function toString(bytes calldata value) external pure returns (string memory);
    function parseUint(string calldata text) external pure returns (uint256);
    function envOr(string calldata name, uint256 fallback_) external view returns (uint256);
    function envOr(string calldata name, string calldata fallback_) external view returns (string memory);

    /* ASSERTIONS */

    function assertTrue(bool condition, string calldata why) external pure;
    function assertFalse(bool condition, string calldata why) external pure;
    function assertEq(bool a, bool b, string calldata why) external pure;
    function assertEq(uint256 a, uint256 b, string calldata why) external pure;
    function assertEq(int256 a, int256 b, string calldata why) external pure;
    function assertEq(address a, address b, string calldata why) external pure;
    function assertEq(bytes32 a, bytes32 b, string calldata why) external pure;
    function assertEq(string calldata a, string calldata b, string calldata why) external pure;
    function assertEq(bytes calldata a, bytes calldata b, string calldata why) external pure;
    function assertEq(uint256[] calldata a, uint256[] calldata b, string calldata why) external pure;
    function assertEq(address[] calldata a, address[] calldata b, string calldata why) external pure;
    function assertNotEq(bool a, bool b, string calldata why) external pure;
    function assertNotEq(uint256 a, uint256 b, string calldata why) external pure;
    function assertNotEq(address a, address b, string calldata why) external pure;
    function assertNotEq(bytes32 a, bytes32 b, string calldata why) external pure;
    function assertNotEq(bytes calldata a, bytes calldata b, string calldata why) external pure;
    function assertLt(uint256 a, uint256 b, string calldata why) external pure;
    function assertLt(int256 a, int256 b, string calldata why) external pure;
    function assertLe(uint256 a, uint256 b, string calldata why) external pure;
    function assertLe(int256 a, int256 b, string calldata why) external pure;
    function assertGt(uint256 a, uint256 b, string calldata why) external pure;
    function assertGt(int256 a, int256 b, string calldata why) external pure;
    function assertGe(uint256 a, uint256 b, string calldata why) external pure;
    function assertGe(int256 a, int256 b, string calldata why) external pure;
    function assertApproxEqAbs(uint256 a, uint256 b, uint256 maxDelta, string calldata why) external pure;
    function assertApproxEqRel(uint256 a, uint256 b, uint256 maxPercentDelta, string calldata why) external pure;
}
