"""A gang that still fits is not left over."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from ledger.dispatch.certificate import verify
from ledger.dispatch.planner import make_plan
from ledger.dispatch.problem import JobSpec, Left, Plan, Supply, Why
from ledger.dispatch.rules import Rule
from ledger.product import Grade
from tests.ledger.dispatch.instances import HOUR, LATENCIES, METROS, Instance, instances


def leaving(jobs: Sequence[JobSpec], supplies: Sequence[Supply], job: int) -> Plan:
    """Our plan, but for a gang that it leaves over."""
    plan = make_plan(jobs, supplies, LATENCIES)
    placed = [row for row in plan.placed if row.job != job]
    left = [*plan.left, Left(job, jobs[job].unit_hours, Why.GANG, "left over for no reason")]
    return Plan(placed, left, plan.certificate)


def rules(jobs: Sequence[JobSpec], supplies: Sequence[Supply], plan: Plan) -> set[Rule]:
    return {one.rule for one in verify(jobs, supplies, LATENCIES, plan)}


@given(instances(gangs=True, classes=2, weights=True))
def test_a_gang_that_a_plan_could_seat_and_leaves_over_is_found(instance: Instance) -> None:
    plan = make_plan(instance.jobs, instance.supplies, LATENCIES)
    for job in {row.job for row in plan.placed if instance.jobs[row.job].gang}:
        assert Rule.VACANT in rules(instance.jobs, instance.supplies, leaving(instance.jobs, instance.supplies, job))


GANG = JobSpec("gang", 1, 4, 2, HOUR, HOUR + 4, 5, METROS[0], 1_000, Grade.STANDARD, gang=True)


def supply(ahead: int, **values: Any) -> Supply:
    return replace(Supply(1, 1, METROS[0], HOUR + ahead, 4, 5), **values)


@pytest.mark.parametrize(
    "second",
    [
        {"hour": HOUR + 2},
        {"site": 2},
        {"units": 3},
        {"class_id": 2},
        {"metro": METROS[1]},
        {"price_micro": 6},
        {"grade": Grade.BASIC},
    ],
    ids=lambda values: next(iter(values)),
)
def test_what_is_free_and_does_not_suffice_is_no_reproach(second: dict[str, Any]) -> None:
    supplies = [supply(0), supply(1, **second)]
    nobody = make_plan([GANG], supplies, LATENCIES)
    assert (len(nobody.placed), rules([GANG], supplies, nobody)) == (0, set())
    suffices = [*supplies, supply(1, price_micro=4)]
    assert rules([GANG], suffices, leaving([GANG], suffices, 0)) == {Rule.VACANT}


def test_hours_outside_the_window_are_not_for_it() -> None:
    late = replace(GANG, deadline_hour=HOUR + 2)
    supplies = [supply(1), supply(2)]
    nobody = make_plan([late], supplies, LATENCIES)
    assert (len(nobody.placed), rules([late], supplies, nobody)) == (0, set())


def test_who_may_draw_on_several_supplies_of_an_hour_fits_in_their_sum() -> None:
    supplies = [supply(hour, units=2, price_micro=price) for hour in range(2) for price in (3, 4)]
    assert rules([GANG], supplies, leaving([GANG], supplies, 0)) == {Rule.VACANT}
