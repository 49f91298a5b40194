"""The whole check: it accepts what the planner makes, and says once of each rule what is wrong."""

from dataclasses import replace
from itertools import product
from typing import Any, cast

import numpy as np
import pytest

from ledger.dispatch.certificate import verify
from ledger.dispatch.planner import make_plan
from ledger.dispatch.problem import JobSpec, Left, Plan, Supply, Why
from ledger.dispatch.rules import Rule
from ledger.dispatch.tables import JobTable, SupplyTable
from tests.ledger.dispatch.instances import HOUR, LATENCIES, METROS

JOBS = [JobSpec("a", 1, 2, 2, HOUR, HOUR + 3, 5), JobSpec("b", 1, 2, 2, HOUR, HOUR + 3, 4)]
SUPPLIES = [Supply(site, 1, METROS[0], HOUR + hour, 1, 1 + site) for site in range(3) for hour in range(3)]


def test_verify_accepts_a_plan_of_rows_and_of_columns() -> None:
    plan = make_plan(JOBS, SUPPLIES, LATENCIES)
    assert verify(JOBS, SUPPLIES, LATENCIES, plan) == []
    assert verify(JobTable.of(JOBS), SupplyTable.of(SUPPLIES), LATENCIES, plan) == []
    assert verify(JOBS, SUPPLIES, LATENCIES, Plan(tuple(plan.placed), tuple(plan.left), plan.certificate)) == []


def test_verify_refuses_the_plan_of_other_jobs_or_supplies() -> None:
    plan = make_plan(JOBS, SUPPLIES, LATENCIES)
    assert verify([JOBS[0], replace(JOBS[1], limit_micro=0)], SUPPLIES, LATENCIES, plan)
    assert verify(JOBS[:1], SUPPLIES, LATENCIES, plan)
    assert verify(JOBS, SUPPLIES[:-1], LATENCIES, plan)
    assert verify(JOBS, [replace(SUPPLIES[0], units=0), *SUPPLIES[1:]], LATENCIES, plan)
    assert verify(JOBS, [replace(SUPPLIES[0], units=2), *SUPPLIES[1:]], LATENCIES, plan)


@pytest.mark.parametrize(
    "lie", [{"site": 9}, {"hour": HOUR + 9}, {"price_micro": 0}, {"product": 5}, {"held": True}], ids=str
)
def test_row_says_of_its_supply_what_it_is(lie: dict[str, Any]) -> None:
    plan = make_plan(JOBS, SUPPLIES, LATENCIES)
    rows = list(plan.placed)
    rows[1] = replace(rows[1], **lie)
    assert [one.rule for one in verify(JOBS, SUPPLIES, LATENCIES, replace(plan, placed=rows))] == [Rule.ROW]
    used = rows[1].supply
    others = [replace(one, **lie) if place == used else one for place, one in enumerate(SUPPLIES)]
    assert Rule.ROW in {one.rule for one in verify(JOBS, others, LATENCIES, plan)}


def test_certificate_with_any_number_changed_is_judged_and_does_not_crash() -> None:
    plan = make_plan(JOBS, SUPPLIES, LATENCIES)
    given = plan.certificate
    for name in ("group_of", "flow_group", "flow_supply", "flow_units", "gross", "due_group", "due_supply"):
        column = np.asarray(getattr(given, name), dtype=np.int64)
        for place, change in product(range(len(column)), (-(2**62), -3, -2, -1, 1, 99, 2**40)):
            changed = column.copy()
            changed[place] = change if change in (-2, -3) else changed[place] + change
            if changed[place] == column[place]:
                continue
            said = f"{name}[{place}] = {changed[place]}"
            broken = replace(plan, certificate=replace(given, **cast("dict[str, Any]", {name: changed})))
            found = verify(JOBS, SUPPLIES, LATENCIES, broken)
            assert found or name == "due_supply", said
        shorter = replace(plan, certificate=replace(given, **cast("dict[str, Any]", {name: column[:-1]})))
        assert verify(JOBS, SUPPLIES, LATENCIES, shorter), name


def test_verify_names_each_rule_once_and_where_it_breaks_first() -> None:
    plan = make_plan(JOBS, SUPPLIES, LATENCIES)
    rows = [replace(row, units=row.units + 1) for row in plan.placed]
    found = verify(JOBS, SUPPLIES, LATENCIES, Plan(rows, plan.left, plan.certificate))
    assert len({one.rule for one in found}) == len(found)
    (capacity,) = (one for one in found if one.rule is Rule.CAPACITY)
    first = min(row.supply for row in rows)
    assert capacity.text.startswith(f"supply {first} (site {SUPPLIES[first].site}, hour {SUPPLIES[first].hour}) has 1 ")


def test_what_comes_to_nothing_in_64_bits_is_refused() -> None:
    plan = make_plan(JOBS, SUPPLIES, LATENCIES)
    given, four = plan.certificate, [0] * 4
    placed = [*plan.placed, *(replace(plan.placed[0], units=2**62) for _ in four)]
    left = [*plan.left, *(Left(0, 2**62, Why.CAPACITY, "") for _ in four)]
    flows = replace(
        given,
        flow_group=np.append(given.flow_group, given.flow_group[four]),
        flow_supply=np.append(given.flow_supply, given.flow_supply[four]),
        flow_units=np.append(given.flow_units, [2**62] * 4),
    )
    for change, rule in (
        ({"placed": placed}, Rule.ROW),
        ({"left": left}, Rule.LEFT),
        ({"certificate": flows}, Rule.FLOW),
    ):
        broken = replace(plan, **cast("dict[str, Any]", change))
        assert rule in {one.rule for one in verify(JOBS, SUPPLIES, LATENCIES, broken)}, rule
