"""A surge: an hour of real requests to language models, fifty times as many, on capacity for three times as many.

A minute of the trace stands for an hour of the market: first the minutes as they were, then all of them again TIMES as
heavy, then again as they were. Conversations must be answered within two hours, code within a day; each hour's work is
of people who would pay very differently. What is served must follow the limits, and all that is there must be used.
"""

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from ledger.areas import load_areas
from ledger.dispatch.problem import JobSpec, Latencies, Supply
from ledger.dispatch.rolling import Rolling
from tests.bench.dispatch.world import CLASS_ID

TIMES = 50
LIMITS_MICRO = (12, 16, 40, 160)
PRICES_MICRO = (10, 14, 18)
"""Three sites, dearer and dearer: whoever pays 12 at most has the first alone."""
WAIT_HOURS = {"conv": 2, "code": 24}
TOKENS_PER_UNIT = 1_000
UNITS_MOST = 40
"""A job is no larger, so that a surge is more jobs and not only larger ones."""
AHEAD_HOURS = 3
TRACE = Path(__file__).with_name("llm_minutes.csv")


@dataclass(slots=True)
class Hour:
    """One hour of the market: its phase, units there were, sold, still wished by those who would have paid a free
    unit's price, and how long the plan took."""

    phase: str
    capacity: int
    sold: int
    denied: int
    plan_s: float
    open_jobs: int


@dataclass(slots=True)
class Surge:
    """What came of it: hour by hour, and by phase, service and limit the units wanted and served."""

    hours: list[Hour] = field(default_factory=list)
    wanted: defaultdict[tuple[str, str, int], int] = field(default_factory=lambda: defaultdict(int))
    served: defaultdict[tuple[str, str, int], int] = field(default_factory=lambda: defaultdict(int))

    def share(self, phase: str, service: str, limit_micro: int) -> float:
        """The share served of what came in a phase."""
        key = phase, service, limit_micro
        return self.served[key] / self.wanted[key]


def minutes(path: Path = TRACE) -> list[dict[str, int]]:
    """Generated tokens by service, of each minute."""
    found: defaultdict[int, dict[str, int]] = defaultdict(dict)
    with path.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            found[int(row["minute"])][row["service"]] = int(row["generated_tokens"])
    return [found[minute] for minute in sorted(found)]


def run_surge(phases: tuple[tuple[str, int], ...] = (("before", 1), ("surge", TIMES), ("after", 1))) -> Surge:
    """Lives through the phases, each all minutes of the trace, so many times as heavy; and a day more."""
    trace = minutes()
    each = sum(sum(minute.values()) for minute in trace) // len(trace) // TOKENS_PER_UNIT
    found, rolling = Surge(), Rolling(Latencies.of_areas(load_areas()), 10**15, wait_bp=10_000)
    known: dict[int, tuple[JobSpec, tuple[str, str, int]]] = {}
    timeline = [(name, times, minute) for name, times in phases for minute in trace]
    timeline += [("over", 0, {})] * max(WAIT_HOURS.values())
    for hour, (phase, times, minute) in enumerate(timeline):
        for spec, service in _jobs(hour, times, minute):
            key = phase, service, spec.limit_micro
            known[rolling.add(spec)] = spec, key
            found.wanted[key] += spec.units
        _live(found, rolling, known, (hour, phase, each))
    return found


def _live(
    found: Surge,
    rolling: Rolling,
    known: dict[int, tuple[JobSpec, tuple[str, str, int]]],
    now: tuple[int, str, int],
) -> None:
    hour, phase, each = now
    supplies = [
        Supply(site, CLASS_ID, 1, at, each, price_micro)
        for at in range(hour, hour + AHEAD_HOURS)
        for site, price_micro in enumerate(PRICES_MICRO)
    ]
    started = perf_counter()
    proposal = rolling.step(hour, supplies)
    plan_s = perf_counter() - started
    free = dict(enumerate([each] * len(PRICES_MICRO)))
    for buy in proposal.buys:
        free[buy.supply.site] -= buy.units
        found.served[known[buy.job][1]] += buy.units
    cheapest = min((PRICES_MICRO[site] for site, units in free.items() if units), default=None)
    waiting = {number: spec for number, (spec, _) in known.items() if rolling.missing(number)}
    denied = sum(
        rolling.missing(number)
        for number, spec in waiting.items()
        # Who can wait offers a micro less than its limit.
        if cheapest is not None and spec.limit_micro > cheapest
    )
    capacity = each * len(PRICES_MICRO)
    found.hours.append(Hour(phase, capacity, capacity - sum(free.values()), denied, plan_s, len(waiting)))
    for number in [number for number in known if not rolling.missing(number)]:
        del known[number]


def _jobs(hour: int, times: int, minute: dict[str, int]) -> Iterator[tuple[JobSpec, str]]:
    """An hour's jobs: of each service an equal part at each limit, in pieces of UNITS_MOST at most."""
    for service, tokens in sorted(minute.items()):
        for limit_micro in LIMITS_MICRO:
            units = -(-tokens * times // (TOKENS_PER_UNIT * len(LIMITS_MICRO)))
            for first in range(0, units, UNITS_MOST):
                size = min(UNITS_MOST, units - first)
                until = hour + WAIT_HOURS[service]
                yield JobSpec(f"{service} {hour}", CLASS_ID, size, 1, hour, until, limit_micro), service
