"""What a dispatch wants, and each step that it took: kept before the step is taken, so that whoever goes on after a
crash takes it under the same name and nothing happens twice.

A campaign's `version` rises with every write that plans: who planned on an older one has planned in vain. That its
owner stopped it is a row of its own, which no plan can take back.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    Select,
    String,
    Table,
    Text,
    UniqueConstraint,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)

from ledger.errors import KeyReused
from ledger.store.engine import Amount, Store, Word, metadata

_Number = BigInteger().with_variant(Integer, "sqlite")

_campaigns = Table(
    "campaigns",
    metadata,
    Column("number", _Number, primary_key=True, autoincrement=True),
    Column("chain_id", BigInteger, nullable=False),
    Column("exchange", String(42), nullable=False),
    Column("owner", String(42), nullable=False),
    Column("key", String(200)),
    Column("name", String(32), nullable=False),
    Column("jobs", Text, nullable=False),
    Column("created_s", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("ended", Boolean, nullable=False),
    Column("note", Text, nullable=False),
    UniqueConstraint("chain_id", "exchange", "owner", "key"),
    Index("campaigns_ended", "ended", "number"),
    sqlite_autoincrement=True,
)
_steps = Table(
    "campaign_steps",
    metadata,
    Column("campaign", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(10), nullable=False),
    Column("state", String(10), nullable=False),
    Column("job", Integer, nullable=False),
    Column("product", Word, nullable=False),
    Column("site", BigInteger, nullable=False),
    Column("units", BigInteger, nullable=False),
    Column("tick", Integer, nullable=False),
    Column("price_micro", BigInteger, nullable=False),
    Column("hash", String(66), nullable=False),
    Column("shares", Text, nullable=False),
    Column("made_s", BigInteger, nullable=False),
    Column("round", BigInteger),
    Column("slot", BigInteger),
    Column("filled", BigInteger),
    Column("cost_micro", Amount),
    Column("lease", BigInteger),
    Column("delivered_milli", BigInteger),
    Column("refund_micro", Amount),
    Column("text", Text, nullable=False),
    Index("campaign_steps_lease", "lease"),
)
_stops = Table("campaign_stops", metadata, Column("campaign", BigInteger, primary_key=True, autoincrement=False))


class StepKind(StrEnum):
    """What a step does on chain."""

    BID = "bid"
    SPLIT = "split"
    REDEEM = "redeem"
    ASK = "ask"


class StepState(StrEnum):
    """`planned`: kept, perhaps sent; `stands`: in a block, and its outcome is awaited; the last two are ends."""

    PLANNED = "planned"
    STANDS = "stands"
    DONE = "done"
    REFUSED = "refused"

    @property
    def is_open(self) -> bool:
        return self in (StepState.PLANNED, StepState.STANDS)


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """A dispatch: whose, its jobs as JSON (empty in lists of several), how often it was planned, and what was last said
    of it. Its `name` is in no other database: an outbox may outlive the campaigns beside it. One that its owner
    `stopped` buys and redeems no more, and has `ended` once nothing of it is left to be done."""

    number: int
    chain_id: int
    exchange: str
    owner: str
    key: str | None
    name: str
    jobs: str
    created_s: int
    version: int
    ended: bool
    note: str
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step. `job` is a position among the jobs, -1 where several share it (`shares`: JSON, unit-hours by job);
    `tick` and `price_micro` are a bid's or an ask's limit, `hash` a redemption's job hash. What came of it: an order's
    `round`, `slot` and `filled` units; what a bid or a split cost (`cost_micro`); a redemption's `lease`, and of that
    `delivered_milli` once it ended; the money that came back (`refund_micro`) for what a lease did not deliver, or for
    what an ask sold; `text` says why one was refused."""

    campaign: int
    number: int
    kind: StepKind
    state: StepState
    job: int
    product: int
    site: int
    units: int
    tick: int
    price_micro: int
    hash: str
    shares: str
    made_s: int
    round: int | None = None
    slot: int | None = None
    filled: int | None = None
    cost_micro: int | None = None
    lease: int | None = None
    delivered_milli: int | None = None
    refund_micro: int | None = None
    text: str = ""


def draft(kind: StepKind, product: int, units: int, **said: object) -> StepRow:
    """A step that nobody has numbered yet."""
    plain = {"site": 0, "job": -1, "tick": 0, "price_micro": 0, "hash": "", "shares": "{}"}
    return StepRow(0, 0, kind, StepState.PLANNED, product=product, units=units, made_s=0, **(plain | said))  # type: ignore[arg-type]


def create_campaign(
    store: Store, place: tuple[int, str], owner: str, jobs: str, created_s: int, key: str | None = None
) -> CampaignRow:
    """A new campaign on a market (`place`: chain id, Exchange's address), or the one that `key` named before for its
    owner. Raises KeyReused where that one has other jobs."""
    chain_id, exchange = place
    said = {"chain_id": chain_id, "exchange": exchange, "owner": owner, "key": key, "jobs": jobs}
    with store.write() as connection:
        if key is not None:
            found = connection.execute(_named(place, owner, key)).one_or_none()
            if found is not None:
                if found.jobs != jobs:
                    raise KeyReused(key)
                return _row(found)
        new = {**said, "name": uuid4().hex, "created_s": created_s, "version": 0, "ended": False, "note": ""}
        number = connection.execute(insert(_campaigns), new).inserted_primary_key
        assert number is not None
        return CampaignRow(number=int(number[0]), **new)  # type: ignore[arg-type]


