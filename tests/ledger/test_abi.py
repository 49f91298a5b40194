"""ABIs: calls, results and logs there and back, against an encoding written out by hand and against the chain."""

from collections.abc import Mapping
from typing import Any

import pytest
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ledger import InputError, Log, NodeRefused, load_artifacts
from ledger.abi import Interface
from tests.world import BUYER, World

ABI = (
    {
        "type": "function",
        "name": "price",
        "inputs": [{"name": "tick", "type": "uint16"}],
        "outputs": [{"name": "", "type": "uint256"}],
    },
    {
        "type": "function",
        "name": "price",
        "inputs": [{"name": "tick", "type": "uint16"}, {"name": "class", "type": "uint8"}],
        "outputs": [{"name": "micro", "type": "uint256"}, {"name": "who", "type": "address"}],
    },
    {"type": "function", "name": "stop", "inputs": [], "outputs": []},
    {
        "type": "function",
        "name": "terms",
        "inputs": [
            {
                "name": "all",
                "type": "tuple[]",
                "components": [{"name": "units", "type": "uint64"}, {"name": "who", "type": "address"}],
            }
        ],
        "outputs": [
            {
                "name": "",
                "type": "tuple[]",
                "components": [{"name": "units", "type": "uint64"}, {"name": "who", "type": "address"}],
            }
        ],
    },
    {
        "type": "event",
        "name": "Cleared",
        "inputs": [
            {"name": "units", "type": "uint64", "indexed": False},
            {"name": "round", "type": "uint64", "indexed": True},
        ],
    },
    {"type": "constructor", "inputs": [{"name": "owner", "type": "address"}]},
)
BOOK = Interface("Book", ABI)
HERE = "0x" + "11" * 20


@given(st.integers(0, 2**16 - 1), st.integers(0, 2**8 - 1))
def test_call_is_selector_and_arguments(tick: int, class_id: int) -> None:
    assert BOOK.call(HERE, "price", tick).data == keccak(text="price(uint16)")[:4] + tick.to_bytes(32)
    two = BOOK.call(HERE, "price", tick, class_id)
    assert two.data == keccak(text="price(uint16,uint8)")[:4] + tick.to_bytes(32) + class_id.to_bytes(32)


def test_results_are_one_value_several_or_none() -> None:
    assert BOOK.call(HERE, "price", 1).result((7).to_bytes(32)) == 7
    pair = BOOK.call(HERE, "price", 1, 1).result(encode(["uint256", "address"], [7, BUYER.address]))
    assert pair == (7, BUYER.address)
    assert BOOK.call(HERE, "stop").result(b"") is None


@given(st.lists(st.integers(0, 2**64 - 1), max_size=4))
def test_structs_are_mappings_by_field(units: list[int]) -> None:
    call = BOOK.call(HERE, "terms", [(one, BUYER.address) for one in units])
    assert call.data[:4] == keccak(text="terms((uint64,address)[])")[:4]
    assert call.result(call.data[4:]) == tuple({"units": one, "who": BUYER.address} for one in units)


@pytest.mark.parametrize("arguments", [(-1,), (2**16,), ("one",), (1.5,), (None,)])
def test_argument_that_does_not_fit_is_refused(arguments: tuple[object, ...]) -> None:
    with pytest.raises(InputError, match="price cannot be called"):
        BOOK.call(HERE, "price", *arguments)


def test_function_or_event_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="Book has no function price of 3 arguments"):
        BOOK.call(HERE, "price", 1, 2, 3)
    with pytest.raises(InputError, match="Book has no event Opened"):
        BOOK.topic("Opened")


def test_creation_is_code_and_arguments() -> None:
    creation = BOOK.creation(b"\x60\x00", BUYER.address)
    assert creation.data == b"\x60\x00" + bytes(12) + bytes.fromhex(BUYER.address[2:])
    assert creation.to is None
    assert creation.result(b"\x60") is None


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_event_gives_its_values_in_the_order_of_the_abi(units: int, round_: int) -> None:
    topics = (keccak(text="Cleared(uint64,uint64)"), round_.to_bytes(32))
    event = BOOK.event(Log(HERE, topics, units.to_bytes(32), 5, "0xaa", 3))
    assert event is not None
    assert list(event.values.items()) == [("units", units), ("round", round_)]
    assert (event.contract, event.name, event["units"]) == ("Book", "Cleared", units)
    assert (event.address, event.block, event.transaction, event.index) == (HERE, 5, "0xaa", 3)
    assert BOOK.topic("Cleared") == topics[0]


@pytest.mark.parametrize(
    "log",
    [
        Log(HERE, (), b"", 1, "0x", 0),
        Log(HERE, (bytes(32),), b"", 1, "0x", 0),
        Log(HERE, (keccak(text="Cleared(uint64,uint64)"),), bytes(32), 1, "0x", 0),
        Log(HERE, (keccak(text="Cleared(uint64,uint64)"), bytes(32)), b"\x01", 1, "0x", 0),
    ],
)
def test_log_that_is_no_event_of_the_contract_says_nothing(log: Log) -> None:
    assert BOOK.event(log) is None


OURS = [(name, entry) for name, one in load_artifacts().items() for entry in one.abi if entry["type"] == "event"]
INTERFACES = {name: Interface(name, one.abi) for name, one in load_artifacts().items()}


