"""Readings: signed by the site, in the tree that the report names, and never more than was leased."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ledger.agent.readings import (
    _READING,
    MeterReading,
    ProvenReading,
    Reported,
    delivered_of,
    faults_of,
    prove_reading,
    read_proven,
    read_reading,
    result_faults,
    sign_reading,
    signer_of,
    usage_root,
    verify_reading,
    window_faults,
)
from ledger.codec import checksummed
from ledger.eip712 import Domain
from ledger.errors import InputError, OutOfRange, UnreadableText
from tests.world import PROVIDER, STRANGER

DOMAIN = Domain("Compute Ledger", "1", 31_337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")
FORGE = Path(__file__).parents[2] / "contracts" / "Delivery" / "usageRoot.t.sol"
UNITS = 7


@st.composite
def windows(draw: st.DrawFn) -> list[MeterReading]:
    """Readings that cover a window without gap, none above UNITS."""
    ends = draw(st.lists(st.integers(1, 5_000), min_size=1, max_size=12))
    readings, at_s = [], 1_000_000
    for number, length_s in enumerate(ends):
        milli = draw(st.integers(0, UNITS * 1_000))
        used = draw(st.integers(0, 10**9))
        readings.append(MeterReading(3, number, at_s, at_s + length_s, milli, used, 2 * used, used // 2))
        at_s += length_s
    return readings


def signed(readings: list[MeterReading]) -> list[bytes]:
    return [sign_reading(one, DOMAIN, PROVIDER) for one in readings]


@given(windows())
def test_every_reading_is_proven_and_read_back(readings: list[MeterReading]) -> None:
    root, signatures = usage_root(readings), signed(readings)
    for number in range(len(readings)):
        proven = prove_reading(readings, signatures, number, root)
        assert verify_reading(proven, root, DOMAIN, PROVIDER.address) == []
        assert read_proven(proven.json()) == proven


@given(windows(), st.data())
def test_a_single_changed_value_is_found(readings: list[MeterReading], data: st.DataObject) -> None:
    root = usage_root(readings)
    proven = prove_reading(readings, signed(readings), data.draw(st.integers(0, len(readings) - 1)))
    field = data.draw(st.sampled_from(["lease", "number", "to_s", "delivered_milli", "wall_ms", "cpu_ms", "gpu_ms"]))
    bent = replace(proven.reading, **{field: getattr(proven.reading, field) + 1})
    assert len(verify_reading(replace(proven, reading=bent), root, DOMAIN, PROVIDER.address)) == 2


def test_who_did_not_sign_and_what_was_not_reported_is_found() -> None:
    reading = MeterReading(1, 0, 10, 20, 5)
    stranger = sign_reading(reading, DOMAIN, STRANGER)
    [fault] = verify_reading(ProvenReading(reading, stranger, ()), reading.leaf, DOMAIN, PROVIDER.address)
    assert f"not signed by {PROVIDER.address}" in fault
    good = sign_reading(reading, DOMAIN, PROVIDER)
    [fault] = verify_reading(ProvenReading(reading, good, ()), bytes(32), DOMAIN, PROVIDER.address)
    assert "not in the report" in fault
    elsewhere = replace(DOMAIN, chain_id=1)
    assert signer_of(reading, good, elsewhere) != PROVIDER.address
    with pytest.raises(UnreadableText, match="root of the report"):
        prove_reading([reading], [good], 0, bytes(32))
    with pytest.raises(InputError, match="no leaf"):
        prove_reading([reading], [good], 1)


@given(windows())
def test_delivered_is_the_mean_over_the_whole_window_rounded_down(readings: list[MeterReading]) -> None:
    start_s, end_s = readings[0].from_s, readings[-1].to_s + 500
    total = sum(one.delivered_milli * (one.to_s - one.from_s) for one in readings)
    found = delivered_of(readings, start_s, end_s)
    assert found * (end_s - start_s) <= total < (found + 1) * (end_s - start_s)
    full = [replace(one, delivered_milli=UNITS * 1_000) for one in readings]
    assert delivered_of(full, start_s, readings[-1].to_s) == UNITS * 1_000


@given(windows(), st.data())
def test_readings_that_cannot_be_are_found(readings: list[MeterReading], data: st.DataObject) -> None:
    window_s = (readings[0].from_s, readings[-1].to_s)
    assert faults_of(readings, 3, UNITS, window_s) == []
    place = data.draw(st.integers(0, len(readings) - 1))
    changes: list[dict[str, int]] = [
        {"lease": 4},
        {"number": place + 1},
        {"from_s": readings[place].from_s - 1},
        {"delivered_milli": UNITS * 1_000 + 1},
    ]
    bent = replace(readings[place], **data.draw(st.sampled_from(changes)))
    assert faults_of([*readings[:place], bent, *readings[place + 1 :]], 3, UNITS, window_s)
    assert faults_of([replace(readings[-1], number=0, from_s=window_s[0])], 3, UNITS, (window_s[0], window_s[1] - 1))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, ""),
        ({"delivered_milli": 4_000}, ""),
        ({"delivered_milli": 4_001}, "claims 4001"),
        ({"root": bytes(32)}, "root"),
        ({"units": 7}, "of 7 units"),
        ({"end_s": 7_199}, "after the window"),
        ({"provider": checksummed(b"1" * 20)}, "not signed"),
    ],
)
def test_a_result_is_held_against_what_the_chain_knows(change: dict[str, Any], fault: str) -> None:
    readings = [MeterReading(7, 0, 3_600, 5_400, 8_000), MeterReading(7, 1, 5_400, 7_200, 0)]
    known = Reported(7, 8, 3_600, 7_200, PROVIDER.address, 4_000, usage_root(readings))
    faults = result_faults(replace(known, **change), readings, signed(readings), DOMAIN)
    assert bool(faults) == bool(fault)
    assert fault in " ".join(faults)
    assert result_faults(known, readings, signed(readings)[:1], DOMAIN)
    assert [window_faults(known, one) for one in readings] == [[], []]
    assert len(window_faults(known, replace(readings[0], to_s=7_201, delivered_milli=8_001))) == 2


def test_a_signature_is_what_a_wallet_makes() -> None:
    reading = MeterReading(9, 2, 100, 200, 8_000, 1, 2, 3)
    typed = encode_typed_data(full_message=_READING.typed_data(reading.json(), DOMAIN))
    digest = keccak(b"\x19" + typed.version + typed.header + typed.body)
    assert _READING.digest(reading.json(), DOMAIN) == digest


@pytest.mark.parametrize(
    ("field", "value"), [("lease", -1), ("lease", 2**64), ("number", 2**32), ("to_s", 10), ("gpu_ms", -1)]
)
def test_a_reading_that_does_not_fit_is_refused(field: str, value: int) -> None:
    with pytest.raises(OutOfRange):
        replace(MeterReading(1, 0, 10, 20, 5), **{field: value})


@pytest.mark.parametrize("said", [{}, {"lease": 1}, {**MeterReading(1, 0, 1, 2, 3).json(), "wall_ms": "1"}])
def test_what_is_no_reading_is_refused(said: dict[str, int]) -> None:
    with pytest.raises(UnreadableText):
        read_reading(said)
    with pytest.raises(UnreadableText):
        read_proven({"reading": said, "signature": "0x00", "proof": []})
    with pytest.raises(UnreadableText):
        read_proven({"reading": MeterReading(1, 0, 1, 2, 3).json(), "signature": "0x0z", "proof": []})


def vector() -> list[MeterReading]:
    """As FORGE makes them: five, so that a leaf goes up a row alone."""
    return [MeterReading(7, k, 3_600 + 60 * k, 3_660 + 60 * k, 8_000 - k, 60_000, 110_000 + k, k) for k in range(5)]


def test_openzeppelins_own_contract_proves_the_same_tree() -> None:
    """The forge test hashes these readings itself, and has MerkleProof follow these proofs to this root."""
    readings = vector()
    text = FORGE.read_text()
    assert f"0x{usage_root(readings).hex()}" in text
    for number in range(5):
        for one in prove_reading(readings, signed(readings), number).proof:
            assert f"0x{one.hex()}" in text
    values = list(readings[4].json().values())
    assert readings[4].leaf == keccak(keccak(encode(["uint256"] * 8, values)))
    assert len(re.findall(r"0x[0-9a-f]{64}", text)) == 1 + 3 + 3 + 3 + 3 + 1


def test_nothing_read_is_reported_by_zeros() -> None:
    assert usage_root([]) == bytes(32)
