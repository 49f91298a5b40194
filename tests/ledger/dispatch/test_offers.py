"""What stands on the market becomes supply of sites and hours, by the three rules that offers.py names."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from ledger.dispatch import offers
from ledger.dispatch.offers import MarketNow, Offered, Shelf, market_supplies, read_market, with_waste
from ledger.dispatch.problem import JobSpec, Latencies, Supply
from ledger.model import Kind
from ledger.product import Product
from ledger.store.records import OrderRow, SiteRow
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


# ---- on paper: a market of values alone

HOUR = 500_000
METRO_OF = {1: FRANKFURT, 2: FRANKFURT, 3: TOKYO}


def on_paper(**shelves: tuple[Shelf, tuple[Offered, ...]]) -> MarketNow:
    """A market of these products and what is offered of each; site 3 is in Tokyo, 1 and 2 are in Frankfurt."""
    sites = {n: SiteRow(n, "", "", 1, 1, metro, 0, "", 9_000, 3, 2**40, 0, 0) for n, metro in METRO_OF.items()}
    found = {shelf.product.id: (shelf, offered) for shelf, offered in shelves.values()}
    books, offered = ({number: row[place] for number, row in found.items()} for place in (0, 1))
    return MarketNow(1, "0x", 0, 1, books, offered, sites)  # type: ignore[arg-type]


def shelf(product: Product, **more: Any) -> Shelf:
    return Shelf(product, 1, 1, 1, False, (), **({"owed": {}, "last_price_micro": None} | more))


def work(units: int = 100, **more: Any) -> JobSpec:
    said = {"earliest_hour": HOUR, "deadline_hour": HOUR + 8, "limit_micro": 10**6} | more
    return JobSpec("job", 1, units, 1, **said)


def sold(now: MarketNow, *jobs: JobSpec, **said: Any) -> list[tuple[int, int, int, int, bool]]:
    """Supplies as (site, hour from the first, units, price, held), in their order."""
    supplies, _ = market_supplies(now, jobs or (work(),), AREAS, LATENCIES, **said)
    return [(one.site, one.hour - HOUR, one.units, one.price_micro, one.held) for one in supplies]


def test_waste_makes_a_used_hour_dearer_by_no_less_than_it_costs() -> None:
    for price_micro in range(1, 8):
        for waste in (Fraction(1), Fraction(4, 3), Fraction(24, 7)):
            found = shelf(wide(HOUR), waste=waste).price_micro(price_micro)
            assert found - 1 < price_micro * waste <= found


def test_so_many_units_of_a_window_are_bought_and_the_cheapest_first() -> None:
    now = on_paper(only=(shelf(wide(HOUR)), (Offered(1, 50, 9), Offered(2, 40, 7), Offered(3, 30, 8))))
    product = wide(HOUR).id
    for cap, found in (
        (39, [(2, 39)]),
        (40, [(2, 40)]),
        (75, [(2, 40), (3, 30), (1, 5)]),
        (999, [(2, 40), (3, 30), (1, 50)]),
    ):
        capped = with_waste(now, {}, {product: cap})
        assert [(site, units) for site, _, units, *_ in sold(capped)] == found, cap
    # What was capped before is capped no more where nothing says so.
    assert len(sold(with_waste(with_waste(now, {}, {product: 1}), {}, {}))) == 3


def test_only_hours_of_the_window_that_some_job_may_use_are_supply() -> None:
    now = on_paper(only=(shelf(wide(HOUR - 2, 6)), (Offered(1, 50, 9),)))
    hours = [hour for _, hour, *_ in sold(now, work(earliest_hour=HOUR + 1), work(deadline_hour=HOUR + 3))]
    assert hours == [0, 1, 2, 3]
    assert [hour for _, hour, *_ in sold(now, work(earliest_hour=HOUR + 1, deadline_hour=HOUR + 3))] == [1, 2]


def test_what_is_left_out_is_not_bought_and_what_is_held_of_it_is_used() -> None:
    one = shelf(wide(HOUR), owed={1: 70}, held_units=60)
    now = on_paper(only=(one, (Offered(2, 50, 9),)))
    assert sold(now) == [(1, 0, 60, 0, True), (2, 0, 50, 9, False)]
    assert sold(now, left_out=[wide(HOUR).id]) == [(1, 0, 60, 0, True)]
    assert sold(now, closed={(2, HOUR), (1, HOUR)}) == [(1, 0, 60, 0, True)]


def test_what_was_paid_for_what_is_held_counts_as_less_than_anything_that_is_sold() -> None:
    held = shelf(wide(HOUR), owed={1: 70}, held_units=60, paid_micro=20)
    other = shelf(wide(HOUR + 1), waste=Fraction(2))
    for asked, counts in ((5, 9), (9, 17), (10, 19), (11, 20), (90, 20), (0, 0)):
        now = on_paper(held=(held, ()), other=(other, (Offered(2, 5, asked + 3), Offered(3, 5, asked))))
        [(_, _, _, price_micro, is_held)] = [row for row in sold(now) if row[1] == 0]
        assert (price_micro, is_held) == (counts, True), asked
    # What is used of a window that is held costs what it cost, however much of it is not used.
    now = on_paper(held=(replace(held, waste=Fraction(3)), ()))
    assert sold(now) == [(1, 0, 60, 20, True)]
    # Where it is left out, nothing is compared with.
    now = on_paper(held=(held, ()), other=(other, (Offered(2, 5, 3),)))
    assert sold(now, left_out=[wide(HOUR + 1).id]) == [(1, 0, 60, 20, True)]


def test_held_units_lie_where_jobs_are_near_then_open_then_delivered_then_owed_most() -> None:
    def sites(weights: dict[int, int], closed: set[tuple[int, int]], owed: dict[int, int], job: JobSpec) -> list[int]:
        now = on_paper(only=(shelf(wide(HOUR), owed=owed, held_units=sum(owed.values()) - 1), ()))
        return [site for site, *_ in sold(now, job, weights=weights, closed=closed)]

    far = LATENCIES.one_way_us(TOKYO, FRANKFURT)
    near, anywhere = (work(metro=FRANKFURT, latency_max_us=bound) for bound in (20_000, far))
    assert sites({}, set(), {1: 5, 2: 6, 3: 9}, near) == [2, 1, 3]
    assert sites({}, set(), {1: 5, 2: 6, 3: 9}, anywhere) == [3, 2, 1]
    assert sites({2: 9_000}, set(), {1: 5, 2: 6, 3: 4}, near) == [1, 2, 3]
    assert sites({1: 9_000}, {(2, HOUR)}, {1: 5, 2: 6, 3: 4}, near) == [1, 2, 3]
    assert sites({}, {(1, HOUR), (2, HOUR)}, {1: 5, 2: 6, 3: 4}, near) == [2, 1, 3]
    assert sites({}, set(), {2: 5, 1: 5}, near) == [1, 2]


def test_what_is_bought_is_as_far_as_whoever_may_owe_it_and_what_is_held_as_its_own_site() -> None:
    one = shelf(wide(HOUR), owed={3: 70}, held_units=10)
    job = work(metro=FRANKFURT, latency_max_us=1)
    supplies, latencies = market_supplies(on_paper(only=(one, (Offered(1, 5, 9),))), [job], AREAS, LATENCIES)
    ways = {one.held: latencies.one_way_us(one.metro, FRANKFURT) for one in supplies}
    assert ways == dict.fromkeys((True, False), LATENCIES.one_way_us(TOKYO, FRANKFURT))
    here = replace(one, owed={1: 70, 3: 70})
    supplies, latencies = market_supplies(on_paper(only=(here, (Offered(1, 5, 9),))), [job], AREAS, LATENCIES)
    ways = {one.held: latencies.one_way_us(one.metro, FRANKFURT) for one in supplies}
    assert ways[True] == LATENCIES.one_way_us(FRANKFURT, FRANKFURT) < ways[False]
    # Its tier promises 10 ms: one that lies nearer is no farther for it.
    tight = shelf(metro(HOUR, FRANKFURT))
    supplies, latencies = market_supplies(on_paper(only=(tight, (Offered(1, 5, 9),))), [job], AREAS, LATENCIES)
    assert latencies.one_way_us(supplies[0].metro, FRANKFURT) == LATENCIES.one_way_us(FRANKFURT, FRANKFURT) < 10_000


def test_weights_are_of_what_is_bought() -> None:
    one = shelf(wide(HOUR), owed={1: 70}, held_units=10)
    now = on_paper(only=(one, (Offered(1, 5, 9), Offered(2, 5, 9))))
    supplies, _ = market_supplies(now, [work()], AREAS, LATENCIES, weights={1: 8_000})
    assert [(one.site, one.held, one.weight_bp) for one in supplies] == [
        (1, True, 10_000),
        (1, False, 8_000),
        (2, False, 10_000),
    ]


def row(kind: Kind, units: int, filled: int = 0, site: int = 0, round_: int = 7, owner: str = "0xa") -> OrderRow:
    return OrderRow(
        wide(HOUR).id, round_, 0, kind, owner, site, 5, 50, units, 0, 0, filled, False, 0, "0x", 1, 1
    )  # fmt: skip


def test_an_ask_is_at_the_sites_that_owe_most_and_each_unit_owed_is_sold_once() -> None:
    def there(*rows: OrderRow, expected: bool = False, **said: Any) -> list[tuple[int, int]]:
        one = replace(shelf(wide(HOUR), owed={1: 30, 2: 50, 3: 30}), expected=expected)
        found = offers._offered(one, rows, said.get("owner", ""), said.get("without", ()))
        return [(each.site, each.units) for each in found]

    assert there(row(Kind.ASK, 60)) == [(2, 50), (1, 10)]
    assert there(row(Kind.ASK, 60), row(Kind.ASK, 60)) == [(2, 50), (1, 10), (3, 30), (1, 20)]
    assert there(row(Kind.ASK, 999), row(Kind.ASK, 1)) == [(2, 50), (1, 30), (3, 30)]
    # Who is left out sells nothing, and what they owe is nobody else's to sell.
    assert there(row(Kind.ASK, 90), without=[2]) == [(1, 30), (3, 10)]
    assert there(row(Kind.OFFER, 7, site=2), without=[2]) == there(row(Kind.BID, 7)) == []
    assert there(row(Kind.ASK, 7), row(Kind.OFFER, 7, site=3), owner="0xa") == []
    # Of an earlier round what was not sold then is taken to come again.
    assert there(row(Kind.OFFER, 70, 30, site=2), row(Kind.ASK, 9, 9), expected=True) == [(2, 40)]
    assert there(row(Kind.OFFER, 70, 30, site=2)) == [(2, 70)]


def test_the_last_round_in_which_somebody_sells_counts() -> None:
    old, bid, new = row(Kind.OFFER, 5, site=1, round_=6), row(Kind.BID, 5), row(Kind.ASK, 5)
    assert offers._chosen([old, bid, new], 7) == ([bid, new], 7)
    assert offers._chosen([old, bid], 7) == ([old], 6)
    assert offers._chosen([bid], 7) == ([bid], 7)
    assert offers._chosen([], 7) == ([], 7)
