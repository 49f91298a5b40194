"""Properties of plans, and oracles that find the best by other ways."""

from dataclasses import replace

import numpy as np
import ot  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog  # type: ignore[import-untyped]

from ledger.dispatch.certificate import verify
from ledger.dispatch.planner import make_plan
from ledger.dispatch.problem import JobSpec, Plan, Supply
from ledger.dispatch.tables import JobTable, SupplyTable
from ledger.product import Grade
from tests.ledger.dispatch.instances import (
    HOUR,
    HOURS,
    LATENCIES,
    METROS,
    Instance,
    admits,
    by_content,
    greedy,
    instances,
    served,
)


def plan_of(instance: Instance) -> Plan:
    return make_plan(instance.jobs, instance.supplies, LATENCIES)


def by_position(job: JobSpec) -> int:
    """As they come: `sorted` keeps their order."""
    del job
    return 0


def score(plan: Plan, instance: Instance) -> int:
    """What the plan maximises, as one number."""
    service = 1 + max((supply.price_micro for supply in instance.supplies), default=0)
    return sum(row.units * (service + instance.jobs[row.job].limit_micro - row.price_micro) for row in plan.placed)


@given(instances(gangs=True, classes=2, weights=True))
def test_plan_breaks_no_bound(instance: Instance) -> None:
    plan = plan_of(instance)
    on_supply = [0] * len(instance.supplies)
    for row in plan.placed:
        supply = instance.supplies[row.supply]
        assert admits(instance.jobs[row.job], supply)
        assert row.units > 0
        assert (row.site, row.hour, row.price_micro) == (supply.site, supply.hour, supply.price_micro)
        on_supply[row.supply] += row.units
    assert all(taken <= supply.units for taken, supply in zip(on_supply, instance.supplies, strict=True))
    left = {one.job: one.unit_hours for one in plan.left}
    for position, job in enumerate(instance.jobs):
        rows = [row for row in plan.placed if row.job == position]
        by_hour = {hour: sum(row.units for row in rows if row.hour == hour) for hour in range(HOUR, HOUR + HOURS)}
        assert max(by_hour.values()) <= job.units
        assert sum(by_hour.values()) + left.get(position, 0) == job.unit_hours
        if job.gang and rows:
            used = [hour for hour, units in by_hour.items() if units]
            assert [by_hour[hour] for hour in used] == [job.units] * job.hours
            assert used == list(range(used[0], used[0] + job.hours))
            assert len({row.site for row in rows}) == 1


@given(instances(gangs=True, classes=2, weights=True))
def test_plan_passes_its_own_certificate(instance: Instance) -> None:
    plan = plan_of(instance)
    assert verify(instance.jobs, instance.supplies, LATENCIES, plan) == []
    assert plan.unit_hours == sum(row.units for row in plan.placed)
    assert plan.cost_micro == sum(row.units * row.price_micro for row in plan.placed)


@given(instances())
def test_plan_is_never_worse_than_greedy(instance: Instance) -> None:
    plan = plan_of(instance)
    for key in (
        by_position,
        lambda job: job.limit_micro,
        lambda job: -job.limit_micro,
        lambda job: (job.latency_max_us or 10**9, job.deadline_hour),
    ):
        unit_hours, cost_micro = greedy(instance, key)
        assert plan.unit_hours >= unit_hours
        if plan.unit_hours == unit_hours:
            # The same unit-hours of the same limits; greedy may serve lower limits for less.
            kept = Instance([replace(job, limit_micro=9) for job in instance.jobs], instance.supplies)
            unit_hours, cost_micro = greedy(kept, key)
            ours = plan_of(kept)
            assert (-ours.unit_hours, ours.cost_micro) <= (-unit_hours, cost_micro)


