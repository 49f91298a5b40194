"""What is left of each job, what it cost, and which steps follow from a plan, by the steps alone."""

import json
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.dispatch.preview import Purchase, Where
from ledger.dispatch.problem import JobSpec
from ledger.dispatch.progress import (
    COOL_OFF_HOURS,
    Paid,
    Phase,
    Progress,
    at_once,
    bid_steps,
    bought_units,
    cooling,
    draft,
    failed_unit_hours,
    jobs_of,
    jobs_text,
    redeem_steps,
    state_of,
)
from ledger.product import Grade, Product, Tier
from ledger.store.campaigns import CampaignRow, StepKind, StepRow, StepState
from ledger.units import SECONDS_PER_HOUR

HOUR = 490_000
NOW_S = HOUR * SECONDS_PER_HOUR
OWNER = "0x" + "a" * 40


def product(hour: int = 2, hours: int = 1) -> int:
    return Product(1, Tier.WIDE, 0, Grade.STANDARD, HOUR + hour, hours).id


def job(units: int = 100, hours: int = 4, room: int = 10, gang: bool = False) -> JobSpec:
    return JobSpec("job", 1, units, hours, HOUR + 1, HOUR + 1 + room, 5_000, gang=gang)


def redeemed(units: int, hour: int = 2, state: StepState = StepState.STANDS, hours: int = 1, **came: int) -> StepRow:
    step = draft(StepKind.REDEEM, product(hour, hours), units, site=1, job=0, hash="00")
    return replace(step, state=state, **came)  # type: ignore[arg-type]


def bid(units: int, filled: int | None, cost_micro: int | None, hours: int = 1) -> StepRow:
    state = StepState.STANDS if filled is None else StepState.DONE
    step = draft(
        StepKind.BID, product(hours=hours), units, tick=400, price_micro=3_000, shares=json.dumps({"0": units})
    )
    return replace(step, state=state, filled=filled, cost_micro=cost_micro)


def row(jobs: list[JobSpec], ended: bool = False) -> CampaignRow:
    return CampaignRow(
        7, 1, "0x", OWNER, None, "name", jobs_text(jobs, {0: b"\x05" * 32}, bytes(32)), 0, 3, ended, "note"
    )


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


def test_delivery_within_the_promise_is_no_failure() -> None:
    within = redeemed(100, state=StepState.DONE, delivered_milli=99_500, refund_micro=0)
    assert failed_unit_hours(within) == 0
    assert failed_unit_hours(replace(within, delivered_milli=0, refund_micro=1)) == 100
    # Part of a unit-hour is none: a lease of one unit of which 40 % came is to be placed again.
    assert failed_unit_hours(redeemed(1, state=StepState.DONE, delivered_milli=400, refund_micro=1)) == 1
    assert failed_unit_hours(redeemed(100, state=StepState.DONE, delivered_milli=50_500, refund_micro=1)) == 50


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


@given(st.lists(st.integers(0, 5), max_size=40), st.integers(1, 20), st.integers(0, 10))
def test_steps_at_once_end_with_a_whole_job(jobs: list[int], most: int, bids: int) -> None:
    steps = [replace(redeemed(1, 2 + place), job=job) for place, job in enumerate(jobs)]
    found = at_once([*steps, *[bid(1, None, None)] * bids], most)
    assert len(found) <= most
    taken = Counter(step.job for step in found if step.kind is StepKind.REDEEM)
    cut = [one for one, count in taken.items() if count < jobs.count(one)]
    assert not cut or (list(taken) == cut and taken[cut[0]] == most)
    assert bool(found) == bool(jobs or bids)
    if any(step.kind is StepKind.BID for step in found):
        assert taken == Counter(jobs)


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


def test_units_bought_are_those_filled_and_split_less_those_redeemed() -> None:
    window = product(2, 3)
    split = replace(draft(StepKind.SPLIT, window, 30, site=1), state=StepState.DONE)
    taken = [bid(80, 60, 60 * 3 * 2_000, hours=3), split, redeemed(10, hour=3), redeemed(20, hours=3)]
    found = bought_units(taken)
    assert {key: units for key, units in found.items() if units} == {
        window: 60 - 30 - 20,
        product(2): 30,
        product(3): 30 - 10,
        product(4): 30,
    }
    assert bought_units([replace(split, state=StepState.REFUSED)]) == Counter()


def test_sites_that_failed_are_left_alone_for_a_while() -> None:
    failed = redeemed(40, state=StepState.DONE, delivered_milli=0, refund_micro=9)
    end_s = Product.from_id(failed.product).end_s
    assert cooling([failed], end_s) == [1]
    assert cooling([failed], end_s + COOL_OFF_HOURS * SECONDS_PER_HOUR) == []
    assert cooling([redeemed(40, state=StepState.DONE, delivered_milli=40_000, refund_micro=0)], end_s) == []


