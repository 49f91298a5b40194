"""A market day small enough to play within seconds."""

import atexit
from functools import cache

from rich.console import Console as Terminal

from ledger.abi import Event
from ledger.demo.day import Day
from ledger.demo.main import START_HOUR, played
from ledger.demo.scenario import Plan, Size, plan_day

TINY = Size(hubs=1, sites=8, bids_per_round=14, single_hours=1)


@cache
def tiny_plan() -> Plan:
    return plan_day(START_HOUR, size=TINY)


def tiny_day() -> Day:
    """A whole day, played once a process, on a node that ends with it: look at it, change nothing."""
    return _played()[0]


def tiny_url() -> str:
    """Where the node with that day listens."""
    return _played()[1]


@cache
def _played() -> tuple[Day, str]:
    playing = played(tiny_plan(), "anvil", Terminal(quiet=True))
    day, url = playing.__enter__()
    atexit.register(playing.__exit__, None, None, None)
    return day, url


@cache
def tiny_history() -> tuple[Event, ...]:
    """All that the market said on that day."""
    return tuple(tiny_day().market.history())
