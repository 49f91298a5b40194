"""The audit's decoder beside the ledger's: the same values from every true log, and nothing from a torn one."""

import pytest
from eth_utils.address import to_checksum_address
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.artifacts import load_artifacts
from ledger.audit.decode import BadEvent, Decoder, Entry, address_of
from tests.day import tiny_day
from tests.forging import said, tiny_entries


def decoder() -> Decoder:
    artifacts = load_artifacts()
    addresses = tiny_day().market.deployment.addresses
    return Decoder(
        {address: artifacts["TestDollar" if name == "Token" else name].abi for name, address in addresses.items()}
    )


def plain(value: object) -> object:
    """Both decoders' values in one form: text as bytes, structs as tuples."""
    if isinstance(value, dict):
        return tuple(map(plain, value.values()))
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and not value.startswith("0x"):
        return value.encode()
    return tuple(map(plain, value)) if isinstance(value, tuple) else value


def test_read_says_what_the_other_decoder_says() -> None:
    reading, names = decoder(), set()
    for entry in tiny_entries():
        found, (name, values) = reading.read(entry), said(entry)
        assert found.event == name
        # Indexed values come first here, and in their places there.
        assert sorted(map(repr, found.values)) == sorted(repr(plain(value)) for value in values.values())
        names.add(name)
    assert {"ClassSet", "SiteRegistered", "Settled", "TransferSingle", "Cleared", "Ruled"} <= names


@settings(max_examples=200)
@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 255))
def test_read_takes_a_flipped_byte_for_nothing_or_for_other_values(place: int, at: int, by: int) -> None:
    """Never for the same: what is said has one encoding."""
    entries = tiny_entries()
    entry = entries[place % len(entries)]
    if not entry.data:
        return
    at %= len(entry.data)
    data = entry.data[:at] + bytes([entry.data[at] ^ by]) + entry.data[at + 1 :]
    reading = decoder()
    try:
        found = reading.read(entry._replace(data=data))
    except BadEvent:
        return
    assert found != reading.read(entry)


@pytest.mark.parametrize("topics", [(), (bytes(32),)])
def test_read_raises_when_the_contract_has_no_such_event(topics: tuple[bytes, ...]) -> None:
    with pytest.raises(BadEvent):
        decoder().read(tiny_entries()[0]._replace(topics=topics))


@given(st.binary(min_size=20, max_size=20))
def test_address_of_a_word_is_checksummed(address: bytes) -> None:
    assert address_of(bytes(12) + address) == address_of(address) == to_checksum_address(address)
    with pytest.raises(BadEvent):
        address_of(b"\x01" + bytes(11) + address)


def test_entry_is_in_the_order_of_the_chain() -> None:
    places = [(entry.block, entry.log) for entry in tiny_entries()]
    assert places == sorted(places)
    assert isinstance(tiny_entries()[0], Entry)
