"""What a dispatch can buy and redeem now, as supplies of the planner: the open offers and asks of each product by the
sites behind them, and the units that the buyer holds at the sites that owe them.

Three rules make a product of the market, which names no site, into supply of sites and hours.

- **How near.** Whoever buys a product may be owed by any site that stands behind it: so the supply is as far from an
  origin as the farthest of them; what the tier promises (10 ms within a METRO's own area, 20 ms within a HUB's) holds
  by contract whoever it is.
- **How long.** A window of several hours is bought whole. It is offered hour by hour, and what it costs is carried by
  the hours that are used: an hour of a 24-hour window of which 6 are used costs four times its price (`Shelf.waste`,
  found by planning again until it holds; no job pays more than its limit for what it uses).
- **How many.** Units held are spread over the sites that owe the product, those first that are near enough to more
  jobs, so that together they are never more than what is held.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction

from ledger import datasets
from ledger.areas import Areas
from ledger.dispatch.problem import JobSpec, Latencies, Supply
from ledger.errors import UnknownName
from ledger.model import Kind, Order
from ledger.product import Product, Tier
from ledger.store.board import Wanted, products
from ledger.store.engine import Store
from ledger.store.queries import balances, head, sites
from ledger.store.records import OrderRow, SiteRow
from ledger.store.standing import last_prices, owed_units, recent_orders
from ledger.units import BP_PER_ONE, SECONDS_PER_HOUR
from ledger.view import View

LOOKBACK_ROUNDS = 2
"""Where nothing is offered in this round yet, what the last rounds left unsold is taken to be offered again."""

PRODUCTS_MAX = 20_000
# Codes that no area has: each stands for the places of a product's sites together.
_FIRST_CODE = 2**16 - 1


@dataclass(frozen=True, slots=True)
class Shelf:
    """One product as it stands: the orders of `round` (an earlier one where this round has none yet, `expected`), who
    owes it, and how many units the buyer holds and may use, with what a unit-hour of them cost. `waste` is what its
    unused hours add to each used one, `cap_units` the most of a window that is bought."""

    product: Product
    tick_size_micro: int
    min_units: int
    round: int
    expected: bool
    orders: tuple[Order, ...]
    owed: Mapping[int, int]
    last_price_micro: int | None
    held_units: int = 0
    paid_micro: int = 0
    waste: Fraction = Fraction(1)
    cap_units: int | None = None

    def price_micro(self, price_micro: int) -> int:
        """What a used unit-hour costs where a bought one costs `price_micro`: rounded up."""
        return -(-price_micro * self.waste.numerator // self.waste.denominator)


@dataclass(frozen=True, slots=True)
class Offered:
    """A site's units of a product at a price in micro per unit-hour."""

    site: int
    units: int
    price_micro: int


@dataclass(frozen=True, slots=True)
class MarketNow:
    """The market at a block, as one buyer sees it. `time_s` is the chain's; `round` the one that a bid goes to."""

    block: int
    block_hash: str
    time_s: int
    round: int
    shelves: Mapping[int, Shelf]
    offered: Mapping[int, tuple[Offered, ...]]
    sites: Mapping[int, SiteRow]


def read_market(
    history: Store,
    market: View,
    jobs: Sequence[JobSpec],
    owner: str = "",
    meant: Mapping[int, int] | None = None,
    without: Collection[int] = (),
    paid: Mapping[int, int] | None = None,
) -> MarketNow:
    """What serves `jobs`, by class and hours: products that still trade, and those of which `owner` holds units.

    `meant` are units of the owner's, by product, that others are to use; offers of the sites `without` are left
    out; `paid` says what a unit-hour of a product cost that was bought for these jobs (0 for all others).
    Raises Unavailable.
    """
    seen = head(history)
    now_s = market.chain.time_s()
    terms = market.deployment.terms
    round_ = market.current_round(now_s)
    closing_s = (round_ + 1) * terms.round_s + terms.lead_s
    held = _held(history, market, owner, meant or {}, now_s) if owner else {}
    last_s = max((job.deadline_hour for job in jobs), default=0) * SECONDS_PER_HOUR
    first_s = min((job.earliest_hour for job in jobs), default=0) * SECONDS_PER_HOUR
    trading: list[int] = []
    for class_id in sorted({job.class_id for job in jobs}):
        rows = products(history, Wanted(class_id=class_id, open_after_s=closing_s - 1), limit=PRODUCTS_MAX)
        trading += [
            product
            for start_s, product in rows
            if start_s < last_s and start_s + (product & 0xFFFF) * SECONDS_PER_HOUR > first_s
        ]
    named = sorted({*trading, *held})
    orders = recent_orders(history, trading, round_ - LOOKBACK_ROUNDS)
    owed, books = owed_units(history, named), last_prices(history, named)
    known = {site.site: site for site in sites(history)}
    shelves, offered = {}, {}
    for number in named:
        tick_size_micro, min_units, last_micro = books.get(number) or (0, 0, None)
        rows_of, chosen = _chosen(orders.get(number, []), round_)
        shelves[number] = Shelf(
            Product.from_id(number),
            tick_size_micro,
            min_units,
            chosen,
            chosen != round_,
            tuple(_order(row, chosen == round_) for row in rows_of),
            owed.get(number, {}),
            last_micro,
            held.get(number, 0),
            (paid or {}).get(number, 0),
        )
        offered[number] = tuple(_offered(shelves[number], rows_of, owner, without))
    return MarketNow(
        block=0 if seen is None else seen.block,
        block_hash="" if seen is None else seen.hash or "",
        time_s=now_s,
        round=round_,
        shelves=shelves,
        offered=offered,
        sites=known,
    )


