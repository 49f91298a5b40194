"""What a dispatch would buy and where its jobs would run: the plan on the market as it stands, and what stops it.

desk.preview(jobs, owner)        # looks; nothing is sent
desk.start(jobs, owner)          # keeps a campaign; `Campaign.advance` moves it
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from ledger.areas import Areas, load_areas
from ledger.auction import clearing_of, fill_of, with_prefixes
from ledger.dispatch.certificate import verify
from ledger.dispatch.offers import MarketNow, Shelf, market_supplies, measured_latencies, read_market, with_waste
from ledger.dispatch.planner import make_plan
from ledger.dispatch.preview import CapacityPrice, DispatchPreview, Purchase, Where
from ledger.dispatch.problem import JobSpec, Latencies, Plan, Supply
from ledger.errors import InputError, LedgerError
from ledger.market import Market
from ledger.model import Kind, Order
from ledger.prices import cost_micro, price_micro, tick_at_or_below
from ledger.product import Product
from ledger.store.engine import Store
from ledger.store.maintenance import closed_hours
from ledger.store.quality import delivery_weight, records_of
from ledger.units import format_usd

PREVIEWED_MAX = 64
"""How many bids are tried on the chain in one preview, each with a request; the others are shown without their gas."""

_WASTE_TRIES = 6


class DispatchDesk:
    """Plans jobs on one market, from the history that an index keeps in `history`.

    `weights` are delivery weights of sites in basis points: who fails more is placed later at equal price. Without them
    they are those of the sites' records (ledger/store/quality.py).
    """

    def __init__(
        self,
        market: Market,
        history: Store,
        areas: Areas | None = None,
        latencies: Latencies | None = None,
        weights: Mapping[int, int] | None = None,
    ) -> None:
        self.market = market
        self.history = history
        self.areas = areas or load_areas()
        self.latencies = latencies or measured_latencies(self.areas)
        self._weights = weights

    def preview(self, jobs: Sequence[JobSpec], owner: str = "") -> DispatchPreview:
        """Where the jobs would run and what that takes. Nothing is signed or sent. `owner`: whose units and money
        count; without one, nobody's. Raises InputError without jobs, and Unavailable."""
        found = self.plan(jobs, owner)
        tried = tuple(self._tried(one, owner, place) for place, one in enumerate(found.purchases))
        return replace(found, purchases=tried, refusals=tuple(self._refusals(tried, owner)))

    def plan(
        self,
        jobs: Sequence[JobSpec],
        owner: str = "",
        meant: Mapping[int, int] | None = None,
        without: Sequence[int] = (),
        paid: Mapping[int, int] | None = None,
    ) -> DispatchPreview:
        """The same without asking the chain what it would say of each bid. `meant`: units of the owner's, by product,
        that are for others; `without`: sites from which nothing is bought;
        `paid`: what a unit-hour cost that was bought for these jobs."""
        if not jobs:
            raise InputError("There is no job to dispatch.", "Name one at least.")
        now = read_market(self.history, self.market, jobs, owner, meant, without, paid)
        now, supplies, latencies, plan = self._planned(now, jobs)
        rows = tuple(plan.placed)
        return DispatchPreview(
            block=now.block,
            block_hash=now.block_hash,
            time_s=now.time_s,
            round=now.round,
            jobs=tuple(jobs),
            supplies=tuple(supplies),
            latencies=latencies,
            plan=plan,
            placements=tuple(
                Where(
                    row.job,
                    jobs[row.job].name,
                    row.site,
                    now.sites[row.site].metro,
                    row.hour,
                    row.units,
                    row.price_micro,
                    row.product,
                    latencies.one_way_us(supplies[row.supply].metro, jobs[row.job].metro),
                    row.held,
                )
                for row in rows
            ),
            purchases=tuple(_purchases(now, plan, jobs)),
            left=tuple(plan.left),
            prices=tuple(_prices(supplies, plan)),
            refusals=(),
            verified=not verify(jobs, supplies, latencies, plan),
        )

    # ---- how it is done

    def _planned(self, now: MarketNow, jobs: Sequence[JobSpec]) -> tuple[MarketNow, list[Supply], Latencies, Plan]:
        """The better of two plans, where windows are used: as much of each as jobs take at once, or so little that they
        use it throughout. More unit-hours first, then less cost."""
        known = self._known_of(now, jobs)
        found = self._priced(now, jobs, known, spread=False)
        if all(shelf.product.hours == 1 for number, shelf in now.shelves.items() if now.offered.get(number)):
            return found
        other = self._priced(now, jobs, known, spread=True)
        return max(found, other, key=lambda one: (one[3].unit_hours, -one[3].cost_micro))

    def _priced(
        self,
        now: MarketNow,
        jobs: Sequence[JobSpec],
        known: tuple[Mapping[int, int], frozenset[tuple[int, int]]],
        spread: bool,
    ) -> tuple[MarketNow, list[Supply], Latencies, Plan]:
        """Plans until each window's used hours carry what its unused ones cost; windows that never do are left out."""
        weights, closed = known
        waste: dict[int, Fraction] = {}
        caps: dict[int, int] = {}
        left_out: set[int] = set()
        tries = 0
        while True:
            tries += 1
            priced = with_waste(now, waste, caps)
            supplies, latencies = market_supplies(priced, jobs, self.areas, self.latencies, weights, left_out, closed)
            plan = make_plan(jobs, supplies, latencies)
            wasted = _wasted(priced, plan)
            short = {product: found for product, found in wasted.items() if found > priced.shelves[product].waste}
            if not short:
                return priced, supplies, latencies, plan
            fresh = (
                {}
                if not spread
                else {
                    product: _cap(priced.shelves[product], hours, jobs)
                    for product, hours in _bought(priced, plan).items()
                    if product in short and product not in caps and priced.shelves[product].product.hours > 1
                }
            )
            caps |= fresh
            short = {product: found for product, found in short.items() if product not in fresh}
            if tries < _WASTE_TRIES:
                waste |= short
            else:
                left_out |= set(short)

    def _known_of(
        self, now: MarketNow, jobs: Sequence[JobSpec]
    ) -> tuple[Mapping[int, int], frozenset[tuple[int, int]]]:
        """The sites' weights, and the hours in which they announced that they serve nothing."""
        behind = {one.site for offers in now.offered.values() for one in offers}
        behind |= {site for shelf in now.shelves.values() for site in shelf.owed}
        hours = min(job.earliest_hour for job in jobs), max(job.deadline_hour for job in jobs)
        closed = closed_hours(self.history, sorted(behind), *hours)
        if self._weights is not None:
            return self._weights, closed
        records = records_of(self.history, sorted(behind), now.time_s)
        return {site: delivery_weight(record) for site, record in records.items()}, closed

    def _tried(self, purchase: Purchase, owner: str, place: int) -> Purchase:
        if not owner or place >= PREVIEWED_MAX:
            return purchase
        bid = self.market.bid(Product.from_id(purchase.product), purchase.units, tick=purchase.tick)
        return replace(purchase, preview=bid.preview(owner))

    def _refusals(self, purchases: Sequence[Purchase], owner: str) -> list[LedgerError]:
        """What stops the bids together, by how much, and what each is refused for by itself."""
        if not owner or not purchases:
            return []
        found: list[LedgerError] = []
        escrow_micro = sum(one.escrow_micro for one in purchases)
        cash_micro = self.market.cash_micro(owner)
        wallet_micro, allowed_micro = self.market.wallet_micro(owner), self.market.allowance_micro(owner)
        short_micro = escrow_micro - cash_micro - min(wallet_micro, allowed_micro)
        if short_micro > 0:
            more = "Deposit" if wallet_micro < escrow_micro - cash_micro else "Approve the treasury for, or deposit,"
            found.append(
                InputError(
                    f"The bids take {format_usd(escrow_micro)} into escrow; {owner} has {format_usd(cash_micro)} of "
                    f"free cash, {format_usd(wallet_micro)} in the wallet and approved {_allowance(allowed_micro)}.",
                    f"{more} {format_usd(short_micro)} more; what the bids do not need comes back.",
                )
            )
        refused = [one.preview.refusal for one in purchases if one.preview and one.preview.refusal]
        if not found:
            found += list({str(reason): reason for reason in refused}.values())
        fee_wei = sum(one.preview.fee_wei or 0 for one in purchases if one.preview)
        coin_wei = self.market.chain.gas_money_wei(owner)
        if fee_wei > coin_wei:
            found.append(
                InputError(
                    f"The bids may burn {fee_wei} wei of gas, and {owner} has {coin_wei} wei.",
                    "Send the account money for gas: it is paid in the chain's own coin.",
                )
            )
        return found


