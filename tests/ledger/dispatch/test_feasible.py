"""Each rule of feasibility is broken once, and named."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from ledger.dispatch import columns
from ledger.dispatch.certificate import verify
from ledger.dispatch.feasible import admission
from ledger.dispatch.planner import make_plan
from ledger.dispatch.problem import JobSpec, Left, Placed, Plan, Supply, Why
from ledger.dispatch.rules import Case, Rule
from ledger.dispatch.tables import JobTable, Placements, SupplyTable
from ledger.product import Grade
from tests.ledger.dispatch.instances import HOUR, LATENCIES, METROS, Instance, admits, instances

JOBS = [
    JobSpec("plain", 1, 2, 2, HOUR, HOUR + 2, 5, METROS[0], 20_000, Grade.STANDARD),
    JobSpec("gang", 1, 2, 2, HOUR, HOUR + 4, 5, gang=True),
]
SUPPLIES = [
    *(Supply(1, 1, METROS[0], HOUR + k, 4, 1 + k) for k in range(4)),
    Supply(2, 2, METROS[0], HOUR, 9, 1),
    Supply(3, 1, METROS[2], HOUR, 9, 5),
    Supply(4, 1, METROS[0], HOUR, 9, 5, Grade.BASIC),
    Supply(5, 1, METROS[0], HOUR, 9, 6),
    Supply(6, 1, METROS[0], HOUR + 1, 9, 5),
    Supply(7, 0, METROS[0], HOUR, 9, 1),
]
PLAN = make_plan(JOBS, SUPPLIES, LATENCIES)
NONE = np.zeros(0, dtype=np.int64)


def rules(rows: Sequence[Placed], left: Sequence[Left] = ()) -> set[Rule]:
    return {one.rule for one in verify(JOBS, SUPPLIES, LATENCIES, Plan(rows, left, PLAN.certificate))}


def row(job: int) -> int:
    return next(k for k, one in enumerate(PLAN.placed) if one.job == job)


def changed(of_job: int, **values: Any) -> list[Placed]:
    rows = list(PLAN.placed)
    rows[row(of_job)] = replace(rows[row(of_job)], **values)
    return rows


def test_a_right_plan_breaks_no_rule() -> None:
    assert rules(list(PLAN.placed)) == set()


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"supply": 4}, Rule.CLASS),
        ({"supply": 9}, Rule.CLASS),
        ({"supply": 5}, Rule.LATENCY),
        ({"supply": 6}, Rule.GRADE),
        ({"supply": 3}, Rule.WINDOW),
        ({"supply": 7}, Rule.LIMIT),
        ({"units": 5}, Rule.CAPACITY),
        ({"units": 3}, Rule.HOUR),
        ({"units": 3}, Rule.WHOLE),
        ({"units": 1}, Rule.LEFT),
        ({"units": 0}, Rule.ROW),
        ({"units": -1}, Rule.ROW),
        ({"supply": 10}, Rule.ROW),
        ({"supply": -1}, Rule.ROW),
        ({"job": 2}, Rule.ROW),
        ({"job": -1}, Rule.ROW),
    ],
)
def test_a_placement_that_breaks_a_rule_is_named(values: dict[str, int], rule: Rule) -> None:
    assert rule in rules(changed(0, **values))


@settings(max_examples=50)
@given(instances(gangs=True, classes=2))
def test_a_pair_is_admitted_where_a_person_would_admit_it(instance: Instance) -> None:
    jobs, table = list(dict.fromkeys(instance.jobs)), SupplyTable.of(instance.supplies)
    nobody = Placements(NONE, NONE, NONE, table)
    case = Case(JobTable.of(jobs), table, LATENCIES, nobody, replace(PLAN, placed=nobody))
    for job, spec in enumerate(jobs):
        for supply, one in enumerate(instance.supplies):
            found = list(admission(case, np.array([job]), np.array([supply])))
            assert (not found) == admits(spec, one), (spec, one, found)


@pytest.mark.parametrize("number", [-1, 99])
@pytest.mark.parametrize(("column", "size"), [("job", len(JOBS)), ("supply", len(SUPPLIES))])
def test_the_placement_named_is_the_one_that_names_nothing(column: str, size: int, number: int) -> None:
    # The first and the last number that there are come before it: they are right.
    named: list[dict[str, Any]] = [{column: place} for place in (0, size - 1, number, 0)]
    rows = [replace(PLAN.placed[row(0)], **values) for values in named]
    found = verify(JOBS, SUPPLIES, LATENCIES, Plan(rows, (), PLAN.certificate))
    assert [one.text for one in found if one.rule is Rule.ROW] == [
        f"placement 2 names {column} {number}, and there are {size}"
    ]


@pytest.mark.parametrize("values", [{"units": 1}, {"supply": 3}, {"supply": 8}, {"supply": 5}])
def test_a_gang_that_does_not_sit_whole_is_named(values: dict[str, int]) -> None:
    assert Rule.GANG in rules(changed(1, **values))


def test_hours_add_up_over_rows_that_do_not_stand_together() -> None:
    first = PLAN.placed[row(0)]
    assert Rule.HOUR in rules([*PLAN.placed, replace(first, units=1)])
    halves = [replace(first, units=1)] * 2
    assert rules([halves[0], *(one for one in PLAN.placed if one != first), halves[1]]) == set()


@pytest.mark.parametrize("rows_at_once", [1, 2, 3, 2**20])
def test_hours_add_up_over_rows_that_stand_together_wherever_they_are_cut(
    monkeypatch: pytest.MonkeyPatch, rows_at_once: int
) -> None:
    monkeypatch.setattr(columns, "CHUNK_ROWS", rows_at_once)
    first, rest = PLAN.placed[row(0)], [one for one in PLAN.placed if one.job == 1]
    second = next(one for one in PLAN.placed if one.job == 0 and one != first)
    half = replace(first, units=1)
    for before in ([], [second], [*rest, second]):
        after = [one for one in (*rest, second) if one not in before]
        assert rules([*before, half, half, *after]) == set()
        for more in ([half, first], [first, half], [half, half, half], [replace(first, units=3)]):
            assert Rule.HOUR in rules([*before, *more, *after]), (before, more)


@pytest.mark.parametrize("known", range(len(SUPPLIES)))
def test_a_row_of_another_table_that_ends_before_it_is_named(known: int) -> None:
    given = PLAN.placed
    assert isinstance(given, Placements)
    there = SupplyTable.of(SUPPLIES[:known])
    found = rules(Placements(given.job, given.supply, given.units, there))
    assert found == (set() if known > int(given.supply.max()) else {Rule.ROW})
    assert Rule.ROW not in rules(Placements(NONE, NONE, NONE, there))


@pytest.mark.parametrize("said", [[(0, 1)], [(7, 1)], [(2, 1)], [(-1, 1)], [(0, 0)], [(0, -1)], [(0, 1), (0, -1)]])
def test_what_is_left_over_and_is_not_is_named(said: list[tuple[int, int]]) -> None:
    left = [Left(job, unit_hours, Why.CAPACITY, "") for job, unit_hours in said]
    assert rules(list(PLAN.placed), left) == {Rule.LEFT}


def test_what_is_left_over_is_said_once_of_each_job() -> None:
    rows = [one for one in PLAN.placed if one.job != 1]
    assert Rule.LEFT not in rules(rows, [Left(1, 4, Why.GANG, "")])
    for said in ([3], [5], [3, 1], [4, 4]):
        assert Rule.LEFT in rules(rows, [Left(1, unit_hours, Why.GANG, "") for unit_hours in said]), said
