"""What a campaign bought and has no work for is sold again, as long as it trades.

Work may vanish after the units for it were bought: it is stopped, too late, or was served cheaper; and windows and
least orders make one buy more than is used. What no plan puts to use is offered in the market's rounds:

- **At what limit.** What it cost on average, when it is first offered; from then on it falls with the rounds that are
  left, in a straight line, to the lowest tick in the last round before trading closes.
- **When.** At once, then whenever an eighth of the rounds that were left at the last ask is over (so some dozens of
  asks a product, however far away it is), and in any round in which somebody bids that much.
- **What it counts in a plan.** As much as it would be offered for: a job of the campaign's own that pays more gets it,
  and once it trades no more it is free.

Nothing is sold that a plan uses, nor a product that is bid for.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ledger.artifacts import MarketTerms
from ledger.prices import TICK_MIN, grid_price, price_micro, tick_at_or_below
from ledger.product import Product
from ledger.store.campaigns import StepKind, StepRow, StepState, draft

UNITS_MAX = 2**32 - 1
"""Exchange's bound on one order."""

_EIGHTH = 8


@dataclass(frozen=True, slots=True)
class Stall:
    """How a product trades now: its price step in micro, its least order, and the highest of others' bids in this round
    in micro per unit-hour (0: none)."""

    tick_size_micro: int
    min_units: int
    best_bid_micro: int = 0


class Resale:
    """When and at what limit the units of a campaign are offered, by the asks it made. `paid` is what a unit-hour of
    each product cost in micro."""

    def __init__(self, taken: Iterable[StepRow], paid: Mapping[int, int], terms: MarketTerms, now_s: int) -> None:
        self._paid, self._terms = paid, terms
        self._round = now_s // terms.round_s
        self._asked: defaultdict[int, list[int]] = defaultdict(list)
        for step in taken:
            if step.kind is StepKind.ASK and step.state is not StepState.REFUSED:
                round_ = step.made_s // terms.round_s if step.round is None else step.round
                self._asked[step.product].append(self._left(step.product, round_))

    def rounds_left(self, product: int) -> int:
        """The rounds in which it trades yet, this one counted; 0 or less where trading is over."""
        return self._left(product, self._round)

    def _left(self, product: int, round_: int) -> int:
        closed_s = Product.from_id(product).start_s - self._terms.lead_s
        return closed_s // self._terms.round_s - round_

    def limit_micro(self, product: int) -> int:
        """What a unit-hour of it is worth now, to be sold or to be used."""
        left = self.rounds_left(product)
        first = max(self._asked[product], default=left)
        paid_micro = self._paid.get(product, 0)
        return paid_micro * max(0, left - 1) // max(1, first - 1)

    def limits_micro(self) -> dict[int, int]:
        """The same of all that was paid for."""
        return {product: self.limit_micro(product) for product in self._paid}

    def sells(self, product: int, units: int, stall: Stall) -> bool:
        """Whether so many of it may be offered, now or later."""
        return self.rounds_left(product) > 0 and units >= max(1, stall.min_units)

    def asks(self, spare: Mapping[int, int], stalls: Mapping[int, Stall]) -> Iterator[StepRow]:
        """What is offered now of the units that are `spare`, by product."""
        for product, units in sorted(spare.items()):
            stall = stalls[product]
            tick = _tick(self.limit_micro(product), stall.tick_size_micro)
            limit_micro = price_micro(tick, stall.tick_size_micro)
            wanted = stall.best_bid_micro >= limit_micro
            if self.sells(product, units, stall) and (wanted or self._due(product)):
                part = min(units, UNITS_MAX)
                yield draft(StepKind.ASK, product, part, tick=tick, price_micro=limit_micro)

    def _due(self, product: int) -> bool:
        last = min(self._asked[product], default=None)
        return last is None or self.rounds_left(product) <= last - max(1, last // _EIGHTH)


def spare_units(held: Mapping[int, int], drafts: Iterable[StepRow], taken: Iterable[StepRow]) -> dict[int, int]:
    """Units by product of what is `held` that no step of a plan (`drafts`) takes. What is bid for, or stands in an ask,
    is none."""
    needed: Counter[int] = Counter()
    traded = {step.product for step in taken if step.state.is_open and step.kind in (StepKind.BID, StepKind.ASK)}
    for step in drafts:
        if step.kind is StepKind.BID:
            traded.add(step.product)
        else:
            needed[step.product] += step.units
    left = {product: units - needed[product] for product, units in held.items() if product not in traded}
    return {product: units for product, units in left.items() if units > 0}


def _tick(limit_micro: int, tick_size_micro: int) -> int:
    lowest_micro = grid_price(TICK_MIN) * tick_size_micro
    return tick_at_or_below(max(limit_micro, lowest_micro), tick_size_micro)
