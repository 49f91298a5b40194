"""Typed data: the digest that wallets compute from what they are shown."""

from typing import Any

import pytest
from eth_abi.exceptions import EncodingError
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ledger.eip712 import Domain, Struct

ADDRESSES = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
DOMAINS = st.builds(Domain, st.text(), st.text(), st.integers(0, 2**256 - 1), ADDRESSES)
VALUES = {
    "uint256": st.integers(0, 2**256 - 1),
    "uint8": st.integers(0, 255),
    "address": ADDRESSES,
    "bool": st.booleans(),
    "bytes32": st.binary(min_size=32, max_size=32),
    "string": st.text(),
    "int64": st.integers(-(2**63), 2**63 - 1),
}


@st.composite
def messages(draw: st.DrawFn) -> tuple[Struct, dict[str, Any]]:
    kinds = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=6))
    fields = [(f"field{place}", kind) for place, kind in enumerate(kinds)]
    return Struct("Message", fields), {name: draw(VALUES[kind]) for name, kind in fields}


@given(messages(), DOMAINS)
def test_digest_is_what_a_wallet_computes(message: tuple[Struct, dict[str, Any]], domain: Domain) -> None:
    struct, values = message
    shown = encode_typed_data(full_message=struct.typed_data(values, domain))
    assert struct.digest(values, domain) == keccak(b"\x19\x01" + shown.header + shown.body)
    assert domain.separator == shown.header


@given(messages(), DOMAINS)
def test_digest_is_of_its_domain_alone(message: tuple[Struct, dict[str, Any]], domain: Domain) -> None:
    struct, values = message
    elsewhere = Domain(domain.name, domain.version, domain.chain_id ^ 1, domain.contract)
    assert struct.digest(values, domain) != struct.digest(values, elsewhere)


@pytest.mark.parametrize("value", [-1, 256, "a", None, 1.5])
def test_value_that_does_not_fit_is_refused(value: object) -> None:
    with pytest.raises(EncodingError):
        Struct("Message", [("units", "uint8")]).digest({"units": value}, Domain("", "", 1, "0x" + "11" * 20))
