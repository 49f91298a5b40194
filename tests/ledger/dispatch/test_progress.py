"""What is left of each job, and as which jobs it is planned, by the steps alone."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.dispatch.progress import Progress, jobs_of
from ledger.product import Grade
from ledger.store.campaigns import StepState
from ledger.units import SECONDS_PER_HOUR
from tests.ledger.dispatch.made import HOUR, NOW_S, bid, job, product, redeemed, row


def test_jobs_are_read_as_they_were_kept() -> None:
    jobs = [job(), replace(job(gang=True), metro=257, latency_max_us=10_000, grade=Grade.PREMIUM)]
    assert jobs_of(row(jobs)) == (jobs, ["05" * 32, "00" * 32])


def test_remaining_counts_what_runs_and_what_was_delivered_and_not_what_failed() -> None:
    taken = [
        redeemed(50),
        redeemed(30, hour=3, state=StepState.DONE, delivered_milli=30_000, refund_micro=0),
        redeemed(40, hour=4, state=StepState.DONE, delivered_milli=10_000, refund_micro=9),
        redeemed(99, hour=5, state=StepState.REFUSED),
    ]
    progress = Progress([job()], taken)
    assert (progress.running[0], progress.delivered[0], progress.failed[0]) == (50, 40, 30)
    assert progress.remaining(0) == 400 - 50 - 40


@given(
    units=st.integers(1, 300),
    hours=st.integers(1, 8),
    room=st.integers(1, 12),
    runs=st.lists(st.tuples(st.integers(1, 12), st.integers(1, 300)), max_size=6),
    bidding=st.integers(0, 400),
)
def test_parts_are_what_is_left_and_never_more_at_once_than_asked(
    units: int, hours: int, room: int, runs: list[tuple[int, int]], bidding: int
) -> None:
    wanted = job(units, hours, room)
    busy: Counter[int] = Counter()
    taken = []
    for hour, some in runs:
        part = min(some, units - busy[hour])
        if part > 0:
            busy[hour] += part
            taken.append(redeemed(part, hour))
    if bidding:
        taken.append(bid(bidding, None, None))
    progress = Progress([wanted], taken)
    specs, owners = progress.specs(NOW_S)
    left = progress.remaining(0)
    assert left == max(0, wanted.unit_hours - sum(busy.values()) - bidding)
    free = {hour: units - busy[hour - HOUR] for hour in range(HOUR + 1, HOUR + 1 + room)}
    assert sum(spec.unit_hours for spec in specs) == min(left, sum(free.values()))
    assert owners == [0] * len(specs)
    for hour, room_units in free.items():
        at_once = sum(spec.units for spec in specs if spec.earliest_hour <= hour < spec.deadline_hour)
        assert at_once <= room_units
    for spec in specs:
        assert spec.hours <= spec.deadline_hour - spec.earliest_hour
        assert spec.earliest_hour >= wanted.earliest_hour
        assert spec.deadline_hour <= wanted.deadline_hour


def test_hours_for_which_units_are_held_come_before_longer_stretches() -> None:
    # It runs in its third hour; for the first one 60 units are held, and after the third there is much more room.
    early = replace(bid(60, 60, 60), product=product(1))
    specs, _ = Progress([job(100, 4)], [redeemed(100, 3), early]).specs(NOW_S)
    assert {(spec.earliest_hour - HOUR, spec.deadline_hour - HOUR, spec.unit_hours) for spec in specs} == {
        (1, 3, 60),
        (4, 11, 240),
    }


def test_units_held_are_counted_on_by_one_job_only() -> None:
    # Both run in their third hour and want one more; 50 units are held in an hour before it, and 50 in one after it.
    taken = [replace(redeemed(50, 3), job=place) for place in (0, 1)]
    taken += [replace(bid(50, 50, 50), product=product(hour)) for hour in (1, 5)]
    specs, owners = Progress([job(50, 2), job(50, 2)], taken).specs(NOW_S)
    assert sorted(owners) == [0, 1]
    assert {(spec.earliest_hour - HOUR, spec.unit_hours) for spec in specs} == {(1, 50), (4, 50)}


def test_gang_goes_on_for_the_hours_that_failed_while_they_fit() -> None:
    taken = [
        redeemed(100, hour, StepState.DONE, delivered_milli=100_000 if hour < 4 else 0, refund_micro=hour // 4)
        for hour in (2, 3, 4, 5)
    ]
    [spec], _ = Progress([job(gang=True)], taken).specs(NOW_S + 5 * SECONDS_PER_HOUR)
    assert (spec.units, spec.hours, spec.earliest_hour) == (100, 2, HOUR + 6)
    assert Progress([job(gang=True)], taken).specs(NOW_S + 9 * SECONDS_PER_HOUR) == ([], [])


@pytest.mark.parametrize("gang", [False, True])
def test_job_that_is_done_is_not_planned_again(gang: bool) -> None:
    taken = [redeemed(100, hour, StepState.DONE, delivered_milli=100_000, refund_micro=0) for hour in (2, 3, 4, 5)]
    done = Progress([job(gang=gang)], taken)
    assert (done.remaining(0), done.specs(NOW_S)) == (0, ([], []))
    specs, owners = Progress([job(gang=gang)] * 2, taken).specs(NOW_S)
    assert (owners, sum(spec.unit_hours for spec in specs)) == ([1], 400)
