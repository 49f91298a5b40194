"""Transactions, byte for byte as eth_account makes them."""

from typing import Any

import pytest
import rlp  # type: ignore[import-untyped]
from eth_account import Account
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ledger.codec import checksummed
from ledger.transactions import Envelope, envelope_of, hash_of
from tests.world import BUYER

KEY = b"\x01" * 32
ADDRESSES = st.binary(min_size=20, max_size=20).map(checksummed)
# Where lengths change their form: a byte, 55 bytes, two and three bytes of length.
SIZES = st.sampled_from([0, 1, 2, 54, 55, 56, 255, 256, 257, 65_535, 65_536]) | st.integers(0, 300)
DATA = st.binary(max_size=60) | st.tuples(SIZES, st.integers(0, 255)).map(lambda pair: bytes([pair[1]]) * pair[0])
NUMBERS = st.integers(0, 300) | st.integers(0, 2**64) | st.integers(0, 2**256 - 1)


@st.composite
def transactions(draw: st.DrawFn) -> dict[str, Any]:
    fields = {
        "type": 2,
        "chainId": draw(st.integers(1, 2**63)),
        "nonce": draw(st.integers(0, 300) | st.integers(0, 2**64 - 2)),
        "gas": draw(NUMBERS),
        "maxFeePerGas": draw(NUMBERS),
        "maxPriorityFeePerGas": draw(NUMBERS),
        "value": draw(NUMBERS),
        "data": draw(DATA),
    }
    return fields | ({"to": draw(ADDRESSES)} if draw(st.booleans()) else {})


@given(transactions())
def test_signed_bytes_are_what_eth_account_makes(fields: dict[str, Any]) -> None:
    envelope = envelope_of(fields)
    assert envelope is not None
    mine = BUYER.sign_transaction(fields)
    theirs = BUYER._account.sign_transaction(dict(fields))
    assert mine.raw == bytes(theirs.raw_transaction)
    assert mine.hash == "0x" + bytes(theirs.hash).hex() == hash_of(mine.raw)
    assert Account.recover_transaction(mine.raw) == BUYER.address


@given(transactions(), st.binary(min_size=64, max_size=64), st.integers(0, 1))
def test_any_signature_is_encoded_as_rlp_has_it(fields: dict[str, Any], parts: bytes, parity: int) -> None:
    """Also r and s that begin with zeros, which few keys show."""
    envelope = envelope_of(fields)
    assert envelope is not None
    names = ("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas")
    receiver = bytes.fromhex(fields["to"][2:]) if "to" in fields else b""
    items = [*(fields[name] for name in names), receiver, fields["value"], fields["data"], []]
    assert envelope.digest == keccak(b"\x02" + rlp.encode(items))
    r, s = int.from_bytes(parts[:32]), int.from_bytes(parts[32:])
    assert envelope.signed(parts + bytes([parity])) == b"\x02" + rlp.encode([*items, parity, r, s])
    small = envelope.signed(bytes(31) + b"\x05" + bytes(30) + b"\x81\x00" + bytes([parity]))
    assert small == b"\x02" + rlp.encode([*items, parity, 5, 0x8100])


PLAIN = {
    "type": 2,
    "chainId": 1,
    "nonce": 0,
    "gas": 21_000,
    "maxFeePerGas": 2,
    "maxPriorityFeePerGas": 1,
    "value": 0,
    "to": BUYER.address,
    "data": b"",
}


@pytest.mark.parametrize(
    "change",
    [
        {"type": 0},
        {"accessList": []},
        {"nonce": -1},
        {"nonce": True},
        {"nonce": "0x1"},
        {"to": BUYER.address.lower()},
        {"to": b"\x11" * 20},
        {"to": None},
        {"data": "0x1234"},
        {"gasPrice": 1},
    ],
)
def test_what_is_not_plain_is_left_to_eth_account(change: dict[str, Any]) -> None:
    assert envelope_of(PLAIN) is not None
    assert envelope_of(PLAIN | change) is None
    assert envelope_of({key: value for key, value in PLAIN.items() if key != "gas"}) is None


def test_what_is_left_to_eth_account_is_signed_or_refused_there() -> None:
    listed = PLAIN | {"accessList": [{"address": BUYER.address, "storageKeys": ["0x" + "00" * 32]}]}
    assert Account.recover_transaction(BUYER.sign_transaction(listed).raw) == BUYER.address
    with pytest.raises(TypeError, match="invalid fields"):
        BUYER.sign_transaction(PLAIN | {"nonce": "one"})


def test_envelope_is_its_items() -> None:
    assert Envelope(b"\x01").digest == keccak(b"\x02\xc1\x01")
