"""What the history is asked: each function gives typed rows, read in one consistent view.

Lists that can be long come newest first, in pages: pass the last row's `place` as `before` to get the next page.
"""

from collections.abc import Callable, Iterable
from dataclasses import fields
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, Table, exists, func, select, tuple_

from ledger.model import Kind, LeaseState
from ledger.store import tables as t
from ledger.store.engine import Store
from ledger.store.records import (
    BalanceRow,
    BookRow,
    CashRow,
    ClearingRow,
    FillRow,
    Head,
    LeaseRow,
    Levels,
    ObligationRow,
    OrderRow,
    Place,
    SiteRow,
    WaitingRound,
)

Row = TypeVar("Row")

PAGE = 100
_ENUMS = {"kind": Kind, "state": LeaseState}


# ---- the head


def head(store: Store) -> Head | None:
    """How far the history goes; None where nothing was read yet."""
    return _one(store, Head, _all(Head, t.HISTORY))


# ---- the board


def board(store: Store, after_s: int = 0, class_id: int | None = None, limit: int = PAGE) -> list[BookRow]:
    """Products whose delivery starts after a time, the soonest first."""
    wanted = _all(BookRow, t.BOOKS).where(t.BOOKS.c.start_s > after_s)
    if class_id is not None:
        wanted = wanted.where(t.BOOKS.c.class_id == class_id)
    return _rows(store, BookRow, wanted.order_by(t.BOOKS.c.start_s, t.BOOKS.c.product).limit(limit))


def book(store: Store, product: int) -> BookRow | None:
    """One product's book; None where nobody ever placed an order for it."""
    return _one(store, BookRow, _all(BookRow, t.BOOKS).where(t.BOOKS.c.product == product))


def depth(store: Store, product: int, round_: int) -> Levels:
    """What stands in a round, by tick and side."""
    of = t.ORDERS.c
    wanted = select(of.kind, of.tick, func.sum(of.units)).where(of.product == product, of.round == round_)
    levels = Levels({}, {})
    with store.read() as connection:
        for kind, tick, units in connection.execute(wanted.group_by(of.kind, of.tick).order_by(of.tick)):
            side = levels.asks if Kind(kind).sells else levels.bids
            side[tick] = side.get(tick, 0) + int(units)
    return levels


def prices(store: Store, product: int, before: Place | None = None, limit: int = PAGE) -> list[ClearingRow]:
    """What the product's rounds cleared at."""
    of = t.CLEARINGS.c
    wanted = _all(ClearingRow, t.CLEARINGS).where(of.product == product)
    return _rows(store, ClearingRow, _page(wanted, (of.block, of.log_index, of.round * 0), before, limit))


def clearing(store: Store, product: int, round_: int) -> ClearingRow | None:
    """What one round cleared at; None where nobody cleared it."""
    of = t.CLEARINGS.c
    wanted = _all(ClearingRow, t.CLEARINGS).where(of.product == product, of.round == round_)
    return _one(store, ClearingRow, wanted)


def fills(
    store: Store,
    product: int | None = None,
    owner: str | None = None,
    before: Place | None = None,
    limit: int = PAGE,
) -> list[FillRow]:
    """What was traded: of a product, by an owner, or all of it."""
    of = t.FILLS.c
    wanted = _all(FillRow, t.FILLS)
    if product is not None:
        wanted = wanted.where(of.product == product)
    if owner is not None:
        wanted = wanted.where(of.owner == owner)
    return _rows(store, FillRow, _page(wanted, (of.block, of.log_index, of.slot), before, limit))


# ---- orders


def orders_of(store: Store, owner: str, before: Place | None = None, limit: int = PAGE) -> list[OrderRow]:
    """An owner's orders; of a provider, its offers too."""
    of = t.ORDERS.c
    wanted = _all(OrderRow, t.ORDERS).where(of.owner == owner)
    return _rows(store, OrderRow, _page(wanted, (of.placed_block, of.placed_log, of.slot), before, limit))


def orders_in(store: Store, product: int, round_: int, waiting: bool = False) -> list[OrderRow]:
    """A round's orders by their slots, or only those that wait to be settled."""
    of = t.ORDERS.c
    wanted = _all(OrderRow, t.ORDERS).where(of.product == product, of.round == round_)
    if waiting:
        wanted = wanted.where(of.settled.is_(False))
    return _rows(store, OrderRow, wanted.order_by(of.slot))


def waiting_rounds(store: Store, before_round: int, limit: int = PAGE) -> list[WaitingRound]:
    """Rounds before `before_round` (all that have ended, where it is the current one) with orders that are not settled,
    the oldest first: those not cleared are to be cleared, or are void once delivery has started."""
    of = t.ORDERS.c
    cleared = exists().where(t.CLEARINGS.c.product == of.product, t.CLEARINGS.c.round == of.round)
    waiting = (
        select(of.product, of.round, func.count().label("orders"), cleared.label("cleared"))
        .where(of.settled.is_(False), of.round < before_round)
        .group_by(of.product, of.round)
        .order_by(of.round, of.product)
        .limit(limit)
    )
    with store.read() as connection:
        return [
            WaitingRound(one.product, one.round, one.orders, bool(one.cleared)) for one in connection.execute(waiting)
        ]


