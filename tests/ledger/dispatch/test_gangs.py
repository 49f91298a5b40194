"""Gangs sit whole, whoever must start soonest first, and no queue would seat more of them."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.dispatch.certificate import verify
from ledger.dispatch.gangs import KINDS_MAX
from ledger.dispatch.planner import make_plan
from ledger.dispatch.problem import JobSpec, Placed, Supply, Why
from ledger.dispatch.tables import JOB_COLUMNS
from tests.ledger.dispatch.instances import HOUR, HOURS, LATENCIES, METROS, Instance, admits


def gang(units: int, hours: int, limit_micro: int = 9, name: str = "gang") -> JobSpec:
    return JobSpec(name, 1, units, hours, HOUR, HOUR + 4, limit_micro, gang=True)


def site(number: int, prices: list[int], units: int) -> list[Supply]:
    return [Supply(number, 1, METROS[0], HOUR + k, units, price) for k, price in enumerate(prices) if price >= 0]


def seats(placed: list[Placed]) -> list[tuple[int, int, int, int]]:
    return sorted((row.job, row.site, row.hour - HOUR, row.units) for row in placed)


def test_gang_takes_the_cheapest_start_of_the_cheapest_site() -> None:
    supplies = site(1, [5, 5, 5, 5], 8) + site(2, [9, 3, 3, 9], 8)
    plan = make_plan([gang(8, 2)], supplies, LATENCIES)
    assert seats(list(plan.placed)) == [(0, 2, 1, 8), (0, 2, 2, 8)]


def test_gang_is_not_cut_over_sites_or_hours_that_do_not_follow() -> None:
    supplies = site(1, [1, -1, 1, -1], 8) + site(2, [1, 1, 1, 1], 7)
    plan = make_plan([gang(8, 2)], supplies, LATENCIES)
    assert not len(plan.placed)
    (left,) = plan.left
    assert (left.unit_hours, left.why) == (16, Why.GANG)
    assert left.text == "needs 8 at one site for 2 hours on end, the largest free is 8"


def test_gang_may_draw_on_several_supplies_of_its_site_cheapest_first() -> None:
    supplies = [*site(1, [4], 3), *site(1, [2], 3), *site(1, [9], 3)]
    plan = make_plan([gang(5, 1)], supplies, LATENCIES)
    assert sorted((row.price_micro, row.units) for row in plan.placed) == [(2, 3), (4, 2)]


def test_gangs_sit_largest_first_and_the_small_fill_the_gaps() -> None:
    supplies = site(1, [1], 10) + site(2, [1], 6)
    jobs = [gang(6, 1, name="a"), gang(10, 1, name="b")]
    plan = make_plan(jobs, supplies, LATENCIES)
    assert seats(list(plan.placed)) == [(0, 2, 0, 6), (1, 1, 0, 10)]


def test_gang_that_may_go_to_few_places_sits_before_a_larger_one_that_may_go_anywhere() -> None:
    supplies = [*site(1, [1], 6), Supply(2, 1, METROS[2], HOUR, 6, 1), Supply(3, 1, METROS[2], HOUR, 6, 1)]
    jobs = [gang(6, 1, name="anywhere"), replace(gang(5, 1, name="near"), metro=METROS[0], latency_max_us=1_000)]
    assert seats(list(make_plan(jobs, supplies, LATENCIES).placed)) == [(0, 2, 0, 6), (1, 1, 0, 5)]


def test_gangs_alike_sit_in_order_of_position_and_move_on_when_a_site_is_full() -> None:
    supplies = site(1, [1], 5) + site(2, [2], 5)
    plan = make_plan([gang(2, 1)] * 5, supplies, LATENCIES)
    assert seats(list(plan.placed)) == [(0, 1, 0, 2), (1, 1, 0, 2), (2, 2, 0, 2), (3, 2, 0, 2)]
    assert [(left.job, left.why) for left in plan.left] == [(4, Why.GANG)]


def test_gang_that_the_flow_would_serve_comes_before_divisible_jobs_that_fit_elsewhere() -> None:
    supplies = site(1, [1], 4) + site(2, [2], 3)
    jobs = [JobSpec("divisible", 1, 3, 1, HOUR, HOUR + 1, 9), gang(4, 1)]
    plan = make_plan(jobs, supplies, LATENCIES)
    assert seats(list(plan.placed)) == [(0, 2, 0, 3), (1, 1, 0, 4)]


def test_gang_that_must_start_now_sits_before_a_larger_one_that_can_wait() -> None:
    soon = replace(gang(4, 1, name="soon"), deadline_hour=HOUR + 1)
    plan = make_plan([gang(5, 1, name="later"), soon], site(1, [1, 1], 5), LATENCIES)
    assert seats(list(plan.placed)) == [(0, 1, 1, 5), (1, 1, 0, 4)]


def test_gang_sits_where_least_stays_free_among_equals() -> None:
    plan = make_plan([gang(4, 2)], site(1, [3, 3], 9) + site(2, [3, 3], 5) + site(3, [3, 3], 7), LATENCIES)
    assert {row.site for row in plan.placed} == {2}


def test_gangs_sit_in_another_order_where_that_serves_more() -> None:
    # By latest start the small one comes first and takes the only hour in which the large one fits.
    small = replace(gang(1, 1, name="small"), deadline_hour=HOUR + 1)
    plan = make_plan([small, gang(3, 2, name="large")], site(1, [1, 1], 3), LATENCIES)
    assert [(left.job, left.unit_hours) for left in plan.left] == [(0, 1)]


# ---- beside queues, in which each takes the first place that is free

Seat = tuple[int, int]
"""Hour and site."""

QUEUES: dict[str, Callable[[JobSpec], tuple[int, ...]]] = {
    "arrival": lambda job: (job.earliest_hour,),
    "limit": lambda job: (-job.limit_micro,),
    "urgency": lambda job: (job.deadline_hour - job.hours, -job.units),
}


def queued(instance: Instance, queue: str, tight: bool) -> int:
    """Unit-hours served by a queue: each whole at its earliest start, at the site with the least free in those hours
    (or at the lowest), out of the cheapest there. Equals stand in order of their content."""

    def before(job: JobSpec) -> tuple[int, ...]:
        return *QUEUES[queue](job), *(int(getattr(job, name)) for name in JOB_COLUMNS)

    free = [supply.units for supply in instance.supplies]
    return sum(job.unit_hours for job in sorted(instance.jobs, key=before) if seated(instance, job, free, tight))


def seated(instance: Instance, job: JobSpec, free: list[int], tight: bool) -> bool:
    """Takes the job's seat out of what is free, if there is one."""
    rows = sorted(
        (k for k, supply in enumerate(instance.supplies) if admits(job, supply)),
        key=lambda k: (instance.supplies[k].price_micro, instance.supplies[k].grade, instance.supplies[k].units),
    )

    def at(hour: int, place: int) -> list[int]:
        return [k for k in rows if (instance.supplies[k].hour, instance.supplies[k].site) == (hour, place)]

    def room(seat: Seat) -> list[int]:
        return [sum(free[k] for k in at(hour, seat[1])) for hour in range(seat[0], seat[0] + job.hours)]

    places = sorted({instance.supplies[k].site for k in rows})
    free_seats = [(hour, place) for hour in range(HOUR, HOUR + HOURS) for place in places]
    free_seats = [seat for seat in free_seats if min(room(seat)) >= job.units]
    if not free_seats:
        return False
    start, place = min(free_seats, key=lambda seat: (seat[0], sum(room(seat)) if tight else 0, seat[1]))
    for hour in range(start, start + job.hours):
        rest = job.units
        for k in at(hour, place):
            taken = min(rest, free[k])
            free[k] -= taken
            rest -= taken
    return True


