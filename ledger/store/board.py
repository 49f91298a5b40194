"""What a market page asks for in one look: products with their last prices, volumes and what is open in them.

All of it is read in one view of the database (`Snapshot`), so that every number of an answer is of the same block.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any

from sqlalchemy import Connection, Select, func, literal, select, tuple_

from ledger.model import Kind
from ledger.product import Product
from ledger.store import relay  # noqa: F401 - its tables
from ledger.store import tables as t
from ledger.store.engine import Store, metadata
from ledger.store.intents import ATTEMPTS
from ledger.store.queries import book
from ledger.store.records import BookRow, OrderRow
from ledger.units import SECONDS_PER_HOUR

SPARKS = 32
"""How many of the last prices a product shows."""
DAY_S = 24 * SECONDS_PER_HOUR
_SCANNED_MAX = 100_000


class Snapshot(Store):
    """One view of a store: whatever is read through it is of the same moment. Nothing can be written through it."""

    def __init__(self, store: Store, connection: Connection) -> None:
        super().__init__(store.engine)
        self._connection = connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        yield self._connection


@contextmanager
def snapshot(store: Store) -> Iterator[Snapshot]:
    """A view of the store as it is now, for as long as the block lasts."""
    with store.read() as connection:
        yield Snapshot(store, connection)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which products: those that fit in all that is said. `open_after_s`: delivery starts later than that."""

    class_id: int | None = None
    tier: int | None = None
    area: int | None = None
    grade: int | None = None
    open_after_s: int | None = None

    def after(self, time_s: int) -> "Wanted":
        """Those of them whose delivery starts later than a time."""
        return replace(self, open_after_s=time_s)

    def has(self, product: Product) -> bool:
        """Whether a product is one of them; `open_after_s` is asked of the database."""
        said = (self.class_id, self.tier, self.area, self.grade)
        facts = (product.class_id, int(product.tier), product.area, int(product.grade))
        return all(one is None or one == fact for one, fact in zip(said, facts, strict=True))


@dataclass(frozen=True, slots=True)
class Trade:
    """A round that traded: at `price_micro` per unit-hour."""

    round: int
    units: int
    price_micro: int
    time_s: int


@dataclass(frozen=True, slots=True)
class BoardRow:
    """A product on the board: its last trades, newest first, units traded within the last day, orders not settled.

    `book` is None for a product in which nobody ever placed an order."""

    product: Product
    book: BookRow | None
    trades: tuple[Trade, ...] = ()
    day_units: int = 0
    orders_open: int = 0

    @property
    def last(self) -> Trade | None:
        return self.trades[0] if self.trades else None

    @property
    def previous(self) -> Trade | None:
        return self.trades[1] if len(self.trades) > 1 else None


def products(
    store: Store, wanted: Wanted, after: tuple[int, int] | None = None, limit: int = 50
) -> list[tuple[int, int]]:
    """The products that are wanted, each as its start in seconds and its id: in this order, those after `after`."""
    of = t.BOOKS.c
    found = select(of.start_s, of.product).order_by(of.start_s, of.product).limit(_SCANNED_MAX)
    if wanted.class_id is not None:
        found = found.where(of.class_id == wanted.class_id)
    if wanted.open_after_s is not None:
        found = found.where(of.start_s > wanted.open_after_s)
    if after is not None:
        place = tuple_(literal(after[0]), literal(after[1], of.product.type))
        found = found.where(tuple_(of.start_s, of.product) > place)
    kept: list[tuple[int, int]] = []
    with store.read() as connection:
        for start_s, product in connection.execute(found):
            if wanted.has(Product.from_id(product)):
                kept.append((start_s, product))
                if len(kept) == limit:
                    break
    return kept


def board_rows(store: Store, ids: Sequence[int], now_s: int) -> list[BoardRow]:
    """These products as the board shows them, in the same order; `now_s` says when the last day ended."""
    with snapshot(store) as view:
        trades, days, waiting = _trades(view, ids), _day_units(view, ids, now_s), _waiting(view, ids)
        return [
            BoardRow(
                Product.from_id(one),
                book(view, one),
                tuple(trades.get(one, ())),
                days.get(one, 0),
                waiting.get(one, 0),
            )
            for one in ids
        ]