def uncleared_rounds(store: Store, before_round: int, now_s: int, limit: int = PAGE) -> list[WaitingRound]:
    """Rounds that ended, that nobody cleared, and whose delivery has not started at `now_s`: the oldest first."""
    of = t.ORDERS.c
    cleared = exists().where(t.CLEARINGS.c.product == of.product, t.CLEARINGS.c.round == of.round)
    waiting = (
        select(of.product, of.round, func.count().label("orders"))
        .join(t.BOOKS, t.BOOKS.c.product == of.product)
        .where(of.settled.is_(False), of.round < before_round, t.BOOKS.c.start_s > now_s, ~cleared)
        .group_by(of.product, of.round)
        .order_by(of.round, of.product)
        .limit(limit)
    )
    with store.read() as connection:
        return [WaitingRound(one.product, one.round, one.orders, False) for one in connection.execute(waiting)]


def free_slots(store: Store, product: int, limit: int = PAGE) -> list[int]:
    """Slots of settled orders, the lowest first: a relayed order that goes into one costs less."""
    of = t.ORDERS.c
    with store.read() as connection:
        slots = connection.execute(select(t.BOOKS.c.slots).where(t.BOOKS.c.product == product)).scalar() or 0
        waiting = select(of.slot).where(of.product == product, of.settled.is_(False))
        taken = set(connection.execute(waiting).scalars())
    free: list[int] = []
    for slot in range(slots):
        if len(free) == limit:
            break
        if slot not in taken:
            free.append(slot)
    return free


# ---- delivery


def leases(
    store: Store,
    holder: str | None = None,
    site: int | None = None,
    state: LeaseState | None = None,
    before: int | None = None,
    limit: int = PAGE,
) -> list[LeaseRow]:
    """Leases, the highest number first; `before` is the last page's last number."""
    of = t.LEASES.c
    wanted = _all(LeaseRow, t.LEASES)
    for column, value in ((of.holder, holder), (of.site, site), (of.state, state)):
        if value is not None:
            wanted = wanted.where(column == value)
    if before is not None:
        wanted = wanted.where(of.lease < before)
    return _rows(store, LeaseRow, wanted.order_by(of.lease.desc()).limit(limit))


def lease(store: Store, number: int) -> LeaseRow | None:
    """One lease."""
    return _one(store, LeaseRow, _all(LeaseRow, t.LEASES).where(t.LEASES.c.lease == number))


def leases_due(store: Store, now_s: int, limit: int = PAGE) -> list[LeaseRow]:
    """Leases that anyone may resolve at `now_s`: not reported, disputed or ruled in time; the longest due first."""
    of = t.LEASES.c
    return _rows(
        store, LeaseRow, _all(LeaseRow, t.LEASES).where(of.due_s < now_s).order_by(of.due_s, of.lease).limit(limit)
    )


def obligations(store: Store, site: int | None = None, product: int | None = None) -> list[ObligationRow]:
    """What a site owes, or who owes a product, where anything is owed."""
    of = t.OBLIGATIONS.c
    wanted = _all(ObligationRow, t.OBLIGATIONS).where(of.units > 0)
    if site is not None:
        wanted = wanted.where(of.site == site)
    if product is not None:
        wanted = wanted.where(of.product == product)
    return _rows(store, ObligationRow, wanted.order_by(of.product, of.site))


def obligation(store: Store, product: int, site: int) -> ObligationRow | None:
    """What one site owes of one product; None where it never issued any."""
    of = t.OBLIGATIONS.c
    return _one(store, ObligationRow, _all(ObligationRow, t.OBLIGATIONS).where(of.product == product, of.site == site))


def obligations_due(store: Store, now_s: int, limit: int = PAGE) -> list[ObligationRow]:
    """Obligations whose window and grace are over at `now_s`, so that anyone may expire them."""
    of = t.OBLIGATIONS.c
    wanted = _all(ObligationRow, t.OBLIGATIONS).where(of.due_s < now_s, of.units > 0)
    return _rows(store, ObligationRow, wanted.order_by(of.due_s, of.product, of.site).limit(limit))


def sites(store: Store, provider: str | None = None) -> list[SiteRow]:
    """The registered sites with their records, by number."""
    wanted = _all(SiteRow, t.SITES)
    if provider is not None:
        wanted = wanted.where(t.SITES.c.provider == provider)
    return _rows(store, SiteRow, wanted.order_by(t.SITES.c.site))


# ---- who has what


def balances(store: Store, owner: str) -> list[BalanceRow]:
    """The units that an owner holds."""
    of = t.BALANCES.c
    found = _rows(store, BalanceRow, _all(BalanceRow, t.BALANCES).where(of.owner == owner).order_by(of.product))
    return [one for one in found if one.units or one.held_units]


def cash(store: Store, owner: str) -> CashRow:
    """An owner's money; all zero for somebody the market never saw."""
    return _one(store, CashRow, _all(CashRow, t.CASH).where(t.CASH.c.owner == owner)) or CashRow(owner, 0, 0, 0, 0)


# ---- how it is done


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _all(kind: Any, table: Table) -> Select[Any]:
    return select(*(table.c[name] for name in _names(kind)))


def _rows(store: Store, kind: Callable[..., Row], wanted: Select[Any]) -> list[Row]:
    with store.read() as connection:
        return [_row(kind, one) for one in connection.execute(wanted)]


def _one(store: Store, kind: Callable[..., Row], wanted: Select[Any]) -> Row | None:
    found = _rows(store, kind, wanted)
    return found[0] if found else None


def _row(kind: Callable[..., Row], values: Iterable[Any]) -> Row:
    named = zip(_names(kind), values, strict=True)
    return kind(**{name: _ENUMS[name](value) if name in _ENUMS else value for name, value in named})


def _page(
    wanted: Select[Any], columns: tuple[ColumnElement[int], ...], before: Place | None, limit: int
) -> Select[Any]:
    if before is not None:
        wanted = wanted.where(tuple_(*columns) < tuple_(*before))
    return wanted.order_by(*(column.desc() for column in columns)).limit(limit)
