"""What happened, event by event, and what it did to one account's money and units.

A statement's lines are made from the rows of the history: money that orders move is in no event of its own (see
ledger/history/rows.py), so an order's escrow is a line at its placing and what came back of it one at its settling.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Select, TextClause, func, select, tuple_

from ledger.abi import Event, Log
from ledger.model import Kind
from ledger.product import ID_BITS, Product
from ledger.store import tables as t
from ledger.store.engine import Store
from ledger.store.records import Place
from ledger.view import checksummed

PAGE = 100
_WORD = 32
_NAMED_AT_ONCE = 500
CASH = "cash"

Decode = Callable[["EventRow"], Event | None]
"""Says what a kept log means."""


@dataclass(frozen=True, slots=True)
class EventRow:
    """One log as it is kept."""

    block: int
    log_index: int
    transaction: str
    contract: str
    name: str
    topics: bytes
    data: bytes
    time_s: int | None

    @property
    def place(self) -> Place:
        return self.block, self.log_index, 0

    @property
    def log(self) -> Log:
        """As the chain gave it; its address is the contract's name here."""
        topics = tuple(self.topics[at : at + _WORD] for at in range(0, len(self.topics), _WORD))
        return Log(self.contract, topics, self.data, self.block, self.transaction, self.log_index)


@dataclass(frozen=True, slots=True)
class Line:
    """What one event did to an account: `change` of `asset`, cash in micro or a product's units by its code, which was
    `before` and is `after`."""

    block: int
    log_index: int
    transaction: str
    time_s: int
    what: str
    asset: str
    change: int
    before: int = 0
    after: int = 0


@dataclass(frozen=True, slots=True)
class Touched:
    """A block, and whom its events name: products by their ids, accounts by their addresses."""

    block: int
    hash: str
    time_s: int
    products: tuple[int, ...]
    accounts: tuple[str, ...]


def touched(store: Store, first: int, last: int) -> list[Touched]:
    """The blocks that are kept from `first` to `last`, with what their events name in indexed values."""
    of = t.EVENTS.c
    named: dict[int, set[int]] = defaultdict(set)
    with store.read() as connection:
        for block, topics in connection.execute(select(of.block, of.topics).where(of.block.between(first, last))):
            named[block] |= {int.from_bytes(topics[at : at + _WORD]) for at in range(_WORD, len(topics), _WORD)}
        kept = select(t.BLOCKS.c.block, t.BLOCKS.c.hash, t.BLOCKS.c.time_s).where(t.BLOCKS.c.block.between(first, last))
        rows = connection.execute(kept.order_by(t.BLOCKS.c.block)).all()
    return [_touched(row, sorted(named[row.block])) for row in rows]


def _touched(row: Any, words: list[int]) -> Touched:
    # A product's class is never 0, so that its id has 81 to 88 bits; numbers have fewer, addresses more, hashes most.
    products = tuple(word for word in words if 80 < word.bit_length() <= ID_BITS)
    accounts = tuple(checksummed(word) for word in words if ID_BITS < word.bit_length() <= 160)
    return Touched(row.block, row.hash, row.time_s, products, accounts)


def hash_of(store: Store, block: int) -> str | None:
    """The hash of a block that is kept: one with events, or one that can still be replaced."""
    with store.read() as connection:
        return connection.execute(select(t.BLOCKS.c.hash).where(t.BLOCKS.c.block == block)).scalar()


def transactions(store: Store, places: Iterable[tuple[int, int]]) -> dict[tuple[int, int], str]:
    """The transactions of logs, by block and log index."""
    of = t.EVENTS.c
    wanted = select(of.block, of.log_index, of.transaction).where(tuple_(of.block, of.log_index).in_(list(places)))
    with store.read() as connection:
        return {(row.block, row.log_index): row.transaction for row in connection.execute(wanted)}


