"""A market day planned from real data: who has which site, what is offered at which list price, which jobs bid.

The data say what is listed and what was run; what they do not say is filled by the rules below, the same every time.

- Sites. A cloud's region and device is a site: one instance, the largest listed there, at the lowest price that any
  instance asks per device. A market provider's device is a site at its latest lowest price, with a device for each of
  its offers. Market providers name no region: in the order of their names they are placed round robin in the metros
  where clouds list AI_LARGE in the day's hubs.
- Hubs. Of each class the hubs with the most cloud sites; of their sites a choice from the cheapest to the dearest.
  Of each other hub at most the cheapest site takes part.
- Offers. A site sells in the class in which its device is rated first, in every product of the day that it may serve
  and in every round, an equal part of its units each time, at its list price, rounded up to a tick.
- Bids. The day is the one of the trace on which the clusters have the most to bid. A job is a bid of its virtual
  cluster, in the third of the day in which it was submitted. Jobs on several GPUs, or of more than four hours, want
  AI_LARGE, where a GPU of the trace counts as an A100; the others want AI_SMALL, where it counts as a V100. Jobs of up
  to an hour mostly want a single hour, the others their share of the whole day. In which product of that kind, and
  at what limit within 40 % of its median list price, the seed decides.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from statistics import median_low

from ledger import datasets
from ledger.areas import Areas, load_areas
from ledger.datasets import Job
from ledger.errors import BadData, InputError, UnknownName
from ledger.prices import TICK_MIN, price_micro, tick_at_or_above, tick_at_or_below
from ledger.product import ComputeClass, Grade, Product, Tier
from ledger.standard import CLASSES, Standard, load_standard
from ledger.units import HOURS_PER_DAY, MILLI_PER_UNIT, SECONDS_PER_HOUR, whole_units

ROUNDS = 3
DAY_S = HOURS_PER_DAY * SECONDS_PER_HOUR
BIDS_EACH = 80
"""So many bids of one cluster in a round: an owner may have no more signed orders in one."""
SINGLE_HOURS = (9, 20)
"""The hours of the day that are sold singly."""

_TRACE_GPU = {ComputeClass.AI_LARGE: "A100 SXM4 80GB", ComputeClass.AI_SMALL: "V100 SXM2 16GB"}
_LARGE_GPUS, _LARGE_S = 2, 4 * SECONDS_PER_HOUR
_LIMIT_PERCENT = (60, 140)
_SINGLE_SHARE = 0.6
_DIRECT_EVERY = 40


@dataclass(frozen=True, slots=True)
class Size:
    """How much of the data a day takes."""

    hubs: int
    sites: int
    bids_per_round: int
    single_hours: int


FULL = Size(hubs=2, sites=70, bids_per_round=500, single_hours=2)
SMALL = Size(hubs=1, sites=14, bids_per_round=40, single_hours=1)


@dataclass(frozen=True, slots=True)
class PlannedSite:
    """Devices of a provider in a metro. `list_micro` is asked per device-hour, `price_micro` per unit-hour, rounded up;
    `units` is what the standard says that the devices yield."""

    provider: str
    metro: int
    hub: int
    device: str
    devices: int
    class_id: int
    units: int
    list_micro: int
    price_micro: int


@dataclass(frozen=True, slots=True)
class PlannedOffer:
    """Units of a site (its place among the plan's sites) in a round, at the tick of its list price."""

    site: int
    product: Product
    units: int
    tick: int
    round: int


@dataclass(frozen=True, slots=True)
class PlannedBid:
    """What a buyer wants in a round, signed for a relay, or sent by itself where `direct`."""

    buyer: str
    product: Product
    units: int
    tick: int
    round: int
    direct: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """A market day: products of the day that starts at `start_hour`, traded in ROUNDS rounds before it."""

    start_hour: int
    products: tuple[Product, ...]
    sites: tuple[PlannedSite, ...]
    offers: tuple[PlannedOffer, ...]
    bids: tuple[PlannedBid, ...]
    area_names: Mapping[int, str]

    @property
    def providers(self) -> tuple[str, ...]:
        return tuple(sorted({site.provider for site in self.sites}))

    @property
    def buyers(self) -> tuple[str, ...]:
        return tuple(sorted({bid.buyer for bid in self.bids}))

    def sites_for(self, product: Product) -> list[int]:
        """The sites (places among `sites`) that may serve a product."""
        return [place for place, site in enumerate(self.sites) if _serves(site, product)]

    def list_prices_micro(self, product: Product) -> list[int]:
        """What the sites that may serve a product ask per unit-hour, cheapest first."""
        return sorted(self.sites[place].price_micro for place in self.sites_for(product))


def plan_day(start_hour: int, folder: Path | None = None, size: Size = FULL, seed: int = 1) -> Plan:
    """The day that starts at `start_hour`, from the data in `folder` or the package's own cut.

    Raises BadData, also where the data hold no site or no job that could trade.
    """
    areas = load_areas()
    known = _cloud_sites(load_standard(folder), areas, folder)
    hubs = _busiest_hubs(known, size.hubs)
    known += _market_sites(load_standard(folder), _metros(known, hubs), areas, folder)
    sites = _chosen(known, hubs, size.sites)
    products = _products(sites, hubs, start_hour, size.single_hours)
    if not products:
        raise BadData("cloud_prices.csv", "no site of it can serve any product")
    plan = Plan(
        start_hour=start_hour,
        products=tuple(products),
        sites=tuple(sites),
        offers=(),
        bids=(),
        area_names={area.code: area.name for area in areas.all()},
    )
    plan = replace(plan, offers=tuple(_offers(plan)))
    plan = replace(plan, bids=tuple(_bids(plan, load_standard(folder), datasets.jobs(folder), size, seed)))
    if not plan.bids:
        raise BadData("jobs_philly.csv", "no job of it can bid")
    return plan


# ---- sites


def _cloud_sites(standard: Standard, areas: Areas, folder: Path | None) -> list[PlannedSite]:
    listed: defaultdict[tuple[str, int, str], list[tuple[int, int]]] = defaultdict(list)
    for price in datasets.list_prices(folder):
        try:
            key = (price.provider, areas.metro_of(price.provider, price.region).code, standard.device_of(price))
        except UnknownName:
            # What the standard does not rate, or nobody placed, cannot be sold.
            continue
        listed[key].append((-(-price.hourly_micro // price.devices), price.devices))
    sites = []
    for (provider, metro, device), prices in sorted(listed.items()):
        devices = max(count for _, count in prices)
        lowest_micro = min(hourly for hourly, _ in prices)
        sites += _site(standard, areas, provider, metro, device, devices, lowest_micro)
    return sites


def _market_sites(standard: Standard, metros: Sequence[int], areas: Areas, folder: Path | None) -> list[PlannedSite]:
    latest = {}
    for price in sorted(datasets.market_prices(folder), key=lambda price: price.hour):
        try:
            latest[price.provider, standard.device(price.device)] = price
        except UnknownName:
            continue
    names = sorted({provider for provider, _ in latest})
    sites = []
    for (provider, device), price in sorted(latest.items()):
        metro = metros[names.index(provider) % len(metros)]
        sites += _site(standard, areas, provider, metro, device, price.offers, price.lowest_micro)
    return sites


def _site(
    standard: Standard, areas: Areas, provider: str, metro: int, device: str, devices: int, list_micro: int
) -> list[PlannedSite]:
    """The site, unless nobody could sell from it: its class has no product of the day, or its price no tick."""
    class_id = next(iter(standard.classes_of(device)), None)
    if class_id not in _TRACE_GPU:
        return []
    milli_units = standard.entry(device, class_id).rating.milli_units
    price_micro = -(-list_micro * MILLI_PER_UNIT // milli_units)
    try:
        tick_at_or_above(price_micro, CLASSES[class_id].tick_size_micro)
    except InputError:
        return []
    hub, units = areas.area(metro).hub, whole_units(devices * milli_units)
    return [PlannedSite(provider, metro, hub, device, devices, class_id, units, list_micro, price_micro)]


def _busiest_hubs(sites: Iterable[PlannedSite], count: int) -> dict[int, list[int]]:
    """By class, the hubs with the most sites, the first by code among equals."""
    standing: defaultdict[int, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
    for site in sites:
        standing[site.class_id][site.hub] += 1
    return {
        class_id: sorted(by_hub, key=lambda hub: (-by_hub[hub], hub))[:count] for class_id, by_hub in standing.items()
    }


def _metros(sites: Iterable[PlannedSite], hubs: Mapping[int, Sequence[int]]) -> list[int]:
    large = hubs.get(ComputeClass.AI_LARGE, ())
    found = sorted({site.metro for site in sites if site.class_id == ComputeClass.AI_LARGE and site.hub in large})
    if not found:
        raise BadData("cloud_prices.csv", "no region of it has devices of AI_LARGE")
    return found


def _chosen(sites: Sequence[PlannedSite], hubs: Mapping[int, Sequence[int]], most: int) -> list[PlannedSite]:
    """An equal part of `most` for each class: a quarter from other hubs, so that whoever does not mind where has more
    to choose from, the others from the class's own hubs."""
    chosen = []
    for class_id in sorted(hubs):
        ours = sorted((site for site in sites if site.class_id == class_id), key=lambda site: site.price_micro)
        near = [site for site in ours if site.hub in hubs[class_id]]
        cheapest = {site.hub: site for site in reversed(ours) if site.hub not in hubs[class_id]}
        share = most // len(hubs)
        far = sorted(cheapest.values(), key=lambda site: (site.price_micro, site.hub))[: share // 4]
        chosen += _spread(near, share - len(far)) + far
    return chosen


def _spread(sites: Sequence[PlannedSite], count: int) -> list[PlannedSite]:
    """So many of them, evenly from the first to the last."""
    if len(sites) <= count:
        return list(sites)
    return [sites[place * (len(sites) - 1) // (count - 1)] for place in range(count)]


# ---- products and offers


def _products(
    sites: Sequence[PlannedSite], hubs: Mapping[int, Sequence[int]], start_hour: int, single_hours: int
) -> list[Product]:
    """By class: the whole day anywhere, in each of its hubs and in the first hub's best stocked metro, and single
    hours in the first hub."""
    products = []
    for class_id in sorted(hubs):
        first = hubs[class_id][0]
        stock: defaultdict[int, int] = defaultdict(int)
        for site in sites:
            if site.class_id == class_id and site.hub == first:
                stock[site.metro] += 1
        metro = min(stock, key=lambda code: (-stock[code], code), default=0)
        places = [(Tier.WIDE, 0), *((Tier.HUB, hub) for hub in hubs[class_id]), (Tier.METRO, metro)]
        wanted = [(tier, area, start_hour, HOURS_PER_DAY) for tier, area in places]
        wanted += [(Tier.HUB, first, start_hour + hour, 1) for hour in SINGLE_HOURS[:single_hours]]
        found = [
            Product(class_id, tier, area, Grade.STANDARD, start, hours)
            for tier, area, start, hours in wanted
            if area or tier is Tier.WIDE
        ]
        products += [product for product in found if any(_serves(site, product) for site in sites)]
    return products


def _serves(site: PlannedSite, product: Product) -> bool:
    area = {Tier.METRO: site.metro, Tier.HUB: site.hub, Tier.WIDE: 0}[product.tier]
    return (site.class_id, area) == (product.class_id, product.area)


def _offers(plan: Plan) -> list[PlannedOffer]:
    offers = []
    for place, site in enumerate(plan.sites):
        terms = CLASSES[site.class_id]
        fitting = [product for product in plan.products if _serves(site, product)]
        tick = tick_at_or_above(site.price_micro, terms.tick_size_micro)
        units = site.units // (len(fitting) * ROUNDS) if fitting else 0
        if units >= terms.min_order_units:
            offers += [PlannedOffer(place, product, units, tick, each) for each in range(ROUNDS) for product in fitting]
    return offers


# ---- bids


def _bids(plan: Plan, standard: Standard, jobs: Sequence[Job], size: Size, seed: int) -> list[PlannedBid]:
    random = Random(seed)
    signed: defaultdict[tuple[str, int], int] = defaultdict(int)
    placed: defaultdict[int, int] = defaultdict(int)
    chosen = []
    today = _busiest_day(jobs)
    for job in random.sample(today, len(today)):
        round_ = job.submit_s % DAY_S * ROUNDS // DAY_S
        if placed[round_] < size.bids_per_round and signed[job.cluster, round_] < BIDS_EACH:
            placed[round_] += 1
            signed[job.cluster, round_] += 1
            chosen.append(job)
    found = (_bid(plan, standard, job, random) for job in sorted(chosen, key=lambda job: (job.submit_s, job.cluster)))
    bids = [bid for bid in found if bid is not None]
    return [replace(bid, direct=place % _DIRECT_EVERY == 0) for place, bid in enumerate(bids)]


def _busiest_day(jobs: Iterable[Job]) -> list[Job]:
    days: defaultdict[int, list[Job]] = defaultdict(list)
    for job in jobs:
        days[job.submit_s // DAY_S].append(job)

    def bids_of(day: int) -> int:
        counted = Counter(job.cluster for job in days[day])
        return sum(min(count, ROUNDS * BIDS_EACH) for count in counted.values())

    return days[max(days, key=lambda day: (bids_of(day), day), default=0)]


def _bid(plan: Plan, standard: Standard, job: Job, random: Random) -> PlannedBid | None:
    large = job.gpus >= _LARGE_GPUS or job.duration_s > _LARGE_S
    class_id = ComputeClass.AI_LARGE if large else ComputeClass.AI_SMALL
    kinds = defaultdict(list)
    for product in plan.products:
        if product.class_id == class_id:
            kinds[product.hours == 1].append(product)
    single = job.duration_s <= SECONDS_PER_HOUR and random.random() < _SINGLE_SHARE
    fitting = kinds[single] or kinds[not single]
    if not fitting:
        return None
    product, terms = random.choice(fitting), CLASSES[class_id]
    gpu_milli = standard.entry(_TRACE_GPU[class_id], class_id).rating.milli_units
    window_s = product.hours * SECONDS_PER_HOUR
    needed = -(-job.gpus * gpu_milli * min(job.duration_s, window_s) // (window_s * MILLI_PER_UNIT))
    limit_micro = median_low(plan.list_prices_micro(product)) * random.randint(*_LIMIT_PERCENT) // 100
    # Where even the list price is next to nothing, the lowest tick is the least that can be bid.
    limit_micro = max(limit_micro, price_micro(TICK_MIN, terms.tick_size_micro))
    return PlannedBid(
        buyer=f"philly-{job.cluster}",
        product=product,
        units=max(terms.min_order_units, needed),
        tick=tick_at_or_below(limit_micro, terms.tick_size_micro),
        round=job.submit_s % DAY_S * ROUNDS // DAY_S,
        direct=False,
    )
