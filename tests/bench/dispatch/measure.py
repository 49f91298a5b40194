"""Runs policies on a world: how much capacity each needs for the same service, and what it makes of the same capacity.

"The same service" is SERVICE of the unit-hours on time. Providers alone each need it for their own customers, since
nobody else serves those. Pooled policies get those providers' capacities, all scaled by the same factor.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.bench.dispatch import gangs, shares
from tests.bench.dispatch.ours import OurGangs, OurShares
from tests.bench.dispatch.outcome import Outcome
from tests.bench.dispatch.world import Work, World

SERVICE = 0.99
STEPS = 200
"""A scale factor is a whole number of these parts of the providers' own capacity."""

Run = Callable[[World, Sequence[Work], Sequence[int]], Outcome]
"""All jobs through one policy, on a capacity in units for each site."""


def _gangs(policy: gangs.Policy) -> Run:
    return lambda world, jobs, capacity: gangs.run_gangs(world, jobs, capacity, policy)


def _shares(policy: shares.Policy) -> Run:
    return lambda world, jobs, capacity: shares.run_shares(world, jobs, capacity, policy)


def _our_gangs(world: World, jobs: Sequence[Work], capacity: Sequence[int]) -> Outcome:
    ours = OurGangs(world)
    outcome = gangs.run_gangs(world, jobs, capacity, ours)
    outcome.plans, outcome.plan_s_max = ours.clock.plans, ours.clock.slowest_s
    return outcome


def _our_shares(world: World, jobs: Sequence[Work], capacity: Sequence[int]) -> Outcome:
    ours = OurShares(world)
    outcome = shares.run_shares(world, jobs, capacity, ours)
    outcome.plans, outcome.plan_s_max = ours.clock.plans, ours.clock.slowest_s
    return outcome


FIRST_COME, BACKFILL, ALONE_URGENT, BY_PRICE, TIGHTEST, URGENT, OURS = (
    "alone, first come first served",
    "alone, EASY backfill",
    "alone, most urgent first",
    "pooled, greedy by price",
    "pooled, greedy tightest tier first",
    "pooled, greedy most urgent first",
    "ours",
)
GREEDY = (BY_PRICE, TIGHTEST, URGENT)
ALONE: Mapping[str, Mapping[str, Run]] = {
    "gangs": {
        FIRST_COME: _gangs(gangs.alone_first_come),
        BACKFILL: _gangs(gangs.alone_backfilled),
        ALONE_URGENT: _gangs(gangs.alone_urgent_first),
    },
    # Nothing blocks divisible work, so there is nothing to fill back.
    "fungible": {BACKFILL: _shares(shares.alone), ALONE_URGENT: _shares(shares.alone_urgent_first)},
}
POOLED: Mapping[str, Mapping[str, Run]] = {
    "gangs": {
        BY_PRICE: _gangs(gangs.pooled_by_price),
        TIGHTEST: _gangs(gangs.pooled_tightest_first),
        URGENT: _gangs(gangs.pooled_urgent_first),
        OURS: _our_gangs,
    },
    "fungible": {
        BY_PRICE: _shares(shares.by_price),
        TIGHTEST: _shares(shares.tightest_first),
        URGENT: _shares(shares.urgent_first),
        OURS: _our_shares,
    },
}
VIEWS = tuple(POOLED)


@dataclass(frozen=True, slots=True)
class Result:
    """A policy on a capacity: GPUs in all, of the trace's kind, and what came of it. `needed` says that it is the
    least capacity with which the policy serves SERVICE; shares are of 1, cost is micro per unit-hour served."""

    view: str
    mix: str
    policy: str
    needed: bool
    gpus: int
    served: float
    rejected: float
    utilisation: float
    cost_micro: float
    wait_median_h: float
    wait_p99_h: float
    away: float
    switches: int
    worst_provider: float
    plans: int
    plan_s_max: float

    def record(self) -> dict[str, Any]:
        """For machines."""
        return {name: getattr(self, name) for name in self.__slots__}


def own_capacity(world: World, run: Run) -> tuple[int, ...]:
    """The GPUs that each provider needs alone, so that its own customers are served."""
    return tuple(_alone(world, run, home) for home in range(len(world.clusters)))


