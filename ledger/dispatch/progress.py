"""Where a campaign stands, by its jobs and the steps it took, and which steps follow from a plan. Nothing here asks the
chain or keeps anything."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from itertools import groupby

from ledger.dispatch.preview import Purchase, Where
from ledger.dispatch.problem import JobSpec
from ledger.product import Grade, Product
from ledger.store.campaigns import CampaignRow, StepKind, StepRow, StepState
from ledger.units import MILLI_PER_UNIT, SECONDS_PER_HOUR

COOL_OFF_HOURS = 24
"""From a site that failed one of the campaign's leases nothing is bought for so long after its end."""

OPEN = (StepState.PLANNED, StepState.STANDS)
"""States of a step that has not ended."""


class Phase(StrEnum):
    """What a campaign does now, the earliest stage that anything of it is in."""

    BUYING = "buying"
    REDEEMING = "redeeming"
    RUNNING = "running"
    WAITING = "waiting"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class JobState:
    """One job in unit-hours: what is wanted is in bids that stand, in leases that run, delivered, or remains to be
    placed; what failed (and was paid back) remains again. Money is micro: what its leases cost when they were bought,
    and what came back for failures."""

    job: int
    name: str
    wanted: int
    bidding: int
    running: int
    delivered: int
    failed: int
    remaining: int
    cost_micro: int
    refunded_micro: int
    leases: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CampaignState:
    """A campaign as it stands. `escrow_micro` is in bids that stand, `spent_micro` was paid at clearings,
    `refunded_micro` came back for what was not delivered; `unused_units` are bought and not redeemed. `note` says what
    it waits for; `left` why the last plan placed no more."""

    number: int
    owner: str
    phase: Phase
    jobs: tuple[JobState, ...]
    steps: tuple[StepRow, ...]
    escrow_micro: int
    spent_micro: int
    refunded_micro: int
    unused_units: int
    note: str

    @property
    def ended(self) -> bool:
        return self.phase is Phase.ENDED

    @property
    def bought_unit_hours(self) -> int:
        """What its bids got: units times the hours of their product."""
        return sum((one.filled or 0) * Product.from_id(one.product).hours for one in self.steps)

    @property
    def used_unit_hours(self) -> int:
        """What of it was redeemed, whether it was delivered or failed."""
        return sum(job.running + job.delivered + job.failed for job in self.jobs)

    @property
    def used_micro(self) -> int:
        """What that cost; the rest of `spent_micro` was paid for what is bought and not used."""
        return sum(job.cost_micro for job in self.jobs)


# ---- jobs as they are kept


def jobs_text(jobs: Sequence[JobSpec], hashes: Mapping[int, bytes], otherwise: bytes) -> str:
    """Jobs with the hashes of their documents by position, as one JSON text."""
    names = [field.name for field in fields(JobSpec)]
    rows = [
        [*(getattr(job, name) for name in names), hashes.get(place, otherwise).hex()] for place, job in enumerate(jobs)
    ]
    return json.dumps(rows, separators=(",", ":"))


def jobs_of(row: CampaignRow) -> tuple[list[JobSpec], list[str]]:
    """A campaign's jobs, and the hash of each one's document in hex."""
    names = [field.name for field in fields(JobSpec)]
    jobs, hashes = [], []
    for *values, job_hash in json.loads(row.jobs):
        said = dict(zip(names, values, strict=True))
        jobs.append(JobSpec(**(said | {"grade": Grade(said["grade"])})))
        hashes.append(job_hash)
    return jobs, hashes


# ---- what was done


def unit_hours(step: StepRow) -> int:
    return step.units * Product.from_id(step.product).hours


