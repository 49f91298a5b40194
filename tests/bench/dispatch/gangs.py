"""Gangs: a job holds all its units at one site, from its start until it ends, and is never moved.

All policies start jobs at whole hours, know what a job said it would run and not what it will, and drop one whose
latest start has passed. When a job ends before it said, its units are free from the next hour.
"""

from bisect import insort
from collections.abc import Callable, Iterable, Sequence

from tests.bench.dispatch.outcome import Outcome
from tests.bench.dispatch.world import Work, World


class Floor:
    """The machines: what is free now, and what runs until when it said at the latest."""

    def __init__(self, world: World, capacity: Sequence[int]) -> None:
        self.world = world
        self.capacity = tuple(capacity)
        self.free = list(capacity)
        self.said: list[list[tuple[int, int, int]]] = [[] for _ in capacity]
        """Of each site what runs: the hour in which it ends by its word, its number, its units."""
        self._ends: dict[int, list[tuple[int, Work]]] = {}

    def start(self, job: Work, site: int, hour: int) -> None:
        """A job begins. Its units must be free."""
        self.free[site] -= job.units
        if self.free[site] < 0:
            raise AssertionError(f"site {site} has {-self.free[site]} units less than it gave away at hour {hour}")
        insort(self.said[site], (hour + job.stated, job.number, job.units))
        self._ends.setdefault(hour + job.hours, []).append((site, job))

    def release(self, hour: int) -> list[Work]:
        """What has ended when an hour begins."""
        ended = self._ends.pop(hour, [])
        for site, job in ended:
            self.free[site] += job.units
            self.said[site] = [row for row in self.said[site] if row[1] != job.number]
        return [job for _, job in ended]

    @property
    def idle(self) -> bool:
        return not self._ends


Starts = Iterable[tuple[Work, int]]
Policy = Callable[[int, list[Work], Floor], Starts]
"""Given the hour, who waits in order of arrival, and the machines: starts jobs on the floor, and says which where."""


def run_gangs(world: World, jobs: Sequence[Work], capacity: Sequence[int], policy: Policy) -> Outcome:
    """All jobs through one policy, hour by hour. Capacity is in units of each site."""
    outcome = Outcome(wanted=sum(job.units * job.hours for job in jobs))
    floor, waiting, coming = Floor(world, capacity), list[Work](), list(reversed(jobs))
    hour = jobs[0].arrival if jobs else 0
    while coming or waiting or not floor.idle:
        floor.release(hour)
        while coming and coming[-1].arrival <= hour:
            waiting.append(coming.pop())
        waiting = [job for job in waiting if job.latest >= hour]
        if waiting:
            started = set()
            for job, site in policy(hour, waiting, floor):
                started.add(job.number)
                _count(outcome, world, job, site, hour)
            waiting = [job for job in waiting if job.number not in started]
        hour += 1
    return outcome


def _count(outcome: Outcome, world: World, job: Work, site: int, hour: int) -> None:
    for each in range(hour, hour + job.hours):
        outcome.count(world, job, site, each, job.units)
    outcome.waits.append((hour - job.arrival, job.units * job.hours))


# ---- each provider alone


def alone_first_come(hour: int, waiting: list[Work], floor: Floor) -> Starts:
    """Each at its own site, in order of arrival: nobody passes the first who does not fit."""
    for home, queue in _by_home(waiting).items():
        for job in queue:
            if job.units > floor.free[home]:
                if job.units > floor.capacity[home]:
                    continue
                break
            floor.start(job, home, hour)
            yield job, home


def alone_backfilled(hour: int, waiting: list[Work], floor: Floor) -> Starts:
    """EASY: the first who does not fit is promised the earliest hour that the others' words allow; whoever does not
    delay it may pass."""
    for home, queue in _by_home(waiting).items():
        shadow, spare = 0, 0
        for job in queue:
            if job.units > floor.free[home]:
                if shadow == 0 and job.units <= floor.capacity[home]:
                    shadow, spare = _promise(floor, home, job)
                continue
            if shadow and hour + job.stated > shadow:
                if job.units > spare:
                    continue
                spare -= job.units
            floor.start(job, home, hour)
            yield job, home


def alone_urgent_first(hour: int, waiting: list[Work], floor: Floor) -> Starts:
    """The same, whoever must start soonest first."""
    return alone_backfilled(hour, _by_urgency(waiting), floor)


def _by_urgency(waiting: list[Work]) -> list[Work]:
    return sorted(waiting, key=lambda job: (job.latest, job.arrival, job.number))


def _promise(floor: Floor, home: int, job: Work) -> tuple[int, int]:
    """The hour from which a job fits at the latest, and the units to spare beside it then."""
    free = floor.free[home]
    for ends, _, units in floor.said[home]:
        free += units
        if free >= job.units:
            return ends, free - job.units
    raise AssertionError(f"job {job.number} fits in {floor.capacity[home]} units and never fits")


def _by_home(waiting: Iterable[Work]) -> dict[int, list[Work]]:
    queues: dict[int, list[Work]] = {}
    for job in waiting:
        queues.setdefault(job.home, []).append(job)
    return queues


# ---- pooled, greedily


def pooled_by_price(hour: int, waiting: list[Work], floor: Floor) -> Starts:
    """In order of arrival, each at the cheapest site within its bound that has room; who finds none is passed."""
    for job in waiting:
        for site in floor.world.reach(job.home, job.bound_us):
            if floor.free[site] >= job.units:
                floor.start(job, site, hour)
                yield job, site
                break


def pooled_tightest_first(hour: int, waiting: list[Work], floor: Floor) -> Starts:
    """The same, the tightest tiers first."""
    return pooled_by_price(hour, sorted(waiting, key=lambda job: (job.bound_us, job.arrival, job.number)), floor)


def pooled_urgent_first(hour: int, waiting: list[Work], floor: Floor) -> Starts:
    """The same, whoever must start soonest first."""
    return pooled_by_price(hour, _by_urgency(waiting), floor)
