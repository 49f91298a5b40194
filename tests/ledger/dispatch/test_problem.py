"""Jobs, supplies and latencies say at once what cannot be."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.areas import load_areas
from ledger.dispatch.problem import HOUR_MAX, JobSpec, Latencies, Supply
from ledger.errors import InputError, OutOfRange, UnknownName

AREAS = load_areas()
METROS = [area.code for area in AREAS.all() if not area.is_hub]
HUBS = [area.code for area in AREAS.all() if area.is_hub and AREAS.metros_of(area)]

JOB: dict[str, Any] = {
    "name": "a",
    "class_id": 1,
    "units": 4,
    "hours": 2,
    "earliest_hour": 10,
    "deadline_hour": 20,
    "limit_micro": 5,
}
SUPPLY: dict[str, Any] = {"site": 1, "class_id": 1, "metro": METROS[0], "hour": 10, "units": 4, "price_micro": 5}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("units", 0),
        ("hours", 0),
        ("earliest_hour", -1),
        ("limit_micro", -1),
        ("class_id", 256),
        ("metro", 2**16),
        ("latency_max_us", -1),
    ],
)
def test_job_raises_when_a_number_is_out_of_range(field: str, value: int) -> None:
    JobSpec(**JOB)
    with pytest.raises(OutOfRange, match=str(value)):
        JobSpec(**{**JOB, field: value})


@pytest.mark.parametrize("deadline", [10, 9, HOUR_MAX + 1])
def test_job_raises_when_its_deadline_does_not_follow_its_start(deadline: int) -> None:
    JobSpec(**{**JOB, "deadline_hour": 11})
    with pytest.raises(InputError, match="after the earliest start"):
        JobSpec(**{**JOB, "deadline_hour": deadline})


@pytest.mark.parametrize(
    ("field", "value"),
    [("units", -1), ("hour", -1), ("price_micro", -1), ("class_id", 256), ("metro", -1), ("weight_bp", 0)],
)
def test_supply_raises_when_a_number_is_out_of_range(field: str, value: int) -> None:
    Supply(**SUPPLY)
    with pytest.raises(OutOfRange, match=str(value)):
        Supply(**{**SUPPLY, field: value})


def test_unit_hours_of_a_job_are_units_times_hours() -> None:
    assert JobSpec(**JOB).unit_hours == 8


@given(st.sampled_from(METROS), st.sampled_from(METROS))
def test_latency_by_distance_is_the_areas_estimate(site: int, origin: int) -> None:
    found_us = Latencies.of_areas(AREAS).one_way_us(site, origin)
    assert found_us == AREAS.estimated_one_way_us(AREAS.area(site), AREAS.area(origin))


@given(st.sampled_from(METROS), st.sampled_from(METROS), st.integers(0, 10**6))
def test_latency_measured_holds_both_ways_unless_both_are_given(site: int, origin: int, us: int) -> None:
    assert Latencies.measured({(site, origin): us}, AREAS).one_way_us(origin, site) == us
    both = Latencies.measured({(site, origin): us, (origin, site): us + 1}, AREAS)
    assert both.one_way_us(origin, site) == us + 1


@given(st.sampled_from(METROS), st.sampled_from(HUBS))
def test_a_hub_lies_as_far_as_its_farthest_metro(site: int, hub: int) -> None:
    latencies = Latencies.of_areas(AREAS)
    ways_us = [latencies.one_way_us(site, metro.code) for metro in AREAS.metros_of(AREAS.area(hub))]
    assert latencies.one_way_us(site, hub) == max(ways_us)


def test_latency_to_anywhere_is_none_and_to_nowhere_unknown() -> None:
    latencies = Latencies.of_areas(AREAS)
    assert latencies.one_way_us(METROS[0], 0) == 0
    with pytest.raises(UnknownName):
        latencies.one_way_us(METROS[0], 65_535)
