"""The narrow decoder against the general one, on every event of a played day; and logs that are none."""

from typing import Any

import pytest

from ledger.abi import Event
from ledger.chain import Contracts
from ledger.errors import HistoryBroken, NodeRefused
from ledger.history.logs import Decoder, Said
from ledger.rpc import read_log
from tests.day import tiny_day

CONTRACTS: Contracts = tiny_day().market
ADDRESSES = {name: one for name, one in CONTRACTS.deployment.addresses.items() if name != "Token"}
DECODER = Decoder(ADDRESSES, {name: CONTRACTS.chain.artifact(name).abi for name in ADDRESSES})
WANTED = {"address": list(ADDRESSES.values()), "fromBlock": hex(CONTRACTS.deployment.block), "toBlock": "latest"}
RAW: list[dict[str, Any]] = [dict(entry) for entry in CONTRACTS.chain.request("eth_getLogs", WANTED)]


def plainly(value: Any) -> Any:
    return "0x" + value.hex() if isinstance(value, bytes) else value


def the_same(said: Said, event: Event) -> bool:
    values = tuple(map(plainly, event.values.values()))
    where = (event.contract, event.name, event.block, event.index, event.transaction)
    return (said.contract, said.name, said.block, said.log_index, said.transaction) == where and said.values == values


def test_every_event_reads_as_the_general_decoder_reads_it() -> None:
    said = [DECODER.read(entry) for entry in RAW]
    events = CONTRACTS.events([read_log(entry) for entry in RAW])
    assert len(said) == len(events) > 500
    assert all(map(the_same, said, events))
    assert len({one.name for one in said}) > 25


def test_read_stops_at_an_event_that_the_contract_does_not_declare() -> None:
    unknown = RAW[0] | {"topics": ["0x" + "12" * 32]}
    with pytest.raises(HistoryBroken, match="does not know"):
        DECODER.read(unknown)
    with pytest.raises(HistoryBroken):
        DECODER.read(RAW[0] | {"topics": []})


def first(name: str) -> dict[str, Any]:
    return next(entry for entry in RAW if DECODER.read(entry).name == name)


@pytest.mark.parametrize("name", ["Deposited", "Settled", "OrderPlaced", "AreaSet", "Cleared"])
@pytest.mark.parametrize("spoiled", ["short", "long", "no hex", "a topic less", "no block", "nobody's"])
def test_read_refuses_what_is_no_log(name: str, spoiled: str) -> None:
    entry = first(name)
    changes: dict[str, dict[str, Any]] = {
        "short": {"data": entry["data"][:-64]},
        "long": {"data": entry["data"] + "00" * 32},
        "no hex": {"data": "0x" + "zz" * ((len(entry["data"]) - 2) // 2)},
        "a topic less": {"topics": entry["topics"][:-1]},
        "no block": {"blockNumber": None},
        "nobody's": {"address": "0x" + "1" * 40},
    }
    if (name, spoiled) == ("AreaSet", "long"):
        # What stands after a text that is long enough is nobody's: the general decoder does not look there.
        assert DECODER.read(entry | changes[spoiled]).values == DECODER.read(entry).values
        return
    with pytest.raises(NodeRefused):
        DECODER.read(entry | changes[spoiled])
