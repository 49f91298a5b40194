"""A preview says where jobs would run, what is bought for it at which limit, what stops it and by how much."""

from dataclasses import replace

import pytest

from ledger.dispatch.certificate import verify
from ledger.dispatch.desk import DispatchDesk
from ledger.dispatch.preview import DispatchPreview
from ledger.dispatch.problem import JobSpec
from ledger.errors import InputError
from ledger.keys import signer_from_mnemonic
from ledger.node import DEVELOPMENT_MNEMONIC
from ledger.settings import Secret
from tests.bazaar import FRANKFURT, TOKYO, Bazaar, metro, wide
from tests.world import BUYER

NOBODY = signer_from_mnemonic(Secret(DEVELOPMENT_MNEMONIC), 9)
"""Has gas, and no money."""


def hours_ahead(fair: Bazaar, count: int = 1) -> list[int]:
    """Hours that no other test trades."""
    fair.go_to(fair.chain.time_s() + 24 * 3_600)
    fair.new_round()
    return [fair.now_hour + 3 + place for place in range(count)]


def preview(fair: Bazaar, jobs: list[JobSpec], owner: str = "") -> DispatchPreview:
    fair.refresh()
    return fair.desk().preview(jobs, owner)


def test_jobs_go_where_it_is_cheapest_within_their_latency(fair: Bazaar) -> None:
    [hour] = hours_ahead(fair)
    near, far = fair.sites[FRANKFURT][0], fair.sites[TOKYO][0]
    fair.offer(near, [metro(hour, FRANKFURT)], 500, tick=420)
    fair.offer(far, [wide(hour)], 500, tick=400)
    jobs = [fair.job(200, 1, name="near", metro=FRANKFURT, latency_max_us=10_000), fair.job(300, 1, name="any")]
    found = preview(fair, jobs, BUYER.address)
    assert [
        (one.name, one.site, one.metro, one.units) for one in sorted(found.placements, key=lambda one: one.job)
    ] == [
        ("near", near, FRANKFURT, 200),
        ("any", far, TOKYO, 300),
    ]
    assert all(one.latency_us <= 10_000 for one in found.placements)
    assert (found.unit_hours, found.wanted_unit_hours, found.left, found.refusals) == (500, 500, (), ())
    assert found.verified
    assert verify(found.jobs, found.supplies, found.latencies, found.plan) == []
    assert found.gas > 2 * 50_000
    assert found.fee_wei > 0


def test_bid_is_at_the_least_limit_of_its_jobs_and_expects_what_then_happens(fair: Bazaar) -> None:
    [hour] = hours_ahead(fair)
    product, site = wide(hour), fair.sites[FRANKFURT][0]
    fair.offer(site, [product], 500, tick=400)
    fair.offer(fair.sites[TOKYO][0], [product], 500, tick=405)
    jobs = [fair.job(300, 1, name="a", limit_micro=3_500), fair.job(400, 1, name="b", limit_micro=3_111)]
    found = preview(fair, jobs, BUYER.address)
    [one] = found.purchases
    market = fair.market
    assert (one.units, one.used_unit_hours, one.shares) == (700, 700, ((0, 300), (1, 400)))
    assert one.price_micro == market.price_micro(product, one.tick) <= 3_111 < market.price_micro(product, one.tick + 1)
    assert one.escrow_micro == found.escrow_micro == 700 * one.price_micro
    assert one.preview is not None
    assert one.preview.costs.escrow_micro == one.escrow_micro
    cash_micro = market.cash_micro(BUYER.address)
    market.bid(product, one.units, tick=one.tick).send(BUYER)
    round_ = market.current_round()
    fair.end_round()
    market.clear(product, round_).send(BUYER)
    for part in market.settlements(product, round_):
        part.send(BUYER)
    cleared = market.price(product, round_)
    assert cleared is not None
    assert (one.expected_units, one.expected_price_micro) == (cleared.units, cleared.price_micro)
    assert one.expected_micro == cash_micro - market.cash_micro(BUYER.address)


def test_orders_of_others_in_the_round_count_in_what_is_expected(fair: Bazaar) -> None:
    [hour] = hours_ahead(fair)
    product = wide(hour)
    fair.offer(fair.sites[FRANKFURT][0], [product], 500, tick=400)
    fair.market.bid(product, 450, tick=600).send(BUYER)
    [one] = preview(fair, [fair.job(300, 1)]).purchases
    assert one.expected_units == 50


