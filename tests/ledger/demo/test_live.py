"""The stream: the same round draws the same orders, whoever asks; what it places trades; what is bought is used, and
ends paid or refunded."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ledger.chain import connect
from ledger.demo.live import FUNDS_MICRO, TERMS, Live, live_plan, open_market
from ledger.errors import InputError
from ledger.market import Market
from ledger.model import Kind, LeaseState
from ledger.node import local_node
from ledger.product import Product, Tier
from ledger.sending.sender import Sender
from ledger.units import SECONDS_PER_HOUR

# Half an hour before an hour's end: what begins next is near, and still trades.
START_S = 20_474 * 24 * SECONDS_PER_HOUR + SECONDS_PER_HOUR // 2


@contextmanager
def _furnished() -> Iterator[Live]:
    with local_node("--gas-limit", "1000000000", start_s=START_S, accounts=60) as node:
        chain = connect(node.url)
        sender = Sender(chain)
        live = Live(Market(chain, open_market(chain, sender, live_plan(chain.time_s() // SECONDS_PER_HOUR)), sender))
        live.furnish()
        yield live


@pytest.fixture(scope="module")
def live() -> Iterator[Live]:
    with _furnished() as furnished:
        yield furnished


def test_furnish_leaves_alone_what_is_there(live: Live) -> None:
    before = live.market.site_count(), live.market.cash_micro(live.people["keeper"].address)
    Live(live.market).furnish()
    assert (live.market.site_count(), live.market.cash_micro(live.people["keeper"].address)) == before
    assert live.market.site(1).attested_units == live.plan.sites[0].units


def test_round_is_drawn_by_its_number(live: Live) -> None:
    again = Live(live.market)
    again.furnish()
    round_ = live.market.current_round() + 1
    one = live.round(round_)
    assert [order.terms for order in one] == [order.terms for order in again.round(round_)]
    assert {order.terms.kind for order in one} == {Kind.BID, Kind.OFFER}
    assert [order.terms for order in live.round(round_ + 1)] != [order.terms for order in one]


def test_round_offers_a_site_once_and_the_next_day_anywhere_always(live: Live) -> None:
    for round_ in range(live.market.current_round(), live.market.current_round() + 20):
        offers = [order.terms for order in live.round(round_) if order.terms.kind is Kind.OFFER]
        assert len({offer.site for offer in offers}) == len(offers)
        large = [one for one in offers if (one.product.class_id, one.product.tier) == (1, Tier.WIDE)]
        assert sum(one.units for one in large if one.product.start_hour == live.plan.start_hour) >= 4_000


def test_round_sells_nothing_that_closes_before_it_ends(live: Live) -> None:
    for round_ in range(live.market.current_round(), live.market.current_round() + 60):
        end_s = (round_ + 1) * TERMS.round_s
        assert all(order.terms.product.start_s > end_s + TERMS.lead_s for order in live.round(round_))


def test_refill_brings_money_to_who_runs_low(live: Live) -> None:
    buyer = live.people[live.plan.buyers[0]]
    live.market.withdraw(live.market.cash_micro(buyer.address), buyer.address).send(buyer)
    live.refill()
    assert live.market.cash_micro(buyer.address) == FUNDS_MICRO


@pytest.mark.slow
def test_what_is_bought_is_used_and_paid(live: Live) -> None:
    market, clock = live.market, live.market.chain.clock
    assert clock is not None
    live.prelude(12)
    cleared = [event for event in market.history() if event.name == "Cleared"]
    assert sum(event["units"] > 0 for event in cleared) >= len(cleared) // 4 > 0
    while not market.lease_count():
        live.prelude(1)
        live.redeem(market.current_round())
    leases = range(1, market.lease_count() + 1)
    for end_s in sorted({Product.from_id(market.lease(number).product).end_s for number in leases}):
        clock.go_to(end_s + 1)
        while live.deliver():
            pass
    states = {number: market.lease(number).state for number in leases}
    assert all(states[number] is LeaseState.RESOLVED for number in leases if number % 11)


def test_prelude_wants_a_clock_to_set(live: Live) -> None:
    stranger = Live(live.market)
    clock, live.market.chain.clock = live.market.chain.clock, None
    try:
        with pytest.raises(InputError, match="clock"):
            stranger.prelude(1)
    finally:
        live.market.chain.clock = clock
