"""The clearing rule against its text, by brute force over every tick."""

from collections import Counter, defaultdict
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import auction
from ledger.auction import clearing_of, demand_curve, fill_of, run_auction, supply_curve, with_prefixes
from ledger.errors import OutOfRange
from ledger.model import Clearing, Kind, Margin, Order
from ledger.prices import TICK_MAX, TICK_MIN, cost_micro, price_micro

# Half of the ticks come from a narrow band, so that orders meet and share ticks.
TICKS = st.one_of(st.integers(500, 508), st.integers(TICK_MIN, TICK_MAX))
VOLUMES = st.one_of(st.integers(1, 9), st.integers(1, 2**32 - 1))
ORDERS = st.builds(Order, kind=st.sampled_from(Kind), tick=TICKS, units=VOLUMES)
BOOKS = st.lists(ORDERS, max_size=30)
BUSY_BOOKS = st.lists(
    st.builds(Order, kind=st.sampled_from(Kind), tick=st.integers(500, 504), units=st.integers(1, 50)),
    min_size=5,
    max_size=40,
)
ALL_BOOKS = st.one_of(BOOKS, BUSY_BOOKS)


def bid(tick: int, units: int) -> Order:
    return Order(Kind.BID, tick, units)


def ask(tick: int, units: int) -> Order:
    return Order(Kind.ASK, tick, units)


def supply_at(orders: list[Order], tick: int) -> int:
    return sum(order.units for order in orders if order.kind is not Kind.BID and order.tick <= tick)


def demand_at(orders: list[Order], tick: int) -> int:
    return sum(order.units for order in orders if order.kind is Kind.BID and order.tick >= tick)


@given(ALL_BOOKS)
def test_curves_are_their_definition(orders: list[Order]) -> None:
    supply, demand = supply_curve(orders), demand_curve(orders)
    assert len(supply) == len(demand) == TICK_MAX + 1
    for tick in (1, 2, 499, 500, 501, 502, 503, 504, 505, 1022, 1023, *(order.tick for order in orders)):
        assert supply[tick] == supply_at(orders, tick)
        assert demand[tick] == demand_at(orders, tick)


@given(ALL_BOOKS)
def test_volume_is_the_largest_that_any_price_allows(orders: list[Order]) -> None:
    most = max(min(supply_at(orders, tick), demand_at(orders, tick)) for tick in range(TICK_MIN, TICK_MAX + 1))
    clearing = clearing_of(orders)
    assert clearing.units == most
    assert (clearing.price_tick is None) == (most == 0)


@given(ALL_BOOKS)
def test_price_is_the_middle_of_the_ticks_that_balance_best(orders: list[Order]) -> None:
    ranked = defaultdict(list)
    for tick in range(TICK_MIN, TICK_MAX + 1):
        supply, demand = supply_at(orders, tick), demand_at(orders, tick)
        ranked[-min(supply, demand), abs(supply - demand)].append(tick)
    (minus_volume, _), best = min(ranked.items())
    expected = (best[0] + best[-1]) // 2 if minus_volume else None
    assert clearing_of(orders).price_tick == expected


@given(ALL_BOOKS)
def test_fills_of_each_side_sum_to_the_volume(orders: list[Order]) -> None:
    clearing, fills = run_auction(orders)
    bought = sum(units for order, units in zip(orders, fills, strict=True) if order.kind is Kind.BID)
    sold = sum(units for order, units in zip(orders, fills, strict=True) if order.kind is not Kind.BID)
    assert bought == sold == clearing.units


@given(ALL_BOOKS)
def test_nobody_trades_more_than_ordered_or_beyond_their_limit(orders: list[Order]) -> None:
    clearing, fills = run_auction(orders)
    for order, units in zip(orders, fills, strict=True):
        assert 0 <= units <= order.units
        if units and clearing.price_tick is not None:
            assert order.tick >= clearing.price_tick if order.kind is Kind.BID else order.tick <= clearing.price_tick


@given(ALL_BOOKS)
def test_a_better_limit_fills_first(orders: list[Order]) -> None:
    _, fills = run_auction(orders)
    for order, units in zip(orders, fills, strict=True):
        for other, other_units in zip(orders, fills, strict=True):
            same_side = order.kind.sells == other.kind.sells
            better = order.tick < other.tick if order.kind.sells else order.tick > other.tick
            if same_side and better and other_units:
                assert units == order.units


