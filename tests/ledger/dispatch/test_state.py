"""Where a campaign stands, in units and in money, by the steps alone."""

from dataclasses import replace

import pytest

from ledger.dispatch.state import Phase, state_of
from ledger.store.campaigns import StepRow, StepState
from tests.ledger.dispatch.made import asked, bid, job, redeemed, row, split


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
    [one] = state_of(row([job()]), [bid(30, 30, 30 * 3 * 2_000, hours=3), split(30), redeemed(10, hour=3)]).jobs
    assert one.cost_micro == 10 * 2_000


def test_what_was_sold_is_a_line_of_its_own_and_the_books_add_up() -> None:
    taken = [
        bid(100, 100, 200_000),
        bid(50, None, None),
        replace(split(5), cost_micro=7),
        redeemed(40, state=StepState.DONE, delivered_milli=0, refund_micro=88_000),
        asked(30, 20, 30_000),
        asked(10, None),
    ]
    state = state_of(row([job()]), taken)
    assert (state.spent_micro, state.refunded_micro, state.sold_micro) == (200_007, 88_000, 30_000)
    assert state.balance_micro == 88_000 + 30_000 - 200_007 - 150_000
    assert (state.bought_unit_hours, state.used_unit_hours, state.sold_unit_hours) == (100, 40, 20)
    assert (state.selling_unit_hours, state.unused_units, state.unused_micro) == (10, 40 + 3 * 5, 2_000 * 45)


BOUGHT = bid(100, 100, 200_000)


@pytest.mark.parametrize(
    ("taken", "phase"),
    [
        ([BOUGHT, bid(5, None, None), asked(50, None)], Phase.BUYING),
        ([BOUGHT, redeemed(50, state=StepState.PLANNED), asked(50, None)], Phase.REDEEMING),
        ([BOUGHT, redeemed(50), asked(50, None)], Phase.RUNNING),
        ([BOUGHT, asked(100, None)], Phase.SELLING),
        ([BOUGHT, replace(asked(100, None), state=StepState.PLANNED)], Phase.SELLING),
        ([BOUGHT, asked(100, 100, 1)], Phase.WAITING),
        ([BOUGHT], Phase.WAITING),
    ],
)
def test_phase_is_the_earliest_stage_of_anything(taken: list[StepRow], phase: Phase) -> None:
    assert state_of(row([job(500)]), taken).phase is phase


def test_what_nobody_wants_any_more_is_being_sold_between_two_asks_too() -> None:
    assert state_of(row([job(500)], stopped=True), [BOUGHT]).phase is Phase.SELLING
    done = redeemed(100, state=StepState.DONE, delivered_milli=100_000, refund_micro=0)
    more = replace(BOUGHT, filled=300, units=300)
    assert state_of(row([job(100, 1)]), [more, done]).phase is Phase.SELLING
    assert state_of(row([job(500)], ended=True, stopped=True), [BOUGHT]).phase is Phase.ENDED
