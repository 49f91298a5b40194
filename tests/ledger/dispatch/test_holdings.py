"""What was bought, used and sold of each product, and what it cost, by the steps alone."""

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ledger.dispatch.holdings import (
    COOL_OFF_HOURS,
    Paid,
    cooling,
    failed_unit_hours,
    held_units,
    unused_units,
)
from ledger.product import Product
from ledger.store.campaigns import StepState
from ledger.units import SECONDS_PER_HOUR
from tests.ledger.dispatch.made import asked, bid, product, redeemed, split


def test_delivery_within_the_promise_is_no_failure() -> None:
    within = redeemed(100, state=StepState.DONE, delivered_milli=99_500, refund_micro=0)
    assert failed_unit_hours(within) == 0
    assert failed_unit_hours(replace(within, delivered_milli=0, refund_micro=1)) == 100
    # Part of a unit-hour is none: a lease of one unit of which 40 % came is to be placed again.
    assert failed_unit_hours(redeemed(1, state=StepState.DONE, delivered_milli=400, refund_micro=1)) == 1
    assert failed_unit_hours(redeemed(100, state=StepState.DONE, delivered_milli=50_500, refund_micro=1)) == 50


def test_units_bought_are_those_filled_and_split_less_those_redeemed() -> None:
    window = product(2, 3)
    taken = [bid(80, 60, 60 * 3 * 2_000, hours=3), split(30), redeemed(10, hour=3), redeemed(20, hours=3)]
    found = held_units(taken)
    assert {key: units for key, units in found.items() if units} == {
        window: 60 - 30 - 20,
        product(2): 30,
        product(3): 30 - 10,
        product(4): 30,
    }
    assert held_units([split(30, state=StepState.REFUSED), redeemed(5, state=StepState.REFUSED)]) == Counter()


def test_units_in_an_ask_are_not_at_hand_and_are_unused_until_they_are_sold() -> None:
    bought = bid(100, 100, 200_000)
    standing, refused = asked(70, None), replace(asked(70, None), state=StepState.REFUSED)
    for ask, at_hand, unused in ((standing, 30, 100), (refused, 100, 100), (asked(70, 50, 1), 50, 50)):
        assert held_units([bought, ask])[product()] == at_hand
        assert unused_units([bought, ask]) == {product(): unused}
    assert unused_units([bought, redeemed(60), asked(40, 40, 1)]) == {}


@given(
    st.integers(0, 50),
    st.lists(st.tuples(st.sampled_from(["redeem", "ask", "sold"]), st.integers(1, 20)), max_size=8),
)
def test_every_unit_is_at_hand_or_used_or_sold_or_in_an_ask(units: int, uses: list[tuple[str, int]]) -> None:
    taken = [bid(units, units, units)] if units else []
    parts: Counter[str] = Counter()
    for kind, wanted in uses:
        part = min(wanted, units - parts.total())
        if part:
            parts[kind] += part
            made = {"redeem": redeemed(part), "ask": asked(part, None), "sold": asked(wanted, part, 1)}
            taken.append(made[kind])
    left = held_units(taken)[product()]
    assert left == units - parts.total()
    assert unused_units(taken).get(product(), 0) == left + parts["ask"]


def test_sites_that_failed_are_left_alone_for_a_while() -> None:
    failed = redeemed(40, state=StepState.DONE, delivered_milli=0, refund_micro=9)
    end_s = Product.from_id(failed.product).end_s
    assert cooling([failed], end_s) == [1]
    assert cooling([failed], end_s + COOL_OFF_HOURS * SECONDS_PER_HOUR) == []
    assert cooling([redeemed(40, state=StepState.DONE, delivered_milli=40_000, refund_micro=0)], end_s) == []


def test_what_was_sold_is_no_sites_failure() -> None:
    assert cooling([asked(40, 40, 9)], Product.from_id(product()).end_s) == []


def test_price_of_an_hour_is_that_of_its_own_bids_before_that_of_its_window() -> None:
    window = product(2, 3)
    own = replace(bid(10, 10, 10 * 1_000 + 9), product=product(3))
    taken = [bid(30, 30, 30 * 3 * 2_000, hours=3), split(30), own]
    own_micro, window_micro = 1_000, 2_000
    assert Paid(taken).prices_micro() == {
        window: window_micro,
        product(2): window_micro,
        product(3): own_micro,
        product(4): window_micro,
    }
    assert Paid(taken).micro(product(2), 10) == 10 * window_micro
    assert Paid(taken).micro(window, 10) == 3 * 10 * window_micro
    assert Paid([split(30)]).prices_micro() == {}, "a window that was not bought has no price"
