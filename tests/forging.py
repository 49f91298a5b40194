"""A played day's logs, how to alter what one of them says, and a node that lies."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, cast

import orjson
from eth_abi.abi import decode, encode

from ledger.abi import Call, Log
from ledger.artifacts import load_artifacts
from ledger.audit.checks import entries_of, new_replay
from ledger.audit.decode import Entry
from ledger.audit.replay import Replay
from ledger.chain import Chain
from ledger.rpc import bytes_of, message_of, tag_of
from ledger.view import View
from tests.day import tiny_day

Forger = Callable[[dict[str, Any]], Mapping[str, Any]]


@cache
def tiny_entries() -> tuple[Entry, ...]:
    """All logs of the day."""
    return tuple(entries_of(tiny_day().market))


@cache
def said(entry: Entry) -> tuple[str, dict[str, Any]]:
    """An event's name and its values by name, decoded by the ledger's other decoder."""
    market = tiny_day().market
    log = Log(entry.address, entry.topics, entry.data, entry.block, entry.transaction, entry.log)
    (event,) = market.events([log])
    return event.name, dict(event.values)


def forged(entry: Entry, forge: Forger) -> Entry:
    """The log of the same event with other values."""
    market = tiny_day().market
    name, values = said(entry)
    changed = forge(values)
    contract = next(one for one, address in market.deployment.addresses.items() if address == entry.address)
    abi = load_artifacts()["TestDollar" if contract == "Token" else contract].abi
    inputs = next(one["inputs"] for one in abi if one["type"] == "event" and one["name"] == name)
    topics = [encode([one["type"]], [changed[one["name"]]]) for one in inputs if one["indexed"]]
    plain = [one for one in inputs if not one["indexed"]]
    data = encode([one["type"] for one in plain], [changed[one["name"]] for one in plain])
    assert len(decode([one["type"] for one in plain], data)) == len(plain)
    return entry._replace(topics=(entry.topics[0], *topics), data=data)


def replayed(entries: list[Entry] | tuple[Entry, ...]) -> Replay:
    """Fresh books with these logs."""
    return new_replay(tiny_day().market.deployment).run(entries)


Alter = Callable[[str, Sequence[Any], Any], Any]
"""Method, parameters and the true result to what a liar says instead; the result may be changed in place."""


def copied(result: Any) -> Any:
    """An answer that may be changed; faster than deepcopy by far."""
    return orjson.loads(orjson.dumps(result))


class Liar:
    """A node in front of a node, that alters what it says; all else is the chain's."""

    def __init__(self, chain: Chain, alter: Alter) -> None:
        self._chain, self._alter = chain, alter

    def request(self, method: str, *params: Any) -> Any:
        return self._alter(method, params, copied(self._chain.request(method, *params)))

    def batch(self, wanted: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        found = self._chain.batch(wanted)
        return [self._alter(*asked, copied(result)) for asked, result in zip(wanted, found, strict=True)]

    def call_many(self, calls: Sequence[Call], block: int | str = "latest") -> list[Any]:
        """As the chain's own, through what is altered here."""
        results = self.batch([("eth_call", (message_of(call, None), tag_of(block))) for call in calls])
        return [call.result(bytes_of(result)) for call, result in zip(calls, results, strict=True)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chain, name)


def lied_to(view: View, alter: Alter) -> View:
    """The market as somebody sees it whose node lies."""
    return View(cast("Chain", Liar(view.chain, alter)), view.deployment)


def at_block(number: int, *methods: str) -> Callable[[str, Sequence[Any]], bool]:
    """Whether a request asks one of these methods about a block."""
    return lambda method, params: method in methods and params[0] == hex(number)


def flipped(text: str, place: int) -> str:
    """Hex with one digit changed."""
    place = 2 + place % (len(text) - 2)
    return f"{text[:place]}{int(text[place], 16) ^ 1:x}{text[place + 1 :]}"
