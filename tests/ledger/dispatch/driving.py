"""Campaigns on the market that the tests of dispatch share: hours of their own, and rounds that others settle."""

from collections import Counter
from typing import Any

from ledger.dispatch.problem import JobSpec
from ledger.dispatch.state import CampaignState
from ledger.product import Product
from ledger.store.campaigns import StepKind, StepState
from tests.bazaar import Bazaar
from tests.world import STRANGER


def hours_ahead(fair: Bazaar, count: int = 1) -> list[int]:
    """Hours that no other test trades."""
    fair.go_to(fair.chain.time_s() + 24 * 3_600)
    fair.new_round()
    return [fair.now_hour + 3 + place for place in range(count)]


def wanted(hours: list[int], units: int, **said: Any) -> JobSpec:
    """A job that may run in just these hours."""
    name = said.pop("name", "job")
    length = said.pop("hours", len(hours))
    return JobSpec(name, 1, units, length, hours[0], hours[-1] + 1, said.pop("limit_micro", 4_000), **said)


def settle(fair: Bazaar, *products: Product) -> None:
    """Somebody else clears and settles the round that stands."""
    round_ = fair.market.current_round()
    fair.end_round()
    for product in products:
        fair.market.clear(product, round_).send(STRANGER)
        for part in fair.market.settlements(product, round_):
            part.send(STRANGER)


def kinds(state: CampaignState) -> Counter[tuple[StepKind, StepState]]:
    return Counter((step.kind, step.state) for step in state.steps)
