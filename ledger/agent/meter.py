"""The meter of one lease: which seconds of its window the leased capacity was there for the job, and what the job used,
cut into readings.

A second counts where the run was going on, or had ended by itself and its units stood ready, or where there was nothing
to run through no fault of the site. It does not where the run had not begun though it could have, where it was lost, or
where nobody at the site was awake to see it. Times are the chain's clock, in seconds since the epoch.
"""

from dataclasses import dataclass, field, replace

from ledger.agent.executor import Usage
from ledger.agent.readings import MeterReading
from ledger.units import MILLI_PER_UNIT


@dataclass(frozen=True, slots=True)
class Gauge:
    """Where a meter stands: the reading that is being made has number `number` and began at `from_s`, all until `at_s`
    is accounted for, `ready_s` of it counted; `used` is what the run had used when the last reading was cut."""

    number: int
    from_s: int
    at_s: int
    ready_s: int = 0
    used: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class Span:
    """How a stretch of time is to be counted. `ready` says whether the capacity is there at its end, `was_ready`
    whether it was at its beginning; `watched`, whether somebody was awake in between; `lost_s` is when the run was
    lost."""

    ready: bool
    was_ready: bool = True
    watched: bool = True
    lost_s: int | None = None


def account(gauge: Gauge, to_s: int, span: Span) -> Gauge:
    """The meter moved on to `to_s`; a clock that goes back moves nothing."""
    if to_s <= gauge.at_s:
        return gauge
    if span.lost_s is not None:
        ready_s = min(max(span.lost_s - gauge.at_s, 0), to_s - gauge.at_s) if span.was_ready else 0
    else:
        ready_s = to_s - gauge.at_s if span.ready and span.was_ready and span.watched else 0
    return replace(gauge, at_s=to_s, ready_s=gauge.ready_s + ready_s)


def cut(gauge: Gauge, lease: int, units: int, usage: Usage) -> tuple[MeterReading, Gauge]:
    """The reading of what was accounted for since the last, rounded down, and the meter as it goes on."""
    length_s = gauge.at_s - gauge.from_s
    reading = MeterReading(
        lease=lease,
        number=gauge.number,
        from_s=gauge.from_s,
        to_s=gauge.at_s,
        delivered_milli=units * MILLI_PER_UNIT * gauge.ready_s // length_s,
        wall_ms=max(0, usage.wall_ms - gauge.used.wall_ms),
        cpu_ms=max(0, usage.cpu_ms - gauge.used.cpu_ms),
        gpu_ms=max(0, usage.gpu_ms - gauge.used.gpu_ms),
    )
    return reading, Gauge(gauge.number + 1, gauge.at_s, gauge.at_s, 0, usage)
