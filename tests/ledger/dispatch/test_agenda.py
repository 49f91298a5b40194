"""What comes next: what is held goes to jobs, and what none of them needs is sold, to the last unit and no further."""

from dataclasses import replace

import pytest

from ledger.dispatch import agenda
from ledger.dispatch.campaign import Campaign
from ledger.dispatch.state import CampaignState, Phase
from ledger.maintenance import Announcement, announce, maintenance_domain
from ledger.model import Kind
from ledger.product import Product
from ledger.store.campaigns import StepKind, StepState
from ledger.store.engine import IN_MEMORY, Store, open_store
from ledger.store.queries import orders_of
from tests.bazaar import FRANKFURT, TERMS, TOKYO, Bazaar, wide
from tests.ledger.dispatch.driving import hours_ahead, kinds, settle, wanted
from tests.world import BUYER, PROVIDER, STRANGER


def asks(state: CampaignState) -> list[tuple[int, int, StepState]]:
    """Hour, units and state of each ask."""
    return [
        (Product.from_id(step.product).start_hour, step.units, step.state)
        for step in state.steps
        if step.kind is StepKind.ASK
    ]


def bought(fair: Bazaar, hour: int, store: Store, units: int = 100, limit_micro: int = 4_000) -> Campaign:
    """A campaign that has just got units of an hour, at tick 400 of the only site that sells it."""
    fair.offer(fair.sites[FRANKFURT][0], [wide(hour)], 300, tick=400)
    campaign = fair.campaigns(store).start([wanted([hour], units, limit_micro=limit_micro)], BUYER.address)
    campaign.advance(BUYER)
    settle(fair, wide(hour))
    return campaign


def test_what_is_left_when_it_is_stopped_is_offered_at_what_it_cost_and_sold(fair: Bazaar) -> None:
    [hour] = hours_ahead(fair)
    before_micro = fair.market.cash_micro(BUYER.address)
    campaign = bought(fair, hour, open_store(IN_MEMORY))
    campaign.stop()
    state = campaign.advance(BUYER)
    [step] = [step for step in state.steps if step.kind is StepKind.ASK]
    assert (step.units, step.state) == (100, StepState.STANDS)
    paid_micro = state.spent_micro // 100
    assert step.price_micro == paid_micro > fair.market.price_micro(wide(hour), 400)
    assert (state.phase, state.note) == (Phase.SELLING, "it was stopped; what no job needs is for sale")
    assert (state.selling_unit_hours, state.unused_units) == (100, 100)
    fair.market.bid(wide(hour), 60, price_micro=paid_micro).send(STRANGER)
    settle(fair, wide(hour))
    state = campaign.advance(BUYER)
    assert (state.sold_unit_hours, state.sold_micro) == (60, 60 * paid_micro)
    assert (state.unused_units, state.unused_micro) == (40, 40 * paid_micro)
    assert state.balance_micro == fair.market.cash_micro(BUYER.address) - before_micro == -40 * paid_micro


def test_it_falls_to_the_lowest_tick_and_what_nobody_wanted_ends_with_the_trade(fair: Bazaar) -> None:
    [hour] = hours_ahead(fair)
    campaign = bought(fair, hour, open_store(IN_MEMORY))
    closed_s = wide(hour).start_s - TERMS.lead_s
    fair.go_to(closed_s - 5 * TERMS.round_s)
    campaign.stop()
    state = campaign.state()
    while fair.chain.time_s() < closed_s:
        state = campaign.advance(BUYER)
        fair.end_round()
    paid_micro = state.spent_micro // 100
    ticks = [step.tick for step in state.steps if step.kind is StepKind.ASK]
    limits = [step.price_micro for step in state.steps if step.kind is StepKind.ASK]
    assert (limits[0], ticks[-1]) == (paid_micro, 1)
    assert limits == sorted(set(limits), reverse=True)
    assert len(limits) == 5
    state = campaign.advance(BUYER)
    assert (state.phase, state.unused_units, state.balance_micro) == (Phase.ENDED, 100, -100 * paid_micro)
    assert fair.market.units(BUYER.address, wide(hour)) == 100


