"""The tree against an independent statement of OpenZeppelin's rule, and no leaf but its own is proven."""

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ledger.agent.merkle import is_proven, leaf_of, proof_of, root_of
from ledger.errors import InputError

_LEAVES = st.lists(st.binary(max_size=8).map(leaf_of), min_size=1, max_size=40)


def processed(leaf: bytes, proof: list[bytes]) -> bytes:
    """MerkleProof.processProof and Hashes.commutativeKeccak256, as OpenZeppelin write them."""
    computed = int.from_bytes(leaf)
    for one in proof:
        other = int.from_bytes(one)
        low, high = (computed, other) if computed < other else (other, computed)
        computed = int.from_bytes(keccak(low.to_bytes(32) + high.to_bytes(32)))
    return computed.to_bytes(32)


@given(_LEAVES)
def test_every_leaf_is_proven_by_openzeppelins_rule(leaves: list[bytes]) -> None:
    root = root_of(leaves)
    for index, leaf in enumerate(leaves):
        proof = proof_of(leaves, index)
        assert processed(leaf, proof) == root
        assert is_proven(leaf, proof, root)
        assert len(proof) <= (len(leaves) - 1).bit_length()


@given(_LEAVES, st.data())
def test_nothing_else_is_proven(leaves: list[bytes], data: st.DataObject) -> None:
    root, index = root_of(leaves), data.draw(st.integers(0, len(leaves) - 1))
    proof = proof_of(leaves, index)
    stranger = data.draw(st.binary(min_size=32, max_size=32).filter(lambda one: one not in leaves))
    assert not is_proven(stranger, proof, root)
    if proof:
        place = data.draw(st.integers(0, len(proof) - 1))
        bent = [*proof[:place], keccak(proof[place]), *proof[place + 1 :]]
        assert not is_proven(leaves[index], bent, root)
        assert not is_proven(leaves[index], proof[:-1], root)


@given(_LEAVES, st.data())
def test_another_leaf_anywhere_is_another_root(leaves: list[bytes], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(leaves) - 1))
    other = [*leaves[:place], keccak(leaves[place]), *leaves[place + 1 :]]
    assert root_of(other) != root_of(leaves)


def test_one_leaf_is_its_own_root() -> None:
    assert (root_of([leaf_of(b"a")]), proof_of([leaf_of(b"a")], 0)) == (leaf_of(b"a"), [])


@pytest.mark.parametrize("index", [-1, 2])
def test_a_leaf_that_is_not_there_has_no_proof(index: int) -> None:
    with pytest.raises(InputError, match="no leaf"):
        proof_of([leaf_of(b"a"), leaf_of(b"b")], index)


def test_a_tree_of_nothing_is_none() -> None:
    with pytest.raises(InputError, match="needs a leaf"):
        root_of([])