def value_of(parameter: Mapping[str, Any], data: st.DataObject) -> Any:
    kind = parameter["type"]
    if kind.endswith("[]"):
        return tuple(data.draw(st.lists(st.integers(0, 2**256 - 1), max_size=4)))
    if kind == "tuple":
        return tuple(value_of(one, data) for one in parameter["components"])
    simple: dict[str, st.SearchStrategy[Any]] = {
        "address": st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex()),
        "bool": st.booleans(),
        "string": st.text(max_size=40),
        "bytes": st.binary(max_size=40),
    }
    if kind in simple:
        return data.draw(simple[kind])
    bits = int(kind.removeprefix("uint").removeprefix("bytes"))
    if kind.startswith("bytes"):
        return data.draw(st.binary(min_size=bits, max_size=bits))
    return data.draw(st.integers(0, 2**bits - 1))


def type_of(parameter: Mapping[str, Any]) -> str:
    if parameter["type"] != "tuple":
        return str(parameter["type"])
    return f"({','.join(map(type_of, parameter['components']))})"


def shown(parameter: Mapping[str, Any], value: Any) -> Any:
    if parameter["type"] == "tuple":
        return {one["name"]: shown(one, part) for one, part in zip(parameter["components"], value, strict=True)}
    return to_checksum_address(value) if parameter["type"] == "address" else value


@given(st.sampled_from(OURS), st.data())
def test_every_event_of_ours_reads_as_it_was_written(event: tuple[str, Mapping[str, Any]], data: st.DataObject) -> None:
    contract, entry = event
    inputs = entry["inputs"]
    values = [value_of(one, data) for one in inputs]
    indexed = [(one, value) for one, value in zip(inputs, values, strict=True) if one["indexed"]]
    plain = [(one, value) for one, value in zip(inputs, values, strict=True) if not one["indexed"]]
    topic = keccak(text=f"{entry['name']}({','.join(map(type_of, inputs))})")
    topics = (topic, *(encode([type_of(one)], [value]) for one, value in indexed))
    written = encode([type_of(one) for one, _ in plain], [value for _, value in plain])
    found = INTERFACES[contract].event(Log(HERE, topics, written, 1, "0xaa", 2))
    assert found is not None
    assert list(found.values.items()) == [
        (one["name"], shown(one, value)) for one, value in zip(inputs, values, strict=True)
    ]


@given(st.sampled_from(OURS), st.lists(st.binary(max_size=33), max_size=4), st.binary(max_size=200), st.data())
def test_malformed_log_says_nothing_or_what_eth_abi_reads(
    event: tuple[str, Mapping[str, Any]], topics: list[bytes], raw: bytes, data: st.DataObject
) -> None:
    contract, entry = event
    inputs = entry["inputs"]
    words = data.draw(st.lists(st.integers(0, 130), max_size=6))
    raw = data.draw(st.sampled_from([raw, b"".join(word.to_bytes(32) for word in words)]))
    topics = data.draw(st.sampled_from([topics, [bytes(31) + b"\x01"] * sum(one["indexed"] for one in inputs)]))
    topic = keccak(text=f"{entry['name']}({','.join(map(type_of, inputs))})")
    found = INTERFACES[contract].event(Log(HERE, (topic, *topics), raw, 1, "0xaa", 2))
    indexed, plain = ([one for one in inputs if one["indexed"] == which] for which in (True, False))
    try:
        values = [decode([type_of(one)], part)[0] for one, part in zip(indexed, topics, strict=True)]
        values += decode(list(map(type_of, plain)), raw)
    except (DecodingError, ValueError, OverflowError):
        assert found is None
        return
    assert found is not None
    read = dict(zip([one["name"] for one in (*indexed, *plain)], values, strict=True))
    assert found.values == {one["name"]: shown(one, read[one["name"]]) for one in inputs}


def test_length_beyond_all_measure_is_no_crash() -> None:
    """A node may claim any length for a text: eth_abi overflows at it."""
    words = [32 + 8, 1, 0, 0]
    topics = (INTERFACES["Exchange"].topic("OrderSkipped"), bytes(32), bytes(32))
    log = Log(HERE, topics, b"".join(word.to_bytes(32) for word in words), 1, "0xaa", 2)
    huge = Log(HERE, topics, (0).to_bytes(32) + (64).to_bytes(32) + (2**255).to_bytes(32), 1, "0xaa", 2)
    assert INTERFACES["Exchange"].event(log) is None
    assert INTERFACES["Exchange"].event(huge) is None
    with pytest.raises(NodeRefused, match="no result"):
        INTERFACES["Capacity"].call(HERE, "uri", 1).result((32).to_bytes(32) + (2**255).to_bytes(32))


def test_no_function_of_ours_is_overloaded_by_type_alone() -> None:
    """Functions are told apart by name and number of arguments."""
    for artifact in load_artifacts().values():
        named = [(one["name"], len(one["inputs"])) for one in artifact.abi if one["type"] == "function"]
        assert len(named) == len(set(named)), artifact.name


def test_events_of_the_chain_read_back(world: World) -> None:
    receipt = world.market.mint_test_dollars(world.buyer.address, 5).send(world.seller).receipt
    [event] = world.market.events(receipt.logs)
    assert (event.contract, event.name) == ("TestDollar", "Transfer")
    assert event.values == {"from": "0x" + "0" * 40, "to": world.buyer.address, "value": 5}
    assert event.transaction == receipt.transaction