def failed_unit_hours(step: StepRow) -> int:
    """What the provider of an ended lease paid back for, rounded up: part of a unit-hour is none. What is within its
    grade's promise it did not pay back."""
    if not step.refund_micro:
        return 0
    short_milli = step.units * MILLI_PER_UNIT - (step.delivered_milli or 0)
    return -(-short_milli * Product.from_id(step.product).hours // MILLI_PER_UNIT)


def bought_units(taken: Iterable[StepRow]) -> Counter[int]:
    """Units by product that were bought or split off, and are neither redeemed nor split."""
    found: Counter[int] = Counter()
    for step in taken:
        if step.kind is StepKind.BID:
            found[step.product] += step.filled or 0
        elif step.kind is StepKind.REDEEM and step.state is not StepState.REFUSED:
            found[step.product] -= step.units
        elif step.kind is StepKind.SPLIT and step.state is StepState.DONE:
            found[step.product] -= step.units
            for hourly in Product.from_id(step.product).hourly():
                found[hourly.id] += step.units
    return found


def cooling(taken: Iterable[StepRow], now_s: int) -> list[int]:
    """Sites that failed a lease and are left alone for a while."""
    return sorted(
        {
            step.site
            for step in taken
            if failed_unit_hours(step)
            and now_s < Product.from_id(step.product).end_s + COOL_OFF_HOURS * SECONDS_PER_HOUR
        }
    )


class Progress:
    """A campaign's jobs and what its steps came to for each of them, in unit-hours."""

    def __init__(self, jobs: Sequence[JobSpec], taken: Sequence[StepRow]) -> None:
        self.jobs, self.taken = jobs, taken
        self.bidding: Counter[int] = Counter()
        self.running: Counter[int] = Counter()
        self.delivered: Counter[int] = Counter()
        self.failed: Counter[int] = Counter()
        self._busy: defaultdict[int, Counter[int]] = defaultdict(Counter)
        self._held: Counter[tuple[int, int]] = Counter()
        for number, units in bought_units(taken).items():
            product = Product.from_id(number)
            self._held.update(dict.fromkeys(((product.class_id, hour) for hour in _hours(product)), max(0, units)))
        self._spare = self._held
        for step in taken:
            if step.kind is StepKind.BID and step.state in OPEN:
                self.bidding.update({int(job): part for job, part in json.loads(step.shares).items()})
            elif step.kind is StepKind.REDEEM:
                self._count(step)

    def _count(self, step: StepRow) -> None:
        if step.state in OPEN:
            self.running[step.job] += unit_hours(step)
            product = Product.from_id(step.product)
            self._busy[step.job].update(dict.fromkeys(_hours(product), step.units))
        elif step.state is StepState.DONE:
            failed = failed_unit_hours(step)
            self.failed[step.job] += failed
            self.delivered[step.job] += unit_hours(step) - failed

    def remaining(self, job: int) -> int:
        """What is neither delivered, nor runs, nor stands in bids."""
        placed = self.running[job] + self.delivered[job] + self.bidding[job]
        return max(0, self.jobs[job].unit_hours - placed)

    def specs(self, now_s: int) -> tuple[list[JobSpec], list[int]]:
        """What is still to be placed, as jobs, and which job each of them is of. A job never gets more at once than it
        asked for: hours in which it runs already offer it only what is free of its units."""
        found: list[JobSpec] = []
        owners: list[int] = []
        first = now_s // SECONDS_PER_HOUR + 1
        self._spare = self._held.copy()
        for place, job in enumerate(self.jobs):
            left = self.remaining(place)
            early = max(job.earliest_hour, first)
            if left > 0 and early < job.deadline_hour:
                parts = self._gang(job, left, early) if job.gang else self._parts(place, left, early)
                for part in parts:
                    found.append(part)
                    owners.append(place)
        return found, owners

    def _gang(self, job: JobSpec, left: int, early: int) -> Iterator[JobSpec]:
        hours = -(-left // job.units)
        if early + hours <= job.deadline_hour:
            yield replace(job, hours=hours, earliest_hour=early)

    def _parts(self, place: int, left: int, early: int) -> Iterator[JobSpec]:
        """The stretches of hours in which as many of its units are free: each gets what is held for its hours already
        and no job before counts on, and the largest ones the rest."""
        job, busy = self.jobs[place], self._busy[place]
        stretches = []
        for free, hours in groupby(range(early, job.deadline_hour), key=lambda hour: job.units - busy[hour]):
            if free > 0:
                stretches.append((free, list(hours)))
        stretches.sort(key=lambda one: (-one[0] * len(one[1]), one[1][0]))
        parts = [0] * len(stretches)
        # A job with one stretch takes what it finds there: it leaves what is held to those that must choose.
        for one, (free, span) in enumerate(stretches if len(stretches) > 1 else ()):
            parts[one] = self._count_on(job.class_id, span, free, left)
            left -= parts[one]
        for one, (free, span) in enumerate(stretches):
            more = min(left, free * len(span) - parts[one])
            left -= more
            yield from _exactly(
                replace(job, earliest_hour=span[0], deadline_hour=span[-1] + 1), parts[one] + more, free
            )

    def _count_on(self, class_id: int, span: Sequence[int], free: int, left: int) -> int:
        """Takes so many of the unit-hours held in these hours, `left` at most, and says how many there were."""
        found = 0
        for hour in span:
            part = min(free, left - found, self._spare[class_id, hour])
            self._spare[class_id, hour] -= part
            found += part
        return found


def _hours(product: Product) -> range:
    return range(product.start_hour, product.end_hour)


def _exactly(job: JobSpec, part: int, units: int) -> Iterator[JobSpec]:
    """`part` unit-hours as jobs that together never take more than `units` at once."""
    if not part:
        return
    hours = -(-part // units)
    each, rest = divmod(part, hours)
    if each:
        yield replace(job, units=each, hours=hours)
    if rest:
        yield replace(job, units=1, hours=rest)


# ---- where it stands


def state_of(row: CampaignRow, taken: Sequence[StepRow]) -> CampaignState:
    """A campaign as it stands by what was kept of it."""
    jobs, _ = jobs_of(row)
    progress = Progress(jobs, taken)
    prices = Paid(taken)
    rows = tuple(_job_state(place, progress, prices) for place in range(len(jobs)))
    bids = [step for step in taken if step.kind is StepKind.BID]
    return CampaignState(
        number=row.number,
        owner=row.owner,
        phase=_phase(row, taken),
        jobs=rows,
        steps=tuple(taken),
        escrow_micro=sum(unit_hours(step) * step.price_micro for step in bids if step.state in OPEN),
        spent_micro=sum(step.cost_micro or 0 for step in bids),
        refunded_micro=sum(step.refund_micro or 0 for step in taken),
        unused_units=sum(units for units in bought_units(taken).values() if units > 0),
        note=row.note,
    )


def _phase(row: CampaignRow, taken: Sequence[StepRow]) -> Phase:
    if row.ended:
        return Phase.ENDED
    open_ = [step for step in taken if step.state in OPEN]
    if any(step.kind is StepKind.BID for step in open_):
        return Phase.BUYING
    if any(step.state is StepState.PLANNED for step in open_):
        return Phase.REDEEMING
    return Phase.RUNNING if open_ else Phase.WAITING


def _job_state(place: int, progress: Progress, prices: "Paid") -> JobState:
    mine = [
        step
        for step in progress.taken
        if step.kind is StepKind.REDEEM and step.job == place and step.state is not StepState.REFUSED
    ]
    return JobState(
        job=place,
        name=progress.jobs[place].name,
        wanted=progress.jobs[place].unit_hours,
        bidding=progress.bidding[place],
        running=progress.running[place],
        delivered=progress.delivered[place],
        failed=progress.failed[place],
        remaining=progress.remaining(place),
        cost_micro=sum(prices.micro(step) for step in mine),
        refunded_micro=sum(step.refund_micro or 0 for step in mine),
        leases=tuple(step.lease for step in mine if step.lease is not None),
    )


class Paid:
    """What a unit-hour of a product cost on average: its own bids', or those of the window that it was split off."""

    def __init__(self, taken: Iterable[StepRow]) -> None:
        self._micro: Counter[int] = Counter()
        self._hours: Counter[int] = Counter()
        self._windows: dict[int, int] = {}
        for step in taken:
            if step.kind is StepKind.BID and step.filled:
                self._micro[step.product] += step.cost_micro or 0
                self._hours[step.product] += step.filled * Product.from_id(step.product).hours
            elif step.kind is StepKind.SPLIT and step.state is StepState.DONE:
                for hourly in Product.from_id(step.product).hourly():
                    self._windows[hourly.id] = step.product

    def prices_micro(self) -> dict[int, int]:
        """By product, rounded down."""
        bought = {product: self._micro[product] // hours for product, hours in self._hours.items() if hours}
        split = {hourly: bought[window] for hourly, window in self._windows.items() if window in bought}
        return split | bought

    def micro(self, step: StepRow) -> int:
        """What the units of a step cost."""
        product = step.product if self._hours[step.product] else self._windows.get(step.product, step.product)
        hours = self._hours[product]
        return unit_hours(step) * self._micro[product] // hours if hours else 0


# ---- from a plan to steps


def bid_steps(purchases: Iterable[Purchase], owners: Sequence[int]) -> Iterator[StepRow]:
    """A bid for each purchase. `owners` says of which job each planned part is."""
    for one in purchases:
        shares: Counter[int] = Counter()
        for place, part in one.shares:
            shares[owners[place]] += part
        yield draft(
            StepKind.BID,
            one.product,
            one.units,
            tick=one.tick,
            price_micro=one.price_micro,
            shares=json.dumps(dict(sorted(shares.items())), separators=(",", ":")),
        )


def redeem_steps(placements: Iterable[Where], owners: Sequence[int], hashes: Sequence[str]) -> Iterator[StepRow]:
    """What is held goes to its jobs: an hour at once; of a window what one job uses all along as it is, and the rest
    is split into hours first, which the next plan hands out."""
    used: defaultdict[tuple[int, int], defaultdict[int, Counter[int]]] = defaultdict(lambda: defaultdict(Counter))
    for one in placements:
        if one.held:
            used[one.product, one.site][owners[one.job]][one.hour] += one.units
    for (number, site), by_job in sorted(used.items()):
        product = Product.from_id(number)
        span = range(product.start_hour, product.end_hour)
        rest: Counter[int] = Counter()
        for job, by_hour in sorted(by_job.items()):
            throughout = min(by_hour[hour] for hour in span)
            if throughout:
                yield draft(StepKind.REDEEM, number, throughout, site=site, job=job, hash=hashes[job])
            rest.update({hour: by_hour[hour] - throughout for hour in span})
        if product.hours > 1 and max(rest.values()):
            yield draft(StepKind.SPLIT, number, max(rest.values()), site=site)


def at_once(drafts: Sequence[StepRow], most: int) -> list[StepRow]:
    """The first so many of these steps, job by job: none is cut off in the middle of a job, whose other hours would be
    planned again around those that it has, unless it is the only one."""
    rank = {StepKind.SPLIT: 0, StepKind.REDEEM: 1, StepKind.BID: 2}
    ordered = sorted(drafts, key=lambda step: (rank[step.kind], step.job))
    if len(ordered) <= most:
        return ordered
    cut = ordered[most].job
    whole = [step for step in ordered[:most] if step.job != cut or step.job < 0]
    return whole or ordered[:most]


def draft(kind: StepKind, product: int, units: int, **said: object) -> StepRow:
    """A step that nobody has numbered yet."""
    plain = {"site": 0, "job": -1, "tick": 0, "price_micro": 0, "hash": "", "shares": "{}"}
    return StepRow(0, 0, kind, StepState.PLANNED, product=product, units=units, made_s=0, **(plain | said))  # type: ignore[arg-type]