def orders_in(
    store: Store, product: int, round_: int, owner: str | None = None, after_slot: int = -1, limit: int = 100
) -> list[OrderRow]:
    """A round's orders by their slots, or one owner's, those after a slot."""
    of = t.ORDERS.c
    found = select(*(of[field.name] for field in fields(OrderRow))).where(of.product == product, of.round == round_)
    if owner is not None:
        found = found.where(of.owner == owner)
    return _orders(store, found.where(of.slot > after_slot).order_by(of.slot).limit(limit))


def open_orders(store: Store, owner: str, limit: int = 100) -> list[OrderRow]:
    """An owner's orders that wait to be settled, newest first; of a provider, its offers too."""
    of = t.ORDERS.c
    found = select(*(of[field.name] for field in fields(OrderRow))).where(of.owner == owner, of.settled.is_(False))
    return _orders(store, found.order_by(of.placed_block.desc(), of.placed_log.desc(), of.slot.desc()).limit(limit))


def _orders(store: Store, wanted: Select[Any]) -> list[OrderRow]:
    with store.read() as connection:
        rows = [row._asdict() for row in connection.execute(wanted)]
    return [OrderRow(**(row | {"kind": Kind(row["kind"])})) for row in rows]


def order_counts(store: Store, product: int, rounds: Collection[int]) -> dict[int, int]:
    """How many orders each round of a product had."""
    of = t.ORDERS.c
    wanted = select(of.round, func.count()).where(of.product == product, of.round.in_(rounds)).group_by(of.round)
    with store.read() as connection:
        return {row[0]: int(row[1]) for row in connection.execute(wanted)}


def signed_numbers(store: Store, owner: str, round_: int) -> frozenset[int]:
    """The numbers that an owner's signed orders of a round have, in the queue of those that wait to be relayed."""
    of = metadata.tables["relay_orders"].c
    with store.read() as connection:
        return frozenset(connection.scalars(select(of.index).where(of.owner == owner, of.round == round_)))


def intent_of(store: Store, transaction: str) -> int | None:
    """The number of the intent for which a transaction was signed or relayed here."""
    with store.read() as connection:
        number = connection.execute(select(ATTEMPTS.c.intent).where(ATTEMPTS.c.hash == transaction)).scalar()
    return None if number is None else int(number)


def _trades(store: Store, ids: Collection[int]) -> dict[int, list[Trade]]:
    of = t.CLEARINGS.c
    nth = func.row_number().over(partition_by=of.product, order_by=of.round.desc()).label("nth")
    ranked = (
        select(of.product, of.round, of.units, of.price_micro, of.time_s, nth)
        .where(of.product.in_(ids), of.units > 0)
        .subquery()
    )
    wanted = select(ranked).where(ranked.c.nth <= SPARKS).order_by(ranked.c.product, ranked.c.round.desc())
    found: dict[int, list[Trade]] = defaultdict(list)
    with store.read() as connection:
        for row in connection.execute(wanted):
            found[row.product].append(Trade(row.round, row.units, row.price_micro, row.time_s))
    return found


def _day_units(store: Store, ids: Collection[int], now_s: int) -> dict[int, int]:
    of = t.CLEARINGS.c
    wanted = select(of.product, func.sum(of.units)).where(of.product.in_(ids), of.time_s > now_s - DAY_S)
    with store.read() as connection:
        return {row[0]: int(row[1]) for row in connection.execute(wanted.group_by(of.product))}


def _waiting(store: Store, ids: Collection[int]) -> dict[int, int]:
    of = t.ORDERS.c
    wanted = select(of.product, func.count()).where(of.product.in_(ids), of.settled.is_(False))
    with store.read() as connection:
        return {row[0]: int(row[1]) for row in connection.execute(wanted.group_by(of.product))}
