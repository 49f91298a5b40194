"""What a campaign bought, used and sold of each product, and what that cost, by its steps alone."""

from collections import Counter
from collections.abc import Iterable

from ledger.product import Product
from ledger.store.campaigns import StepKind, StepRow, StepState
from ledger.units import MILLI_PER_UNIT, SECONDS_PER_HOUR

COOL_OFF_HOURS = 24
"""From a site that failed one of the campaign's leases nothing is bought for so long after its end."""


def unit_hours(step: StepRow) -> int:
    return step.units * Product.from_id(step.product).hours


def filled_unit_hours(step: StepRow) -> int:
    """What an order got."""
    return (step.filled or 0) * Product.from_id(step.product).hours


def failed_unit_hours(step: StepRow) -> int:
    """What the provider of an ended lease paid back for, rounded up: part of a unit-hour is none. What is within its
    grade's promise it did not pay back."""
    if not step.refund_micro:
        return 0
    short_milli = step.units * MILLI_PER_UNIT - (step.delivered_milli or 0)
    return -(-short_milli * Product.from_id(step.product).hours // MILLI_PER_UNIT)


def held_units(taken: Iterable[StepRow]) -> Counter[int]:
    """Units by product that were bought or split off, and are neither redeemed, nor split, nor sold or in an ask. Below
    zero where more was redeemed than its bids bought: of units that its owner had anyway."""
    found: Counter[int] = Counter()
    for step in taken:
        if step.kind is StepKind.BID:
            found[step.product] += step.filled or 0
        elif step.kind is StepKind.REDEEM and step.state is not StepState.REFUSED:
            found[step.product] -= step.units
        elif step.kind is StepKind.ASK:
            found[step.product] -= step.units if step.state.is_open else step.filled or 0
        elif step.kind is StepKind.SPLIT and step.state is StepState.DONE:
            found[step.product] -= step.units
            for hourly in Product.from_id(step.product).hourly():
                found[hourly.id] += step.units
    return found


def unused_units(taken: Iterable[StepRow]) -> dict[int, int]:
    """Units by product that are neither used nor sold: those in asks that stand are its owner's still."""
    steps = list(taken)
    found = held_units(steps)
    for step in steps:
        if step.kind is StepKind.ASK and step.state.is_open:
            found[step.product] += step.units
    return {product: units for product, units in found.items() if units > 0}


def cooling(taken: Iterable[StepRow], now_s: int) -> list[int]:
    """Sites that failed a lease and are left alone for a while."""
    return sorted(
        {
            step.site
            for step in taken
            if step.kind is StepKind.REDEEM
            and failed_unit_hours(step)
            and now_s < Product.from_id(step.product).end_s + COOL_OFF_HOURS * SECONDS_PER_HOUR
        }
    )


class Paid:
    """What a unit-hour of a product cost on average: its own bids', or those of the window that it was split off."""

    def __init__(self, taken: Iterable[StepRow]) -> None:
        self._micro: Counter[int] = Counter()
        self._hours: Counter[int] = Counter()
        self._windows: dict[int, int] = {}
        for step in taken:
            if step.kind is StepKind.BID and step.filled:
                self._micro[step.product] += step.cost_micro or 0
                self._hours[step.product] += filled_unit_hours(step)
            elif step.kind is StepKind.SPLIT and step.state is StepState.DONE:
                for hourly in Product.from_id(step.product).hourly():
                    self._windows[hourly.id] = step.product

    def prices_micro(self) -> dict[int, int]:
        """By product, rounded down."""
        bought = {product: self._micro[product] // hours for product, hours in self._hours.items() if hours}
        split = {hourly: bought[window] for hourly, window in self._windows.items() if window in bought}
        return split | bought

    def micro(self, product: int, units: int) -> int:
        """What so many units of a product cost."""
        source = product if self._hours[product] else self._windows.get(product, product)
        hours = self._hours[source]
        return units * Product.from_id(product).hours * self._micro[source] // hours if hours else 0
