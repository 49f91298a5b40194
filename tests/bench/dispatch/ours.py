"""Our dispatcher in the evaluation: `Rolling` with `make_plan`, driven hour by hour as the other policies are.

Of divisible work it first asks for the hour at hand alone: where everybody then gets all that they can use, there is
nothing to weigh. Where not, it looks AHEAD_HOURS ahead. Of gangs it always looks GANG_AHEAD_HOURS ahead.
"""

import time
from collections.abc import Iterable, Sequence

from ledger.areas import load_areas
from ledger.dispatch.problem import JobSpec, Latencies, Supply
from ledger.dispatch.rolling import Proposal, Rolling
from tests.bench.dispatch.gangs import Floor, Starts
from tests.bench.dispatch.shares import Open, Share
from tests.bench.dispatch.world import CLASS_ID, Work, World

AHEAD_HOURS = 12
"""Divisible work is due within a day and its share of it; looking further costs time and served no more."""
GANG_AHEAD_HOURS = 24
GANG_HOURS = 12
"""A gang is planned by its first hours: nothing is promised to anybody later than GANG_AHEAD_HOURS, so that what is
free when it starts and stays free so long is free until it ends."""
LIMIT_MICRO = 10**9
PURSE_MICRO = 10**30
WAIT_BP = 10_000


def latencies(world: World) -> Latencies:
    """Between the world's sites, whose metros have the codes 1, 2, … in it."""
    count = range(len(world.cities))
    return Latencies.measured({(a + 1, b + 1): world.one_way_us[a][b] for a in count for b in count}, load_areas())


class Timed:
    """How often a plan was made, and how long the slowest took."""

    def __init__(self) -> None:
        self.plans, self.slowest_s = 0, 0.0

    def propose(self, rolling: Rolling, hour: int, supplies: Sequence[Supply]) -> Proposal:
        started = time.perf_counter()
        proposal = rolling.propose(hour, supplies)
        self.plans += 1
        self.slowest_s = max(self.slowest_s, time.perf_counter() - started)
        return proposal


class OurShares:
    """A policy for `run_shares`."""

    def __init__(self, world: World) -> None:
        self.rolling, self.clock = Rolling(latencies(world), PURSE_MICRO, wait_bp=WAIT_BP), Timed()
        self._number: dict[int, int] = {}
        self._works: dict[int, Work] = {}

    def __call__(self, hour: int, book: Open) -> Iterable[Share]:
        wish = 0
        for number, job in book.jobs.items():
            if number not in self._number:
                self._number[number] = self.rolling.add(_divisible(job))
                self._works[self._number[number]] = job
            wish += book.wish(job)
        hours = 1 if wish <= sum(book.capacity) else AHEAD_HOURS
        proposal = self.clock.propose(self.rolling, hour, _free(book, hour, hours))
        if hours == 1 and sum(buy.units for buy in proposal.buys) < wish:
            proposal = self.clock.propose(self.rolling, hour, _free(book, hour, AHEAD_HOURS))
        self.rolling.accept(proposal)
        return [(self._works[buy.job], buy.supply.site, buy.units) for buy in proposal.buys]


class OurGangs:
    """A policy for `run_gangs`."""

    def __init__(self, world: World) -> None:
        self.rolling, self.clock = Rolling(latencies(world), PURSE_MICRO, wait_bp=WAIT_BP), Timed()
        self._works: dict[int, Work] = {}
        self._known: set[int] = set()

    def __call__(self, hour: int, waiting: list[Work], floor: Floor) -> Starts:
        for job in waiting:
            if job.number not in self._known:
                self._known.add(job.number)
                self._works[self.rolling.add(_gang(job))] = job
        proposal = self.clock.propose(self.rolling, hour, _free_later(floor, hour))
        self.rolling.accept(proposal)
        for buy in proposal.buys:
            if buy.supply.hour == hour:
                job = self._works[buy.job]
                floor.start(job, buy.supply.site, hour)
                yield job, buy.supply.site


def _divisible(job: Work) -> JobSpec:
    return JobSpec(
        name=str(job.number),
        class_id=CLASS_ID,
        units=job.rate,
        hours=job.hours,
        earliest_hour=job.arrival,
        deadline_hour=job.deadline,
        limit_micro=LIMIT_MICRO,
        metro=job.home + 1,
        latency_max_us=job.bound_us,
    )


def _gang(job: Work) -> JobSpec:
    hours = min(job.stated, GANG_HOURS)
    return JobSpec(
        name=str(job.number),
        class_id=CLASS_ID,
        units=job.units,
        hours=hours,
        earliest_hour=job.arrival,
        deadline_hour=job.latest + hours,
        limit_micro=LIMIT_MICRO,
        metro=job.home + 1,
        latency_max_us=job.bound_us,
        gang=True,
    )


def _free(book: Open, hour: int, hours: int) -> list[Supply]:
    return [
        Supply(site, CLASS_ID, site + 1, hour + ahead, units, book.world.cities[site].price_micro)
        for ahead in range(hours)
        for site, units in enumerate(book.capacity)
        if units
    ]


def _free_later(floor: Floor, hour: int) -> list[Supply]:
    """What is free in each hour if all that runs ends when it said."""
    supplies = []
    for site, units in enumerate(floor.free):
        free, said = units, iter(floor.said[site])
        next_end = next(said, None)
        for each in range(hour, hour + GANG_AHEAD_HOURS + GANG_HOURS):
            while next_end is not None and next_end[0] <= each:
                free += next_end[2]
                next_end = next(said, None)
            if free:
                price_micro = floor.world.cities[site].price_micro
                supplies.append(Supply(site, CLASS_ID, site + 1, each, free, price_micro))
    return supplies
