"""A market that lives: a gentle stream of real providers' offers and real jobs' bids, round after round, as long as it
runs. What is bought is used in its hour, reported and paid; now and then something fails, and is refunded.

Every round is drawn by its number, so the stream needs no memory: ended and started again, it goes on.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from random import Random
from typing import Any

from eth_utils.crypto import keccak

from ledger.action import Action
from ledger.artifacts import Deployment, MarketTerms
from ledger.chain import Chain
from ledger.delivery import Delivery
from ledger.demo.scenario import FULL, Plan, PlannedSite, plan_day
from ledger.demo.stage import people_of
from ledger.deployment import Roles, deploy, seed_standard
from ledger.errors import InputError, NotIncluded, Reverted
from ledger.keys import Signer
from ledger.market import Market
from ledger.model import Kind, Lease, LeaseState
from ledger.orders import OrderTerms, SignedOrder
from ledger.prices import tick_at_or_above
from ledger.product import Grade, Product, Tier
from ledger.sending.sender import Sender
from ledger.standard import CLASSES
from ledger.units import HOURS_PER_DAY, MICRO_PER_USD, MILLI_PER_UNIT, SECONDS_PER_HOUR

TERMS = MarketTerms(
    round_s=20,
    lead_s=60,
    report_period_s=600,
    dispute_period_s=600,
    ruling_period_s=1_200,
    grace_s=60,
)
"""Short periods, so that a visitor sees the whole life of a unit within an hour or two."""

FUNDS_MICRO = 1_000_000 * MICRO_PER_USD
DAYS = 3
"""So many whole days ahead are traded."""
OFFERS, WANTED, BIDS, REDEEMS = 4, 5, 3, 3
"""At most, in a round: offers of a product, products that somebody bids for, bids of each, holders that redeem."""

# An offer brings this part of what its site has: enough for who buys whole machines, while the next round brings more.
_PART = 3
_ROTATED = 4
# Single hours of each hub that are traded: so that jobs of some hours find the hours that they need.
_HOURS_AHEAD = (1, 2, 3, 4)
_RELAYED_TOGETHER = 12
_ATTESTED_DAYS = 365
# Every so manieth lease comes short, fails, or is disputed.
_SHORT, _SILENT, _DISPUTED = 7, 11, 13


def open_market(chain: Chain, sender: Sender, plan: Plan, terms: MarketTerms = TERMS) -> Deployment:
    """Deploys a market of its own on a chain without one, the committee in charge, and seeds its standard."""
    people = people_of(plan)
    committee = people["committee"]
    roles = Roles(
        standards=committee.address,
        auditor=people["auditor"].address,
        arbiter=people["arbiter"].address,
        guardian=committee.address,
    )
    deployment = deploy(sender, committee, terms, roles)
    seed_standard(Market(chain, deployment, sender), sender, committee)
    return deployment


def live_plan(hour: int) -> Plan:
    """The plan of the whole days that begin after `hour`, from the package's own data."""
    return plan_day(hour // HOURS_PER_DAY * HOURS_PER_DAY + HOURS_PER_DAY, size=FULL)


class Live:
    """The stream on one market, whose people are development accounts."""

    def __init__(self, market: Market, seed: int = 1) -> None:
        self.market = market
        self.delivery = Delivery(market.chain, market.deployment, market.sender)
        self.seed = seed
        self.plan = live_plan(market.chain.time_s() // SECONDS_PER_HOUR)
        self.people = people_of(self.plan)
        self._by_address = {signer.address: signer for signer in self.people.values()}
        self.sites: list[int] = []
        self._hurries = False
        self._open_leases: set[int] = set()
        self._leases_seen = 0

    # ---- once

    def furnish(self) -> None:
        """Registers and attests the plan's sites, and gives everybody money: what is there already is left alone."""
        market, auditor = self.market, self.people["auditor"]
        present = market.site_count()
        missing = self.plan.sites[present:]
        self._send(
            (
                market.register_site(
                    one.device, one.devices, one.class_id, one.metro, f"https://{one.provider}.example"
                ),
                self.people[one.provider],
            )
            for one in missing
        )
        valid_until_s = market.chain.time_s() + _ATTESTED_DAYS * HOURS_PER_DAY * SECONDS_PER_HOUR
        self._send(
            (market.attest(present + place + 1, one.units, Grade.PREMIUM, _evidence(one), valid_until_s), auditor)
            for place, one in enumerate(missing)
        )
        self.sites = [place + 1 for place in range(len(self.plan.sites))]
        self.refill()

    def refill(self) -> None:
        """Test dollars for whoever runs low."""
        market = self.market
        for name in (*self.plan.providers, *self.plan.buyers):
            signer = self.people[name]
            if market.cash_micro(signer.address) * 4 < FUNDS_MICRO:
                steps = (
                    market.mint_test_dollars(signer.address, FUNDS_MICRO),
                    market.approve(),
                    market.deposit(FUNDS_MICRO),
                )
                self._send((step, signer) for step in steps)

    # ---- each round

    def round(self, round_: int) -> list[SignedOrder]:
        """The orders of a round, drawn by its number and signed by their owners: offers first."""
        random = Random(f"{self.seed} {round_}")
        self._turn_the_page()
        products = self._products(round_)
        always = [product for product in products if self._is_always_on(product)]
        others = [product for product in products if product not in always]
        shown = always + random.sample(others, min(_ROTATED, len(others)))
        busy: set[int] = set()
        terms = [offer for product in shown for offer in self._offers(product, round_, random, busy)]
        for product in random.sample(shown, min(WANTED, len(shown))):
            terms += self._bids(product, round_, random)
        return _numbered(terms, self.market, self._by_address)

    def _turn_the_page(self) -> None:
        hour = self.market.chain.time_s() // SECONDS_PER_HOUR
        if hour >= self.plan.start_hour - 1:
            self.plan = live_plan(hour + 1)

    def _products(self, round_: int) -> list[Product]:
        """What trades now: days ahead, single hours of the next, and of each hub the hours that come next."""
        hour = self.market.chain.time_s() // SECONDS_PER_HOUR
        whole = [product for product in self.plan.products if product.hours == HOURS_PER_DAY]
        days = [
            replace(product, start_hour=product.start_hour + day * HOURS_PER_DAY)
            for product in whole
            for day in range(DAYS)
        ]
        soon = [
            replace(product, start_hour=hour + ahead, hours=1)
            for product in whole
            if product.tier is Tier.HUB
            for ahead in _HOURS_AHEAD
        ]
        terms = self.market.deployment.terms
        closing_s = (round_ + 1) * terms.round_s + terms.lead_s
        return sorted({one for one in (*self.plan.products, *days, *soon) if one.start_s > closing_s})

    def _is_always_on(self, product: Product) -> bool:
        """The next day anywhere, and in each hub: there somebody always sells."""
        return (product.start_hour, product.hours) == (self.plan.start_hour, HOURS_PER_DAY) and (
            product.tier in (Tier.WIDE, Tier.HUB)
        )

    def _sites_for(self, product: Product) -> list[tuple[int, PlannedSite]]:
        area = {Tier.METRO: "metro", Tier.HUB: "hub"}.get(product.tier)
        return [
            (number, site)
            for number, site in zip(self.sites, self.plan.sites, strict=True)
            if site.class_id == product.class_id and (area is None or getattr(site, area) == product.area)
        ]

    def _offers(self, product: Product, round_: int, random: Random, busy: set[int]) -> list[OrderTerms]:
        """Of sites that offer nothing else in this round (`busy`), which are added to those that do."""
        free = [(number, site) for number, site in self._sites_for(product) if number not in busy]
        offers = []
        for number, site in random.sample(free, min(OFFERS, len(free))):
            busy.add(number)
            terms = CLASSES[site.class_id]
            units = max(terms.min_order_units, site.units // _PART)
            # Who has much to sell goes below the list price, who has little above it.
            asked_micro = max(1, site.price_micro * random.randint(80, 115) // 100)
            tick = tick_at_or_above(asked_micro, terms.tick_size_micro)
            owner = self.people[site.provider].address
            offers.append(OrderTerms(owner, Kind.OFFER, product, tick, units, round_, site=number))
        return offers

    def _bids(self, product: Product, round_: int, random: Random) -> list[OrderTerms]:
        like = [
            bid
            for bid in self.plan.bids
            if (bid.product.class_id, bid.product.tier) == (product.class_id, product.tier)
        ]
        return [
            OrderTerms(self.people[bid.buyer].address, Kind.BID, product, bid.tick, bid.units, round_)
            for bid in random.sample(like, min(BIDS, len(like)))
        ]

    def prelude(self, rounds: int, until_s: int | None = None) -> None:
        """So many rounds played at once, on a local chain whose clock lies behind: there is something to look at.
        Fewer where they would end after `until_s`, in seconds since the epoch."""
        market, clock = self.market, self.market.chain.clock
        if clock is None:
            raise InputError("Rounds of the past need a chain whose clock can be set.", "Leave them out.")
        self._hurries = True
        for _ in range(rounds):
            round_ = -(-market.chain.time_s() // market.deployment.terms.round_s)
            if until_s is not None and market.round_end_s(round_) > until_s:
                break
            if market.current_round() < round_:
                clock.go_to(market.round_end_s(round_ - 1))
            orders = self.round(round_)
            self._relay(orders)
            products = {order.terms.product for order in orders}
            clock.go_to(market.round_end_s(round_))
            keeper = self.people["keeper"]
            self._send((market.clear(product, round_), keeper) for product in products)
            self._send((step, keeper) for product in products for step in market.settlements(product, round_))
        self._hurries = False

    def _relay(self, orders: Sequence[SignedOrder]) -> None:
        parts = [orders[start : start + _RELAYED_TOGETHER] for start in range(0, len(orders), _RELAYED_TOGETHER)]
        self._send((self.market.place_signed(part), self.people["keeper"]) for part in parts)

    # ---- delivery

    def redeem(self, round_: int) -> int:
        """Some holders of what begins within two hours choose a site that owes it; gives how many did."""
        market, random = self.market, Random(f"redeem {self.seed} {round_}")
        now_s = market.chain.time_s()
        soon = [one for one in self._products(round_ - 6) if now_s < one.start_s < now_s + 2 * SECONDS_PER_HOUR]
        steps: list[tuple[Action[Any], Signer]] = []
        for product in random.sample(soon, min(2, len(soon))):
            owed = {number: market.obligation(product, number).units for number, _ in self._sites_for(product)}
            for name in self.plan.buyers:
                held = market.units(self.people[name].address, product)
                number = max(owed, key=lambda site: owed[site], default=0)
                units = min(held, owed.get(number, 0))
                if units and len(steps) < REDEEMS:
                    owed[number] -= units
                    job = f"{name} {product.code} {round_}".encode()
                    steps.append((self.delivery.redeem(product, number, units, job), self.people[name]))
        return len(self._send(steps))

    def deliver(self) -> int:
        """Reports, answers and rulings that are due; gives how many there were."""
        count = self.market.lease_count()
        self._open_leases |= set(range(self._leases_seen + 1, count + 1))
        self._leases_seen = count
        steps: list[tuple[Action[Any], Signer]] = []
        for number in sorted(self._open_leases):
            lease = self.market.lease(number)
            if lease.state in (LeaseState.RESOLVED, LeaseState.ABORTED):
                self._open_leases.discard(number)
            else:
                steps += self._due(lease)
        return len(self._send(steps))

    def _due(self, lease: Lease) -> list[tuple[Action[Any], Signer]]:
        product, full_milli = Product.from_id(lease.product), lease.units * MILLI_PER_UNIT
        provider = self._by_address.get(self.market.site(lease.site).provider)
        holder = self._by_address.get(lease.holder)
        number = lease.lease
        if self.market.chain.time_s() <= product.end_s or provider is None:
            return []
        if lease.state is LeaseState.ACTIVE and number % _SILENT:
            percent = 90 if number % _SHORT == 0 or number % _DISPUTED == 0 else 100
            readings = keccak(text=f"readings {number}")
            return [(self.delivery.report(number, full_milli * percent // 100, readings), provider)]
        if lease.state is LeaseState.REPORTED and holder is not None:
            if number % _DISPUTED == 0:
                return [(self.delivery.dispute(number, keccak(text=f"own readings {number}")), holder)]
            return [(self.delivery.accept(number), holder)]
        if lease.state is LeaseState.DISPUTED:
            ruled_milli = full_milli * 60 // 100
            ruling = self.delivery.rule(number, ruled_milli, f"https://rulings.example/{number}", b"60 % was delivered")
            return [(ruling, self.people["arbiter"])]
        return []

    def _send(self, steps: Iterable[tuple[Action[Any], Signer]]) -> list[Any]:
        """Sends what would succeed: what the market refuses by now (a site sold out, a round over) is passed over."""
        sender, clock = self.market.sender, self.market.chain.clock
        under_way = []
        with clock.one_block() if clock is not None and self._hurries else nullcontext():
            for action, signer in steps:
                with suppress(Reverted):
                    under_way.append((action, sender.submit(action.call, signer)))
        done = []
        for action, sent in under_way:
            with suppress(Reverted, NotIncluded):
                done.append(action.outcome(sender.wait(sent)))
        return done


def _numbered(orders: Sequence[OrderTerms], market: Market, people: dict[str, Signer]) -> list[SignedOrder]:
    """Signs each owner's orders, numbered from 0, good until the owner revokes."""
    index: defaultdict[str, int] = defaultdict(int)
    epochs = {owner: market.account(owner).epoch for owner in {terms.owner for terms in orders}}
    signed = []
    for terms in orders:
        numbered = replace(terms, index=index[terms.owner], epoch=epochs[terms.owner])
        signed.append(market.signed(numbered, people[terms.owner]))
        index[terms.owner] += 1
    return signed


def _evidence(site: PlannedSite) -> bytes:
    return keccak(text=f"{site.devices} x {site.device} of {site.provider}, {site.units} units")
