"""Whatever a market does to a dispatch, its books balance: what it paid, what came back and what it sold is the change
of its owner's cash, and each unit that it bought is used, sold, or in its owner's hands."""

from collections.abc import Iterator
from random import Random

import pytest

from ledger.delivery import Delivery
from ledger.dispatch.campaign import Campaign
from ledger.dispatch.holdings import held_units
from ledger.dispatch.problem import JobSpec
from ledger.dispatch.state import CampaignState, Phase
from ledger.errors import LedgerError
from ledger.model import LeaseState
from ledger.product import Product
from ledger.store.campaigns import StepKind
from ledger.units import MILLI_PER_UNIT
from tests.bazaar import FRANKFURT, TERMS, TOKYO, VIRGINIA, Bazaar, bazaar, wide
from tests.world import BUYER, PROVIDER, STRANGER

HOURS, MOVES, ADVANCES_MAX, SEEDS = 4, 14, 40, 6


@pytest.fixture(scope="module")
def fair() -> Iterator[Bazaar]:
    with bazaar() as found:
        yield found


class Story:
    """One dispatch in a market that does as it likes; the same for the same seed."""

    def __init__(self, fair: Bazaar, seed: int) -> None:
        self.fair, self.random = fair, Random(seed)
        # Sites that nobody knows: what failed in another story would keep them from offering.
        self.sites = [fair.site(place) for place in (FRANKFURT, VIRGINIA, TOKYO)]
        self.stops_at = seed % 3 * 2 if seed % 2 else None
        fair.go_to(fair.chain.time_s() + 24 * 3_600)
        fair.new_round()
        self.first = fair.now_hour + 2
        self.cash_micro = fair.market.cash_micro(BUYER.address)
        self.offers()
        self.campaign: Campaign = fair.campaigns().start(self.jobs(), BUYER.address)

    def product(self) -> Product:
        start = self.random.randrange(HOURS)
        return wide(self.first + start, self.random.choice((1, 1, HOURS - start)))

    def jobs(self) -> list[JobSpec]:
        pick = self.random
        found = []
        for number in range(pick.randint(1, 5)):
            start = pick.randrange(HOURS)
            until = pick.randint(start + 1, HOURS)
            bounds = self.first + start, self.first + until, pick.choice((2_000, 4_000, 9_000))
            hours, gang = pick.randint(1, until - start), pick.random() < 0.2
            found.append(JobSpec(f"job {number}", 1, pick.randint(3, 200), hours, *bounds, gang=gang))
        return found

    # ---- what happens

    def offers(self) -> None:
        for site in self.sites:
            self.quietly(lambda site=site: self.fair.offer(site, [self.product()], self.random.randint(10, 150), 400))

    def somebody_bids(self) -> None:
        """For what the dispatch sells, or for anything."""
        asked = [step.product for step in self.campaign.state().steps if step.kind is StepKind.ASK]
        product = Product.from_id(self.random.choice(asked)) if asked else self.product()
        tick = 900 if asked else self.random.randint(100, 900)
        self.fair.market.bid(product, self.random.randint(10, 80), tick=tick).send(STRANGER)

    def time_passes(self) -> None:
        self.fair.go_to(self.fair.chain.time_s() + self.random.choice((61, 600, 1_800)))

    def sites_report(self) -> None:
        """Of what has ended some is reported, in part or whole, and agreed with."""
        delivery = Delivery(self.fair.chain, self.fair.market.deployment, self.fair.market.sender)
        for number in [number for job in self.campaign.state().jobs for number in job.leases]:
            lease = delivery.lease(number)
            ended = Product.from_id(lease.product).end_s <= self.fair.chain.time_s()
            if ended and lease.state is LeaseState.ACTIVE and self.random.random() < 0.7:
                share = self.random.choice((0, 400, 1_000))
                delivery.report(number, lease.units * MILLI_PER_UNIT * share // 1_000).send(PROVIDER)
                delivery.accept(number).send(BUYER)

    def quietly(self, act: object) -> None:
        """What the market refuses does not happen: trading may be over, or a site be full."""
        try:
            act()  # type: ignore[operator]
        except LedgerError:
            return

    # ---- what is true whenever it has moved

    def advance(self) -> CampaignState:
        state = self.campaign.advance(BUYER)
        cash_micro = self.fair.market.cash_micro(BUYER.address)
        assert state.balance_micro == cash_micro - self.cash_micro, state
        for product, units in held_units(state.steps).items():
            assert units == self.fair.market.units(BUYER.address, Product.from_id(product)), state
        for job in state.jobs:
            assert 0 <= job.running + job.delivered <= job.wanted, job
        used, sold = state.used_unit_hours, state.sold_unit_hours
        assert used + sold <= state.bought_unit_hours
        return state

    def live(self) -> CampaignState:
        acts = (self.offers, self.somebody_bids, self.somebody_bids, self.time_passes, self.sites_report)
        state = self.advance()
        for move in range(MOVES):
            if move == self.stops_at:
                self.campaign.stop()
            # Most rounds end in good time, as they would.
            self.quietly(self.fair.end_round if move % 2 == 0 else self.random.choice(acts))
            state = self.advance()
        over_s = (self.first + HOURS) * 3_600 + TERMS.report_period_s + TERMS.grace_s + 2
        if self.fair.chain.time_s() < over_s:
            self.fair.go_to(over_s)
        for _ in range(ADVANCES_MAX):
            state = self.advance()
            if state.ended:
                return state
        raise AssertionError(f"it never ends: {state}")


@pytest.mark.slow
def test_books_balance_whatever_happens_and_every_dispatch_ends(fair: Bazaar) -> None:
    seen: set[StepKind] = set()
    for seed in range(SEEDS):
        try:
            state = Story(fair, seed).live()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        assert state.phase is Phase.ENDED
        assert state.escrow_micro == state.selling_unit_hours == 0
        seen |= {step.kind for step in state.steps if step.filled or step.lease}
    assert seen == {StepKind.BID, StepKind.REDEEM, StepKind.ASK}, "some kind of step never came to anything"
