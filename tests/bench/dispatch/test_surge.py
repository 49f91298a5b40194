"""Fifty times the load makes dispatch choosy and slow for some, and never idle."""

from itertools import pairwise

import pytest

from tests.bench.dispatch.surge import LIMITS_MICRO, WAIT_HOURS, Surge, run_surge

PLAN_S_MAX = 10.0
"""On two slow cores; the first plan also loads the solver."""


@pytest.fixture(scope="module")
def surge() -> Surge:
    return run_surge()


def test_before_the_surge_everybody_is_served(surge: Surge) -> None:
    assert {surge.share("before", service, limit) for service in WAIT_HOURS for limit in LIMITS_MICRO} == {1.0}


def test_in_the_surge_all_that_there_is_is_sold(surge: Surge) -> None:
    hours = [hour for hour in surge.hours if hour.phase == "surge"]
    # The trace begins and ends with a part of a minute, which wants less than there is even fifty times over.
    assert [hour for hour in hours[1:-1] if hour.sold < hour.capacity] == []


def test_never_is_a_unit_free_that_somebody_who_waits_would_pay(surge: Surge) -> None:
    assert [(at, hour) for at, hour in enumerate(surge.hours) if hour.denied] == []


def test_the_surge_is_served_by_what_is_paid(surge: Surge) -> None:
    for service in WAIT_HOURS:
        shares = [surge.share("surge", service, limit) for limit in LIMITS_MICRO]
        assert all(less <= more for less, more in pairwise(shares)), (service, shares)
        assert shares[0] < shares[-1], (service, shares)


def test_after_the_surge_who_pays_most_is_served_whole_and_at_last_everybody(surge: Surge) -> None:
    assert surge.share("after", "conv", LIMITS_MICRO[-1]) == 1.0
    assert surge.share("after", "code", LIMITS_MICRO[0]) == 1.0
    assert surge.hours[-1].open_jobs == 0


def test_a_plan_in_the_surge_takes_bounded_time(surge: Surge) -> None:
    assert max(hour.plan_s for hour in surge.hours) < PLAN_S_MAX
