"""A Merkle tree as OpenZeppelin's MerkleProof checks it: keccak-256 of each sorted pair.

Leaves stand in their order; the last of an odd row goes up as it is. What a leaf is hashed from must not be 64 bytes
long, or an inner node could pass for one: `leaf_of` hashes twice, as OpenZeppelin's trees do.
"""

from collections.abc import Sequence

from eth_utils.crypto import keccak

from ledger.errors import InputError


def leaf_of(content: bytes) -> bytes:
    """The leaf that stands for `content`: hashed twice."""
    return keccak(keccak(content))


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root of at least one leaf. Raises InputError for none."""
    return _rows(leaves)[-1][0]


def proof_of(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """What leads from the leaf at `index` to the root, from below. Raises InputError where there is no such leaf."""
    if not 0 <= index < len(leaves):
        raise InputError(f"There is no leaf {index} among {len(leaves)}.", "Leaves are numbered from 0.")
    proof = []
    for row in _rows(leaves)[:-1]:
        beside = index ^ 1
        if beside < len(row):
            proof.append(row[beside])
        index //= 2
    return proof


def is_proven(leaf: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof leads from the leaf to the root."""
    for one in proof:
        leaf = _parent(leaf, one)
    return leaf == root


def _rows(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """The leaves, and each row above them up to the root."""
    if not leaves:
        raise InputError("A tree needs a leaf.", "Report without readings by 32 zero bytes.")
    rows = [list(leaves)]
    while len(rows[-1]) > 1:
        row = rows[-1]
        pairs = [_parent(row[place], row[place + 1]) for place in range(0, len(row) - 1, 2)]
        rows.append(pairs + (row[-1:] if len(row) % 2 else []))
    return rows


def _parent(one: bytes, other: bytes) -> bytes:
    return keccak(min(one, other) + max(one, other))
