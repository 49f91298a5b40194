"""What a job that goes on asks of the hours on offer: what cannot wait beyond them, and what can."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ledger.dispatch.problem import JobSpec


@dataclass(frozen=True, slots=True)
class Part:
    """A row for the planner, and what it is of: so many `unit_hours` of the job with this number, which the row's units
    and hours may exceed by rounding; `final` where no hours will come in which what is left over now could run."""

    job: int
    spec: JobSpec
    unit_hours: int
    final: bool


def parts_of(job: int, spec: JobSpec, missing: int, hour: int, horizon: int) -> Iterator[Part]:
    """The rows of a job that misses so many unit-hours, for the hours from `hour` up to `horizon`.

    What can wait beyond the horizon pays a micro less than the job's limit, so that among equals it gives way. Nothing
    where nothing is missing or the job's time is over.
    """
    first, last = max(spec.earliest_hour, hour), min(spec.deadline_hour, horizon)
    if missing == 0 or first >= last:
        return
    final = spec.deadline_hour <= horizon
    if spec.gang:
        whole = replace(spec, earliest_hour=first, hours=missing // spec.units)
        yield Part(job, whole, missing, final)
        return
    most = spec.units * (last - first)
    must = min(max(missing - spec.units * (spec.deadline_hour - last), 0), most)
    may = min(missing, most) - must
    asked, rate = replace(spec, earliest_hour=first, deadline_hour=last), 0
    if must:
        # Beside what may wait, what must be done keeps a steady rate, so that the job's units suffice for both.
        hours = -(-must // spec.units) if final else last - first
        rate = -(-must // hours)
        yield Part(job, replace(asked, units=rate, hours=hours), must, final)
    if may and rate < spec.units:
        may = min(may, (spec.units - rate) * (last - first))
        hours = -(-may // (spec.units - rate))
        units = -(-may // hours)
        waiting = replace(asked, units=units, hours=hours, limit_micro=max(spec.limit_micro - 1, 0))
        yield Part(job, waiting, may, final)


def too_late(spec: JobSpec, missing: int, hour: int) -> int:
    """Unit-hours of what is missing that no hour is left for."""
    return max(missing - spec.units * max(spec.deadline_hour - max(spec.earliest_hour, hour), 0), 0)
