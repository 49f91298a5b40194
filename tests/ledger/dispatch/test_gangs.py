"""Gangs sit whole, at the cheapest place that is free, the hardest first."""

from dataclasses import replace

from ledger.dispatch.planner import make_plan
from ledger.dispatch.problem import JobSpec, Placed, Supply, Why
from tests.ledger.dispatch.instances import HOUR, LATENCIES, METROS


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
