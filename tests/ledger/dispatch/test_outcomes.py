"""What came of orders and leases is noted once it is known, and done here where others are late."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ledger.delivery import Delivery
from ledger.dispatch.outcomes import Observer
from ledger.dispatch.taking import Taker
from ledger.product import Product
from ledger.store.campaigns import StepKind, StepRow, StepState, create_campaign, draft, keep_plan, steps
from ledger.store.engine import IN_MEMORY, Store, open_store
from ledger.units import MILLI_PER_UNIT
from tests.bazaar import FRANKFURT, TERMS, Bazaar, bazaar, wide
from tests.ledger.dispatch.driving import hours_ahead, settle
from tests.world import BUYER, PROVIDER, STRANGER


@pytest.fixture(scope="module")
def fair() -> Iterator[Bazaar]:
    """A market of these tests' own: a site that failed promises less from then on."""
    with bazaar() as found:
        found.site(FRANKFURT)
        yield found


def taken(fair: Bazaar, store: Store, *drafts: StepRow) -> list[StepRow]:
    """These steps, taken by the buyer."""
    place = (fair.chain.chain_id, fair.market.address("Exchange"))
    row = create_campaign(store, place, BUYER.address, "[]", 1)
    numbered = [replace(step, campaign=row.number, number=number) for number, step in enumerate(drafts)]
    assert keep_plan(store, row, numbered, "")
    Taker(fair.market, store).take(row, numbered, BUYER)
    return steps(store, row.number)


def observed(fair: Bazaar, store: Store, patience_s: int = 0) -> list[StepRow]:
    """The steps of the last campaign, after a look at what came of them."""
    number = max(row.number for row in fair.campaigns(store).list())
    fair.refresh()
    observer = Observer(fair.desk(), store, fair.refresh, patience_s)
    observer.observe(steps(store, number), BUYER)
    return steps(store, number)


def test_orders_are_noted_with_what_they_traded_and_for_how_much(fair: Bazaar) -> None:
    [hour], store = hours_ahead(fair), open_store(IN_MEMORY)
    product, site = wide(hour), fair.sites[FRANKFURT][0]
    fair.offer(site, [product], 30, tick=400)
    before_micro = fair.market.cash_micro(BUYER.address)
    taken(fair, store, draft(StepKind.BID, product.id, 40, tick=400))
    [bid] = observed(fair, store)
    assert (bid.state, bid.filled) == (StepState.STANDS, None)
    settle(fair, product)
    [bid] = observed(fair, store)
    assert (bid.state, bid.filled, bid.refund_micro) == (StepState.DONE, 30, None)
    assert bid.cost_micro == before_micro - fair.market.cash_micro(BUYER.address) > 0
    fair.market.bid(product, 20, tick=500).send(STRANGER)
    before_micro = fair.market.cash_micro(BUYER.address)
    taken(fair, store, draft(StepKind.ASK, product.id, 30, tick=500))
    settle(fair, product)
    [ask] = observed(fair, store)
    assert (ask.state, ask.filled, ask.cost_micro) == (StepState.DONE, 20, None)
    assert ask.refund_micro == fair.market.cash_micro(BUYER.address) - before_micro > 0


def test_what_nobody_settles_in_time_is_settled_here(fair: Bazaar) -> None:
    [hour], store = hours_ahead(fair), open_store(IN_MEMORY)
    fair.offer(fair.sites[FRANKFURT][0], [wide(hour)], 30, tick=400)
    taken(fair, store, draft(StepKind.BID, wide(hour).id, 30, tick=400))
    fair.end_round()
    [bid] = observed(fair, store, patience_s=30)
    assert bid.state is StepState.STANDS
    [bid] = observed(fair, store)
    assert (bid.state, bid.filled) == (StepState.DONE, 30)


def test_window_that_could_not_be_split_beside_offers_that_wait_can_be_after_a_look(fair: Bazaar) -> None:
    hours, store = hours_ahead(fair, 2), open_store(IN_MEMORY)
    window, site = wide(hours[0], 2), fair.sites[FRANKFURT][0]
    fair.offer(site, [window], 30, tick=400)
    fair.market.bid(window, 30, tick=400).send(BUYER)
    settle(fair, window)
    fair.offer(site, [wide(hours[1])], 20, tick=400)
    split = draft(StepKind.SPLIT, window.id, 30, site=site)
    [refused] = taken(fair, store, split)
    assert (refused.state, "OffersUnsettled" in refused.text) == (StepState.REFUSED, True)
    observed(fair, store)
    assert fair.market.orders(wide(hours[1]), waiting=True), "their round has not ended"
    fair.end_round()
    observed(fair, store)
    assert [step.state for step in taken(fair, store, split)] == [StepState.DONE]


def test_leases_are_noted_with_what_came_back_and_resolved_where_nobody_does(fair: Bazaar) -> None:
    hours, store = hours_ahead(fair, 2), open_store(IN_MEMORY)
    site = fair.sites[FRANKFURT][0]
    for hour in hours:
        fair.offer(site, [wide(hour)], 30, tick=400)
        fair.market.bid(wide(hour), 30, tick=400).send(BUYER)
    settle(fair, *map(wide, hours))
    drafts = [draft(StepKind.REDEEM, wide(hour).id, 30, site=site, job=0, hash="00" * 32) for hour in hours]
    first, second = taken(fair, store, *drafts)
    assert [step.state for step in observed(fair, store)] == [StepState.STANDS] * 2
    delivery = Delivery(fair.chain, fair.market.deployment, fair.market.sender)
    fair.go_to(Product.from_id(first.product).end_s + 1)
    delivery.report(first.lease or 0, 12 * MILLI_PER_UNIT).send(PROVIDER)
    delivery.accept(first.lease or 0).send(BUYER)
    part, still = observed(fair, store)
    assert (part.state, part.delivered_milli, still.state) == (StepState.DONE, 12 * MILLI_PER_UNIT, StepState.STANDS)
    assert part.refund_micro
    fair.go_to(Product.from_id(second.product).end_s + TERMS.report_period_s + TERMS.grace_s + 2)
    before_micro = fair.market.cash_micro(BUYER.address)
    _, silent = observed(fair, store)
    assert (silent.state, silent.delivered_milli) == (StepState.DONE, 0)
    assert silent.refund_micro == fair.market.cash_micro(BUYER.address) - before_micro > 0
