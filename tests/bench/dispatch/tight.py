"""Capacity that equals demand, where a plan that serves everybody exists: made by hiding one.

Divisible jobs of one day are dealt at random to sites and hours within their bounds, and what they took there is all
the capacity that there is. The policies then see jobs and capacity, and not who took what. At twice the capacity the
same jobs show what the optimum saves when nothing is scarce.
"""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.dispatch.certificate import verify
from ledger.dispatch.planner import make_plan
from ledger.dispatch.problem import JobSpec, Supply
from ledger.units import HOURS_PER_DAY
from tests.bench.dispatch.measure import BY_PRICE, OURS, TIGHTEST
from tests.bench.dispatch.ours import LIMIT_MICRO, latencies
from tests.bench.dispatch.world import CLASS_ID, FIRST_HOUR, Work, World

JOBS_MAX = 2_000

Capacity = dict[tuple[int, int], int]
"""Units of a site in an hour."""


@dataclass(frozen=True, slots=True)
class Tight:
    """A policy at `times` the demand: the share of unit-hours that it served, and micro per unit-hour served."""

    mix: str
    policy: str
    times: int
    served: float
    cost_micro: float
    violations: int

    def record(self) -> dict[str, Any]:
        """For machines."""
        return {name: getattr(self, name) for name in self.__slots__}


def tight(world: World, jobs: Sequence[Work], mix: str, seed: int) -> list[Tight]:
    """Each policy on the day's jobs, at capacity that equals demand and at twice as much."""
    specs, capacity = hidden(world, jobs, seed)
    found = []
    for times in (1, 2):
        much = {key: times * units for key, units in capacity.items()}
        for policy, order in ((BY_PRICE, specs), (TIGHTEST, sorted(specs, key=lambda spec: spec.latency_max_us))):
            found.append(_greedy(world, order, much, (mix, policy, times)))
        found.append(_ours(world, specs, much, (mix, OURS, times)))
    return found


def hidden(world: World, jobs: Sequence[Work], seed: int) -> tuple[list[JobSpec], Capacity]:
    """A day's jobs with windows of hours, and the capacity that one way of serving them all takes."""
    draw = random.Random(f"{seed} tight")
    capacity: Capacity = defaultdict(int)
    specs = []
    for job in sorted(draw.sample(list(jobs), min(len(jobs), JOBS_MAX)), key=lambda job: job.number):
        hours = min(job.hours, HOURS_PER_DAY)
        first = draw.randrange(HOURS_PER_DAY - hours + 1)
        last = draw.randrange(first + hours, HOURS_PER_DAY + 1)
        specs.append(
            JobSpec(
                name=str(job.number),
                class_id=CLASS_ID,
                units=job.rate,
                hours=hours,
                earliest_hour=FIRST_HOUR + first,
                deadline_hour=FIRST_HOUR + last,
                limit_micro=LIMIT_MICRO,
                metro=job.home + 1,
                latency_max_us=job.bound_us,
            )
        )
        reach = world.reach(job.home, job.bound_us)
        for hour in draw.sample(range(first, last), hours):
            capacity[draw.choice(reach), FIRST_HOUR + hour] += job.rate
    return specs, dict(capacity)


def _ours(world: World, specs: Sequence[JobSpec], capacity: Capacity, names: tuple[str, str, int]) -> Tight:
    supplies = [
        Supply(site, CLASS_ID, site + 1, hour, units, world.prices_micro[site])
        for (site, hour), units in sorted(capacity.items())
    ]
    plan = make_plan(specs, supplies, latencies(world))
    wrong = verify(specs, supplies, latencies(world), plan)
    wanted = sum(spec.unit_hours for spec in specs)
    return Tight(*names, plan.unit_hours / wanted, plan.cost_micro / max(plan.unit_hours, 1), len(wrong))


def _greedy(world: World, specs: Sequence[JobSpec], capacity: Capacity, names: tuple[str, str, int]) -> Tight:
    """Each job in turn takes the cheapest hours and sites within its bounds, the earliest among equals."""
    free = dict(capacity)
    served = cost_micro = 0
    for spec in specs:
        for site, hour, units in _taken(world, spec, free):
            free[site, hour] -= units
            served += units
            cost_micro += units * world.prices_micro[site]
    return Tight(*names, served / sum(spec.unit_hours for spec in specs), cost_micro / max(served, 1), 0)


def _taken(world: World, spec: JobSpec, free: Mapping[tuple[int, int], int]) -> list[tuple[int, int, int]]:
    want, rate = spec.unit_hours, dict.fromkeys(range(spec.earliest_hour, spec.deadline_hour), spec.units)
    taken = []
    for site in world.reach(spec.metro - 1, spec.latency_max_us):
        for hour in rate:
            units = min(want, rate[hour], free.get((site, hour), 0))
            if units:
                want -= units
                rate[hour] -= units
                taken.append((site, hour, units))
    return taken
