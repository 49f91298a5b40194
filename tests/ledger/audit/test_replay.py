"""The replay against a day that was played: true events fold into the chain's state, forged ones are found out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.abi import Event
from ledger.audit.replay import Replay
from tests.day import tiny_day, tiny_history

Forger = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def replayed(events: Sequence[Event]) -> Replay:
    market = tiny_day().market
    floor_bp = market.deployment.terms.derating_floor_bp
    return Replay(market.address("Treasury"), market.address("Exchange"), floor_bp).run(events)


def test_replay_of_what_happened_finds_nothing() -> None:
    books = replayed(tiny_history())
    assert books.findings == []
    assert books.events == len(tiny_history())
    assert books.owed_micro() == books.token_micro == 0


@settings(max_examples=12)
@given(st.integers(0, 10**6))
def test_replay_of_any_beginning_finds_nothing(place: int) -> None:
    """The rules hold after each transaction, not only at the end."""
    events = tiny_history()
    last = events[place % len(events)].transaction
    stop = max(number for number, event in enumerate(events) if event.transaction == last) + 1
    assert replayed(events[:stop]).findings == []


def more(name: str, by: int = 1) -> Forger:
    return lambda values: {**values, name: values[name] + by}


def traded_more(values: Mapping[str, Any]) -> Mapping[str, Any]:
    fills = list(values["fills"])
    place = next(number for number, fill in enumerate(fills) if fill & 0xFFFF_FFFF)
    fills[place] -= 1
    return {**values, "fills": tuple(fills)}


def other_prefix(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**values, "order": values["order"] + (1 << 32)}


FORGERIES: dict[str, tuple[str, Forger, int]] = {
    "a deposit too high": ("Deposited", more("amount"), 1),
    "a withdrawal too low": ("Withdrawn", more("amount", -1), 1),
    "units from nowhere": ("TransferSingle", more("value"), 2),
    "a calendar above what was attested": ("Committed", more("units", 10**6), 4),
    "an order that came too late": ("OrderPlaced", other_prefix, 5),
    "a fill short of a unit": ("Settled", traded_more, 5),
    "a price a tick too high": ("Cleared", more("priceTick"), 6),
    "a bond short of a micro": ("Obliged", more("bondMicro", -1), 8),
    "a share too high": ("Discharged", more("bondMicro"), 8),
    "a provider paid too much": ("Resolved", more("toProviderMicro"), 8),
    "a refund too low": ("Aborted", more("toHolderMicro", -1), 8),
    "a margin kept": ("OfferSettled", more("marginReturned", -1), 8),
    "a better record": ("RecordUpdated", more("deliveredMilliHours"), 15),
}


def trades(event: Event) -> bool:
    """Not an event of a round without trade: forging those would break another rule."""
    if event.name == "Settled":
        return any(fill & 0xFFFF_FFFF for fill in event["fills"])
    return event.name != "Cleared" or bool(event["units"])


@pytest.mark.parametrize("forgery", FORGERIES)
def test_replay_finds_what_was_forged(forgery: str) -> None:
    name, forge, number = FORGERIES[forgery]
    events = list(tiny_history())
    place = next(place for place, event in enumerate(events) if event.name == name and trades(event))
    events[place] = replace(events[place], values=forge(events[place].values))
    assert number in {finding.number for finding in replayed(events).findings}


def test_replay_finds_a_slot_used_before_it_was_settled() -> None:
    events = list(tiny_history())
    first = next(place for place, event in enumerate(events) if event.name == "OrderPlaced")
    events.insert(first + 1, events[first])
    found = replayed(events[: first + 2]).findings
    assert 10 in {finding.number for finding in found}
    assert "INV-10" in str(next(one for one in found if one.number == 10))


def test_replay_finds_a_forgotten_epoch() -> None:
    event = Event("Treasury", "Revoked", {"owner": "0x" + "1" * 40, "epoch": 2}, "", 0, "0x", 0)
    assert [finding.number for finding in replayed([event]).findings] == [12]


@pytest.mark.parametrize("name", ["Withdrawn", "Discharged", "BondReleased", "MarginEscrowed", "Transfer"])
def test_replay_finds_what_was_left_out(name: str) -> None:
    """Money and units that move without an event leave the books unequal."""
    events = list(tiny_history())
    last = max(place for place, event in enumerate(events) if event.name == name)
    del events[last]
    assert replayed(events).findings