@given(ALL_BOOKS)
def test_orders_at_one_tick_share_it_pro_rata_to_within_one_unit(orders: list[Order]) -> None:
    clearing, fills = run_auction(orders)
    for margin, sells in ((clearing.bid, False), (clearing.ask, True)):
        if margin is None:
            continue
        there = [
            (order.units, units)
            for order, units in zip(orders, fills, strict=True)
            if order.kind.sells == sells and order.tick == margin.tick
        ]
        assert sum(units for units, _ in there) == margin.standing_units
        assert sum(filled for _, filled in there) == margin.filled_units
        for units, filled in there:
            assert abs(filled * margin.standing_units - units * margin.filled_units) < margin.standing_units


@given(ALL_BOOKS)
def test_prefixes_tile_each_tick_and_side(orders: list[Order]) -> None:
    standing: Counter[tuple[bool, int]] = Counter()
    for order, before in zip(with_prefixes(orders), orders, strict=True):
        assert order == replace(before, prefix=standing[order.kind.sells, order.tick])
        standing[order.kind.sells, order.tick] += order.units


@given(ALL_BOOKS, st.randoms(use_true_random=False))
def test_clearing_does_not_depend_on_arrival(orders: list[Order], random: object) -> None:
    shuffled = list(orders)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert clearing_of(shuffled) == clearing_of(orders)


@given(ALL_BOOKS)
def test_fills_depend_on_arrival_only_within_a_tick(orders: list[Order]) -> None:
    by_tick = sorted(orders, key=lambda order: order.tick)
    _, fills = run_auction(orders)
    _, fills_by_tick = run_auction(by_tick)
    place = sorted(range(len(orders)), key=lambda i: orders[i].tick)
    assert fills_by_tick == [fills[i] for i in place]


@given(ALL_BOOKS)
def test_asks_and_offers_are_one_supply(orders: list[Order]) -> None:
    as_asks = [replace(order, kind=Kind.ASK) if order.kind is Kind.OFFER else order for order in orders]
    assert run_auction(as_asks) == run_auction(orders)


@given(ALL_BOOKS, st.integers(1, 168), st.integers(1, 1_000))
def test_money_of_a_round_goes_from_bids_to_sellers_to_the_micro(
    orders: list[Order], hours: int, tick_size_micro: int
) -> None:
    clearing = clearing_of(orders)
    escrow_micro = paid_out_micro = 0
    for order in with_prefixes(orders):
        fill = fill_of(order, clearing, hours, tick_size_micro)
        assert fill.units + fill.returned_units == order.units
        assert fill.cash_micro >= 0
        paid_out_micro += fill.cash_micro
        if order.kind is Kind.BID:
            escrow_micro += cost_micro(order.units, hours, price_micro(order.tick, tick_size_micro))
    assert paid_out_micro == escrow_micro


@given(BOOKS, st.integers(TICK_MIN, TICK_MAX))
def test_a_side_alone_does_not_trade(orders: list[Order], tick: int) -> None:
    for kind in Kind:
        one_side = [order for order in orders if order.kind.sells == kind.sells]
        clearing, fills = run_auction(one_side)
        assert clearing == auction.NO_TRADE
        assert not any(fills)


@pytest.mark.parametrize("tick", [0, 1024, -1])
@pytest.mark.parametrize("kind", Kind)
def test_clearing_raises_for_a_tick_off_the_grid(kind: Kind, tick: int) -> None:
    with pytest.raises(OutOfRange):
        clearing_of([Order(kind, tick, 1)])


def test_books_that_do_not_cross_do_not_trade() -> None:
    assert clearing_of([bid(400, 5), ask(401, 5)]) == auction.NO_TRADE


def test_equal_sides_meet_in_the_middle_of_their_limits() -> None:
    assert clearing_of([bid(411, 5), ask(400, 5)]) == Clearing(
        units=5, price_tick=405, bid=Margin(411, 5, 5), ask=Margin(400, 5, 5)
    )


def test_scarce_supply_is_priced_by_the_bids_that_go_without() -> None:
    clearing, fills = run_auction([bid(410, 5), bid(405, 5), ask(400, 5)])
    assert fills == [5, 0, 5]
    # From 406 on demand is 5 and equals supply; up to 405 it is 10.
    assert clearing.price_tick == (406 + 410) // 2


def test_marginal_bids_share_in_the_order_of_arrival() -> None:
    _, fills = run_auction([bid(400, 1), bid(400, 1), bid(400, 1), ask(400, 2)])
    assert fills == [0, 1, 1, 2]