def market_supplies(
    now: MarketNow,
    jobs: Sequence[JobSpec],
    areas: Areas,
    latencies: Latencies,
    weights: Mapping[int, int] | None = None,
    left_out: Collection[int] = (),
    closed: Collection[tuple[int, int]] = (),
) -> tuple[list[Supply], Latencies]:
    """The supplies for `jobs`, and the latencies to plan them with, in which each supply's `metro` stands for all the
    places from which it may come. Products `left_out` are not bought; what is held of them is used. In `closed` hours
    (site, hour) a site announced that it serves nothing: nothing is bought of it there. What is held is used all the
    same, at such a site last: an announcement that voided it would let a site keep what it was paid."""
    places = _Places(areas, latencies, sorted({job.metro for job in jobs if job.metro}))
    weighed = weights or {}
    found: list[Supply] = []
    first = min((job.earliest_hour for job in jobs), default=0)
    last = max((job.deadline_hour for job in jobs), default=0)
    cheapest = _cheapest(now, left_out)
    for number, shelf in now.shelves.items():
        sunk_micro = max(0, min(shelf.paid_micro, cheapest.get(shelf.product.class_id, shelf.paid_micro + 1) - 1))
        for offer in _held_at(replace(shelf, paid_micro=sunk_micro), now, jobs, places, weighed, closed):
            code = places.code(shelf.product, [now.sites[offer.site].metro])
            found += _hourly(shelf, offer, code, weighed, (first, last), held=True)
        wanted = () if number in left_out else now.offered.get(number, ())
        if not wanted:
            continue
        behind = [now.sites[site].metro for site in sorted({one.site for one in wanted} | set(shelf.owed))]
        code = places.code(shelf.product, behind)
        for offer in _within(wanted, shelf.cap_units):
            found += _hourly(shelf, offer, code, weighed, (first, last), held=False)
    return [one for one in found if one.held or (one.site, one.hour) not in closed], places.latencies()


def _cheapest(now: MarketNow, left_out: Collection[int]) -> dict[int, int]:
    """The lowest price of a class that is asked now."""
    found: dict[int, int] = {}
    for number, offers in now.offered.items():
        if offers and number not in left_out:
            shelf = now.shelves[number]
            price_micro = shelf.price_micro(min(one.price_micro for one in offers))
            found[shelf.product.class_id] = min(price_micro, found.get(shelf.product.class_id, price_micro))
    return found


def with_waste(now: MarketNow, waste: Mapping[int, Fraction], caps: Mapping[int, int]) -> MarketNow:
    """The same market, with what the unused hours of windows add to the used ones, and how much of each is bought."""
    shelves = {
        number: replace(shelf, waste=waste.get(number, shelf.waste), cap_units=caps.get(number))
        for number, shelf in now.shelves.items()
    }
    return replace(now, shelves=shelves)


def _within(offers: Sequence[Offered], cap_units: int | None) -> Iterator[Offered]:
    """The cheapest of the offers that come to so many units."""
    if cap_units is None:
        yield from offers
        return
    for offer in sorted(offers, key=lambda one: (one.price_micro, one.site)):
        part = min(offer.units, cap_units)
        if part:
            yield replace(offer, units=part)
        cap_units -= part


# ---- how near


class _Places:
    """Codes for the places of a product's sites taken together, and how far each is from the jobs' origins."""

    def __init__(self, areas: Areas, latencies: Latencies, origins: Sequence[int]) -> None:
        self._areas, self._latencies, self._origins = areas, latencies, origins
        self._codes: dict[tuple[Tier, int, frozenset[int]], int] = {}

    def code(self, product: Product, metros: Iterable[int]) -> int:
        key = (product.tier, product.area, frozenset(metros))
        return self._codes.setdefault(key, _FIRST_CODE - len(self._codes))

    def one_way_us(self, product: Product, metros: Iterable[int], origin: int) -> int:
        """The farthest of the places, or what the tier promises where that is less."""
        farthest_us = max(self._latencies.one_way_us(metro, origin) for metro in metros)
        area = self._areas.area(origin)
        near = {Tier.METRO: area.code, Tier.HUB: self._areas.hub_of(area).code}.get(product.tier)
        promised_us = product.tier.latency_ms * 1_000
        return min(farthest_us, promised_us) if near == product.area else farthest_us

    def latencies(self) -> Latencies:
        found = {}
        for (tier, area, metros), code in self._codes.items():
            place = Product(1, tier, area, 1, 0, 1)  # type: ignore[arg-type]
            for origin in self._origins:
                found[code, origin] = self.one_way_us(place, metros, origin)
        return Latencies.measured(found, self._areas)


