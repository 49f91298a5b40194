"""Revert data to errors: every error of every ABI, in human units, whatever a node wraps it in."""

from string import Formatter
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ledger import CONTRACT_ERRORS, NodeRefused, Reverted, errors, load_artifacts
from ledger.reverts import Reverts

ENTRIES = {
    entry["name"]: entry for artifact in load_artifacts().values() for entry in artifact.abi if entry["type"] == "error"
}
REVERTS = Reverts(artifact.abi for artifact in load_artifacts().values())
NOBODYS = {"Error", "Panic", "Unknown"}
SAMPLES = {
    "address": "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    "bytes32": b"\x01" * 32,
    "bytes4": b"\x02" * 4,
    "string": "text",
}


def data_of(name: str, **values: Any) -> bytes:
    types = [one["type"] for one in ENTRIES[name]["inputs"]]
    arguments = [values[one["name"]] for one in ENTRIES[name]["inputs"]]
    return keccak(text=f"{name}({','.join(types)})")[:4] + encode(types, arguments)


def sample(name: str) -> bytes:
    return data_of(name, **{one["name"]: SAMPLES.get(one["type"], 1) for one in ENTRIES[name]["inputs"]})


def test_every_error_of_every_abi_has_its_class_and_no_class_is_nobodys() -> None:
    assert set(CONTRACT_ERRORS) - NOBODYS == set(ENTRIES)


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_error_decodes_to_its_class_with_its_values_and_what_to_do(name: str) -> None:
    error = REVERTS.decode(sample(name))
    assert type(error) is CONTRACT_ERRORS[name] is getattr(errors, name)
    assert isinstance(error, Reverted)
    assert list(error.values) == [one["name"] for one in ENTRIES[name]["inputs"]]
    assert "_".join((error.contract, error.name)).removeprefix("OpenZeppelin_") == name
    assert error.remedy.endswith((".", ")"))
    assert "{" not in error.remedy


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_remedy_names_only_values_that_the_error_has(name: str) -> None:
    named = {field for _, field, _, _ in Formatter().parse(CONTRACT_ERRORS[name].__doc__ or "") if field}
    assert named <= {one["name"] for one in ENTRIES[name]["inputs"]}


def test_values_are_shown_in_human_units() -> None:
    owner = SAMPLES["address"]
    poor = REVERTS.decode(data_of("Treasury_InsufficientCash", owner=owner, cash=1_500_000, needed=2_000_001))
    assert poor.shown == {"owner": owner, "cash": "1.50 USD", "needed": "2.000001 USD"}
    assert poor.values["cash"] == 1_500_000
    early = REVERTS.decode(data_of("Exchange_RoundNotEnded", round=9, end_s=1_767_225_660, now_s=1_767_225_601))
    assert early.remedy == "Clear the round after 2026-01-01 00:01:00 UTC."
    site = {"site": 3, "hour_": 490_896, "available": 5, "units": 6}
    full = REVERTS.decode(data_of("Capacity_InsufficientCapacity", **site))
    assert full.shown == {"site": "3", "hour_": "2026-01-01 00:00 UTC", "available": "5 units", "units": "6 units"}
    lease = REVERTS.decode(data_of("Delivery_WrongState", lease=1, state=1, wanted=2))
    assert lease.remedy == "Lease 1 is open; this needs one that is reported."
    tier = REVERTS.decode(data_of("Capacity_NotRelaxed", tier=3, wanted=1))
    assert tier.shown == {"tier": "WIDE", "wanted": "METRO"}
    product = 1 << 80 | 1 << 72 | 257 << 56 | 2 << 48 | 490_896 << 16 | 24
    none = REVERTS.decode(data_of("Exchange_RoundEmpty", product=product, round=7))
    assert none.shown["product"] == "AI_LARGE.METRO.257.STANDARD.2026-01-01T00.24h"


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Exchange_RoundEmpty", {"product": 2**256 - 1, "round": 1}),
        ("Delivery_WrongState", {"lease": 1, "state": 9, "wanted": 255}),
        ("Capacity_GradeTooHigh", {"site": 1, "grade": 99, "gradeMax": 0}),
        ("Delivery_TooEarly", {"from_s": 2**256 - 1, "now_s": 0}),
        ("Capacity_InsufficientCapacity", {"site": 1, "hour_": 2**255, "available": 0, "units": 1}),
    ],
)
def test_value_that_is_none_of_its_kind_is_shown_as_it_is(name: str, values: dict[str, int]) -> None:
    error = REVERTS.decode(data_of(name, **values))
    assert error.values == values
    assert all(error.shown.values())


@given(st.binary(max_size=200))
def test_any_data_decodes_to_some_error(data: bytes) -> None:
    assert isinstance(REVERTS.decode(data), Reverted)


@given(st.sampled_from(sorted(ENTRIES)), st.data())
def test_cut_data_is_unknown(name: str, data: st.DataObject) -> None:
    whole = sample(name)
    if len(whole) > 4:
        cut = whole[: data.draw(st.integers(4, len(whole) - 1))]
        assert isinstance(REVERTS.decode(cut), errors.Unknown)


def test_panics_and_texts_are_told() -> None:
    panic = REVERTS.decode(keccak(text="Panic(uint256)")[:4] + (0x11).to_bytes(32))
    assert isinstance(panic, errors.Panic)
    assert "an amount too large or below zero" in str(panic)
    text = REVERTS.decode(keccak(text="Error(string)")[:4] + encode(["string"], ["no money"]))
    assert isinstance(text, errors.Error)
    assert text.values == {"text": "no money"}
    assert "out of gas" in str(REVERTS.decode(b""))


def test_nodes_wrap_the_data_each_in_its_way() -> None:
    data = "0x" + sample("Exchange_OrdersPaused").hex()
    for wrapped in (data, {"data": data}, {"data": {"data": data}}, f"Reverted {data}"):
        error = REVERTS.of_node_error({"code": 3, "message": "execution reverted", "data": wrapped})
        assert isinstance(error, errors.Exchange_OrdersPaused)
    assert isinstance(REVERTS.of_node_error({"message": "execution reverted"}), errors.Unknown)


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ("insufficient funds for gas * price + value", "Send the account money for gas"),
        ("Nonce too low", "try again"),
        ("replacement transaction underpriced", "at least a tenth more"),
        ("exceeds block gas limit", "Do less"),
        ("the moon is full", "Try again"),
    ],
)
def test_what_is_no_revert_is_the_nodes_refusal_with_a_remedy(message: str, remedy: str) -> None:
    error = REVERTS.of_node_error({"code": -32_000, "message": message})
    assert isinstance(error, NodeRefused)
    assert error.why == message
    assert remedy in error.remedy


def test_eth_tester_writes_data_as_a_literal() -> None:
    error = REVERTS.of_tester_error(f"execution reverted: {sample('Exchange_OrdersPaused')!r}")
    assert isinstance(error, errors.Exchange_OrdersPaused)
    assert isinstance(REVERTS.of_tester_error("something else"), NodeRefused)


def test_error_class_that_is_none_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="Exchange_Nonsense"):
        _ = errors.Exchange_Nonsense
