"""The clearing rule of a round, written from the rule's text (DESIGN §4.4) and from nothing else.

With S(t) = units offered at ticks ≤ t, D(t) = units wanted at ticks ≥ t and V(t) = min(S, D): no trade if V is 0
everywhere. Else the price tick is, among the ticks with the largest V, among those with the least |S - D|, the middle
one (floor of the mean of the lowest and the highest). Each side fills by price priority; at the last tick of a side
that fills, an order with prefix p and units u gets `floor((p+u)·q/v) - floor(p·q/v)`.

The most obvious form was chosen over a fast one: this is what the contract is checked against.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import accumulate

from ledger.model import Clearing, Fill, Margin, Order
from ledger.prices import TICK_MAX, TICK_MIN, cost_micro, grid_price, price_micro

TICKS = range(TICK_MIN, TICK_MAX + 1)
NO_TRADE = Clearing(units=0, price_tick=None, bid=None, ask=None)


def with_prefixes(orders: Iterable[Order]) -> list[Order]:
    """The orders of one round in the order of their arrival, each with the volume that stood at its tick and side."""
    standing: defaultdict[tuple[bool, int], int] = defaultdict(int)
    arrived = []
    for order in orders:
        place = (order.kind.sells, order.tick)
        arrived.append(replace(order, prefix=standing[place]))
        standing[place] += order.units
    return arrived


def supply_curve(orders: Iterable[Order]) -> list[int]:
    """S(t) by tick, 1,024 entries (tick 0 is nobody's and stays 0): units offered at ticks up to t."""
    at = _volumes(order for order in orders if order.kind.sells)
    return list(accumulate(at))


def demand_curve(orders: Iterable[Order]) -> list[int]:
    """D(t) by tick, 1,024 entries (entry 0 is all demand): units wanted at ticks from t."""
    at = _volumes(order for order in orders if not order.kind.sells)
    return list(accumulate(reversed(at)))[::-1]


def clearing_of(orders: Sequence[Order]) -> Clearing:
    """What a round with these orders comes to. Arrival does not matter. Raises OutOfRange for a tick off the grid."""
    supply, demand = supply_curve(orders), demand_curve(orders)
    volume = max(min(supply[tick], demand[tick]) for tick in TICKS)
    if volume == 0:
        return NO_TRADE
    fullest = [tick for tick in TICKS if min(supply[tick], demand[tick]) == volume]
    least_gap = min(abs(supply[tick] - demand[tick]) for tick in fullest)
    balanced = [tick for tick in fullest if abs(supply[tick] - demand[tick]) == least_gap]
    return Clearing(
        units=volume,
        price_tick=(min(balanced) + max(balanced)) // 2,
        bid=_margin([order for order in orders if not order.kind.sells], reversed(TICKS), volume),
        ask=_margin([order for order in orders if order.kind.sells], TICKS, volume),
    )


def filled_units(order: Order, clearing: Clearing) -> int:
    """How many units of `order` trade, by price priority and its prefix at the last tick that fills."""
    margin = clearing.ask if order.kind.sells else clearing.bid
    if margin is None:
        return 0
    if order.tick != margin.tick:
        better = order.tick < margin.tick if order.kind.sells else order.tick > margin.tick
        return order.units if better else 0
    q, v = margin.filled_units, margin.standing_units
    return (order.prefix + order.units) * q // v - order.prefix * q // v


def fill_of(order: Order, clearing: Clearing, hours: int, tick_size_micro: int) -> Fill:
    """What `order` comes to in units and money, for a product of `hours` in a class with this tick size.

    A bid gets back its limit cost less what it pays at the clearing price; a seller gets its units' price.
    """
    units = filled_units(order, clearing)
    at_price_micro = 0
    if clearing.price_tick is not None:
        at_price_micro = cost_micro(units, hours, price_micro(clearing.price_tick, tick_size_micro))
    if order.kind.sells:
        return Fill(units, order.units - units, at_price_micro)
    escrow_micro = cost_micro(order.units, hours, price_micro(order.tick, tick_size_micro))
    return Fill(units, order.units - units, escrow_micro - at_price_micro)


def run_auction(orders: Iterable[Order]) -> tuple[Clearing, list[int]]:
    """A whole round from its orders in the order of their arrival: its clearing, and the units each order trades."""
    arrived = with_prefixes(orders)
    clearing = clearing_of(arrived)
    return clearing, [filled_units(order, clearing) for order in arrived]


def _volumes(orders: Iterable[Order]) -> list[int]:
    at = [0] * (TICK_MAX + 1)
    for order in orders:
        grid_price(order.tick)
        at[order.tick] += order.units
    return at


def _margin(orders: Sequence[Order], best_first: Iterable[int], volume: int) -> Margin:
    at = _volumes(orders)
    left = volume
    for tick in best_first:
        if at[tick] >= left:
            return Margin(tick, left, at[tick])
        left -= at[tick]
    raise AssertionError("a side cannot trade more than it has")
