"""What no plan needs is offered at what it cost and falls to the lowest tick, some dozens of times at most; what a plan
needs never is."""

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ledger.artifacts import MarketTerms
from ledger.dispatch.resale import Resale, Stall, spare_units
from ledger.prices import price_micro, tick_at_or_below
from ledger.product import Product
from ledger.store.campaigns import StepKind, StepRow, StepState, draft
from tests.ledger.dispatch.made import asked, bid, product, redeemed, split

TERMS = MarketTerms(round_s=60, lead_s=120)
NUMBER = product(2)
CLOSED_S = Product.from_id(NUMBER).start_s - TERMS.lead_s
STALL = Stall(tick_size_micro=2, min_units=10)
PAID_MICRO = 3_000
LOWEST_MICRO = price_micro(1, 2)


def at(rounds_left: int, taken: list[StepRow] | None = None) -> Resale:
    """So many rounds before it trades no more, this one counted."""
    return Resale(taken or [], {NUMBER: PAID_MICRO}, TERMS, CLOSED_S - rounds_left * TERMS.round_s)


def ask(rounds_left: int, **said: object) -> StepRow:
    return replace(asked(50, 0, made_s=CLOSED_S - rounds_left * TERMS.round_s), **said)  # type: ignore[arg-type]


def sold(resale: Resale, units: int = 50, best_bid_micro: int = 0) -> list[StepRow]:
    return list(resale.asks({NUMBER: units}, {NUMBER: replace(STALL, best_bid_micro=best_bid_micro)}))


def test_first_ask_is_at_what_it_cost_and_the_last_at_the_lowest_tick() -> None:
    [first] = sold(at(100))
    assert (first.kind, first.product, first.units) == (StepKind.ASK, NUMBER, 50)
    assert first.tick == tick_at_or_below(PAID_MICRO, 2)
    assert first.price_micro == price_micro(first.tick, 2) <= PAID_MICRO
    [half] = sold(at(51, [ask(101)]))
    assert half.tick == tick_at_or_below(PAID_MICRO // 2, 2)
    [last] = sold(at(1, [ask(101), ask(2)]))
    assert (last.tick, last.price_micro) == (1, LOWEST_MICRO)
    [only] = sold(at(1))
    assert only.tick == 1


def test_nothing_is_asked_for_once_it_trades_no_more_nor_below_the_least_order() -> None:
    assert not any((sold(at(0)), sold(at(-5)), sold(at(10), units=9)))
    assert at(1).sells(NUMBER, 10, STALL)
    assert not at(0).sells(NUMBER, 10, STALL)
    assert not at(1).sells(NUMBER, 9, STALL)
    assert not at(1).sells(NUMBER, 0, replace(STALL, min_units=0))


@given(st.integers(1, 20_000))
def test_asks_are_few_fall_each_time_and_end_with_the_last_round(first: int) -> None:
    taken: list[StepRow] = []
    limits = []
    left = first
    while left > 0:
        for step in sold(at(left, taken)):
            limits.append(step.price_micro)
            taken.append(ask(left))
        # None is due between them that is not in the next eighth of the time: what is between is passed in one step.
        left -= max(1, left // 64)
    assert limits[-1] == LOWEST_MICRO
    assert limits == sorted(limits, reverse=True)
    assert len(limits) <= 8 + 8 * first.bit_length()


def test_between_two_asks_it_is_offered_to_who_bids_as_much() -> None:
    taken = [ask(100)]
    now = at(95, taken)
    limit_micro = price_micro(tick_at_or_below(now.limit_micro(NUMBER), 2), 2)
    assert sold(now) == []
    assert sold(now, best_bid_micro=limit_micro - 1) == []
    [matched] = sold(now, best_bid_micro=limit_micro)
    assert matched.price_micro == limit_micro
    assert len(sold(at(88, taken))) == 1, "an eighth of the rounds is over"


def test_a_refused_ask_is_none() -> None:
    refused = ask(100, state=StepState.REFUSED, round=None)
    [again] = sold(at(50, [refused]))
    assert again.price_micro == price_micro(tick_at_or_below(PAID_MICRO, 2), 2)
    planned = ask(100, state=StepState.PLANNED, round=None)
    assert sold(at(99, [planned])) == []


def test_it_counts_in_a_plan_as_what_it_would_be_sold_for_and_nothing_once_it_trades_no_more() -> None:
    for left, taken, worth in (
        (100, [], PAID_MICRO),
        (51, [ask(101)], PAID_MICRO // 2),
        (1, [ask(101)], 0),
        (0, [], 0),
        (-3, [ask(101)], 0),
    ):
        assert at(left, taken).limits_micro() == {NUMBER: worth}


@given(st.integers(1, 700), st.integers(0, 2_000), st.integers(-1_000, 5_000))
def test_it_trades_while_a_round_and_the_lead_fit_before_its_start(round_s: int, lead_s: int, before_s: int) -> None:
    start_s = Product.from_id(NUMBER).start_s
    now_s = start_s - before_s
    resale = Resale([], {}, replace(TERMS, round_s=round_s, lead_s=lead_s), now_s)
    # As Exchange has it (contracts/parts/Orders.sol).
    closed_s = (now_s // round_s + 1) * round_s + lead_s
    assert (resale.rounds_left(NUMBER) > 0) == (closed_s <= start_s)


def test_spare_is_what_no_step_takes_and_nobody_bids_for() -> None:
    window, hour, other = product(2, 3), product(3), product(4)
    held = {window: 100, hour: 40, other: 7, product(5): -3}
    drafts = [redeemed(30, hours=3), redeemed(20, hours=3), replace(split(10), state=StepState.PLANNED)]
    assert spare_units(held, drafts, []) == {window: 40, hour: 40, other: 7}
    drafts.append(draft(StepKind.REDEEM, hour, 40, site=2))
    assert spare_units(held, drafts, []) == {window: 40, other: 7}
    drafts.append(draft(StepKind.BID, other, 100))
    assert spare_units(held, drafts, []) == {window: 40}
    standing = replace(bid(10, None, None, hours=3), product=window)
    assert spare_units(held, drafts, [standing]) == {}
    assert spare_units({NUMBER: 5}, [], [asked(3, None)]) == {}
    assert spare_units({NUMBER: 5}, [], [asked(3, 1, 1), replace(bid(9, 9, 9))]) == {NUMBER: 5}


@given(
    st.dictionaries(st.integers(2, 6), st.integers(-5, 50), max_size=5),
    st.lists(st.tuples(st.integers(2, 6), st.integers(1, 30)), max_size=6),
)
def test_never_is_more_spare_than_what_a_plan_leaves(held: dict[int, int], uses: list[tuple[int, int]]) -> None:
    drafts = [redeemed(units, hour) for hour, units in uses]
    needed: Counter[int] = Counter()
    for hour, units in uses:
        needed[hour] += units
    found = spare_units({product(hour): units for hour, units in held.items()}, drafts, [])
    left = {product(hour): units - needed[hour] for hour, units in held.items()}
    assert found == {number: units for number, units in left.items() if units > 0}


def test_units_of_one_order_are_bounded() -> None:
    [step] = sold(at(10), units=2**33)
    assert step.units == 2**32 - 1