@st.composite
def crowded(draw: st.DrawFn) -> Instance:
    """Gangs that compete for two sites in every hour, each of up to two prices."""
    kinds = []
    for _ in range(draw(st.integers(2, 7))):
        earliest, hours = draw(st.integers(0, HOURS - 1)), draw(st.integers(1, 3))
        deadline = draw(st.integers(earliest + 1, HOURS))
        kinds.append(
            replace(
                gang(draw(st.integers(1, 4)), min(hours, deadline - earliest), draw(st.integers(1, 5))),
                earliest_hour=HOUR + earliest,
                deadline_hour=HOUR + deadline,
                metro=draw(st.sampled_from(METROS[:2])),
                latency_max_us=draw(st.sampled_from([0, 0, 1_000])),
            )
        )
    supplies = [
        Supply(number, 1, METROS[number], HOUR + hour, draw(st.integers(0, 4)), draw(st.integers(1, 4)))
        for number in range(2)
        for hour in range(HOURS)
        for _ in range(draw(st.integers(1, 2)))
    ]
    return Instance(kinds, supplies)


@settings(deadline=None, max_examples=150)
@given(crowded())
def test_plan_serves_as_many_unit_hours_of_gangs_as_any_queue(instance: Instance) -> None:
    plan = make_plan(instance.jobs, instance.supplies, LATENCIES)
    assert verify(instance.jobs, instance.supplies, LATENCIES, plan) == []
    for queue in QUEUES:
        for tight in (True, False):
            assert plan.unit_hours >= queued(instance, queue, tight), (queue, tight)


def test_plan_of_more_kinds_than_all_ways_are_tried_for_serves_as_many_as_the_urgent_queue() -> None:
    drawn = Random(1)
    jobs = [
        replace(
            gang(drawn.randint(1, 9), drawn.randint(1, 2), 1_000 + kind),
            earliest_hour=HOUR + drawn.randrange(2),
            deadline_hour=HOUR + drawn.randint(3, 4),
        )
        for kind in range(KINDS_MAX + 1)
    ]
    # The cheap hours lie in the middle, where they cut in two what is free for two hours.
    supplies = [
        Supply(number, 1, METROS[0], HOUR + hour, 999, price_micro)
        for number in range(3)
        for hour, price_micro in enumerate((20, 10, 10, 20))
    ]
    plan = make_plan(jobs, supplies, LATENCIES)
    assert verify(jobs, supplies, LATENCIES, plan) == []
    assert plan.unit_hours >= queued(Instance(jobs, supplies), "urgency", tight=False) > 0
    assert len(plan.left)
