"""A campaign never bids more than its jobs' limits leave it."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ledger.dispatch.preview import Purchase
from ledger.dispatch.problem import JobSpec
from ledger.dispatch.purse import left_micro, within
from ledger.prices import cost_micro, price_micro
from ledger.store.campaigns import StepKind, draft

TICK_SIZE_MICRO = 3


def purchase(tick: int, units: int, hours: int, expected: int | None = None) -> Purchase:
    each_micro = price_micro(tick, TICK_SIZE_MICRO)
    escrow_micro = cost_micro(units, hours, each_micro)
    traded_micro = None if expected is None else price_micro(expected, TICK_SIZE_MICRO)
    return Purchase(1, "code", units, hours, units, tick, each_micro, escrow_micro, 0, traded_micro, 0, ((0, units),))


PURCHASES = st.builds(purchase, st.integers(1, 1_023), st.integers(1, 500), st.integers(1, 24))


@given(st.lists(PURCHASES, max_size=6), st.integers(-(10**6), 10**9))
def test_bids_never_come_to_more_than_is_left_and_none_is_raised(purchases: list[Purchase], purse_micro: int) -> None:
    bids = list(within(purchases, purse_micro))
    assert sum(one.escrow_micro for one in bids) <= max(0, purse_micro)
    for one in bids:
        assert one.price_micro == price_micro(one.tick, TICK_SIZE_MICRO)
        assert one.escrow_micro == cost_micro(one.units, one.hours, one.price_micro)
        assert any(
            replace(one, tick=p.tick, price_micro=p.price_micro, escrow_micro=p.escrow_micro) == p
            for p in purchases
            if p.tick >= one.tick
        )
    if sum(one.escrow_micro for one in purchases) <= purse_micro:
        assert bids == purchases


def test_bid_is_left_out_where_it_would_not_trade() -> None:
    one = purchase(400, 100, 1, expected=390)
    enough_micro = 100 * (one.expected_price_micro or 0)
    [lower] = within([one], enough_micro)
    assert (lower.tick, lower.escrow_micro) == (390, enough_micro)
    assert list(within([one], enough_micro - 1)) == []


def test_what_came_back_may_be_spent_again() -> None:
    jobs = [JobSpec("a", 1, 10, 2, 5, 9, 100), JobSpec("b", 1, 1, 1, 5, 9, 7)]
    bid = replace(draft(StepKind.BID, 1, 10), cost_micro=1_500)
    assert left_micro(jobs, []) == 2_007
    assert left_micro(jobs, [bid]) == 507
    assert left_micro(jobs, [bid, replace(draft(StepKind.REDEEM, 1, 10), refund_micro=300)]) == 807
    assert left_micro(jobs, [bid, replace(draft(StepKind.ASK, 1, 10), refund_micro=400)]) == 907