def events(
    store: Store,
    contract: str | None = None,
    name: str | None = None,
    account: str | None = None,
    before: Place | None = None,
    limit: int | None = PAGE,
) -> list[EventRow]:
    """Events, newest first: of a contract, of a name, or that name an account in an indexed value. All of them where
    there is no `limit`."""
    of = t.EVENTS.c
    wanted = _rows()
    if contract is not None:
        wanted = wanted.where(of.contract == contract)
    if name is not None:
        wanted = wanted.where(of.name == name)
    if before is not None:
        wanted = wanted.where(tuple_(of.block, of.log_index) < tuple_(*before[:2]))
    wanted = wanted.order_by(of.block.desc(), of.log_index.desc()).limit(limit)
    with store.read() as connection:
        if account is None or not _is_indexed(account):
            if account is not None:
                wanted = wanted.where(_names(store, account))
            return [EventRow(*row) for row in connection.execute(wanted)]
        # An account may stand at each place, seldom at two of one event: each place has an index of its own.
        rows: dict[tuple[int, int], Any] = {}
        for place in t.TOPICS:
            mine = wanted.where(t.is_account(place, store.engine.dialect.name), t.topic(place) == _word(account))
            rows |= {(row.block, row.log_index): row for row in connection.execute(mine)}
    return [EventRow(*rows[key]) for key in sorted(rows, reverse=True)[:limit]]


def _rows() -> Select[Any]:
    """Every event, as an EventRow takes it."""
    of = t.EVENTS.c
    columns = (of.block, of.log_index, of.transaction, of.contract, of.name, of.topics, of.data, t.BLOCKS.c.time_s)
    return select(*columns).join(t.BLOCKS, t.BLOCKS.c.block == of.block, isouter=True)


def _naming(store: Store, said: TextClause, place: int, numbers: Iterable[int]) -> Iterator[EventRow]:
    """Events of these kinds that name one of the leases or sites at that place: found by an index, whatever else there
    is."""
    words = [number.to_bytes(_WORD) for number in sorted(numbers)]
    with store.read() as connection:
        for start in range(0, len(words), _NAMED_AT_ONCE):
            part = words[start : start + _NAMED_AT_ONCE]
            for row in connection.execute(_rows().where(said, t.topic(place).in_(part))):
                yield EventRow(*row)


def _word(account: str) -> bytes:
    return bytes.fromhex(account.removeprefix("0x")).rjust(_WORD, b"\0")


def _is_indexed(account: str) -> bool:
    """Whether the indexes have it: not the zero address, nor another that is as short as an id."""
    return bool(int(account, 16) >= 2**ID_BITS)


def _names(store: Store, account: str) -> ColumnElement[bool]:
    word = _word(account)
    where = func.instr(t.EVENTS.c.topics, word) if store.is_sqlite else func.position(word, t.EVENTS.c.topics)
    return where > 0


def expired_micro(store: Store, site: int, decode: Decode) -> int:
    """What a site's provider kept for units that nobody redeemed."""
    found = (decode(row) for row in _naming(store, t.SITE_SAID, 2, [site]) if row.name == "Expired")
    return sum(event["bondMicro"] for event in found if event is not None)


# ---- statements


def statement(store: Store, owner: str, decode: Decode) -> list[Line]:
    """Every change of an account's cash and units, in the order of the chain; the last `after` of an asset is what the
    account holds of it."""
    found = [*_said(store, owner, decode), *_ordered(store, owner)]
    balances: dict[str, int] = defaultdict(int)
    lines = []
    for line in sorted(found, key=attrgetter("block", "log_index")):
        before = balances[line.asset]
        balances[line.asset] += line.change
        lines.append(replace(line, before=before, after=balances[line.asset]))
    return lines


def _said(store: Store, owner: str, decode: Decode) -> Iterator[Line]:
    mine = _Mine(owner, store)
    leases = _naming(store, t.LEASE_SAID, 1, mine.held | mine.served)
    for row in chain(events(store, account=owner, limit=None), leases, _naming(store, t.SITE_SAID, 2, mine.sites)):
        event = decode(row)
        reader = None if event is None else _MOVES.get(event.name)
        if event is None or reader is None:
            continue
        for what, asset, change in reader(mine, event):
            if change:
                yield Line(row.block, row.log_index, row.transaction, row.time_s or 0, what, asset, change)


