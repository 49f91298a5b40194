"""What all checks of a plan look at."""

import numpy as np

from ledger.dispatch.problem import JobSpec, Plan, Supply
from ledger.dispatch.rules import Case
from ledger.dispatch.tables import JobTable, Placements, SupplyTable
from tests.ledger.dispatch.instances import HOUR, LATENCIES, METROS


def case(*gangs: bool) -> Case:
    jobs = [
        JobSpec("", 1, 1, 1, HOUR, HOUR + 1, 5, metro, gang=gang) for metro, gang in zip(METROS, gangs, strict=False)
    ]
    supplies = SupplyTable.of([Supply(k, 1, metro, HOUR, 9, 1) for k, metro in enumerate(METROS)])
    everywhere = np.arange(len(jobs))
    placed = Placements(everywhere, everywhere, np.ones_like(everywhere), supplies)
    return Case(JobTable.of(jobs), supplies, LATENCIES, placed, Plan(placed, (), None))  # type: ignore[arg-type]


def test_way_is_that_of_each_pair() -> None:
    found = case(False, False, False)
    assert found.way_us(np.array([0, 1, 0]), np.array([1, 1, 3])).tolist() == [9_000, 1_000, 110_000]
    assert found.way_us_from(METROS[0], np.array([0, 1, 3])).tolist() == [1_000, 9_000, 110_000]
    assert found.way_us_from(0, np.array([0, 1, 3])).tolist() == [0, 0, 0]


def test_gang_rows_are_those_of_gangs() -> None:
    assert case(False, True, False, True).gang_rows().tolist() == [1, 3]
    assert case(False, False).gang_rows().tolist() == []
