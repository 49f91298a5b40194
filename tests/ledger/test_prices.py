"""The price grid against its definition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import prices
from ledger.errors import InputError, OutOfRange

TICKS = st.integers(prices.TICK_MIN, prices.TICK_MAX)
SIZES = st.integers(1, 10**9)


@given(TICKS)
def test_grid_price_is_the_formula_of_the_design(tick: int) -> None:
    assert prices.grid_price(tick) == (128 + (tick & 127)) << (tick >> 7)


@given(st.integers(prices.TICK_MIN, prices.TICK_MAX - 1))
def test_grid_price_rises_by_0_4_to_0_8_percent(tick: int) -> None:
    lower, upper = prices.grid_price(tick), prices.grid_price(tick + 1)
    assert lower * 1003 < upper * 1000 <= lower * 1008


def test_grid_spans_eight_octaves() -> None:
    lowest, highest = prices.grid_price(prices.TICK_MIN), prices.grid_price(prices.TICK_MAX)
    assert 252 * lowest < highest < 256 * lowest


@pytest.mark.parametrize("tick", [-1, 0, 1024])
def test_grid_price_raises_off_the_grid(tick: int) -> None:
    with pytest.raises(OutOfRange):
        prices.grid_price(tick)


@given(TICKS, SIZES)
def test_ticks_at_a_grid_price_are_that_tick(tick: int, tick_size_micro: int) -> None:
    price_micro = prices.price_micro(tick, tick_size_micro)
    assert prices.tick_at_or_below(price_micro, tick_size_micro) == tick
    assert prices.tick_at_or_above(price_micro, tick_size_micro) == tick


@given(SIZES, st.data())
def test_ticks_beside_a_price_are_the_nearest_on_their_side(tick_size_micro: int, data: st.DataObject) -> None:
    lowest = prices.price_micro(prices.TICK_MIN, tick_size_micro)
    highest = prices.price_micro(prices.TICK_MAX, tick_size_micro)
    price_micro = data.draw(st.integers(lowest, highest))
    ticks = range(prices.TICK_MIN, prices.TICK_MAX + 1)
    below = [tick for tick in ticks if prices.price_micro(tick, tick_size_micro) <= price_micro]
    above = [tick for tick in ticks if prices.price_micro(tick, tick_size_micro) >= price_micro]
    assert prices.tick_at_or_below(price_micro, tick_size_micro) == max(below)
    assert prices.tick_at_or_above(price_micro, tick_size_micro) == min(above)


@given(SIZES)
def test_limits_beyond_the_grid_become_its_ends_where_that_keeps_them(tick_size_micro: int) -> None:
    lowest = prices.price_micro(prices.TICK_MIN, tick_size_micro)
    highest = prices.price_micro(prices.TICK_MAX, tick_size_micro)
    assert prices.tick_at_or_below(highest + 1, tick_size_micro) == prices.TICK_MAX
    assert prices.tick_at_or_above(lowest - 1, tick_size_micro) == prices.TICK_MIN
    with pytest.raises(InputError, match="outside the price grid"):
        prices.tick_at_or_below(lowest - 1, tick_size_micro)
    with pytest.raises(InputError, match="outside the price grid"):
        prices.tick_at_or_above(highest + 1, tick_size_micro)


@given(st.integers(1, 2**32), st.integers(1, 168), st.integers(1, 168), st.integers(1, 10**9))
def test_cost_of_a_window_is_the_cost_of_its_parts(units: int, hours: int, more_hours: int, price_micro: int) -> None:
    whole = prices.cost_micro(units, hours + more_hours, price_micro)
    assert whole == prices.cost_micro(units, hours, price_micro) + prices.cost_micro(units, more_hours, price_micro)
    assert whole == sum(price_micro * units for _ in range(hours + more_hours))


@given(st.integers(0, 10**12), st.integers(1, 10**6))
def test_unit_prices_round_as_named(hourly_micro: int, units: int) -> None:
    down, up = prices.unit_price_down(hourly_micro, units), prices.unit_price_up(hourly_micro, units)
    assert prices.cost_micro(units, 1, down) <= hourly_micro <= prices.cost_micro(units, 1, up)
    assert up - down == (1 if hourly_micro % units else 0)


def test_prices_read_as_a_person_would_say_them() -> None:
    assert prices.format_price(2_100) == "0.0021 USD per unit-hour"
    assert prices.format_reference_price(2_100) == "2.10 USD per H100-hour"
