"""The queue of signed orders that wait to be relayed, and what became of each. Nothing is ever deleted.

    queued -> relayed -> placed | skipped
       |         └-----> queued          its transaction placed nothing: it failed, or it ran out of gas
       └---------------> expired         its round is over; `reason` says what it waited for, if it did

A queued order with a reason is held: the chain would not place it now, but may before its round ends.

An order is its digest: the same order given twice is one row. Who puts one here has checked its signature.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Row,
    Select,
    String,
    Table,
    UniqueConstraint,
    bindparam,
    func,
    insert,
    select,
    update,
)

from ledger.errors import OrderNumberTaken, Unavailable, UnknownIntent
from ledger.store.engine import Store, Word, metadata

# How many values one statement names: SQLite takes 32,766, PostgreSQL 65,535.
_NAMED_AT_ONCE = 1_000
REASON_LENGTH_MAX = 400

QUEUED_MAX = 100_000
"""How many orders may wait in a queue: each round of each owner has 80 at most, but owners cost nothing."""

SOON_ROUNDS = 20
"""Half of the queue is for rounds no farther ahead than this: whoever fills it with orders for next week, which costs
nothing, keeps nobody from the rounds that come."""

OWNER_QUEUED_MAX = 1_600
"""How many of one owner may: twenty rounds, each as full as it gets. Who signs for more comes back as they end."""


class Stage(StrEnum):
    """Where a signed order stands; the last three are ends."""

    QUEUED = "queued"
    RELAYED = "relayed"
    PLACED = "placed"
    SKIPPED = "skipped"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class NewOrder:
    """A signed order whose signature was checked: by the owner's key (`by_key`), or by the owner's contract.

    `what` and `who` are its words as `placeSigned` takes them (contracts/types/SignedOrder.sol).
    """

    digest: bytes
    owner: str
    round: int
    index: int
    product: int
    kind: int
    what: int
    who: int
    signature: bytes
    by_key: bool = True


@dataclass(frozen=True, slots=True)
class QueuedOrder:
    """An order of the queue: `number` counts them in the order they were accepted, `accepted_ms` says when (since the
    epoch). `batch` and `intent` name the transaction that relays it, `slot` is its place in the book once it is placed,
    `reason` says why it was skipped, or why it is or was held. `attempts` counts transactions that placed nothing."""

    number: int
    order: NewOrder
    accepted_ms: int
    stage: Stage
    attempts: int
    batch: str | None
    intent: int | None
    slot: int | None
    reason: str | None

    @property
    def words(self) -> tuple[int, int, bytes]:
        """As `placeSigned` takes it."""
        return self.order.what, self.order.who, self.order.signature


# SQLite counts rows by itself only in an INTEGER key.
_Number = BigInteger().with_variant(Integer, "sqlite")

_orders = Table(
    "relay_orders",
    metadata,
    Column("number", _Number, primary_key=True, autoincrement=True),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("owner", String(42), nullable=False),
    Column("round", BigInteger, nullable=False),
    Column("index", Integer, nullable=False),
    Column("product", Word, nullable=False),
    Column("kind", Integer, nullable=False),
    Column("what", Word, nullable=False),
    Column("who", Word, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("by_key", Boolean, nullable=False),
    Column("accepted_ms", BigInteger, nullable=False),
    Column("stage", String(8), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("batch", String(80)),
    Column("intent", BigInteger),
    Column("slot", BigInteger),
    Column("reason", String(REASON_LENGTH_MAX)),
    UniqueConstraint("owner", "round", "index", name="relay_orders_once"),
    Index("relay_orders_waiting", "stage", "round", "number"),
    Index("relay_orders_batch", "batch"),
    sqlite_autoincrement=True,
)
_c = _orders.c
_NEW = ("digest", "owner", "round", "index", "product", "kind", "what", "who", "signature", "by_key")
_MINE = (_c.number == bindparam("of"), _c.stage == Stage.RELAYED)
_PLACE = update(_orders).where(*_MINE).values(stage=Stage.PLACED, slot=bindparam("at"), reason=None)
_SKIP = update(_orders).where(*_MINE).values(stage=Stage.SKIPPED, reason=bindparam("why"))
_BACK: dict[str, Any] = {"stage": Stage.QUEUED, "batch": None, "intent": None}
_RETURN = update(_orders).where(*_MINE).values(_BACK | {"attempts": _c.attempts + 1})


class RelayQueue:
    """The signed orders of one market, in `store`. Raises StoreUnavailable."""

    def __init__(self, store: Store) -> None:
        self.store = store

    # ---- what comes in

    def accept(self, orders: Sequence[NewOrder], accepted_ms: int, current: int | None = None) -> list[QueuedOrder]:
        """Keeps orders, all of them or none, and gives them as they stand now, in the order they came. `current` is the
        chain's round, where half of the queue is to be kept for the next SOON_ROUNDS.

        One that is here already is left as it is. Raises OrderNumberTaken where the owner has signed another order with
        the same number for the same round, and Unavailable where more than QUEUED_MAX would wait, or OWNER_QUEUED_MAX
        of one owner.
        """
        fresh = {order.digest: order for order in orders}

        def kept(connection: Connection) -> dict[bytes, QueuedOrder]:
            known = self._found(connection, _c.digest, fresh)
            new = [order for digest, order in fresh.items() if digest not in known]
            if not new:
                return known
            self._refuse_taken(connection, new)
            self._refuse_too_many(connection, new, current)
            connection.execute(insert(_orders), [_row(order, accepted_ms) for order in new])
            return self._found(connection, _c.digest, fresh)

        found = self.store.redo(kept)
        return [found[order.digest] for order in orders]

    def _refuse_too_many(self, connection: Connection, new: Sequence[NewOrder], current: int | None) -> None:
        waiting = _c.stage == Stage.QUEUED
        queued, first = connection.execute(select(func.count(), func.min(_c.round)).where(waiting)).one()
        if queued + len(new) > QUEUED_MAX:
            raise _full(f"{queued:,} signed orders wait", len(new), QUEUED_MAX)
        late = 0 if current is None else sum(order.round > current + SOON_ROUNDS for order in new)
        if late and queued + late > QUEUED_MAX // 2:
            raise _full(f"{queued:,} signed orders wait", late, QUEUED_MAX // 2, "for rounds so far ahead ")
        more = Counter(order.owner for order in new)
        standing = Counter[str]()
        # What an owner had in rounds before the first that anything waits for is not looked at.
        since = () if first is None else (_c.round >= first,)
        for part in _parts(more):
            mine = select(_c.owner, func.count()).where(_c.owner.in_(part), waiting, *since).group_by(_c.owner)
            standing.update({row[0]: row[1] for row in connection.execute(mine)})
        for owner, count in more.items():
            if standing[owner] + count > OWNER_QUEUED_MAX:
                raise _full(f"{standing[owner]:,} signed orders of {owner} wait", count, OWNER_QUEUED_MAX)

    def _refuse_taken(self, connection: Connection, orders: Sequence[NewOrder]) -> None:
        taken: set[tuple[str, int, int]] = set()
        for part in _parts({order.owner for order in orders}):
            rounds = {order.round for order in orders}
            numbers = select(_c.owner, _c.round, _c.index).where(_c.owner.in_(part), _c.round.in_(rounds))
            taken |= {(row[0], row[1], row[2]) for row in connection.execute(numbers)}
        for order in orders:
            if (order.owner, order.round, order.index) in taken:
                raise OrderNumberTaken(order.owner, order.round, order.index)
            taken.add((order.owner, order.round, order.index))

    # ---- what a keeper does

    def waiting(self, round_: int, limit: int) -> list[QueuedOrder]:
        """Queued orders of a round that are not held: of every owner in turn the one that came first, so that none
        keeps the others waiting."""
        turn = func.row_number().over(partition_by=_c.owner, order_by=_c.number).label("turn")
        fresh = (_c.stage == Stage.QUEUED, _c.round == round_, _c.reason.is_(None))
        turns = select(_c.number.label("of"), turn).where(*fresh).order_by(turn, _c.number).limit(limit).subquery()
        return self._many(select(_orders).join(turns, turns.c.of == _c.number).order_by(turns.c.turn, _c.number))

    def held(self, round_: int, after: int, limit: int) -> list[QueuedOrder]:
        """Held orders of a round with numbers above `after`, first come first."""
        held = _of(Stage.QUEUED).where(_c.round == round_, _c.reason.is_not(None), _c.number > after)
        return self._many(held.order_by(_c.number).limit(limit))

    def claim(self, batches: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
        """Marks queued orders, by number, as relayed by the batch of that name, before it is sent: so that no other
        keeper relays them, and that whoever comes after a crash knows what to look for. Gives those that were free."""

        def claimed(connection: Connection) -> dict[str, list[int]]:
            free: dict[str, set[int]] = {name: set() for name in batches}
            for name, numbers in batches.items():
                for part in _parts(numbers):
                    take = update(_orders).where(_c.number.in_(part), _c.stage == Stage.QUEUED)
                    taken = take.values(stage=Stage.RELAYED, batch=name).returning(_c.number)
                    free[name] |= set(connection.scalars(taken))
            return {name: [number for number in numbers if number in free[name]] for name, numbers in batches.items()}

        return self.store.redo(claimed)

    def note_intent(self, batch: str, intent: int) -> None:
        """Which intent of the sender a batch became."""
        noted = update(_orders).where(_c.batch == batch).values(intent=intent)
        self.store.redo(lambda connection: connection.execute(noted))

    def batches(self) -> dict[str, int]:
        """The batches whose end is not known, by name, with the round that they are for."""
        relayed = select(_c.batch, func.max(_c.round)).where(_c.stage == Stage.RELAYED).group_by(_c.batch)
        with self.store.read() as connection:
            return {row[0]: row[1] for row in connection.execute(relayed)}

    def batch(self, name: str) -> list[QueuedOrder]:
        """The relayed orders of a batch, in the order of its transaction: first come first."""
        return self._many(_of(Stage.RELAYED).where(_c.batch == name).order_by(_c.number))

    def release(self, name: str) -> None:
        """Puts the orders of a batch that was never sent back into the queue."""
        unsent = update(_orders).where(_c.batch == name, _c.stage == Stage.RELAYED)
        self.store.redo(lambda connection: connection.execute(unsent.values(_BACK)))

    def note(
        self,
        placed: Mapping[int, int] | None = None,
        skipped: Mapping[int, str] | None = None,
        returned: Iterable[int] = (),
    ) -> None:
        """What became of relayed orders, by number: the slot, or the reason, or back to the queue. One that is no
        longer relayed is left as it is."""
        changes: list[tuple[Any, list[dict[str, Any]]]] = [
            (_PLACE, [{"of": number, "at": slot} for number, slot in (placed or {}).items()]),
            (_SKIP, [{"of": number, "why": why[:REASON_LENGTH_MAX]} for number, why in (skipped or {}).items()]),
            (_RETURN, [{"of": number} for number in returned]),
        ]

        def noted(connection: Connection) -> None:
            for statement, rows in changes:
                if rows:
                    connection.execute(statement, rows)

        self.store.redo(noted)

    def reject(self, reasons: Mapping[int, str]) -> None:
        """Skips queued orders that the chain would pass over, without a transaction; why, by number."""
        self._note_queued(reasons, {"stage": Stage.SKIPPED})

    def hold(self, reasons: Mapping[int, str]) -> None:
        """Keeps queued orders for later that cannot be placed now, but may be in their round; why, by number."""
        self._note_queued(reasons, {})

    def _note_queued(self, reasons: Mapping[int, str], values: Mapping[str, Any]) -> None:
        if not reasons:
            return
        change = update(_orders).where(_c.number == bindparam("of"), _c.stage == Stage.QUEUED)
        rows = [{"of": number, "why": why[:REASON_LENGTH_MAX]} for number, why in reasons.items()]
        held = change.values(reason=bindparam("why"), **values)
        self.store.redo(lambda connection: connection.execute(held, rows))

    def expire(self, round_: int) -> int:
        """Ends the queued orders of rounds before `round_`; gives how many."""
        late = update(_orders).where(_c.stage == Stage.QUEUED, _c.round < round_)
        with self.store.read() as connection:
            if connection.execute(_of(Stage.QUEUED).where(_c.round < round_).limit(1)).first() is None:
                return 0
        ended = late.values(stage=Stage.EXPIRED)
        return self.store.redo(lambda connection: int(connection.execute(ended).rowcount))

    # ---- what is shown

    def order(self, digest: bytes) -> QueuedOrder:
        """One order by its digest. Raises UnknownIntent where nobody gave it."""
        found = self._many(select(_orders).where(_c.digest == digest))
        if not found:
            raise UnknownIntent(f"order 0x{digest.hex()}")
        return found[0]

    def of_owner(self, owner: str, after: int = 0, limit: int = 100) -> list[QueuedOrder]:
        """An owner's orders with numbers above `after`, oldest first."""
        mine = select(_orders).where(_c.owner == owner, _c.number > after)
        return self._many(mine.order_by(_c.number).limit(limit))

    def latest(self, limit: int = 100) -> list[QueuedOrder]:
        """The orders that came last, newest first."""
        return self._many(select(_orders).order_by(_c.number.desc()).limit(limit))

    def counts(self) -> dict[Stage, int]:
        """How many orders stand where."""
        with self.store.read() as connection:
            found = connection.execute(select(_c.stage, func.count()).group_by(_c.stage)).all()
        return dict.fromkeys(Stage, 0) | {Stage(row[0]): row[1] for row in found}

    # ---- how it is done

    def _many(self, statement: Select[Any]) -> list[QueuedOrder]:
        with self.store.read() as connection:
            return list(_read(connection.execute(statement)))

    def _found(self, connection: Connection, column: Column[Any], values: Collection[Any]) -> dict[Any, QueuedOrder]:
        found = {}
        for part in _parts(values):
            for one in _read(connection.execute(select(_orders).where(column.in_(part)))):
                found[one.order.digest] = one
        return found