def test_between_two_asks_it_is_sold_to_who_bids_as_much(fair: Bazaar) -> None:
    [hour] = hours_ahead(fair)
    campaign = bought(fair, hour, open_store(IN_MEMORY))
    campaign.stop()
    campaign.advance(BUYER)
    settle(fair, wide(hour))
    state = campaign.advance(BUYER)
    assert asks(state) == [(hour, 100, StepState.DONE)]
    fair.market.bid(wide(hour), 20, price_micro=state.spent_micro // 200).send(STRANGER)
    fair.refresh()
    assert asks(campaign.advance(BUYER)) == [(hour, 100, StepState.DONE)]
    fair.market.bid(wide(hour), 30, price_micro=state.spent_micro // 100).send(STRANGER)
    assert asks(campaign.advance(BUYER)) == [(hour, 100, StepState.DONE), (hour, 100, StepState.STANDS)]
    settle(fair, wide(hour))
    assert campaign.advance(BUYER).sold_unit_hours == 30


def test_jobs_get_what_is_held_and_only_the_rest_is_sold(fair: Bazaar, monkeypatch: pytest.MonkeyPatch) -> None:
    hours = hours_ahead(fair, 3)
    window = wide(hours[0], 3)
    fair.offer(fair.sites[FRANKFURT][0], [window], 300, tick=400)
    jobs = [wanted(hours, 100, name="all"), wanted(hours[1:2], 50, name="one", limit_micro=20_000)]
    campaign = fair.campaigns(open_store(IN_MEMORY)).start(jobs, BUYER.address)
    monkeypatch.setattr(agenda, "STEPS_AT_ONCE", 1)
    campaign.advance(BUYER)
    settle(fair, window)
    # One step at a time: what is planned and not taken yet is not for sale.
    states = [campaign.advance(BUYER) for _ in range(3)]
    assert not any(asks(state) for state in states[:2])
    monkeypatch.undo()
    state = campaign.advance(BUYER)
    assert [job.running for job in state.jobs] == [300, 50]
    assert asks(state) == [(hours[0], 50, StepState.STANDS), (hours[2], 50, StepState.STANDS)]
    assert state.unused_units == 100


def test_what_is_below_the_least_order_is_told_as_unused(fair: Bazaar) -> None:
    [hour] = hours_ahead(fair)
    least = fair.market.terms_of(1).min_order_units
    state = bought(fair, hour, open_store(IN_MEMORY), units=least - 4, limit_micro=20_000).advance(BUYER)
    assert (state.jobs[0].running, state.unused_units, asks(state)) == (least - 4, 4, [])


def test_job_that_pays_more_than_the_next_ask_gets_it(fair: Bazaar) -> None:
    hours = hours_ahead(fair, 3)
    window = wide(hours[0], 3)
    fair.offer(fair.sites[FRANKFURT][0], [window], 300, tick=400)
    jobs = [
        wanted(hours[1:2], 50, name="rich", limit_micro=20_000),
        wanted(hours[2:3], 40, name="poor", limit_micro=1_500),
    ]
    campaign = fair.campaigns(open_store(IN_MEMORY)).start(jobs, BUYER.address)
    campaign.advance(BUYER)
    settle(fair, window)
    campaign.advance(BUYER)
    state = campaign.advance(BUYER)
    paid_micro = state.spent_micro // state.bought_unit_hours
    assert [job.running for job in state.jobs] == [50, 0]
    assert asks(state) == [(hours[0], 50, StepState.STANDS), (hours[2], 50, StepState.STANDS)]
    settle(fair, wide(hours[0]), wide(hours[2]))
    left_s = wide(hours[2]).start_s - TERMS.lead_s - fair.chain.time_s()
    for share, running in ((1_600, 0), (1_400, 40)):
        fair.go_to(wide(hours[2]).start_s - TERMS.lead_s - left_s * share // paid_micro)
        state = campaign.advance(BUYER)
        assert [job.running for job in state.jobs] == [50, running]
        settle(fair, *(wide(hour) for hour, _, stands in asks(state) if stands is StepState.STANDS))
    assert asks(state)[-1] == (hours[2], 10, StepState.STANDS)


def test_what_trades_no_more_is_used_by_whoever_can(fair: Bazaar) -> None:
    [hour] = hours_ahead(fair)
    fair.offer(fair.sites[FRANKFURT][0], [wide(hour)], 300, tick=400)
    least = fair.market.terms_of(1).min_order_units
    jobs = [
        wanted([hour], least - 4, name="rich", limit_micro=20_000),
        wanted([hour], 4, name="poor", limit_micro=1),
    ]
    campaign = fair.campaigns(open_store(IN_MEMORY)).start(jobs, BUYER.address)
    campaign.advance(BUYER)
    settle(fair, wide(hour))
    assert [job.running for job in campaign.advance(BUYER).jobs] == [least - 4, 0]
    fair.go_to(wide(hour).start_s - TERMS.lead_s + 1)
    assert [job.running for job in campaign.advance(BUYER).jobs] == [least - 4, 4]


def test_units_of_its_owner_that_it_did_not_buy_are_never_sold(fair: Bazaar) -> None:
    [hour] = hours_ahead(fair)
    product, store = wide(hour), open_store(IN_MEMORY)
    fair.market.bid(product, 70, tick=600).send(BUYER)
    other = bought(fair, hour, store, units=50)
    running = fair.campaigns(store).start([wanted([hour], 200)], BUYER.address)
    other.stop()
    state = other.advance(BUYER)
    assert asks(state) == [(hour, 50, StepState.STANDS)]
    assert fair.market.units(BUYER.address, product) == 70
    # What stays of it is used by whoever of the owner's has work for it.
    assert running.advance(BUYER).jobs[0].running == 70


def test_units_that_another_campaign_bought_are_left_to_it(fair: Bazaar) -> None:
    [hour] = hours_ahead(fair)
    store = open_store(IN_MEMORY)
    first = bought(fair, hour, store)
    fair.refresh()
    first._observe(BUYER)
    second = fair.campaigns(store).start([wanted([hour], 100, limit_micro=10)], BUYER.address)
    assert second.advance(BUYER).jobs[0].running == 0
    assert first.advance(BUYER).jobs[0].running == 100


def test_campaign_that_was_stopped_leaves_its_units_to_others_of_its_owner(fair: Bazaar) -> None:
    [hour] = hours_ahead(fair)
    store = open_store(IN_MEMORY)
    first = bought(fair, hour, store)
    fair.refresh()
    first._observe(BUYER)
    first.stop()
    second = fair.campaigns(store).start([wanted([hour], 100)], BUYER.address)
    state = second.advance(BUYER)
    assert (state.jobs[0].running, state.spent_micro) == (100, 0)
    assert asks(first.advance(BUYER)) == []


def test_what_one_sells_is_never_what_another_bought_or_used(fair: Bazaar) -> None:
    [hour] = hours_ahead(fair)
    store = open_store(IN_MEMORY)
    third = bought(fair, hour, store, units=50)
    fair.refresh()
    third._observe(BUYER)
    first = bought(fair, hour, store)
    fair.refresh()
    first._observe(BUYER)
    first.stop()
    second = fair.campaigns(store).start([wanted([hour], 60)], BUYER.address)
    assert second.advance(BUYER).jobs[0].running == 60
    # Of its hundred the second one used sixty, and fifty more that its owner has are the third one's.
    assert fair.market.units(BUYER.address, wide(hour)) == 90
    assert asks(first.advance(BUYER)) == [(hour, 40, StepState.STANDS)]
    assert third.advance(BUYER).jobs[0].running == 50


def test_nothing_is_sold_of_a_product_that_is_bid_for(fair: Bazaar) -> None:
    [hour] = hours_ahead(fair)
    campaign = bought(fair, hour, open_store(IN_MEMORY), units=500)
    state = campaign.advance(BUYER)
    assert state.jobs[0].running == 300
    fair.offer(fair.sites[FRANKFURT][1], [wide(hour)], 300, tick=400)
    campaign.advance(BUYER)
    state = campaign.advance(BUYER)
    assert kinds(state)[StepKind.BID, StepState.STANDS] == 1
    assert asks(state) == []
    rows = [row for row in orders_of(fair.store, BUYER.address, limit=50) if row.product == wide(hour).id]
    assert Kind.ASK not in {row.kind for row in rows}


# ---- what is bought


def test_no_job_is_cut_off_in_the_middle_where_steps_are_many(fair: Bazaar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agenda, "STEPS_AT_ONCE", 5)
    hours = hours_ahead(fair, 4)
    fair.offer(fair.sites[FRANKFURT][0], [wide(hour) for hour in hours], 22, tick=400)
    jobs = [replace(wanted(hours, 10, name=str(place)), hours=2) for place in range(4)]
    campaign = fair.campaigns(open_store(IN_MEMORY)).start(jobs, BUYER.address)
    campaign.advance(BUYER)
    settle(fair, *map(wide, hours))
    state = campaign.advance(BUYER)
    assert {job.running for job in state.jobs} == {0, 20}
    while any(job.running == 0 for job in state.jobs):
        before, state = state, campaign.advance(BUYER)
        assert len(before.steps) < len(state.steps)
    assert [job.running for job in state.jobs] == [20] * 4
    assert (state.unused_units, kinds(state)[StepKind.BID, StepState.DONE]) == (0, 4)


def test_campaign_ends_where_nothing_can_be_bought_in_time(fair: Bazaar) -> None:
    hours = hours_ahead(fair)
    campaign = fair.campaigns(open_store(IN_MEMORY)).start([wanted(hours, 100)], BUYER.address)
    state = campaign.advance(BUYER)
    assert (state.phase, state.steps) == (Phase.WAITING, ())
    assert "100 unit-hours of job" in state.note
    fair.go_to(hours[0] * 3_600 - 60)
    assert campaign.advance(BUYER).phase is Phase.ENDED


def test_what_was_bought_is_redeemed_though_its_site_then_says_that_it_is_closed(fair: Bazaar) -> None:
    hours = hours_ahead(fair)
    product, closing = wide(hours[0]), fair.site(FRANKFURT)
    fair.offer(closing, [product], 100, tick=100)
    campaign = fair.campaigns(open_store(IN_MEMORY)).start([wanted(hours, 100)], BUYER.address)
    campaign.advance(BUYER)
    settle(fair, product)
    domain = maintenance_domain(fair.chain.chain_id, fair.market.deployment.address("Capacity"))
    said = Announcement(closing, hours[0], hours[0] + 1, "new cooling", fair.chain.time_s())
    announce(fair.store, said, said.sign(domain, PROVIDER), domain, fair.chain.time_s())
    state = campaign.advance(BUYER)
    assert (state.jobs[0].running, state.unused_units) == (100, 0)
    [redeemed] = [step for step in state.steps if step.kind is StepKind.REDEEM]
    assert redeemed.site == closing


def test_what_lapsed_is_bought_again_only_within_what_the_jobs_would_pay_in_all(
    fair: Bazaar, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours, campaigns = hours_ahead(fair, 2), fair.campaigns(open_store(IN_MEMORY))
    fair.offer(fair.sites[FRANKFURT][0], [wide(hour) for hour in hours], 100, tick=400)
    price_micro = fair.market.price_micro(wide(hours[0]), 400)
    campaign = campaigns.start([replace(wanted(hours, 100, limit_micro=price_micro), hours=1)], BUYER.address)
    bought = campaign.advance(BUYER).steps[0].product
    settle(fair, Product.from_id(bought))
    # Whatever kept it from being redeemed: another hour is all that is left, and its price was spent already.
    monkeypatch.setattr(agenda, "redeem_steps", lambda *_: iter(()))
    fair.go_to(Product.from_id(bought).start_s)
    fair.new_round()
    fair.offer(fair.sites[TOKYO][0], [wide(hours[1])], 100, tick=300)
    state = campaign.advance(BUYER)
    assert kinds(state) == {(StepKind.BID, StepState.DONE): 1}
    assert state.spent_micro == 100 * price_micro
