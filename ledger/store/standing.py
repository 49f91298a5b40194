"""What stands in many books at once: the orders of the last rounds, and who owes what. One query each."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import fields

from sqlalchemy import select

from ledger.model import Kind
from ledger.store import tables as t
from ledger.store.engine import Store
from ledger.store.records import OrderRow

# SQLite takes 32,766 values in one statement, PostgreSQL 65,535.
_NAMED_AT_ONCE = 1_000


def recent_orders(store: Store, products: Sequence[int], from_round: int) -> dict[int, list[OrderRow]]:
    """By product, the orders of `from_round` and later, by round and slot."""
    of = t.ORDERS.c
    found: dict[int, list[OrderRow]] = defaultdict(list)
    columns = [of[field.name] for field in fields(OrderRow)]
    with store.read() as connection:
        for part in _parts(products):
            wanted = select(*columns).where(of.product.in_(part), of.round >= from_round)
            for row in connection.execute(wanted.order_by(of.product, of.round, of.slot)):
                found[row.product].append(OrderRow(**(row._asdict() | {"kind": Kind(row.kind)})))
    return dict(found)


def owed_units(store: Store, products: Sequence[int]) -> dict[int, dict[int, int]]:
    """By product and site, the units that are owed."""
    of = t.OBLIGATIONS.c
    found: dict[int, dict[int, int]] = defaultdict(dict)
    with store.read() as connection:
        for part in _parts(products):
            wanted = select(of.product, of.site, of.units).where(of.product.in_(part), of.units > 0)
            for row in connection.execute(wanted.order_by(of.product, of.site)):
                found[row.product][row.site] = int(row.units)
    return dict(found)


def last_prices(store: Store, products: Sequence[int]) -> dict[int, tuple[int, int, int | None]]:
    """By product that was ever traded: its price step in micro, its least order in units, its last price in micro per
    unit-hour."""
    of = t.BOOKS.c
    found = {}
    with store.read() as connection:
        for part in _parts(products):
            wanted = select(of.product, of.tick_size_micro, of.min_units, of.last_price_micro)
            for row in connection.execute(wanted.where(of.product.in_(part))):
                found[row.product] = (int(row.tick_size_micro), int(row.min_units), row.last_price_micro)
    return found


def _parts(products: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(products), _NAMED_AT_ONCE):
        yield products[start : start + _NAMED_AT_ONCE]
