"""Columns hold what rows hold, and refuse what rows refuse."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.dispatch.problem import JobSpec, Placed, Supply
from ledger.dispatch.tables import JobTable, Placements, SupplyTable
from ledger.errors import InputError, OutOfRange
from tests.ledger.dispatch.instances import HOUR, METROS, jobs, supplies

JOB = JobSpec("a", 1, 4, 2, HOUR, HOUR + 5, 9)
SUPPLY = Supply(1, 1, METROS[0], HOUR, 4, 5, product=2**200, held=True)


@given(st.lists(jobs(gangs=True, classes=3)))
def test_job_table_gives_back_its_rows(rows: list[JobSpec]) -> None:
    table = JobTable.of(rows)
    assert [table.job(k) for k in range(len(table))] == rows
    assert JobTable.of(table) is table


@given(st.lists(supplies(classes=3, weights=True)))
def test_supply_table_gives_back_its_rows(rows: list[Supply]) -> None:
    rows = [replace(row, product=2**250 + k, held=k % 2 == 0) for k, row in enumerate(rows)]
    table = SupplyTable.of(rows)
    assert [table.supply(k) for k in range(len(table))] == rows
    assert SupplyTable.of(table) is table


@pytest.mark.parametrize(
    ("column", "value"), [("units", 0), ("hours", 0), ("grade", 4), ("gang", 2), ("limit_micro", -1)]
)
def test_job_table_raises_when_a_value_is_out_of_range(column: str, value: int) -> None:
    columns = _columns(JobTable.of([JOB, JOB]))
    JobTable(**columns)
    with pytest.raises(OutOfRange, match=str(value)):
        JobTable(**{**columns, column: np.array([1, value])})


def test_job_table_raises_when_a_deadline_does_not_follow_its_start() -> None:
    columns = _columns(JobTable.of([JOB, JOB]))
    with pytest.raises(InputError, match=f"Job 1 may start at hour {HOUR} and must end by {HOUR}"):
        JobTable(**{**columns, "deadline_hour": np.array([HOUR + 1, HOUR])})


def test_tables_raise_when_columns_differ_in_length() -> None:
    columns = _columns(JobTable.of([JOB, JOB]))
    with pytest.raises(InputError, match=r"\[1, 2\] long"):
        JobTable(**{**columns, "units": np.array([1])})
    with pytest.raises(InputError, match="1 names for 2 jobs"):
        JobTable(**columns, names=["a"])
    with pytest.raises(InputError, match="1 products for 2 supplies"):
        SupplyTable(**_columns(SupplyTable.of([SUPPLY, SUPPLY])), products=[1])


def test_supply_table_raises_when_a_value_is_out_of_range() -> None:
    with pytest.raises(OutOfRange, match="weight_bp"):
        SupplyTable(**{**_columns(SupplyTable.of([SUPPLY])), "weight_bp": np.array([0])})


def test_placements_read_as_rows_and_add_up() -> None:
    table = SupplyTable.of([SUPPLY, replace(SUPPLY, price_micro=2**40, hour=HOUR + 1, held=False)])
    placed = Placements(np.array([0, 0]), np.array([0, 1]), np.array([3, 2**20]), table)
    row = Placed(0, 1, HOUR, 3, 5, 2**200, True, 0)
    assert placed[0] == row
    assert placed[-1].held is False
    assert placed[:1] == (row,)
    assert list(placed) == [placed[0], placed[1]]
    # Beyond 64 bits.
    assert placed.cost_micro == 3 * 5 + 2**60
    assert placed.unit_hours == 3 + 2**20
    again = Placements.of(tuple(placed), table)
    assert list(again) == list(placed)


def _columns(table: JobTable | SupplyTable) -> dict[str, Any]:
    return {name: getattr(table, name) for name in table.__slots__ if name not in {"names", "products"}}