def test_unused_hours_of_a_window_are_carried_by_the_used_ones(fair: Bazaar) -> None:
    hours = hours_ahead(fair, 4)
    window = wide(hours[0], 4)
    fair.offer(fair.sites[FRANKFURT][0], [window], 500, tick=400)
    price_micro = fair.market.price_micro(window, 400)
    job = replace(fair.job(100, 2), earliest_hour=hours[1], deadline_hour=hours[3], limit_micro=2 * price_micro)
    found = preview(fair, [job], BUYER.address)
    [one] = found.purchases
    assert (one.units, one.hours, one.used_unit_hours) == (100, 4, 200)
    assert {row.price_micro for row in found.placements} == {2 * price_micro}
    # The whole window, at its limit, costs no more than the job pays for what it uses.
    assert one.price_micro == price_micro
    assert one.escrow_micro <= job.unit_hours * job.limit_micro
    poorer = preview(fair, [replace(job, limit_micro=2 * price_micro - 1)])
    assert (poorer.purchases, [one.why.value for one in poorer.left]) == ((), ["price"])
    assert poorer.verified


def test_work_that_can_wait_is_spread_over_the_hours_of_a_window(fair: Bazaar) -> None:
    hours = hours_ahead(fair, 4)
    window = wide(hours[0], 4)
    fair.offer(fair.sites[FRANKFURT][0], [window], 4_000, tick=400)
    price_micro = fair.market.price_micro(window, 400)
    job = replace(fair.job(400, 1), earliest_hour=hours[0], deadline_hour=hours[0] + 4, limit_micro=price_micro)
    found = preview(fair, [job])
    assert found.left == ()
    assert (found.purchases[0].units, found.purchases[0].used_unit_hours) == (100, 400)
    assert found.cost_micro == 400 * price_micro


def test_window_that_jobs_fill_costs_each_hour_its_price(fair: Bazaar) -> None:
    hours = hours_ahead(fair, 3)
    window = wide(hours[0], 3)
    fair.offer(fair.sites[FRANKFURT][0], [window], 500, tick=400)
    price_micro = fair.market.price_micro(window, 400)
    gang = replace(
        fair.job(100, 3, gang=True), earliest_hour=hours[0], deadline_hour=hours[0] + 3, limit_micro=price_micro
    )
    found = preview(fair, [gang], BUYER.address)
    assert found.left == ()
    assert found.cost_micro == 300 * price_micro
    assert found.purchases[0].price_micro == price_micro


def test_least_order_is_bought_and_paid_for_by_what_is_used_of_it(fair: Bazaar) -> None:
    [hour] = hours_ahead(fair)
    fair.offer(fair.sites[FRANKFURT][0], [wide(hour)], 500, tick=400)
    price_micro = fair.market.price_micro(wide(hour), 400)
    least = fair.market.book(wide(hour)).min_units
    found = preview(fair, [fair.job(1, 1, limit_micro=least * price_micro)])
    assert (found.purchases[0].units, found.purchases[0].used_unit_hours) == (least, 1)
    assert preview(fair, [fair.job(1, 1, limit_micro=least * price_micro - 1)]).purchases == ()


def test_money_that_is_missing_is_said_with_how_much(fair: Bazaar) -> None:
    [hour] = hours_ahead(fair)
    fair.offer(fair.sites[FRANKFURT][0], [wide(hour)], 500, tick=400)
    found = preview(fair, [fair.job(100, 1)], NOBODY.address)
    [refusal] = found.refusals
    assert found.escrow_micro > 0
    assert f"{found.escrow_micro / 1_000_000:.2f}"[:4] in str(refusal)
    assert preview(fair, [fair.job(100, 1)], BUYER.address).refusals == ()


def test_capacity_has_a_price_by_site_and_hour_which_is_scarce_where_jobs_are_left_out(fair: Bazaar) -> None:
    [hour] = hours_ahead(fair)
    site = fair.sites[FRANKFURT][0]
    fair.offer(site, [wide(hour)], 100, tick=400)
    jobs = [fair.job(100, 1, name="rich", limit_micro=5_000), fair.job(100, 1, name="poor", limit_micro=3_000)]
    full = preview(fair, jobs)
    assert [(one.site, one.hour, one.price_micro, one.scarce) for one in full.prices] == [(site, hour, 3_000, True)]
    assert [(one.job, one.unit_hours, one.why.value) for one in full.left] == [(1, 100, "capacity")]
    free = preview(fair, jobs[:1])
    assert not any(one.scarce for one in free.prices)


def test_nothing_to_dispatch_and_nothing_for_sale_are_two_things(fair: Bazaar) -> None:
    hours_ahead(fair)
    with pytest.raises(InputError):
        preview(fair, [])
    found = preview(fair, [fair.job(100, 1)])
    assert (found.placements, found.purchases, len(found.left)) == ((), (), 1)
    assert found.verified


def test_site_that_delivers_less_is_placed_later_at_equal_price(fair: Bazaar) -> None:
    [hour] = hours_ahead(fair)
    one, other, *_ = fair.sites[FRANKFURT]
    for site in (one, other):
        fair.offer(site, [wide(hour)], 500, tick=400)
    for worse, better in ((one, other), (other, one)):
        desk = DispatchDesk(fair.market, fair.store, weights={worse: 9_000})
        assert {row.site for row in desk.plan([fair.job(400, 1)]).placements} == {better}
