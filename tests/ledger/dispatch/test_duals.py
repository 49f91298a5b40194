"""The worth of capacity: what says so, and to whom it is due. That it is exact is tested with the planner."""

import numpy as np
from hypothesis import given

from ledger.dispatch.planner import make_plan
from ledger.dispatch.problem import JobSpec, Supply
from tests.ledger.dispatch.instances import HOUR, LATENCIES, METROS, Instance, admits, instances


@given(instances())
def test_each_worth_above_its_own_price_is_due_to_somebody_who_may_use_it(instance: Instance) -> None:
    given_ = make_plan(instance.jobs, instance.supplies, LATENCIES).certificate
    for supply, one in enumerate(instance.supplies):
        group, other = int(given_.due_group[supply]), int(given_.due_supply[supply])
        if given_.gross[supply] == one.price_micro:
            assert (group, other) == (-1, -1)
            continue
        job = instance.jobs[int(np.argmax(given_.group_of == group))]
        assert admits(job, one)
        if other < 0:
            assert given_.gross[supply] == given_.service + job.limit_micro
        else:
            assert given_.gross[supply] == given_.gross[other]


def test_a_worth_travels_along_those_who_could_move() -> None:
    # Two jobs may move one site on, the last site has a dear unit in use: all are worth what that one costs.
    metros = METROS[:3]
    jobs = [
        JobSpec("first", 1, 1, 1, HOUR, HOUR + 1, 9, metros[0], 9_000),
        JobSpec("second", 1, 1, 1, HOUR, HOUR + 1, 9),
    ]
    supplies = [Supply(0, 1, metros[0], HOUR, 1, 1), Supply(1, 1, metros[2], HOUR, 1, 7)]
    found = make_plan(jobs, supplies, LATENCIES).certificate
    assert found.gross.tolist() == [7, 7]
    assert found.due_supply.tolist() == [1, -1]


def test_where_somebody_is_left_out_a_unit_is_worth_service_and_the_limit() -> None:
    jobs = [JobSpec("low", 1, 4, 1, HOUR, HOUR + 1, 5), JobSpec("high", 1, 4, 1, HOUR, HOUR + 1, 6)]
    found = make_plan(jobs, [Supply(0, 1, METROS[0], HOUR, 5, 1)], LATENCIES).certificate
    assert found.service == 2
    assert found.gross.tolist() == [2 + 5]