@given(instances())
def test_plan_is_as_good_as_linear_programming(instance: Instance) -> None:
    pairs = [
        (j, s) for j, job in enumerate(instance.jobs) for s, one in enumerate(instance.supplies) if admits(job, one)
    ]
    plan = plan_of(instance)
    if not pairs:
        assert not len(plan.placed)
        return
    service = 1 + max(supply.price_micro for supply in instance.supplies)
    cost = [instance.supplies[s].price_micro - service - instance.jobs[j].limit_micro for j, s in pairs]
    rows: dict[object, list[int]] = {}
    bounds: dict[object, int] = {}
    for column, (j, s) in enumerate(pairs):
        job, one = instance.jobs[j], instance.supplies[s]
        for name, most in ((("supply", s), one.units), (("job", j), job.unit_hours), ((j, one.hour), job.units)):
            rows.setdefault(name, []).append(column)
            bounds[name] = most
    matrix = np.zeros((len(rows), len(pairs)))
    for k, columns in enumerate(rows.values()):
        matrix[k, columns] = 1
    best = linprog(cost, A_ub=matrix, b_ub=list(bounds.values()), method="highs")
    assert score(plan, instance) == round(-best.fun)


@given(instances(gangs=True), st.randoms(use_true_random=False))
def test_plan_does_not_depend_on_the_order_of_jobs_or_supplies(instance: Instance, random: object) -> None:
    shuffle = random.shuffle  # type: ignore[attr-defined]
    jobs, supplies = list(instance.jobs), list(instance.supplies)
    shuffle(jobs)
    shuffle(supplies)
    mixed = Instance(jobs, supplies)
    assert by_content(plan_of(mixed), mixed) == by_content(plan_of(instance), instance)


@given(instances())
def test_one_unit_more_is_worth_what_its_supply_is_said_to_be_worth(instance: Instance) -> None:
    plan = plan_of(instance)
    for position, supply in enumerate(instance.supplies):
        if supply.units == 0:
            continue
        more = list(instance.supplies)
        more[position] = replace(supply, units=supply.units + 1)
        gain = score(plan_of(Instance(instance.jobs, more)), instance) - score(plan, instance)
        assert gain == plan.certificate.gross[position] - supply.price_micro


@given(instances())
def test_one_job_more_never_lowers_service_nor_a_capacitys_worth(instance: Instance) -> None:
    fewer = Instance(instance.jobs[1:], instance.supplies)
    ours, less = plan_of(instance), plan_of(fewer)
    assert ours.unit_hours >= less.unit_hours
    assert served(ours, instance.jobs)[: less.unit_hours] >= served(less, fewer.jobs)
    assert np.all(ours.certificate.gross >= less.certificate.gross)


@pytest.mark.parametrize("seed", range(3))
def test_plan_is_as_good_as_network_simplex_and_its_prices_are_no_higher(seed: int) -> None:
    rng = np.random.default_rng(seed)
    jobs = [
        JobSpec(
            "", 1, int(rng.integers(1, 40)), 1, HOUR, HOUR + int(rng.integers(1, 9)), int(rng.integers(20, 90)),
            METROS[int(rng.integers(0, 3))], int(rng.choice([1_000, 20_000, 100_000])),
        )
        for _ in range(120)
    ]  # fmt: skip
    supplies = [
        Supply(site, 1, METROS[site % 4], HOUR + hour, int(rng.integers(1, 60)), int(rng.integers(10, 80)))
        for site in range(10)
        for hour in range(8)
    ]
    plan = make_plan(jobs, supplies, LATENCIES)
    # Jobs of one hour are a transport problem: a dummy supply takes what is left out, a dummy job what is not used.
    service = 1 + max(supply.price_micro for supply in supplies)
    never = 10**6
    cost = np.full((len(jobs) + 1, len(supplies) + 1), float(never))
    for j, job in enumerate(jobs):
        cost[j, -1] = service + job.limit_micro
        for s, supply in enumerate(supplies):
            if admits(job, supply):
                cost[j, s] = supply.price_micro
    cost[-1] = 0
    wanted, units = [job.units for job in jobs], [supply.units for supply in supplies]
    log = ot.emd(
        np.array([*wanted, sum(units)], dtype=float),
        np.array([*units, sum(wanted)], dtype=float),
        cost,
        numItermax=10**6,
        log=True,
    )[1]
    placed = sum(row.units * row.price_micro for row in plan.placed)
    left = sum(one.unit_hours * (service + jobs[one.job].limit_micro) for one in plan.left)
    assert placed + left == round(log["cost"]), f"seed {seed}"
    rents = -(log["v"][:-1] + log["u"][-1])
    ours = plan.certificate.gross - np.array([supply.price_micro for supply in supplies])
    assert np.all(ours <= rents + 1e-6), f"seed {seed}"


