"""The price grid: 1,023 usable ticks over eight octaves, in steps of 0.4 to 0.8 %.

`price(t) = (128 + (t & 127)) << (t >> 7)` times the class's tick size, in micro per unit-hour (DESIGN §4.4).
"""

from bisect import bisect_left, bisect_right

from ledger.errors import InputError, OutOfRange
from ledger.units import format_usd

TICK_MIN = 1
TICK_MAX = 1023
MANTISSA = 128
REFERENCE_UNITS = 1_000
"""Units in the reference accelerator, one H100 SXM5: what a price per H100-hour is a price of."""


def grid_price(tick: int) -> int:
    """The price at `tick` for a tick size of one. Raises OutOfRange for a tick that nobody may use."""
    if not TICK_MIN <= tick <= TICK_MAX:
        raise OutOfRange("tick", tick, TICK_MIN, TICK_MAX)
    octave, step = divmod(tick, MANTISSA)
    return (MANTISSA + step) << octave


_GRID = tuple(grid_price(tick) for tick in range(TICK_MIN, TICK_MAX + 1))


def price_micro(tick: int, tick_size_micro: int) -> int:
    """The price at `tick` in micro per unit-hour. Raises OutOfRange."""
    return grid_price(tick) * tick_size_micro


def tick_at_or_below(price_micro: int, tick_size_micro: int) -> int:
    """The highest tick that costs no more than `price_micro` per unit-hour: a buyer's limit.

    Raises InputError when even the lowest tick costs more.
    """
    tick = bisect_right(_GRID, price_micro // tick_size_micro)
    if tick < TICK_MIN:
        raise _off_grid(price_micro, tick_size_micro)
    return tick


def tick_at_or_above(price_micro: int, tick_size_micro: int) -> int:
    """The lowest tick that costs no less than `price_micro` per unit-hour: a seller's limit.

    Raises InputError when even the highest tick costs less.
    """
    tick = TICK_MIN + bisect_left(_GRID, -(-price_micro // tick_size_micro))
    if tick > TICK_MAX:
        raise _off_grid(price_micro, tick_size_micro)
    return tick


def cost_micro(units: int, hours: int, price_micro: int) -> int:
    """What `units` for `hours` cost at `price_micro` per unit-hour. Exact: nothing is rounded."""
    return units * hours * price_micro


def unit_price_down(cost_micro: int, units: int) -> int:
    """Micro per unit-hour when `units` cost `cost_micro` an hour (a provider's list price), rounded down."""
    return cost_micro // units


def unit_price_up(cost_micro: int, units: int) -> int:
    """Micro per unit-hour when `units` cost `cost_micro` an hour, rounded up: no less than the list price."""
    return -(-cost_micro // units)


def format_price(price_micro: int) -> str:
    """`2_100` as `"0.0021 USD per unit-hour"`."""
    return f"{format_usd(price_micro)} per unit-hour"


def format_reference_price(price_micro: int) -> str:
    """`2_100` as `"2.10 USD per H100-hour"`: the price of 1,000 unit-hours."""
    return f"{format_usd(price_micro * REFERENCE_UNITS)} per H100-hour"


def _off_grid(price_micro: int, tick_size_micro: int) -> InputError:
    lowest, highest = _GRID[0] * tick_size_micro, _GRID[-1] * tick_size_micro
    return InputError(
        f"{format_price(price_micro)} is outside the price grid of this class.",
        f"Choose from {format_price(lowest)} to {format_price(highest)}.",
    )
