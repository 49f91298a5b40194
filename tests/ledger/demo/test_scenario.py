"""The plan of a market day: its rules hold for every size and seed, and it says so where the data hold no day."""

from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.datasets import list_prices
from ledger.demo.scenario import BIDS_EACH, FULL, ROUNDS, SMALL, Plan, PlannedSite, Size, plan_day
from ledger.errors import BadData
from ledger.prices import price_micro, tick_at_or_above
from ledger.product import Tier
from ledger.standard import CLASSES, load_standard

START_HOUR = 20_474 * 24
SIZES = st.builds(
    Size,
    hubs=st.integers(1, 3),
    sites=st.integers(8, 90),
    bids_per_round=st.integers(1, 200),
    single_hours=st.integers(0, 2),
)


@given(SIZES, st.integers(0, 2**32))
def test_plan_keeps_its_rules(size: Size, seed: int) -> None:
    plan = plan_day(START_HOUR, size=size, seed=seed)
    assert len(plan.sites) <= size.sites
    check_products(plan)
    check_offers(plan)
    check_bids(plan, size)


def check_products(plan: Plan) -> None:
    assert len(set(plan.products)) == len(plan.products)
    for product in plan.products:
        assert plan.start_hour <= product.start_hour < product.end_hour <= plan.start_hour + 24
        assert plan.sites_for(product)


def serves(site: PlannedSite, area: int, tier: Tier) -> bool:
    return area == {Tier.METRO: site.metro, Tier.HUB: site.hub, Tier.WIDE: 0}[tier]


def check_offers(plan: Plan) -> None:
    sold = Counter[tuple[int, int]]()
    for offer in plan.offers:
        site, product = plan.sites[offer.site], offer.product
        terms = CLASSES[product.class_id]
        assert serves(site, product.area, product.tier)
        assert site.class_id == product.class_id
        assert offer.units >= terms.min_order_units
        assert 0 <= offer.round < ROUNDS
        asked_micro = price_micro(offer.tick, terms.tick_size_micro)
        assert asked_micro >= site.price_micro
        assert offer.tick == tick_at_or_above(site.price_micro, terms.tick_size_micro)
        for hour in range(product.start_hour, product.end_hour):
            sold[offer.site, hour] += offer.units
    # No hour of a site is offered twice, even if everything sells.
    assert all(units <= plan.sites[site].units for (site, _), units in sold.items())


def check_bids(plan: Plan, size: Size) -> None:
    placed = Counter(bid.round for bid in plan.bids)
    signed = Counter((bid.buyer, bid.round) for bid in plan.bids)
    assert max(placed.values()) <= size.bids_per_round
    assert max(signed.values()) <= BIDS_EACH
    for bid in plan.bids:
        assert bid.product in plan.products
        assert bid.units >= CLASSES[bid.product.class_id].min_order_units


def test_plan_is_the_same_each_time_and_another_with_another_seed() -> None:
    assert plan_day(START_HOUR, size=SMALL, seed=7) == plan_day(START_HOUR, size=SMALL, seed=7)
    assert plan_day(START_HOUR, size=SMALL, seed=7).bids != plan_day(START_HOUR, size=SMALL, seed=8).bids


def test_plan_asks_what_providers_list() -> None:
    standard = load_standard()
    listed = defaultdict(set)
    for price in list_prices():
        listed[price.provider].add(-(-price.hourly_micro // price.devices))
    clouds = [site for site in plan_day(START_HOUR, size=FULL).sites if site.provider in listed]
    assert clouds
    for site in clouds:
        assert site.list_micro in listed[site.provider]
        milli_units = standard.entry(site.device, site.class_id).rating.milli_units
        # Not a micro under the list price for all that a device yields, and at most a micro a unit above it.
        assert 0 <= site.price_micro * milli_units - site.list_micro * 1_000 < milli_units


def test_plan_has_every_kind_of_product() -> None:
    products = plan_day(START_HOUR, size=SMALL).products
    assert {product.tier for product in products} == set(Tier)
    assert {product.class_id for product in products} == {1, 2}
    assert {product.hours for product in products} == {1, 24}


@pytest.mark.parametrize("empty", ["cloud_prices.csv", "jobs_philly.csv"])
def test_plan_raises_when_data_hold_no_day(tmp_path: Path, empty: str) -> None:
    shipped = Path(__file__).resolve().parents[3] / "ledger" / "data"
    for path in shipped.glob("*.csv"):
        text = path.read_text(encoding="utf-8")
        (tmp_path / path.name).write_text(text.splitlines()[0] + "\n" if path.name == empty else text, encoding="utf-8")
    with pytest.raises(BadData, match=empty):
        plan_day(START_HOUR, tmp_path)
