"""What is left of a campaign's jobs, by the steps that it took, as jobs that are to be planned. Nothing here asks the
chain or keeps anything."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from itertools import groupby

from ledger.dispatch.holdings import failed_unit_hours, held_units, unit_hours
from ledger.dispatch.problem import JobSpec
from ledger.product import Grade, Product
from ledger.store.campaigns import CampaignRow, StepKind, StepRow, StepState
from ledger.units import SECONDS_PER_HOUR

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


# ---- what is left


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
        for number, units in held_units(taken).items():
            product = Product.from_id(number)
            self._held.update(dict.fromkeys(((product.class_id, hour) for hour in _hours(product)), max(0, units)))
        self._spare = self._held
        for step in taken:
            if step.kind is StepKind.BID and step.state.is_open:
                self.bidding.update({int(job): part for job, part in json.loads(step.shares).items()})
            elif step.kind is StepKind.REDEEM:
                self._count(step)

    def _count(self, step: StepRow) -> None:
        if step.state.is_open:
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
