"""Each bound is named where it alone leaves a job over, with by how much."""

from dataclasses import replace

import pytest

from ledger.dispatch.planner import make_plan
from ledger.dispatch.problem import JobSpec, Supply, Why
from ledger.product import Grade
from ledger.units import format_hour
from tests.ledger.dispatch.instances import HOUR, LATENCIES, METROS

JOB = JobSpec("a", 1, 4, 1, HOUR, HOUR + 1, 2_500, METROS[0], 20_000, Grade.STANDARD)
SUPPLY = Supply(1, 1, METROS[0], HOUR, 4, 2_500, Grade.STANDARD)


@pytest.mark.parametrize(
    ("supply", "why", "text"),
    [
        (replace(SUPPLY, metro=METROS[2]), Why.LATENCY, "the nearest site with capacity is 80 ms away, asked 20 ms"),
        (replace(SUPPLY, grade=Grade.BASIC), Why.GRADE, "the best grade with capacity is BASIC, asked STANDARD"),
        (
            replace(SUPPLY, hour=HOUR + 3),
            Why.DEADLINE,
            f"the next capacity is at {format_hour(HOUR + 3)} (4 units free), the deadline is {format_hour(HOUR + 1)}",
        ),
        (
            replace(SUPPLY, hour=HOUR + 1),
            Why.DEADLINE,
            f"the next capacity is at {format_hour(HOUR + 1)} (4 units free), the deadline is {format_hour(HOUR + 1)}",
        ),
        (
            replace(SUPPLY, hour=HOUR - 1),
            Why.DEADLINE,
            f"the last capacity is at {format_hour(HOUR - 1)}, the earliest start is {format_hour(HOUR)}",
        ),
        (
            replace(SUPPLY, hour=HOUR - 3),
            Why.DEADLINE,
            f"the last capacity is at {format_hour(HOUR - 3)}, the earliest start is {format_hour(HOUR)}",
        ),
        (
            replace(SUPPLY, price_micro=3_100),
            Why.PRICE,
            "the cheapest capacity costs 0.0031 USD per unit-hour, the limit is 0.0025 USD per unit-hour",
        ),
        (replace(SUPPLY, class_id=2), Why.CAPACITY, "no site has capacity of AI_LARGE"),
        (replace(SUPPLY, units=3), Why.CAPACITY, "all 3 unit-hours within its bounds are taken"),
    ],
)
def test_left_names_the_bound_and_by_how_much(supply: Supply, why: Why, text: str) -> None:
    (left,) = make_plan([JOB], [supply], LATENCIES).left
    assert (left.why, left.text) == (why, text)
    assert not make_plan([JOB], [SUPPLY], LATENCIES).left


@pytest.mark.parametrize("most_us", [80_000, 0])
def test_left_does_not_blame_the_way_of_a_site_at_the_very_bound(most_us: int) -> None:
    job, far = replace(JOB, latency_max_us=most_us), replace(SUPPLY, metro=METROS[2])
    for supply, why in ((replace(far, price_micro=3_100), Why.PRICE), (replace(far, units=3), Why.CAPACITY)):
        (left,) = make_plan([job], [supply], LATENCIES).left
        assert left.why is why
    nearer = replace(job, latency_max_us=79_999)
    (left,) = make_plan([nearer], [far], LATENCIES).left
    assert left.why is Why.LATENCY


def test_left_names_the_first_bound_where_several_leave_nothing() -> None:
    supply = replace(SUPPLY, metro=METROS[2], price_micro=9_999, grade=Grade.BASIC)
    (left,) = make_plan([JOB], [supply], LATENCIES).left
    assert left.why is Why.LATENCY


def test_left_blames_what_is_free_and_not_what_is_taken() -> None:
    # Both are too dear for one and taken by the other, but for the one that is too far.
    rich = replace(JOB, limit_micro=9_000)
    supplies = [SUPPLY, replace(SUPPLY, metro=METROS[2])]
    (left,) = make_plan([JOB, rich], supplies, LATENCIES).left
    assert (left.job, left.why) == (0, Why.LATENCY)


def test_left_of_a_job_that_wants_more_hours_than_there_are() -> None:
    (left,) = make_plan([replace(JOB, hours=3, units=1)], [SUPPLY], LATENCIES).left
    assert (left.unit_hours, left.why) == (2, Why.DEADLINE)
    assert left.text == "wants 3 hours, and only 1 with capacity lie within its bounds"


def test_left_reads_as_rows() -> None:
    plan = make_plan([JOB, JOB], [replace(SUPPLY, units=5)], LATENCIES)
    assert plan.left[0] == plan.left[-1] == next(iter(plan.left))
    assert plan.left[:1] == (plan.left[0],)
    assert plan.left[0].unit_hours == 3