def named_campaign(store: Store, place: tuple[int, str], owner: str, key: str) -> CampaignRow | None:
    """The campaign that `key` named for its owner; None where there is none."""
    with store.read() as connection:
        found = connection.execute(_named(place, owner, key)).one_or_none()
    return None if found is None else _row(found)


def unended(store: Store, place: tuple[int, str]) -> list[CampaignRow]:
    """The campaigns of a market that have not ended, the oldest first, without their jobs: those of hundreds of
    campaigns would be hundreds of megabytes."""
    of = _campaigns.c
    wanted = _listed().where(of.ended.is_(False), of.chain_id == place[0], of.exchange == place[1]).order_by(of.number)
    with store.read() as connection:
        return [_row(one) for one in connection.execute(wanted)]


def count_unended(store: Store, place: tuple[int, str], owner: str) -> int:
    """How many campaigns of an owner have not ended."""
    of = _campaigns.c
    mine = (of.ended.is_(False), of.chain_id == place[0], of.exchange == place[1], of.owner == owner)
    with store.read() as connection:
        return int(connection.execute(select(func.count()).where(*mine)).scalar_one())


def campaign(store: Store, number: int) -> CampaignRow | None:
    """One campaign; None where there is none of that number."""
    with store.read() as connection:
        found = connection.execute(_all().where(_campaigns.c.number == number)).one_or_none()
    return None if found is None else _row(found)


def campaigns(
    store: Store, place: tuple[int, str], owner: str | None = None, before: int | None = None, limit: int = 100
) -> list[CampaignRow]:
    """The campaigns of a market, of one owner or of all, the newest first, without their jobs; `before` is the last
    page's last number."""
    of = _campaigns.c
    wanted = _listed().where(of.chain_id == place[0], of.exchange == place[1])
    if owner is not None:
        wanted = wanted.where(of.owner == owner)
    if before is not None:
        wanted = wanted.where(of.number < before)
    with store.read() as connection:
        return [_row(one) for one in connection.execute(wanted.order_by(of.number.desc()).limit(limit))]


def steps(store: Store, number: int) -> list[StepRow]:
    """A campaign's steps, in the order they were planned."""
    return _steps_where(store, _steps.c.campaign == number)


def stop_campaign(store: Store, number: int) -> None:
    """Keeps that its owner stopped it; once more changes nothing."""

    def stopped(connection: Connection) -> None:
        store.upsert(connection, _stops, {"campaign": number})

    store.redo(stopped)


def keep_plan(store: Store, seen: CampaignRow, planned: Sequence[StepRow], note: str, ended: bool = False) -> bool:
    """Keeps what was planned on the campaign as it was `seen`, all of it or nothing; False where somebody planned in
    between."""
    of = _campaigns.c
    mine = update(_campaigns).where(of.number == seen.number, of.version == seen.version)
    with store.write() as connection:
        if not connection.execute(mine.values(version=seen.version + 1, note=note, ended=ended)).rowcount:
            return False
        if planned:
            connection.execute(insert(_steps), [asdict(one) for one in planned])
    return True


def note_step(store: Store, step: StepRow, state: StepState, **came: Any) -> None:
    """Keeps where a step stands now, and what came of it; one that ended stays as it ended."""
    of = _steps.c
    open_ = of.state.not_in([StepState.DONE.value, StepState.REFUSED.value])
    mine = update(_steps).where(of.campaign == step.campaign, of.number == step.number, open_)
    with store.write() as connection:
        connection.execute(mine.values(state=state.value, **came))


def open_steps(store: Store, place: tuple[int, str], owner: str) -> list[StepRow]:
    """All steps of an owner's campaigns that go on, neither ended nor stopped: what their units are meant for."""
    of = _campaigns.c
    mine = select(of.number).where(of.chain_id == place[0], of.exchange == place[1], of.owner == owner)
    return _steps_where(store, _steps.c.campaign.in_(mine.where(of.ended.is_(False), ~_is_stopped())))


def _steps_where(store: Store, wanted: ColumnElement[bool]) -> list[StepRow]:
    of = _steps.c
    chosen = select(*(of[field.name] for field in fields(StepRow))).where(wanted).order_by(of.campaign, of.number)
    with store.read() as connection:
        rows = [row._asdict() for row in connection.execute(chosen)]
    return [StepRow(**{**row, "kind": StepKind(row["kind"]), "state": StepState(row["state"])}) for row in rows]


def _named(place: tuple[int, str], owner: str, key: str) -> Select[Any]:
    of = _campaigns.c
    return _all().where(of.chain_id == place[0], of.exchange == place[1], of.owner == owner, of.key == key)


def _all() -> Select[Any]:
    return select(*_campaigns.c, _is_stopped().label("stopped"))


def _listed() -> Select[Any]:
    """The same without jobs."""
    columns = [literal("").label("jobs") if one.name == "jobs" else one for one in _campaigns.c]
    return select(*columns, _is_stopped().label("stopped"))


def _is_stopped() -> ColumnElement[bool]:
    return exists().where(_stops.c.campaign == _campaigns.c.number)


def _row(found: Any) -> CampaignRow:
    row = found._asdict()
    return CampaignRow(**(row | {"stopped": bool(row["stopped"])}))
