"""Jobs are of one group exactly where they are alike, and a group's name does not depend on the order of the jobs."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ledger.dispatch.groups import group_jobs
from ledger.dispatch.problem import JOB_HOURS_MAX, LATENCY_US_MAX, PRICE_MICRO_MAX, UNITS_MAX, JobSpec
from ledger.dispatch.tables import JobTable
from tests.ledger.dispatch.instances import HOUR, jobs


@given(st.lists(jobs(gangs=True, classes=2), max_size=30))
def test_groups_hold_exactly_the_jobs_that_are_alike(rows: list[JobSpec]) -> None:
    rows = [replace(job, name=str(k)) for k, job in enumerate(rows)]
    groups = group_jobs(JobTable.of(rows))
    nameless = [replace(job, name="") for job in rows]
    assert len(groups) == len(set(nameless))
    for position, job in enumerate(nameless):
        assert replace(groups.spec.job(int(groups.of[position])), name="") == job
    assert groups.count.tolist() == np.bincount(groups.of, minlength=len(groups)).tolist()
    assert [(int(groups.of[k]), int(k)) for k in groups.order] == sorted(
        (int(groups.of[k]), k) for k in range(len(rows))
    )
    assert groups.first.tolist() == [groups.of[groups.order].tolist().index(g) for g in range(len(groups))]


@given(st.lists(jobs(gangs=True, classes=2), min_size=1, max_size=20), st.data())
def test_groups_are_in_order_of_content_however_the_jobs_stand(rows: list[JobSpec], data: st.DataObject) -> None:
    mixed = data.draw(st.permutations(rows))
    one, other = (group_jobs(JobTable.of(list(some))).spec for some in (rows, mixed))
    assert [replace(one.job(k), name="") for k in range(len(one))] == [
        replace(other.job(k), name="") for k in range(len(other))
    ]


def test_groups_stay_apart_where_their_values_are_too_wide_for_one_key() -> None:
    rng = np.random.default_rng(5)
    rows = [
        JobSpec(
            "",
            int(rng.integers(0, 256)),
            int(rng.integers(1, UNITS_MAX)),
            int(rng.integers(1, JOB_HOURS_MAX)),
            int(rng.integers(0, HOUR)),
            HOUR + int(rng.integers(1, HOUR)),
            int(rng.integers(0, PRICE_MICRO_MAX)),
            int(rng.integers(0, 2**16)),
            int(rng.integers(0, LATENCY_US_MAX)),
        )
        for _ in range(2_000)
    ]
    rows += [replace(rows[k], limit_micro=rows[k].limit_micro ^ 1) for k in range(1_000)] + rows[:500]
    groups = group_jobs(JobTable.of(rows))
    assert len(groups) == len({replace(row, name="") for row in rows}) == 3_000
    assert groups.count.sum() == 3_500