def _full(what: str, more: int, most: int, which: str = "") -> Unavailable:
    return Unavailable(
        f"{what} already, and {more:,} more {which}would be above {most:,}.",
        "Try again when their rounds have ended, or place the order yourself.",
    )


def _parts(values: Collection[Any]) -> Iterator[list[Any]]:
    every = list(values)
    return (every[start : start + _NAMED_AT_ONCE] for start in range(0, len(every), _NAMED_AT_ONCE))


def _of(stage: Stage) -> Select[Any]:
    return select(_orders).where(_c.stage == stage)


def _row(order: NewOrder, accepted_ms: int) -> dict[str, Any]:
    facts = {name: getattr(order, name) for name in _NEW}
    return facts | {"accepted_ms": accepted_ms, "stage": Stage.QUEUED, "attempts": 0}


def _read(rows: Iterable[Row[Any]]) -> Iterator[QueuedOrder]:
    # By place, as the columns are declared: by name takes three times as long.
    for row in rows:
        values: tuple[Any, ...] = tuple(row)
        number, order = values[0], NewOrder(*values[1:11])
        accepted_ms, stage, attempts, batch, intent, slot, reason = values[11:]
        yield QueuedOrder(number, order, accepted_ms, Stage(stage), attempts, batch, intent, slot, reason)
