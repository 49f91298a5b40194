// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

import {Test} from "../support/Test.sol";

/// @dev The root that a report names is of a tree that MerkleProof checks: an arbiter can do so on chain. The proofs are
/// the provider's agent's (ledger/agent/readings.py), which a test of it holds against this file.
contract UsageRoot_Test is Test {
    bytes32 private constant ROOT = 0x0dbefe3650f6942357614154c2967a51b6d347c621bfd8e03c01ed6e6744a9d2;

    mapping(uint256 number => bytes32[]) private proofs;

    constructor() {
        proofs[0].push(0xaba590667fe27ea78983a55b9c80d87ffc6c6ba07f8096fba9760e5dccdcc5c5);
        proofs[0].push(0x529a7959ac39537ca7ea9f0e88ce5ada55ce51206702f947b4852dfb5395e9d5);
        proofs[0].push(0x8855d4667ceba7d5df46e74d98481c514202f7890119289f1b921e5cdc31cba3);
        proofs[1].push(0xa0976848d7105baf339ce73c54fa9cd7e4d40910a917e4e81286077b93bcb82f);
        proofs[1].push(0x529a7959ac39537ca7ea9f0e88ce5ada55ce51206702f947b4852dfb5395e9d5);
        proofs[1].push(0x8855d4667ceba7d5df46e74d98481c514202f7890119289f1b921e5cdc31cba3);
        proofs[2].push(0xa69f7041f438847821571717ab8f1442de8bc5dda9ff6f6bccdcd7f6cccfd9d8);
        proofs[2].push(0x11e0b672c7b32014f457c74a075f0aa9c2b192d323996a7dc8a8a49c868d1d39);
        proofs[2].push(0x8855d4667ceba7d5df46e74d98481c514202f7890119289f1b921e5cdc31cba3);
        proofs[3].push(0x259d0c5c1567b5bd28bb77fa905d13150679ab30b718b6046981a86cece1869f);
        proofs[3].push(0x11e0b672c7b32014f457c74a075f0aa9c2b192d323996a7dc8a8a49c868d1d39);
        proofs[3].push(0x8855d4667ceba7d5df46e74d98481c514202f7890119289f1b921e5cdc31cba3);
        proofs[4].push(0x814f5307e2eb11b476fa727a0b3ee977d72c288fcd10d49838730b4b6a3d5fdb);
    }

    function leafOf(uint256 k, uint256 deliveredMilli) private pure returns (bytes32) {
        bytes memory reading =
            abi.encode(uint256(7), k, 3600 + 60 * k, 3660 + 60 * k, deliveredMilli, uint256(60_000), 110_000 + k, k);
        return keccak256(bytes.concat(keccak256(reading)));
    }

    function test_usageRoot_isProvenByEachReading() public view {
        for (uint256 k = 0; k < 5; k++) {
            assertTrue(MerkleProof.verify(proofs[k], ROOT, leafOf(k, 8000 - k)));
        }
    }

    function test_usageRoot_isNotProvenBy_anotherReading() public view {
        for (uint256 k = 0; k < 5; k++) {
            assertFalse(MerkleProof.verify(proofs[k], ROOT, leafOf(k, 8001 - k)));
        }
    }
}
