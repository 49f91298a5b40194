"""What stands on the market becomes supply of sites and hours, by the three rules that offers.py names."""

from dataclasses import replace
from fractions import Fraction

import pytest

from ledger.dispatch.offers import MarketNow, market_supplies, read_market, with_waste
from ledger.dispatch.problem import JobSpec, Latencies, Supply
from ledger.product import Product
from tests.bazaar import AREAS, FRANKFURT, TOKYO, VIRGINIA, Bazaar, metro, wide
from tests.world import BUYER

LATENCIES = Latencies.of_areas(AREAS)


def hours_ahead(fair: Bazaar, count: int = 1) -> list[int]:
    """Hours that no other test trades: each test has a day of its own."""
    fair.go_to(fair.chain.time_s() + 24 * 3_600)
    fair.new_round()
    return [fair.now_hour + 3 + place for place in range(count)]


def read(fair: Bazaar, jobs: list[JobSpec], **said: object) -> MarketNow:
    fair.refresh()
    return read_market(fair.store, fair.market, jobs, **said)  # type: ignore[arg-type]


def supplied(now: MarketNow, jobs: list[JobSpec]) -> tuple[list[Supply], Latencies]:
    return market_supplies(now, jobs, AREAS, LATENCIES)


def hold(fair: Bazaar, product: Product, units: int) -> None:
    """The buyer buys what is offered, and has it."""
    fair.market.bid(product, units, tick=400).send(BUYER)
    round_ = fair.market.current_round()
    fair.end_round()
    fair.market.clear(product, round_).send(BUYER)
    for part in fair.market.settlements(product, round_):
        part.send(BUYER)


def test_open_offers_are_supply_of_their_sites_at_their_prices(fair: Bazaar) -> None:
    hours = hours_ahead(fair, 2)
    near, far = fair.sites[FRANKFURT][0], fair.sites[TOKYO][0]
    fair.offer(near, [wide(hour) for hour in hours], 3_000, tick=400)
    fair.offer(far, [wide(hours[0])], 5_000, tick=380)
    jobs = [fair.job(100, 2, room=10)]
    now = read(fair, jobs)
    supplies, _ = supplied(now, jobs)
    price = fair.market.price_micro
    assert sorted((one.site, one.hour, one.units, one.price_micro) for one in supplies) == sorted(
        [(near, hour, 3_000, price(wide(hour), 400)) for hour in hours]
        + [(far, hours[0], 5_000, price(wide(hours[0]), 380))]
    )
    assert {one.product for one in supplies} == {wide(hour).id for hour in hours}
    assert (now.round, now.time_s) == (fair.market.current_round(), fair.chain.time_s())
    assert not any(one.held for one in supplies)


def test_what_no_job_can_use_or_trades_no_more_is_left_out(fair: Bazaar) -> None:
    [hour] = hours_ahead(fair)
    fair.offer(fair.sites[FRANKFURT][0], [wide(hour)], 3_000, tick=400)
    other_class = replace(fair.job(100, 1, room=10), class_id=2)
    too_early = replace(fair.job(100, 1, room=10), deadline_hour=hour)
    for job in (other_class, too_early):
        assert supplied(read(fair, [job]), [job])[0] == []
    job = fair.job(100, 1, room=10)
    # A bid that is placed a round later could not clear before the lead: 120 seconds before delivery.
    fair.go_to(hour * 3_600 - 120 - 60)
    assert supplied(read(fair, [job]), [job])[0] == []


def test_unsold_offers_of_the_last_rounds_are_expected_again_and_older_ones_are_not(fair: Bazaar) -> None:
    [hour] = hours_ahead(fair)
    fair.offer(fair.sites[FRANKFURT][0], [wide(hour)], 3_000, tick=400)
    job = fair.job(100, 1, room=10)
    for rounds, units in ((1, [3_000]), (1, [3_000]), (1, [])):
        fair.go_to(fair.chain.time_s() + 60 * rounds)
        found = read(fair, [job])
        assert [one.units for one in supplied(found, [job])[0]] == units
        assert [shelf.expected for shelf in found.shelves.values()] == [bool(units)]


def test_supply_is_as_far_as_the_farthest_site_that_may_owe_it(fair: Bazaar) -> None:
    [hour] = hours_ahead(fair)
    both, mine = wide(hour), metro(hour, FRANKFURT)
    fair.offer(fair.sites[FRANKFURT][0], [both, mine], 3_000, tick=400)
    fair.offer(fair.sites[TOKYO][0], [both], 3_000, tick=400)
    job = fair.job(100, 1, room=10, metro=FRANKFURT)
    supplies, latencies = supplied(read(fair, [job]), [job])
    tokyo_us = LATENCIES.one_way_us(TOKYO, FRANKFURT)
    assert tokyo_us > 20_000
    for one in supplies:
        us = latencies.one_way_us(one.metro, FRANKFURT)
        assert us == tokyo_us if one.product == both.id else us <= 10_000
    assert len(supplies) == 3


