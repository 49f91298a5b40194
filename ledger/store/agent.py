"""What a provider's agent must not forget: the leases of its sites and how far each is, readings with their signatures,
and how far the chain was read. In a database of the agent's own; times are the chain's, in seconds since the epoch."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    delete,
    select,
)

from ledger.store.engine import Store, Word, metadata


class Stage(StrEnum):
    """How far a lease is. The last three are ends."""

    OPEN = "open"
    """Its window is ahead or runs: the job is to be run and metered."""
    SEALED = "sealed"
    """All is read: what will be reported stands fast."""
    REPORTED = "reported"
    """The report is in a block: the result is still to be brought to the store."""
    DONE = "done"
    GONE = "gone"
    """It ended otherwise, or it was too late to report."""
    FORGOTTEN = "forgotten"
    """The chain does not have it any more; it may come again."""


class Job(StrEnum):
    """What became of a lease's job."""

    WANTED = "wanted"
    NOTHING = "nothing"
    """There is nothing to run, or nothing that can be: the capacity stands ready. `why` says what of it."""
    STARTED = "started"
    ENDED = "ended"
    LOST = "lost"


ENDS = (Stage.DONE, Stage.GONE, Stage.FORGOTTEN)


@dataclass(frozen=True, slots=True)
class LeaseWork:
    """A lease as the agent sees it: what the chain says of it, how far it is, and its meter.

    `handle` is the executor's word for the run, `started_s` when the start was ordered. The meter's reading `number`
    began at `from_s`; until `at_s` all is accounted for, `ready_s` of it counted, and the milliseconds are what the run
    had used when the last reading was cut. `root` and `delivered_milli` are what is reported.
    """

    lease: int
    job_hash: bytes
    site: int
    product: int
    holder: str
    units: int
    block: int
    from_s: int
    at_s: int
    stage: Stage = Stage.OPEN
    job: Job = Job.WANTED
    why: str = ""
    handle: str = ""
    started_s: int | None = None
    exit_code: int | None = None
    ready: bool = True
    number: int = 0
    ready_s: int = 0
    wall_ms: int = 0
    cpu_ms: int = 0
    gpu_ms: int = 0
    delivered_milli: int | None = None
    root: bytes | None = None
    uploaded: bool = False
    ended_early: bool = False


@dataclass(frozen=True, slots=True)
class ReadingRow:
    """One signed reading of a lease."""

    lease: int
    number: int
    from_s: int
    to_s: int
    delivered_milli: int
    wall_ms: int
    cpu_ms: int
    gpu_ms: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Beat:
    """When an agent last looked: the chain's time, and the machine's own clock."""

    chain_s: int
    wall_s: float


def _required(name: str, kind: Any) -> "Column[Any]":
    return Column(name, kind, nullable=False)


