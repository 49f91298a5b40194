"""How well sites deliver: what their leases came to, by window and over the last days, and what that leaves of their
capacity and grade. All of it from the index's tables, as of the block at which they stand.

Capacity over time is in milli-unit-hours, as in the contracts' records. `delivered` and `failed` are counted as there
(contracts/libraries/Grades.sol): delivered within the grade's promise counts as full, and what nobody ruled on proves
nothing. Uptime counts what was delivered, without that kindness.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from eth_utils.crypto import keccak
from sqlalchemy import Connection, Row, Select, literal_column, select

from ledger.artifacts import MarketTerms
from ledger.errors import InputError
from ledger.product import Grade, Product
from ledger.store import tables as t
from ledger.store.engine import Store
from ledger.units import SECONDS_PER_HOUR

UPTIME_DAYS = 1, 7, 30
WINDOWS_MAX = 100
"""How many windows, steps and attestations a record shows: the newest."""

BP_PER_ONE = 10_000
WEIGHT_BP_MIN = 1_000
_MILLI = 1_000
_HOURS_PER_DAY = 24
_UNRULED = 5  # IDelivery.Reason
_ATTESTED = keccak(text="Attested(uint32,uint64,uint8,bytes32,uint64)")
_NAMED_AT_ONCE = 1_000
_FLOOR_BP = MarketTerms().derating_floor_bp


@dataclass(frozen=True, slots=True)
class WindowRecord:
    """What the leases of one delivery window came to, in milli-unit-hours. `pending` is of leases that have not ended,
    `disputed` of those that somebody disputed, whatever came of it."""

    start_hour: int
    hours: int
    leases: int = 0
    leased_milli_hours: int = 0
    delivered_milli_hours: int = 0
    failed_milli_hours: int = 0
    disputed_milli_hours: int = 0
    pending_milli_hours: int = 0


@dataclass(frozen=True, slots=True)
class Uptime:
    """The leased hours within the last `days` days, of leases that have ended: how much was leased, and how much of it
    was delivered. A lease's delivery is spread evenly over its window."""

    days: int
    leased_milli_hours: int
    delivered_milli_hours: int

    @property
    def share_bp(self) -> int | None:
        """Delivered of leased, in basis points, rounded down; None where no lease ended that has an hour in it."""
        return self.delivered_milli_hours * BP_PER_ONE // self.leased_milli_hours if self.leased_milli_hours else None


@dataclass(frozen=True, slots=True)
class StandingStep:
    """A site's record after one of its leases ended, in the block of `time_s`; `derating_bp` is the part of its
    attestation that it may issue from then on, `grade` the best that its record allows."""

    time_s: int
    block: int
    lease: int
    delivered_milli_hours: int
    failed_milli_hours: int
    derating_bp: int
    grade: Grade


@dataclass(frozen=True, slots=True)
class Attestation:
    """What an auditor said of a site: units and grade until `valid_until_s`; `evidence` is a hash (hex)."""

    time_s: int
    block: int
    units: int
    grade: Grade
    valid_until_s: int
    evidence: str


@dataclass(frozen=True, slots=True)
class SiteRecord:
    """How well a site delivers, as of `block` and `time_s`. Lists are newest first, WINDOWS_MAX at most. `grade` is the
    best that record and attestation allow together; None where no attestation is valid."""

    site: int
    block: int
    time_s: int
    attested_units: int
    delivered_milli_hours: int
    failed_milli_hours: int
    disputed_milli_hours: int
    pending_milli_hours: int
    derating_bp: int
    grade: Grade | None
    uptimes: tuple[Uptime, ...]
    windows: tuple[WindowRecord, ...]
    standings: tuple[StandingStep, ...]
    attestations: tuple[Attestation, ...]


def standing(delivered: int, failed: int, floor_bp: int = _FLOOR_BP) -> tuple[int, Grade]:
    """What a record in milli-unit-hours leaves of the attested units, in basis points, rounded down, and the best grade
    whose promise it meets (contracts/libraries/Grades.sol). No record: everything."""
    if not failed:
        return BP_PER_ONE, Grade.PREMIUM
    share_bp = delivered * BP_PER_ONE // (delivered + failed)
    grades = (grade for grade in (Grade.PREMIUM, Grade.STANDARD) if share_bp >= grade.promised_bp)
    return max(share_bp, floor_bp), next(grades, Grade.BASIC)