def test_tier_holds_its_bound_by_contract_in_its_own_area_alone(fair: Bazaar) -> None:
    [hour] = hours_ahead(fair)
    hub = AREAS.hub_of(AREAS.area(FRANKFURT)).code
    product = Product(1, 2, hub, 2, hour, 1)  # type: ignore[arg-type]
    fair.offer(fair.sites[FRANKFURT][0], [product], 3_000, tick=400)
    slow = Latencies.measured({(FRANKFURT, FRANKFURT): 70_000, (FRANKFURT, VIRGINIA): 90_000}, AREAS)
    jobs = [fair.job(100, 1, room=10, metro=origin) for origin in (FRANKFURT, VIRGINIA)]
    [supply], latencies = market_supplies(read(fair, jobs), jobs, AREAS, slow)
    assert [latencies.one_way_us(supply.metro, origin) for origin in (FRANKFURT, VIRGINIA)] == [20_000, 90_000]


def test_window_is_offered_hour_by_hour_and_its_waste_is_rounded_up(fair: Bazaar) -> None:
    hours = hours_ahead(fair, 4)
    window = wide(hours[0], 4)
    fair.offer(fair.sites[FRANKFURT][0], [window], 3_000, tick=400)
    jobs = [replace(fair.job(100, 2, room=10), earliest_hour=hours[1], deadline_hour=hours[3])]
    now = read(fair, jobs)
    price_micro = fair.market.price_micro(window, 400)
    assert [(one.hour, one.price_micro) for one in supplied(now, jobs)[0]] == [
        (hours[1], price_micro),
        (hours[2], price_micro),
    ]
    dearer, _ = supplied(with_waste(now, {window.id: Fraction(4, 3)}, {window.id: 900}), jobs)
    assert {(one.price_micro, one.units) for one in dearer} == {(-(-price_micro * 4 // 3), 900)}


def test_units_held_are_free_at_the_sites_that_owe_them_and_never_more_than_held(fair: Bazaar) -> None:
    [hour] = hours_ahead(fair)
    product = wide(hour)
    first, second, *_ = fair.sites[FRANKFURT]
    fair.offer(first, [product], 300, tick=400)
    fair.offer(second, [product], 200, tick=400)
    hold(fair, product, 500)
    jobs = [fair.job(100, 1, room=10)]
    held = supplied(read(fair, jobs, owner=BUYER.address), jobs)[0]
    assert [(one.site, one.units, one.price_micro, one.held) for one in held if one.held] == [
        (first, 300, 0, True),
        (second, 200, 0, True),
    ]
    some = supplied(read(fair, jobs, owner=BUYER.address, meant={product.id: 150}), jobs)[0]
    assert [(one.site, one.units) for one in some if one.held] == [(first, 300), (second, 50)]
    assert not [one for one in supplied(read(fair, jobs), jobs)[0] if one.held]


def test_what_a_closed_site_owes_is_used_last_and_nothing_is_bought_of_it(fair: Bazaar) -> None:
    [hour] = hours_ahead(fair)
    product = wide(hour)
    first, second, *_ = fair.sites[FRANKFURT]
    for site, units in ((first, 300), (second, 200)):
        fair.offer(site, [product], units, tick=400)
    hold(fair, product, 500)
    fair.offer(first, [product], 50, tick=400)
    jobs = [fair.job(100, 1, room=10)]
    now = read(fair, jobs, owner=BUYER.address, meant={product.id: 150})
    for closed, found in (
        (set(), [(first, 300, True), (second, 50, True), (first, 50, False)]),
        ({(first, hour)}, [(second, 200, True), (first, 150, True)]),
    ):
        supplies, _ = market_supplies(now, jobs, AREAS, LATENCIES, closed=closed)
        assert [(one.site, one.units, one.held) for one in supplies] == found


def test_asks_are_supply_at_the_sites_that_owe_the_product_and_not_the_buyers_own(fair: Bazaar) -> None:
    [hour] = hours_ahead(fair)
    product, site = wide(hour), fair.sites[FRANKFURT][0]
    fair.offer(site, [product], 300, tick=400)
    hold(fair, product, 300)
    fair.market.ask(product, 120, tick=390).send(BUYER)
    jobs = [fair.job(100, 1, room=10)]
    [seen] = supplied(read(fair, jobs), jobs)[0]
    assert (seen.site, seen.units, seen.price_micro) == (site, 120, fair.market.price_micro(product, 390))
    mine = supplied(read(fair, jobs, owner=BUYER.address), jobs)[0]
    assert [(one.units, one.held) for one in mine] == [(180, True)]


@pytest.mark.parametrize("out", [True, False])
def test_sites_that_are_left_alone_sell_nothing(fair: Bazaar, out: bool) -> None:
    [hour] = hours_ahead(fair)
    site = fair.sites[FRANKFURT][0]
    fair.offer(site, [wide(hour)], 300, tick=400)
    job = fair.job(100, 1, room=10)
    found, _ = supplied(read(fair, [job], without=[site] if out else []), [job])
    assert len(found) == (0 if out else 1)