# ---- rows into supplies


def _held(history: Store, market: View, owner: str, meant: Mapping[int, int], now_s: int) -> dict[int, int]:
    """Units of products that have not begun, less those that are meant for others. The chain says how many: the history
    may lag behind what was redeemed a moment ago."""
    listed = [row.product for row in balances(history, owner) if _start_s(row.product) > now_s]
    calls = [market.call("Capacity", "balanceOf", owner, product) for product in listed]
    counts = market.chain.call_many(calls) if calls else []
    found = {product: int(count) - meant.get(product, 0) for product, count in zip(listed, counts, strict=True)}
    return {product: units for product, units in found.items() if units > 0}


def _start_s(product: int) -> int:
    return (product >> 16 & 0xFFFF_FFFF) * SECONDS_PER_HOUR


def _chosen(rows: Sequence[OrderRow], round_: int) -> tuple[list[OrderRow], int]:
    """The orders of this round; where nobody sells in it yet, those of the last round in which somebody did."""
    by_round: dict[int, list[OrderRow]] = defaultdict(list)
    for row in rows:
        by_round[row.round].append(row)
    for number in sorted(by_round, reverse=True):
        if any(row.kind.sells for row in by_round[number]):
            return by_round[number], number
    return by_round.get(round_, []), round_


def _order(row: OrderRow, standing: bool) -> Order:
    units = row.units if standing else row.units - row.filled
    return Order(row.kind, row.tick, units, row.prefix, row.owner, row.site, row.product, row.round, row.slot)


def _offered(shelf: Shelf, rows: Sequence[OrderRow], owner: str, without: Collection[int]) -> Iterable[Offered]:
    """What is for sale by site; the buyer's own asks are not. Units of an ask are spread over the sites that owe the
    product, the largest first, as far as each owes."""
    room = dict(shelf.owed)
    for row in rows:
        units = row.units - (row.filled if shelf.expected else 0)
        if units <= 0 or not row.kind.sells or row.owner == owner:
            continue
        if row.kind is Kind.OFFER:
            if row.site not in without:
                yield Offered(row.site, units, row.price_micro)
            continue
        for site in sorted(room, key=lambda one: (-room[one], one)):
            part = min(units, room[site])
            if part and site not in without:
                yield Offered(site, part, row.price_micro)
            room[site] -= part
            units -= part


def _held_at(
    shelf: Shelf,
    now: MarketNow,
    jobs: Sequence[JobSpec],
    places: _Places,
    weights: Mapping[int, int],
    closed: Collection[tuple[int, int]],
) -> list[Offered]:
    """The units held, spread over the sites that owe them: first those where a job may run that did not announce to be
    closed, then where more jobs may, then where delivery is more likely, then where more is owed."""
    window = range(shelf.product.start_hour, shelf.product.end_hour)

    def near_jobs(site: int) -> int:
        metro = now.sites[site].metro
        return sum(
            not job.latency_max_us or places.one_way_us(shelf.product, [metro], job.metro) <= job.latency_max_us
            for job in jobs
            if job.class_id == shelf.product.class_id
        )

    def rank(site: int) -> tuple[bool, int, int, int, int, int]:
        near = near_jobs(site)
        shut = sum((site, hour) in closed for hour in window)
        return not near, shut, -near, -weights.get(site, BP_PER_ONE), -shelf.owed[site], site

    left, found = shelf.held_units, []
    if not left:
        return []
    for site in sorted(shelf.owed, key=rank):
        part = min(left, shelf.owed[site])
        if part:
            found.append(Offered(site, part, shelf.paid_micro))
            left -= part
    return found


def _hourly(
    shelf: Shelf, offer: Offered, code: int, weights: Mapping[int, int], hours: tuple[int, int], held: bool
) -> list[Supply]:
    product, (first, last) = shelf.product, hours
    price_micro = offer.price_micro if held else shelf.price_micro(offer.price_micro)
    return [
        Supply(
            site=offer.site,
            class_id=product.class_id,
            metro=code,
            hour=hour,
            units=offer.units,
            price_micro=price_micro,
            grade=product.grade,
            product=product.id,
            held=held,
            weight_bp=BP_PER_ONE if held else weights.get(offer.site, BP_PER_ONE),
        )
        for hour in range(max(first, product.start_hour), min(last, product.end_hour))
    ]


# ---- measurements


def measured_latencies(areas: Areas) -> Latencies:
    """Between metros whose cloud regions were measured, the median of those pairs; else by distance."""
    found: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row in datasets.latencies():
        with suppress(UnknownName):
            source, target = (areas.metro_of(*name.split(":", 1)).code for name in (row.source, row.target))
            found[min(source, target), max(source, target)].append(row.one_way_us)
    return Latencies.measured({pair: sorted(each)[len(each) // 2] for pair, each in found.items()}, areas)
