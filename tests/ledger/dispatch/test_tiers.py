"""METRO costs at least what HUB does, and HUB what WIDE does; where not, the report says what to relax."""

from dataclasses import replace

from ledger.dispatch.tiers import nested, tier_report
from ledger.product import Grade, Product, Tier
from tests.bazaar import AREAS, FRANKFURT, Bazaar, metro, wide
from tests.world import BUYER, PROVIDER

HUB = AREAS.hub_of(AREAS.area(FRANKFURT)).code


def hub(hour: int) -> Product:
    return Product(1, Tier.HUB, HUB, Grade.STANDARD, hour, 1)


def start(fair: Bazaar) -> int:
    fair.go_to(fair.chain.time_s() + 24 * 3_600)
    fair.new_round()
    return fair.now_hour + 3


def trade(fair: Bazaar, product: Product, units: int, tick: int) -> None:
    """A trade at exactly that tick."""
    fair.new_round()
    fair.market.offer(fair.sites[FRANKFURT][0], product, units, tick=tick).send(PROVIDER)
    fair.market.bid(product, units, tick=tick).send(BUYER)
    round_ = fair.market.current_round()
    fair.end_round()
    fair.market.clear(product, round_).send(BUYER)
    for part in fair.market.settlements(product, round_):
        part.send(BUYER)
    fair.refresh()


def test_nested_pairs_are_those_of_one_window_grade_and_class() -> None:
    products = [metro(9, FRANKFURT), hub(9), wide(9), wide(10), metro(9, 257), replace(hub(9), grade=Grade.BASIC)]
    assert list(nested(products, AREAS)) == [
        (metro(9, FRANKFURT), hub(9)),
        (metro(9, FRANKFURT), wide(9)),
        (hub(9), wide(9)),
        (metro(9, 257), wide(9)),
    ]
    assert not list(nested([metro(9, 60_000), wide(9)], AREAS))


def test_report_holds_where_the_tighter_tier_costs_more(fair: Bazaar) -> None:
    hour = start(fair)
    for product, tick in ((metro(hour, FRANKFURT), 420), (hub(hour), 410), (wide(hour), 400)):
        trade(fair, product, 100, tick)
    report = tier_report(fair.store, fair.market, AREAS)
    mine = [pair for pair in report.pairs if pair.tight.start_hour == hour]
    assert len(mine) == 3
    assert report.holds
    assert report.relaxes == []


def test_arbitrage_by_the_last_prices_names_the_sites_that_owe_the_tight_units(fair: Bazaar) -> None:
    hour = start(fair)
    trade(fair, metro(hour, FRANKFURT), 100, 390)
    trade(fair, wide(hour), 70, 400)
    report = tier_report(fair.store, fair.market, AREAS, class_id=1)
    [one] = report.relaxes
    price = fair.market.price_micro
    buy, sell = price(wide(hour), 390), price(wide(hour), 400)
    assert not report.holds
    assert (one.site, one.units, one.tier) == (fair.sites[FRANKFURT][0], 100, Tier.WIDE)
    assert (one.buy_micro, one.sell_micro, one.profit_micro) == (buy, sell, 100 * (sell - buy))
    assert "Relax 100 units" in one.title
    # Whoever holds them can do just that: the units become the loose product.
    into = fair.market.relax(one.site, Product.from_id(one.product), one.units, one.tier).send(BUYER).value
    assert into == wide(hour)


def test_arbitrage_by_standing_orders_matches_the_cheapest_with_who_pays_most(fair: Bazaar) -> None:
    hour = start(fair)
    fair.new_round()
    site = fair.sites[FRANKFURT][0]
    fair.offer(site, [metro(hour, FRANKFURT)], 100, tick=390)
    fair.offer(fair.sites[FRANKFURT][1], [metro(hour, FRANKFURT)], 100, tick=405)
    fair.market.bid(hub(hour), 60, tick=410).send(BUYER)
    fair.market.bid(hub(hour), 90, tick=400).send(BUYER)
    fair.refresh()
    report = tier_report(fair.store, fair.market, AREAS)
    price = fair.market.price_micro
    found = [(one.site, one.units, one.buy_micro, one.sell_micro) for one in report.relaxes]
    at = {tick: price(hub(hour), tick) for tick in (390, 400, 410)}
    assert found == [(site, 60, at[390], at[410]), (site, 40, at[390], at[400])]