def _alone(world: World, run: Run, home: int) -> int:
    mine = [job for job in world.jobs if job.home == home]

    def serves(gpus: int) -> bool:
        capacity = [gpus * world.units_per_gpu if site == home else 0 for site in range(len(world.clusters))]
        return run(world, mine, capacity).served_share >= SERVICE

    most = 1
    while not serves(most):
        most *= 2
    return least(serves, most // 2 + 1, most)


class Runs:
    """A policy's runs at several scales of the same capacities, each made once."""

    def __init__(self, world: World, jobs: Sequence[Work], own_gpus: Sequence[int], run: Run) -> None:
        self._world, self._jobs, self._own, self._run = world, jobs, own_gpus, run
        self._made: dict[tuple[int, ...], Outcome] = {}

    def capacity(self, scale: int) -> tuple[int, ...]:
        """Units of each site."""
        return scaled(self._world, self._own, scale)

    def at(self, scale: int) -> Outcome:
        """What comes of a scale, in parts of STEPS."""
        capacity = self.capacity(scale)
        if capacity not in self._made:
            self._made[capacity] = self._run(self._world, self._jobs, capacity)
        return self._made[capacity]

    def needed(self, near: int | None = None) -> int:
        """The least scale that serves SERVICE; `near` is where to look first."""

        def serves(scale: int) -> bool:
            return self.at(scale).served_share >= SERVICE

        low, high = bracket(serves, STEPS if near is None else near, STEPS if near is None else 4)
        return least(serves, low + 1, high)


def scaled(world: World, own_gpus: Sequence[int], scale: int) -> tuple[int, ...]:
    """Units of each site at a scale: whole GPUs, never none; those that a fraction leaves over go to the sites with
    the largest fractions, so that the sum follows the scale."""
    gpus = [max(1, own * scale // STEPS) for own in own_gpus]
    spare = sum(own_gpus) * scale // STEPS - sum(gpus)
    largest = sorted(range(len(gpus)), key=lambda site: (-(own_gpus[site] * scale % STEPS), site))
    for site in largest[: max(0, spare)]:
        gpus[site] += 1
    return tuple(count * world.units_per_gpu for count in gpus)


def bracket(serves: Callable[[int], bool], near: int, step: int) -> tuple[int, int]:
    """A scale that does not serve and one that does, found from `near` on with doubled steps. 0 never does."""
    if serves(near):
        high = near
        while high - step > 0 and serves(high - step):
            high, step = high - step, step * 2
        return max(high - step, 0), high
    low = near
    while not serves(low + step):
        low, step = low + step, step * 2
    return low, low + step


def least(serves: Callable[[int], bool], low: int, high: int) -> int:
    """The least in low … high that serves, by bisection; `high` does."""
    while low < high:
        middle = (low + high) // 2
        if serves(middle):
            high = middle
        else:
            low = middle + 1
    return high


def result_of(
    world: World,
    jobs: Sequence[Work],
    names: tuple[str, str, str],
    capacity: Sequence[int],
    outcome: Outcome,
    needed: bool,
) -> Result:
    """What an outcome says. `names`: view, mix, policy."""
    wanted_by: dict[int, int] = {}
    for job in jobs:
        wanted = job.units * job.hours if names[0] == "gangs" else job.unit_hours
        wanted_by[job.home] = wanted_by.get(job.home, 0) + wanted
    served = max(outcome.served, 1)
    return Result(
        view=names[0],
        mix=names[1],
        policy=names[2],
        needed=needed,
        gpus=sum(capacity) // world.units_per_gpu,
        served=outcome.served_share,
        rejected=1 - outcome.served_share,
        utilisation=outcome.utilisation(jobs, sum(capacity)),
        cost_micro=outcome.cost_micro / served,
        wait_median_h=outcome.wait_hours(50),
        wait_p99_h=outcome.wait_hours(99),
        away=outcome.away / served,
        switches=outcome.switches,
        worst_provider=outcome.worst_home(wanted_by),
        plans=outcome.plans,
        plan_s_max=outcome.plan_s_max,
    )
