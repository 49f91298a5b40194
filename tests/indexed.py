"""A history to ask: the tiny day, indexed; and all rows of a store, to compare."""

from functools import cache
from typing import Any

from sqlalchemy import select

from ledger.history.index import Index
from ledger.store import tables as t
from ledger.store.engine import IN_MEMORY, Store, open_store
from tests.day import tiny_day

Dump = dict[str, list[tuple[Any, ...]]]


@cache
def tiny_store() -> Store:
    """The tiny day's history, all of it: read it, change nothing."""
    store = open_store(IN_MEMORY)
    for _ in Index(tiny_day().market, store).advance():
        pass
    return store


def dump(store: Store) -> Dump:
    """Every row of every table that says what happened, in the order of the keys."""
    with store.read() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in (*t.STATES, t.EVENTS)
        }