def delivery_weight(record: SiteRecord) -> int:
    """What an offer of the site is worth beside one that never fails, in basis points: dispatch places it as if its
    price were price × 10,000 / weight, and pays the price.

    The rule: delivered over delivered and failed, where each counts as it is on record, and once more where its window
    lies within the last 30 days; and an hour of the attested capacity counts as delivered beforehand, so that one small
    miss does not banish a site. Rounded down, WEIGHT_BP_MIN at least. A site without ended leases has 10,000.
    """
    recent = record.uptimes[-1]
    delivered = record.delivered_milli_hours + recent.delivered_milli_hours
    missed = record.failed_milli_hours + recent.leased_milli_hours - recent.delivered_milli_hours
    before = max(record.attested_units, 1) * _MILLI
    return max((delivered + before) * BP_PER_ONE // (delivered + missed + before), WEIGHT_BP_MIN)


def site_record(store: Store, site: int, now_s: int | None = None, floor_bp: int = _FLOOR_BP) -> SiteRecord:
    """One site's record. Uptimes are of the days before `now_s` (default: the time of the last block that was read);
    `floor_bp` is the market's least derating (MarketTerms). Raises InputError for a site that the index does not know.
    """
    found = records_of(store, [site], now_s, floor_bp)
    if site not in found:
        raise InputError(f"No site {site} is known here.", "Sites are numbered from 1, as they were registered.")
    return found[site]


def records_of(
    store: Store, sites: Iterable[int] | None = None, now_s: int | None = None, floor_bp: int = _FLOOR_BP
) -> dict[int, SiteRecord]:
    """The records of sites (default: all) by their numbers; those that the index does not know are left out. As
    `site_record`, in one consistent view."""
    with store.read() as connection:
        block, time_s = _head(connection)
        rows = {row.site: row for row in _chosen(connection, _SITES, t.SITES.c.site, sites)}
        made = {site: _Making(row) for site, row in rows.items()}
        now_hour = (time_s if now_s is None else now_s) // SECONDS_PER_HOUR
        for lease in _chosen(connection, _LEASES, t.LEASES.c.site, sites):
            made[lease.site].add(lease, now_hour)
        topics = None if sites is None else [_ATTESTED + site.to_bytes(32) for site in made]
        for event in _chosen(connection, _ATTESTATIONS, t.EVENTS.c.topics, topics):
            made[int.from_bytes(event.topics[32:])].attestations.append(_attestation(event))
    return {site: one.record(block, time_s, floor_bp) for site, one in made.items()}


# ---- how it is read

_SITES = select(t.SITES).order_by(t.SITES.c.site)
_of = t.LEASES.c
# In the order in which they ended, which is that of their last log.
_LEASES = select(
    _of.lease, _of.site, _of.product, _of.units, _of.reason, _of.delivered_milli, _of.disputed_s, _of.resolved_s,
    _of.block,
).order_by(_of.block, _of.log_index)  # fmt: skip
_event = t.EVENTS.c
_ATTESTATIONS = (
    select(_event.block, _event.topics, _event.data, t.BLOCKS.c.time_s)
    .join(t.BLOCKS, t.BLOCKS.c.block == _event.block)
    # Written out, as in the index that holds nothing else: a value that is bound later would not find it.
    .where(_event.name == literal_column("'Attested'"))
    .order_by(_event.block, _event.log_index)
)


def _chosen(
    connection: Connection, wanted: Select[Any], column: Any, values: Iterable[Any] | None
) -> Iterable[Row[Any]]:
    if values is None:
        yield from connection.execute(wanted)
        return
    every = sorted(set(values))
    for start in range(0, len(every), _NAMED_AT_ONCE):
        yield from connection.execute(wanted.where(column.in_(every[start : start + _NAMED_AT_ONCE])))


def _head(connection: Connection) -> tuple[int, int]:
    row = connection.execute(select(t.HISTORY.c.block, t.HISTORY.c.time_s)).first()
    return (0, 0) if row is None else (int(row[0]), int(row[1]))


def _attestation(event: Row[Any]) -> Attestation:
    units, grade, evidence, until_s = (event.data[start : start + 32] for start in range(0, 128, 32))
    numbers = int.from_bytes(units), Grade(int.from_bytes(grade)), int.from_bytes(until_s)
    return Attestation(event.time_s, event.block, *numbers, "0x" + evidence.hex())


# ---- how it is added up


@dataclass
class _Making:
    """A record as leases are added to it, in the order in which they ended."""

    row: Row[Any]
    delivered: int = 0
    failed: int = 0
    windows: dict[tuple[int, int], dict[str, int]] = field(default_factory=dict)
    uptimes: list[list[int]] = field(default_factory=lambda: [[0, 0] for _ in UPTIME_DAYS])
    steps: deque[tuple[int, int, int, int, int]] = field(default_factory=lambda: deque(maxlen=WINDOWS_MAX))
    attestations: list[Attestation] = field(default_factory=list)

    def add(self, lease: Row[Any], now_hour: int) -> None:
        product = _product(lease.product)
        full = lease.units * _MILLI * product.hours
        window = self.windows.setdefault((product.start_hour, product.hours), dict.fromkeys(_SUMS, 0))
        window["leases"] += 1
        window["leased_milli_hours"] += full
        if lease.disputed_s is not None:
            window["disputed_milli_hours"] += full
        if lease.reason is None:
            window["pending_milli_hours"] += full
        elif lease.reason != _UNRULED:
            counted = _counted_milli(product.grade, lease.delivered_milli, lease.units * _MILLI) * product.hours
            window["delivered_milli_hours"] += counted
            window["failed_milli_hours"] += full - counted
            self.delivered += counted
            self.failed += full - counted
            self.steps.append((lease.resolved_s, lease.block, lease.lease, self.delivered, self.failed))
            delivered = min(lease.delivered_milli, lease.units * _MILLI)
            for sums, hours in zip(self.uptimes, _within(lease.product, now_hour), strict=True):
                sums[0] += lease.units * _MILLI * hours
                sums[1] += delivered * hours

    def record(self, block: int, time_s: int, floor_bp: int) -> SiteRecord:
        row = self.row
        delivered, failed = row.delivered_milli_hours, row.failed_milli_hours
        derating_bp, allowed = standing(delivered, failed, floor_bp)
        valid = row.attested_units and row.valid_until_s > time_s
        windows = [WindowRecord(*place, **sums) for place, sums in sorted(self.windows.items(), reverse=True)]
        return SiteRecord(
            site=row.site,
            block=block,
            time_s=time_s,
            attested_units=row.attested_units,
            delivered_milli_hours=delivered,
            failed_milli_hours=failed,
            disputed_milli_hours=sum(one.disputed_milli_hours for one in windows),
            pending_milli_hours=sum(one.pending_milli_hours for one in windows),
            derating_bp=derating_bp,
            grade=min(allowed, Grade(row.grade)) if valid else None,
            uptimes=tuple(Uptime(days, *sums) for days, sums in zip(UPTIME_DAYS, self.uptimes, strict=True)),
            windows=tuple(windows[:WINDOWS_MAX]),
            standings=tuple(StandingStep(*step, *standing(*step[3:], floor_bp)) for step in reversed(self.steps)),
            attestations=tuple(self.attestations[: -WINDOWS_MAX - 1 : -1]),
        )


_SUMS = (
    "leases",
    "leased_milli_hours",
    "delivered_milli_hours",
    "failed_milli_hours",
    "disputed_milli_hours",
    "pending_milli_hours",
)


@lru_cache(maxsize=1 << 14)
def _product(token_id: int) -> Product:
    return Product.from_id(token_id)


@lru_cache(maxsize=1 << 14)
def _within(token_id: int, now_hour: int) -> tuple[int, ...]:
    """How many hours of a product lie within the last days, for each of UPTIME_DAYS."""
    product = _product(token_id)
    ends, starts = min(product.end_hour, now_hour), product.start_hour
    return tuple(max(0, ends - max(starts, now_hour - days * _HOURS_PER_DAY)) for days in UPTIME_DAYS)


def _counted_milli(grade: Grade, delivered_milli: int, full_milli: int) -> int:
    return full_milli if delivered_milli * BP_PER_ONE >= grade.promised_bp * full_milli else delivered_milli