def test_plan_serves_all_where_capacity_equals_demand_and_all_fits() -> None:
    # One is bound to the first site, which is cheap; greedy by price gives it to the other, who may go anywhere.
    jobs = [
        JobSpec("anywhere", 1, 4, 1, HOUR, HOUR + 1, 9),
        JobSpec("near", 1, 4, 1, HOUR, HOUR + 1, 9, METROS[0], 1_000),
    ]
    supplies = [Supply(0, 1, METROS[0], HOUR, 4, 1), Supply(1, 1, METROS[1], HOUR, 4, 2)]
    plan = make_plan(jobs, supplies, LATENCIES)
    assert [(row.job, row.site, row.units) for row in plan.placed] == [(0, 1, 4), (1, 0, 4)]
    assert greedy(Instance(jobs, supplies), by_position) == (4, 4)


def test_plan_serves_the_higher_limit_where_not_all_can_be() -> None:
    jobs = [JobSpec("low", 1, 4, 1, HOUR, HOUR + 1, 5), JobSpec("high", 1, 4, 1, HOUR, HOUR + 1, 6)]
    plan = make_plan(jobs, [Supply(0, 1, METROS[0], HOUR, 5, 1)], LATENCIES)
    assert sorted((row.job, row.units) for row in plan.placed) == [(0, 1), (1, 4)]
    assert [(one.job, one.unit_hours) for one in plan.left] == [(0, 3)]


def test_plan_places_a_site_that_fails_more_later_at_equal_price() -> None:
    jobs = [JobSpec("one", 1, 4, 1, HOUR, HOUR + 1, 5)]
    sites = [Supply(1, 1, METROS[0], HOUR, 4, 0, weight_bp=9_999), Supply(2, 1, METROS[0], HOUR, 4, 0)]
    assert [row.site for row in make_plan(jobs, sites, LATENCIES).placed] == [2]


def test_plan_counts_what_a_site_fails_as_dearer_but_pays_its_price() -> None:
    jobs = [JobSpec("one", 1, 4, 1, HOUR, HOUR + 1, 100)]
    sites = [Supply(1, 1, METROS[0], HOUR, 4, 90, weight_bp=8_000), Supply(2, 1, METROS[0], HOUR, 2, 100)]
    plan = make_plan(jobs, sites, LATENCIES)
    assert sorted((row.site, row.units) for row in plan.placed) == [(1, 2), (2, 2)]
    assert plan.cost_micro == 2 * 90 + 2 * 100
    assert verify(jobs, sites, LATENCIES, plan) == []


def test_plan_keeps_products_and_holdings() -> None:
    token = 2**200 + 7
    jobs = [JobSpec("one", 1, 2, 1, HOUR, HOUR + 1, 5, grade=Grade.STANDARD)]
    supplies = [Supply(3, 1, METROS[0], HOUR, 2, 0, product=token, held=True)]
    (row,) = make_plan(jobs, supplies, LATENCIES).placed
    assert (row.product, row.held, row.supply) == (token, True, 0)


def test_plan_of_tables_is_that_of_their_rows() -> None:
    jobs = [JobSpec(f"job {k}", 1, 1 + k % 3, 1 + k % 2, HOUR, HOUR + 3, 3 + k % 4) for k in range(20)]
    supplies = [Supply(k % 3, 1, METROS[k % 3], HOUR + k % 4, 2, k % 5) for k in range(12)]
    plan = make_plan(jobs, supplies, LATENCIES)
    twin = make_plan(JobTable.of(jobs), SupplyTable.of(supplies), LATENCIES)
    assert list(plan.placed) == list(twin.placed)
    assert list(plan.left) == list(twin.left)


def test_plan_of_nothing_is_empty() -> None:
    for jobs, supplies in (
        ([], []),
        ([JobSpec("a", 1, 1, 1, HOUR, HOUR + 1, 1)], []),
        ([], [Supply(1, 1, 0, HOUR, 1, 1)]),
    ):
        plan = make_plan(jobs, supplies, LATENCIES)
        assert not len(plan.placed)
        assert len(plan.left) == len(jobs)
        assert verify(jobs, supplies, LATENCIES, plan) == []