def test_state_adds_up_units_and_money() -> None:
    taken = [
        bid(100, 100, 100 * 2_000),
        bid(50, None, None),
        redeemed(60, lease=4),
        redeemed(40, state=StepState.DONE, delivered_milli=0, refund_micro=88_000, lease=5),
    ]
    state = state_of(row([job()]), taken)
    assert state.phase is Phase.BUYING
    assert (state.escrow_micro, state.spent_micro, state.refunded_micro) == (150_000, 200_000, 88_000)
    assert (state.bought_unit_hours, state.used_unit_hours, state.used_micro) == (100, 100, 200_000)
    # 100 units of a window of two hours are 200 unit-hours.
    part = state_of(row([job()]), [bid(100, 100, 400_000, hours=2), redeemed(60, hours=2)])
    assert (part.bought_unit_hours, part.used_unit_hours, part.used_micro) == (200, 120, 240_000)
    [one] = state.jobs
    assert (one.wanted, one.bidding, one.running, one.delivered, one.failed, one.remaining) == (400, 50, 60, 0, 40, 290)
    assert (one.cost_micro, one.refunded_micro, one.leases) == (200_000, 88_000, (4, 5))
    assert state_of(row([job()]), taken[2:]).phase is Phase.RUNNING
    assert state_of(row([job()]), []).phase is Phase.WAITING
    assert state_of(row([job()], ended=True), []).phase is Phase.ENDED


def test_lease_of_an_hour_that_was_split_off_costs_what_the_window_did() -> None:
    split = replace(draft(StepKind.SPLIT, product(2, 3), 30, site=1), state=StepState.DONE)
    [one] = state_of(row([job()]), [bid(30, 30, 30 * 3 * 2_000, hours=3), split, redeemed(10, hour=3)]).jobs
    assert one.cost_micro == 10 * 2_000


def test_price_of_an_hour_is_that_of_its_own_bids_before_that_of_its_window() -> None:
    window = product(2, 3)
    split = replace(draft(StepKind.SPLIT, window, 30, site=1), state=StepState.DONE)
    own = replace(bid(10, 10, 10 * 1_000 + 9), product=product(3))
    taken = [bid(30, 30, 30 * 3 * 2_000, hours=3), split, own]
    own_micro, window_micro = 1_000, 2_000
    assert Paid(taken).prices_micro() == {
        window: window_micro,
        product(2): window_micro,
        product(3): own_micro,
        product(4): window_micro,
    }
    assert Paid([split]).prices_micro() == {}, "a window that was not bought has no price"


def where(units: int, hour: int = 2, number: int = 0, job_: int = 0, held: bool = True, site: int = 1) -> Where:
    return Where(job_, "job", site, 257, HOUR + hour, units, 0, number or product(hour), 0, held)


def test_held_hours_are_redeemed_for_their_jobs_once_per_site() -> None:
    found = list(redeem_steps([where(30), where(20, job_=1), where(5, site=2), where(9, held=False)], [0, 0], ["aa"]))
    assert [(step.kind, step.site, step.job, step.units, step.hash) for step in found] == [
        (StepKind.REDEEM, 1, 0, 50, "aa"),
        (StepKind.REDEEM, 2, 0, 5, "aa"),
    ]


def test_window_is_redeemed_whole_where_one_job_fills_it_and_the_rest_is_split() -> None:
    window = product(2, 2)
    placed = [where(30, 2, window), where(30, 3, window), where(10, 2, window, 1), where(15, 3, window, 1)]
    found = list(redeem_steps(placed, [0, 1], ["aa", "bb"]))
    assert [(step.kind, step.job, step.units) for step in found] == [
        (StepKind.REDEEM, 0, 30),
        (StepKind.REDEEM, 1, 10),
        (StepKind.SPLIT, -1, 5),
    ]


def test_nothing_is_split_where_whole_windows_and_hours_are_used() -> None:
    window = product(2, 2)
    filled = [where(30, 2, window), where(30, 3, window), where(20, 2), where(7, 2, job_=1)]
    assert Counter((step.kind, step.product, step.units) for step in redeem_steps(filled, [0, 1], ["aa", "bb"])) == {
        (StepKind.REDEEM, window, 30): 1,
        (StepKind.REDEEM, product(2), 20): 1,
        (StepKind.REDEEM, product(2), 7): 1,
    }


def test_bid_carries_what_it_is_for_by_the_job_it_belongs_to() -> None:
    purchase = Purchase(product(), "code", 100, 1, 90, 400, 3_000, 300_000, 0, None, 0, ((0, 40), (1, 30), (2, 20)))
    [step] = bid_steps([purchase], [5, 7, 5])
    assert (step.kind, step.units, step.tick, json.loads(step.shares)) == (StepKind.BID, 100, 400, {"5": 60, "7": 30})
