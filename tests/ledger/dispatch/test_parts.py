"""A job's rows ask for what it misses, no more at once than it takes, and first for what cannot wait."""

from hypothesis import given
from hypothesis import strategies as st

from ledger.dispatch.parts import Part, parts_of, too_late
from ledger.dispatch.problem import JobSpec

START = 100


def job(units: int, hours: int, slack: int, start: int = START, gang: bool = False) -> JobSpec:
    return JobSpec("job", 2, units, hours, start, start + hours + slack, limit_micro=50, gang=gang)


def asked(spec: JobSpec, missing: int, hour: int, horizon: int) -> list[Part]:
    return list(parts_of(7, spec, missing, hour, horizon))


def test_parts_of_a_job_within_the_horizon_are_one_row_at_its_limit() -> None:
    (part,) = asked(job(4, 3, 2), 12, START, START + 24)
    assert (part.job, part.unit_hours, part.final) == (7, 12, True)
    assert (part.spec.units, part.spec.hours, part.spec.limit_micro) == (4, 3, 50)


def test_parts_of_a_job_that_can_wait_pay_a_micro_less() -> None:
    (part,) = asked(job(4, 3, 9), 12, START, START + 2)
    assert (part.unit_hours, part.final, part.spec.limit_micro, part.spec.deadline_hour) == (8, False, 49, START + 2)


def test_parts_of_a_job_that_can_wait_in_part_are_what_must_be_done_and_what_may() -> None:
    must, may = asked(job(4, 6, 1), 24, START, START + 4)
    # Of 24 unit-hours, 12 fit into the three hours after the horizon.
    assert (must.unit_hours, must.spec.units, must.spec.hours, must.spec.limit_micro) == (12, 3, 4, 50)
    assert (may.unit_hours, may.spec.units, may.spec.limit_micro) == (4, 1, 49)


def test_parts_of_a_gang_are_all_its_hours_or_none() -> None:
    (part,) = asked(job(4, 6, 1, gang=True), 16, START + 3, START + 4)
    assert (part.unit_hours, part.spec.hours, part.spec.deadline_hour) == (16, 4, START + 7)


def test_parts_of_nothing_missing_or_no_time_left_are_none() -> None:
    spec = job(4, 3, 0)
    assert asked(spec, 0, START, START + 9) == []
    assert asked(spec, 12, START + 3, START + 9) == []
    assert asked(spec, 12, START, START) == []


def test_too_late_is_what_no_hour_is_left_for() -> None:
    spec = job(4, 3, 0)
    assert [too_late(spec, 12, hour) for hour in (START - 5, START, START + 1, START + 3)] == [0, 0, 4, 12]


@given(
    units=st.integers(1, 40),
    hours=st.integers(1, 12),
    slack=st.integers(0, 12),
    share=st.floats(0.01, 1),
    passed=st.integers(-3, 24),
    ahead=st.integers(1, 30),
)
def test_parts_ask_for_what_fits_and_never_for_more_at_once(
    units: int, hours: int, slack: int, share: float, passed: int, ahead: int
) -> None:
    spec = job(units, hours, slack)
    missing = max(int(share * spec.unit_hours), 1)
    hour = START + passed
    first, last = max(START, hour), min(spec.deadline_hour, hour + ahead)
    parts = asked(spec, missing, hour, hour + ahead)
    assert sum(part.spec.units for part in parts) <= units
    for part in parts:
        assert 0 <= part.spec.unit_hours - part.unit_hours < part.spec.hours
        assert first <= part.spec.earliest_hour < part.spec.deadline_hour <= last
        assert part.spec.hours <= last - first
    if first >= last:
        assert parts == []
        return
    fits = min(missing, units * (last - first))
    wanted = sum(part.unit_hours for part in parts)
    # A steady rate, rounded up, may leave no unit for what can wait.
    assert wanted <= fits
    assert fits - wanted < parts[0].spec.hours
    if spec.deadline_hour <= hour + ahead:
        assert wanted == missing - too_late(spec, missing, hour)