_leases = Table(
    "agent_leases",
    metadata,
    Column("lease", BigInteger, primary_key=True, autoincrement=False),
    # A reorganisation may give its number to another lease: that is another job.
    Column("job_hash", LargeBinary(32), primary_key=True),
    _required("site", BigInteger),
    _required("product", Word),
    _required("holder", String(42)),
    _required("units", BigInteger),
    _required("block", BigInteger),
    _required("from_s", BigInteger),
    _required("at_s", BigInteger),
    _required("stage", String(10)),
    _required("job", String(10)),
    _required("why", Text),
    _required("handle", Text),
    Column("started_s", BigInteger),
    Column("exit_code", Integer),
    _required("ready", Boolean),
    _required("number", Integer),
    _required("ready_s", BigInteger),
    _required("wall_ms", BigInteger),
    _required("cpu_ms", BigInteger),
    _required("gpu_ms", BigInteger),
    Column("delivered_milli", BigInteger),
    Column("root", LargeBinary(32)),
    _required("uploaded", Boolean),
    _required("ended_early", Boolean),
)
_readings = Table(
    "agent_readings",
    metadata,
    Column("lease", BigInteger, primary_key=True, autoincrement=False),
    Column("job_hash", LargeBinary(32), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    *(_required(name, BigInteger) for name in ("from_s", "to_s", "delivered_milli", "wall_ms", "cpu_ms", "gpu_ms")),
    _required("signature", LargeBinary(65)),
)
_marks = Table(
    "agent_marks",
    metadata,
    Column("site", BigInteger, primary_key=True, autoincrement=False),
    _required("block", BigInteger),
    Column("chain_s", BigInteger),
    # Milliseconds: the database keeps whole numbers alike everywhere.
    Column("wall_ms", BigInteger),
)


class AgentBook:
    """The agent's rows in a database. Every method is one transaction."""

    def __init__(self, store: Store) -> None:
        self.store = store

    # ---- the chain

    def cursor(self, site: int) -> int | None:
        """The last block whose leases cannot change any more; None at the beginning."""
        with self.store.read() as connection:
            return connection.execute(select(_marks.c.block).where(_marks.c.site == site)).scalar()

    def follow(self, site: int, found: Sequence[LeaseWork], cursor: int) -> list[LeaseWork]:
        """Notes the leases that stand in the blocks after the last cursor, and the new cursor. Gives those that stood
        there before and do not any more: what had not begun is removed, what had is FORGOTTEN."""
        before = self.cursor(site)
        wanted = {(one.lease, one.job_hash): one for one in found}
        numbers = {one.lease for one in found}
        with self.store.write() as connection:
            later = _leases.c.block > (-1 if before is None else before)
            kept = self._works(connection, (_leases.c.site == site) & (later | _leases.c.lease.in_(numbers)))
            lost = [one for one in kept if (one.lease, one.job_hash) not in wanted and one.stage not in ENDS]
            for one in lost:
                self._drop(connection, one)
            known = {(one.lease, one.job_hash): one for one in kept}
            for key, one in wanted.items():
                old = known.get(key)
                if old is None or old.stage is Stage.FORGOTTEN:
                    self.store.upsert(connection, _leases, _row(one))
                elif old.block != one.block:
                    self.store.upsert(connection, _leases, _row(replace(old, block=one.block)))
            self._mark(connection, site, block=cursor)
        return lost

    def _drop(self, connection: Connection, work: LeaseWork) -> None:
        if work.started_s is not None:
            gone = replace(work, stage=Stage.FORGOTTEN, why="the chain forgot it")
            self.store.upsert(connection, _leases, _row(gone))
        else:
            same = (_leases.c.lease == work.lease) & (_leases.c.job_hash == work.job_hash)
            connection.execute(delete(_leases).where(same))

    def beat(self, site: int) -> Beat | None:
        """When the agent of the site last looked; None where it never did."""
        with self.store.read() as connection:
            row = connection.execute(select(_marks).where(_marks.c.site == site)).one_or_none()
        return None if row is None or row.chain_s is None else Beat(row.chain_s, row.wall_ms / 1_000)

    def note_beat(self, site: int, beat: Beat) -> None:
        """Notes that it looked."""
        with self.store.write() as connection:
            self._mark(connection, site, chain_s=beat.chain_s, wall_ms=int(beat.wall_s * 1_000))

    def _mark(self, connection: Connection, site: int, **values: int) -> None:
        found = connection.execute(select(_marks).where(_marks.c.site == site)).one_or_none()
        before = {"block": 0} if found is None else found._asdict()
        self.store.upsert(connection, _marks, {"chain_s": None, "wall_ms": None, **before, "site": site, **values})

    # ---- leases

    def works(self, site: int, but: Collection[Stage] = ENDS) -> list[LeaseWork]:
        """The leases of a site that are in none of these stages, oldest first."""
        with self.store.read() as connection:
            return self._works(connection, (_leases.c.site == site) & _leases.c.stage.notin_(list(but)))

    def find(self, lease: int) -> list[LeaseWork]:
        """What is known under a lease's number: one, but for what the chain forgot."""
        with self.store.read() as connection:
            return self._works(connection, _leases.c.lease == lease)

    def _works(self, connection: Connection, condition: Any) -> list[LeaseWork]:
        rows = connection.execute(select(_leases).where(condition).order_by(_leases.c.lease)).all()
        return [_work(row._asdict()) for row in rows]

    def save(self, work: LeaseWork, reading: ReadingRow | None = None) -> None:
        """Keeps how far a lease is, and with it the reading that was cut."""
        with self.store.write() as connection:
            self.store.upsert(connection, _leases, _row(work))
            if reading is not None:
                self.store.upsert(connection, _readings, asdict(reading) | {"job_hash": work.job_hash})

    def readings(self, work: LeaseWork) -> list[ReadingRow]:
        """The readings of a lease, in order."""
        same = (_readings.c.lease == work.lease) & (_readings.c.job_hash == work.job_hash)
        with self.store.read() as connection:
            rows = connection.execute(select(_readings).where(same).order_by(_readings.c.number)).all()
        return [
            ReadingRow(**{name: value for name, value in row._asdict().items() if name != "job_hash"}) for row in rows
        ]


def _row(work: LeaseWork) -> dict[str, Any]:
    return asdict(work)


def _work(row: dict[str, Any]) -> LeaseWork:
    return LeaseWork(**row | {"stage": Stage(row["stage"]), "job": Job(row["job"])})
