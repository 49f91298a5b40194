"""Rows as events change them: whose turn it is, and the few ways in which a row comes to be or changes."""

from collections.abc import Mapping
from typing import Any, Protocol

from ledger.artifacts import MarketTerms
from ledger.errors import HistoryBroken
from ledger.units import SECONDS_PER_HOUR

Row = dict[str, Any]
Key = tuple[Any, ...]

_NO_CASH = {"free_micro": 0, "deposited_micro": 0, "withdrawn_micro": 0, "epoch": 0}
_NO_UNITS = {"units": 0, "held_units": 0}
_NOTHING_OWED = {"units": 0, "bond_micro": 0, "margin_micro": 0, "reserved_units": 0, "expired_units": 0}


class Rows(Protocol):
    """Where rows are kept (ledger.store.history.Rows)."""

    def get(self, table: str, key: Key) -> Row | None: ...
    def change(self, table: str, key: Key, new: Row | None = None) -> Row | None: ...
    def add(self, table: str, key: Key, row: Row) -> None: ...


class Entries:
    """Rows, and the event that changes them now: every row says which event changed it last.

    Raises HistoryBroken where an event speaks of what is not there.
    """

    def __init__(self, rows: Rows, terms: MarketTerms) -> None:
        self.rows = rows
        self.terms = terms
        self.at: Row = {}
        self.time_s = 0
        self.transaction = ""
        self.placed: Row | None = None
        """The order that was placed last: an offer's margin is told after it."""

    def change(self, table: str, *key: Any) -> Row:
        """A row that is there, to be changed."""
        row = self.rows.change(table, key)
        if row is None:
            name = ", ".join(map(str, key))
            raise HistoryBroken(self.at["block"], f"an event speaks of {name}, which is not in {table}")
        row |= self.at
        return row

    def known(self, table: str, *key: Any) -> Row:
        """A row that is there, to be read."""
        row = self.rows.get(table, key)
        if row is None:
            name = ", ".join(map(str, key))
            raise HistoryBroken(self.at["block"], f"an event speaks of {name}, which is not in {table}")
        return row

    def changed_or_new(self, table: str, key: Key, new: Mapping[str, Any]) -> Row:
        """A row to be changed: `new` where there is none yet."""
        row = self.rows.change(table, key) or self.rows.change(table, key, dict(new))
        assert row is not None
        row |= self.at
        return row

    def set(self, table: str, key: Key, values: Row) -> None:
        """Makes the row, or makes it so."""
        self.changed_or_new(table, key, values).update(values)

    def pay(self, owner: str, amount_micro: int) -> Row:
        """Adds to an owner's free cash."""
        row = self.changed_or_new("cash", (owner,), _NO_CASH)
        row["free_micro"] += amount_micro
        return row

    def balance(self, owner: str, product: int) -> Row:
        """An owner's units of a product, to be changed."""
        return self.changed_or_new("balances", (owner, product), _NO_UNITS)

    def owed(self, product: int, site: int) -> Row:
        """What a site owes of a product, to be changed."""
        row = self.rows.get("obligations", (product, site))
        if row is None:
            due_s = end_s(product) + self.terms.grace_s
            return self.changed_or_new("obligations", (product, site), _NOTHING_OWED | {"due_s": due_s})
        return self.change("obligations", product, site)


def start_s(product: int) -> int:
    """When the product's delivery starts."""
    return (product >> 16 & 0xFFFF_FFFF) * SECONDS_PER_HOUR


def end_s(product: int) -> int:
    """When the product's delivery ends."""
    return ((product >> 16 & 0xFFFF_FFFF) + (product & 0xFFFF)) * SECONDS_PER_HOUR
