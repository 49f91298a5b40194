"""Fungible units: a job is so many unit-hours, at most its units in one hour, at any sites, in any of its hours.

Nothing blocks anybody here, so first come first served and EASY backfill are one and the same for a provider alone.
What is not served by a job's deadline is not served at all.
"""

from collections.abc import Callable, Iterable, Sequence

from tests.bench.dispatch.outcome import Outcome
from tests.bench.dispatch.world import Work, World

Share = tuple[Work, int, int]
"""A job takes so many units (last) at a site in the hour that begins."""


class Open:
    """Jobs that are not done, in order of arrival, with what they still need."""

    def __init__(self, world: World, capacity: Sequence[int]) -> None:
        self.world, self.capacity = world, tuple(capacity)
        self.left: dict[int, int] = {}
        self.jobs: dict[int, Work] = {}

    def wish(self, job: Work) -> int:
        """The most that it may take in an hour."""
        return min(job.rate, self.left[job.number])


Policy = Callable[[int, Open], Iterable[Share]]


def run_shares(world: World, jobs: Sequence[Work], capacity: Sequence[int], policy: Policy) -> Outcome:
    """All jobs through one policy, hour by hour. Capacity is in units of each site."""
    outcome = Outcome(wanted=sum(job.unit_hours for job in jobs))
    book, coming = Open(world, capacity), list(reversed(jobs))
    before: dict[int, set[int]] = {}
    hour = jobs[0].arrival if jobs else 0
    while coming or book.jobs:
        while coming and coming[-1].arrival <= hour:
            job = coming.pop()
            book.jobs[job.number], book.left[job.number] = job, job.unit_hours
        if book.jobs:
            before = _ran(outcome, book, hour, list(policy(hour, book)), before)
        hour += 1
        _close(outcome, book, hour)
    return outcome


def _ran(
    outcome: Outcome, book: Open, hour: int, shares: Sequence[Share], before: dict[int, set[int]]
) -> dict[int, set[int]]:
    used: dict[int, int] = {}
    taken: dict[int, int] = {}
    where: dict[int, set[int]] = {}
    for job, site, units in shares:
        used[site] = used.get(site, 0) + units
        taken[job.number] = taken.get(job.number, 0) + units
        where.setdefault(job.number, set()).add(site)
        book.left[job.number] -= units
        outcome.count(book.world, job, site, hour, units)
    # A policy that breaks the rules is no result.
    if any(units > book.capacity[site] for site, units in used.items()):
        raise AssertionError(f"a site is over its capacity in hour {hour}: {used} of {book.capacity}")
    if any(units > book.jobs[number].rate or book.left[number] < 0 for number, units in taken.items()):
        raise AssertionError(f"a job takes more than it may in hour {hour}")
    outcome.switches += sum(len(sites - before[number]) for number, sites in where.items() if number in before)
    return where


def _close(outcome: Outcome, book: Open, hour: int) -> None:
    for number, job in list(book.jobs.items()):
        if book.left[number] == 0:
            outcome.waits.append((hour - job.arrival - job.hours, job.unit_hours))
        if book.left[number] == 0 or job.deadline <= hour:
            del book.jobs[number], book.left[number]


def alone(hour: int, book: Open) -> Iterable[Share]:
    """Each at its own site, in order of arrival."""
    return _at_home(book, book.jobs.values())


def alone_urgent_first(hour: int, book: Open) -> Iterable[Share]:
    """Each at its own site, whoever can wait least first."""
    return _at_home(book, _by_urgency(hour, book))


def _by_urgency(hour: int, book: Open) -> list[Work]:
    """By the hours that a job could still stand still and be done in time."""

    def slack(job: Work) -> tuple[int, int, int]:
        return job.deadline - hour - -(-book.left[job.number] // job.rate), job.arrival, job.number

    return sorted(book.jobs.values(), key=slack)


def _at_home(book: Open, jobs: Iterable[Work]) -> Iterable[Share]:
    free = list(book.capacity)
    for job in jobs:
        units = min(book.wish(job), free[job.home])
        if units:
            free[job.home] -= units
            yield job, job.home, units


def by_price(hour: int, book: Open) -> Iterable[Share]:
    """In order of arrival, each from the cheapest sites within its bound."""
    return _greedy(book, book.jobs.values())


def tightest_first(hour: int, book: Open) -> Iterable[Share]:
    """The same, the tightest tiers first."""
    return _greedy(book, sorted(book.jobs.values(), key=lambda job: (job.bound_us, job.arrival, job.number)))


def urgent_first(hour: int, book: Open) -> Iterable[Share]:
    """The same, whoever can wait least first."""
    return _greedy(book, _by_urgency(hour, book))


def _greedy(book: Open, jobs: Iterable[Work]) -> Iterable[Share]:
    free = list(book.capacity)
    for job in jobs:
        wish = book.wish(job)
        for site in book.world.reach(job.home, job.bound_us):
            units = min(wish, free[site])
            if units:
                free[site] -= units
                wish -= units
                yield job, site, units
            if wish == 0:
                break
