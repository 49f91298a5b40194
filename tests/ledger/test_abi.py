"""ABIs: calls, results and logs there and back, against an encoding written out by hand and against the chain."""

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ledger import InputError, Log, load_artifacts
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