def _allowance(amount_micro: int) -> str:
    return "everything" if amount_micro >= 2**128 else format_usd(amount_micro)


# ---- from the plan to bids


def _bought(now: MarketNow, plan: Plan) -> dict[int, dict[int, dict[int, int]]]:
    """What is to be bought: by product and hour, the units that each job takes."""
    found: dict[int, dict[int, dict[int, int]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(int)))
    for row in plan.placed:
        if not row.held and row.product in now.shelves:
            found[row.product][row.hour][row.job] += row.units
    return found


def _size(shelf: Shelf, hours: Mapping[int, Mapping[int, int]]) -> tuple[int, int]:
    """How many units must be bought for this use, and the unit-hours of it that are used."""
    by_hour = [sum(units.values()) for units in hours.values()]
    return max(shelf.min_units, *by_hour), sum(by_hour)


def _wasted(now: MarketNow, plan: Plan) -> dict[int, Fraction]:
    """By product, bought unit-hours for each used one."""
    found = {}
    for product, hours in _bought(now, plan).items():
        shelf = now.shelves[product]
        units, used = _size(shelf, hours)
        found[product] = Fraction(units * shelf.product.hours, used)
    return found


def _cap(shelf: Shelf, hours: Mapping[int, Mapping[int, int]], jobs: Sequence[JobSpec]) -> int:
    """So many units of a window as do this work when they are used in every hour in which one of its jobs may run; as
    many as its gangs take at once at least."""
    _, used = _size(shelf, hours)
    takers = {job for by_job in hours.values() for job in by_job}
    usable = sum(
        any(jobs[job].earliest_hour <= hour < jobs[job].deadline_hour for job in takers)
        for hour in range(shelf.product.start_hour, shelf.product.end_hour)
    )
    gangs = max(sum(units for job, units in by_job.items() if jobs[job].gang) for by_job in hours.values())
    return max(shelf.min_units, -(-used // max(1, usable)), gangs)


def _purchases(now: MarketNow, plan: Plan, jobs: Sequence[JobSpec]) -> list[Purchase]:
    bought = _bought(now, plan)
    return [_purchase(now.shelves[product], bought[product], jobs) for product in sorted(bought)]


def _purchase(shelf: Shelf, hours: Mapping[int, Mapping[int, int]], jobs: Sequence[JobSpec]) -> Purchase:
    """One bid for what these jobs take. Its limit is the least among theirs, spread over the hours that are bought."""
    product = shelf.product
    units, used = _size(shelf, hours)
    shares: dict[int, int] = defaultdict(int)
    for by_job in hours.values():
        for job, part in by_job.items():
            shares[job] += part
    least_micro = min(jobs[job].limit_micro for job in shares)
    tick = tick_at_or_below(least_micro * used // (units * product.hours), shelf.tick_size_micro)
    limit_micro = price_micro(tick, shelf.tick_size_micro)
    expected_units, expected_micro = _expected(shelf, tick, units)
    return Purchase(
        product=product.id,
        code=product.code,
        units=units,
        hours=product.hours,
        used_unit_hours=used,
        tick=tick,
        price_micro=limit_micro,
        escrow_micro=cost_micro(units, product.hours, limit_micro),
        expected_units=expected_units,
        expected_price_micro=expected_micro // (expected_units * product.hours) if expected_units else None,
        expected_micro=expected_micro,
        shares=tuple(sorted(shares.items())),
    )


def _expected(shelf: Shelf, tick: int, units: int) -> tuple[int, int]:
    """Units and micro that such a bid would trade and pay, were the round to end now: the book's own rule."""
    arrived = with_prefixes([one for one in shelf.orders if one.units] + [Order(Kind.BID, tick, units)])
    fill = fill_of(arrived[-1], clearing := clearing_of(arrived), shelf.product.hours, shelf.tick_size_micro)
    if clearing.price_tick is None:
        return 0, 0
    paid_micro = price_micro(clearing.price_tick, shelf.tick_size_micro)
    return fill.units, cost_micro(fill.units, shelf.product.hours, paid_micro)


def _prices(supplies: Sequence[Supply], plan: Plan) -> list[CapacityPrice]:
    """The worth of one more unit by site and hour: that of the dearest supply there, by the certificate's prices."""
    proof = plan.certificate
    best: dict[tuple[int, int], int] = {}
    for supply, gross in zip(supplies, proof.gross.tolist(), strict=True):
        place = (supply.site, supply.hour)
        best[place] = max(best.get(place, 0), int(gross))
    found = []
    for (site, hour), gross in sorted(best.items()):
        scarce = gross >= proof.service > 0
        found.append(CapacityPrice(site, hour, (gross - proof.service if scarce else gross) // proof.scale, scarce))
    return found