class _Mine:
    """What an owner has that events may name instead of the owner."""

    def __init__(self, owner: str, store: Store) -> None:
        self.owner = owner
        of, site = t.LEASES.c, t.SITES.c
        with store.read() as connection:
            self.held = set(connection.scalars(select(of.lease).where(of.holder == owner)))
            self.served = set(connection.scalars(select(of.lease).where(of.provider == owner)))
            self.sites = set(connection.scalars(select(site.site).where(site.provider == owner)))


_Moves = Iterator[tuple[str, str, int]]
_Reader = Callable[[_Mine, Event], _Moves]


def _cash(what: str, who: str, sign: int) -> _Reader:
    def read(mine: _Mine, event: Event) -> _Moves:
        if event[who] == mine.owner:
            yield what, CASH, sign * event["amount"]

    return read


def _ended(mine: _Mine, event: Event) -> _Moves:
    if event["lease"] in mine.held:
        yield "refund of a lease", CASH, event["toHolderMicro"]
    if event["lease"] in mine.served and event.name == "Resolved":
        yield "paid for a lease", CASH, event["toProviderMicro"]


def _disputed(mine: _Mine, event: Event) -> _Moves:
    if event["lease"] in mine.held:
        yield "deposit of a dispute", CASH, -event["depositMicro"]


def _offer_settled(mine: _Mine, event: Event) -> _Moves:
    if event["site"] in mine.sites:
        yield "margin returned", CASH, event["marginReturned"]


def _moved(mine: _Mine, event: Event) -> _Moves:
    owner = mine.owner
    many = event.name == "TransferBatch"
    ids = event["ids"] if many else (event["id"],)
    values = event["values"] if many else (event["value"],)
    for product, units in zip(ids, values, strict=True):
        change = units * ((event["to"] == owner) - (event["from"] == owner))
        yield ("units in" if change > 0 else "units out"), Product.from_id(product).code, change


_MOVES: dict[str, _Reader] = {
    "Deposited": _cash("deposit", "owner", 1),
    "Withdrawn": _cash("withdrawal", "owner", -1),
    "BondPosted": _cash("bond posted", "payer", -1),
    "BondReleased": _cash("bond released", "payee", 1),
    "MarginEscrowed": _cash("margin of an offer", "provider", -1),
    "DepositReturned": _cash("deposit returned", "to", 1),
    "OfferSettled": _offer_settled,
    "Disputed": _disputed,
    "Aborted": _ended,
    "Resolved": _ended,
    "TransferSingle": _moved,
    "TransferBatch": _moved,
}


def _ordered(store: Store, owner: str) -> Iterator[Line]:
    of, fill = t.ORDERS.c, t.FILLS.c
    joined = t.ORDERS.join(
        t.FILLS,
        (fill.product == of.product) & (fill.round == of.round) & (fill.slot == of.slot),
        isouter=True,
    )
    settling = select(t.EVENTS.c.transaction, t.EVENTS.c.block, t.EVENTS.c.log_index).subquery()
    wanted = (
        select(t.ORDERS, fill.cost_micro, settling.c.transaction.label("settled_in"), t.BLOCKS.c.time_s)
        .select_from(
            joined.join(
                settling, (settling.c.block == of.block) & (settling.c.log_index == of.log_index), isouter=True
            ).join(t.BLOCKS, t.BLOCKS.c.block == of.block, isouter=True)
        )
        .where(of.owner == owner, of.kind != Kind.OFFER.value)
    )
    with store.read() as connection:
        rows = connection.execute(wanted).all()
    for row in rows:
        yield from _of_order(row)


def _of_order(row: Any) -> Iterator[Line]:
    bids = row.kind == Kind.BID.value
    if bids:
        what = "escrow of a bid"
        yield Line(row.placed_block, row.placed_log, row.transaction, row.placed_s, what, CASH, -row.escrow_micro)
    if row.settled:
        cost = row.cost_micro or 0
        change, what = (row.escrow_micro - cost, "returned of a bid") if bids else (cost, "sold")
        if change:
            time_s = row.time_s or 0
            yield Line(row.block, row.log_index, row.settled_in or row.transaction, time_s, what, CASH, change)
