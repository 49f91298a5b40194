"""What a campaign may still pay: all that its jobs would pay at the most, less what it spent and did not get back.

A bid never costs more than the limits of the jobs that it is for. But what was bought and lapsed, or came back only in
part, is bought again: without a bound over all of it a dispatch could cost a multiple of what its owner agreed to.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ledger.dispatch.preview import Purchase
from ledger.dispatch.problem import JobSpec
from ledger.errors import InputError
from ledger.prices import cost_micro, grid_price, price_micro, tick_at_or_below
from ledger.store.campaigns import StepRow


def left_micro(jobs: Sequence[JobSpec], taken: Iterable[StepRow]) -> int:
    """So much of the jobs' limits, all together, is neither spent nor in bids that stand; what came back counts."""
    most_micro = sum(job.unit_hours * job.limit_micro for job in jobs)
    return most_micro + sum((step.refund_micro or 0) - (step.cost_micro or 0) for step in taken)


def within(purchases: Iterable[Purchase], purse_micro: int) -> Iterator[Purchase]:
    """The purchases whose escrows come to `purse_micro` at most: a bid for which too little is left bids lower, and is
    left out where that is below the price that it would trade at."""
    for one in purchases:
        bid = one if one.escrow_micro <= purse_micro else _lower(one, purse_micro)
        if bid is not None:
            purse_micro -= bid.escrow_micro
            yield bid


def _lower(one: Purchase, purse_micro: int) -> Purchase | None:
    tick_size_micro = one.price_micro // grid_price(one.tick)
    try:
        tick = tick_at_or_below(max(0, purse_micro) // (one.units * one.hours), tick_size_micro)
    except InputError:
        return None
    lower_micro = price_micro(tick, tick_size_micro)
    if lower_micro < (one.expected_price_micro or 0):
        return None
    escrow_micro = cost_micro(one.units, one.hours, lower_micro)
    return replace(one, tick=tick, price_micro=lower_micro, escrow_micro=escrow_micro)
