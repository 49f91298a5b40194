"""One market day, acted out on a local chain: a plan's sites, offers and bids become trades, leases, payments.

Every clearing is compared with the independent rule, order by order. When the day is over, everybody has withdrawn.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from eth_utils.crypto import keccak

from ledger.artifacts import Deployment, MarketTerms
from ledger.auction import run_auction
from ledger.chain import Chain
from ledger.clock import LocalClock
from ledger.delivery import Delivery, Resolution
from ledger.deployment import Roles, deploy, seed_standard
from ledger.errors import InputError
from ledger.keys import Signer, signer_from_mnemonic
from ledger.market import Market
from ledger.model import Clearing, Kind, Order
from ledger.node import DEVELOPMENT_MNEMONIC
from ledger.orders import OrderTerms
from ledger.product import Grade, Product
from ledger.scenario import ROUNDS, Plan, PlannedBid
from ledger.sender import Action, Outcome, Sender, send_together
from ledger.settings import Secret
from ledger.units import MICRO_PER_USD, MILLI_PER_UNIT, SECONDS_PER_HOUR
from ledger.view import read_order

T = TypeVar("T")
Watch = Callable[[str, int, int], None]
"""Is told the step, how much of it is done, and of how much."""

TERMS = MarketTerms(
    round_s=60,
    lead_s=600,
    report_period_s=2 * SECONDS_PER_HOUR,
    dispute_period_s=2 * SECONDS_PER_HOUR,
    ruling_period_s=4 * SECONDS_PER_HOUR,
)
HEADSTART_HOURS = 12
"""How long before delivery the chain starts."""
FUNDS_MICRO = 500_000 * MICRO_PER_USD

_OFFICES = ("committee", "auditor", "arbiter", "keeper")
_TOGETHER = 40
_RELAYED_TOGETHER = 100
_RESOLD_PART = 4
_SPLIT_UNITS = 120
# Every so manieth holder of a product does not redeem it: its bonds expire.
_IDLE = 4


@dataclass(frozen=True, slots=True)
class Trade:
    """What a round of a product came to: its orders in the order of their arrival, and what each of them traded."""

    product: Product
    round: int
    tick_size_micro: int
    orders: tuple[Order, ...]
    fills: tuple[int, ...]
    clearing: Clearing


@dataclass(frozen=True, slots=True)
class LeaseEnd:
    """A lease and how it ended. `story` says in words what was made to happen."""

    lease: int
    product: Product
    site: int
    holder: str
    units: int
    story: str
    end: Resolution


@dataclass(frozen=True, slots=True)
class Fate:
    """How a lease is made to end: its course, what the provider reports, what the arbiter finds, in percent."""

    words: str
    course: str
    reported_percent: int = 100
    ruled_percent: int = 0


FATES = (
    Fate("one is short", "accept", reported_percent=90),
    Fate("one fails: no report", "silent"),
    Fate("one is disputed and ruled", "dispute", ruled_percent=60),
    Fate("one is given up half way", "abort", reported_percent=40),
    Fate("one is not looked at", "wait"),
    Fate("delivered", "accept"),
)
"""What happens to the first leases of the day; the last is what happens to all others."""


@dataclass(frozen=True, slots=True)
class _Lease:
    number: int
    product: Product
    site: int
    holder: str
    units: int
    fate: Fate


@dataclass
class Books:
    """What the day brought, step by step."""

    trades: list[Trade] = field(default_factory=list)
    split_units: int = 0
    leases: list[LeaseEnd] = field(default_factory=list)
    expired_micro: int = 0
    expired_units: int = 0
    transactions: int = 0
    gas: int = 0
    signed: int = 0


def accounts_needed(plan: Plan) -> int:
    """How many development accounts a day of this plan takes."""
    return len(_OFFICES) + len(plan.providers) + len(plan.buyers)


def start_s(plan: Plan) -> int:
    """When the chain of this plan's day has to start, in seconds since the epoch."""
    return (plan.start_hour - HEADSTART_HOURS) * SECONDS_PER_HOUR


class Day:
    """A market on `chain`, a fresh local one, whose people are development accounts. Call `run`.

    Raises InputError where the chain's clock cannot be set.
    """

    def __init__(self, chain: Chain, plan: Plan, watch: Watch = lambda *_: None) -> None:
        if chain.clock is None:
            raise InputError("A market day needs a chain whose clock can be set.", "Use anvil or eth-tester.")
        self.chain, self.plan, self.watch = chain, plan, watch
        self.clock: LocalClock = chain.clock
        names = (*_OFFICES, *plan.providers, *plan.buyers)
        self.people: dict[str, Signer] = {
            name: signer_from_mnemonic(Secret(DEVELOPMENT_MNEMONIC), place) for place, name in enumerate(names)
        }
        self.names: Mapping[str, str] = {signer.address: name for name, signer in self.people.items()}
        self.keeper = self.people["keeper"]
        self.books = Books()
        self.sender = Sender(chain)
        self.market, self.delivery = self._open()
        self.sites: list[int] = []

    def run(self) -> Books:
        """The whole day. Raises AssertionError where the chain and the rule differ."""
        self.furnish()
        self.trade()
        self.deliver()
        self.withdraw()
        return self.books

    # ---- before

    def furnish(self) -> None:
        """Sites are registered and attested; everybody brings money."""
        plan, market = self.plan, self.market
        registered = [
            (market.register_site(site.device, site.devices, site.class_id, site.metro), self.people[site.provider])
            for site in plan.sites
        ]
        self.sites = [outcome.value for outcome in self._send("Register sites", registered)]
        valid_until_s = (plan.start_hour + 30 * 24) * SECONDS_PER_HOUR
        attested = [
            (market.attest(number, site.units, Grade.PREMIUM, bytes(32), valid_until_s), self.people["auditor"])
            for number, site in zip(self.sites, plan.sites, strict=True)
        ]
        self._send("Attest hardware", attested)
        owners = [self.people[name] for name in (*plan.providers, *plan.buyers)]
        funding = [action for owner in owners for action in self._funding(owner)]
        self._send("Bring money", funding)

    def _funding(self, owner: Signer) -> list[tuple[Action[None], Signer]]:
        market = self.market
        steps = (market.mint_test_dollars(owner.address, FUNDS_MICRO), market.approve(), market.deposit(FUNDS_MICRO))
        return [(step, owner) for step in steps]

    def _open(self) -> tuple[Market, Delivery]:
        self.watch("Deploy", 0, 2)
        people = {name: signer.address for name, signer in self.people.items()}
        roles = Roles(people["committee"], people["auditor"], people["arbiter"], people["committee"])
        deployment: Deployment = deploy(self.sender, self.people["committee"], TERMS, roles)
        self.watch("Deploy", 1, 2)
        market = Market(self.chain, deployment, self.sender)
        seed_standard(market, self.sender, self.people["committee"])
        self.watch("Deploy", 2, 2)
        return market, Delivery(self.chain, deployment, self.sender)

    # ---- trade

    def trade(self) -> None:
        """Every round of the plan: orders in, cleared, compared with the rule, settled; between them some units are
        split, and offered again."""
        for number in range(ROUNDS):
            # A later round resells what the earlier ones sold.
            resold = self._resales()
            round_ = self._new_round()
            first_block = self.chain.block().number
            self._place(number, round_, resold)
            self._clear(number, round_, first_block)
            if number == 0:
                self._split()

    def _new_round(self) -> int:
        round_ = self.market.current_round() + 1
        self.clock.go_to(round_ * TERMS.round_s)
        return round_

    def _place(self, number: int, round_: int, resold: Sequence[tuple[Action[int], Signer]]) -> None:
        plan, market = self.plan, self.market
        step = f"Round {number + 1}: orders"
        offers = [
            (
                market.offer(self.sites[offer.site], offer.product, offer.units, tick=offer.tick),
                self.people[plan.sites[offer.site].provider],
            )
            for offer in plan.offers
            if offer.round == number
        ]
        bids = [bid for bid in plan.bids if bid.round == number]
        direct = [
            (market.bid(bid.product, bid.units, tick=bid.tick), self.people[bid.buyer]) for bid in bids if bid.direct
        ]
        self._send(step, [*offers, *resold, *direct])
        self._relay(step, round_, [bid for bid in bids if not bid.direct])

    def _relay(self, step: str, round_: int, bids: Sequence[PlannedBid]) -> None:
        """Buyers sign, the keeper relays: a batch of one product at a time, into slots of settled orders."""
        market = self.market
        signed = defaultdict(list)
        index = Counter[str]()
        for bid in bids:
            owner = self.people[bid.buyer]
            terms = OrderTerms(owner.address, Kind.BID, bid.product, bid.tick, bid.units, round_, index[bid.buyer])
            index[bid.buyer] += 1
            signed[bid.product].append(market.signed(terms, owner))
        batches = []
        for product, orders in signed.items():
            free = market.free_slots(product)
            for start in range(0, len(orders), _RELAYED_TOGETHER):
                stop = start + _RELAYED_TOGETHER
                batches.append((market.place_signed(orders[start:stop], free[start:stop]), self.keeper))
        self.books.signed += len(bids)
        for outcome in self._send(step, batches):
            if outcome.value.skipped:
                raise AssertionError(f"a signed order was passed over: {outcome.value.skipped[0].reason}")

    def _clear(self, number: int, round_: int, first_block: int) -> None:
        market = self.market
        arrived = self._arrived(round_, first_block)
        self.clock.go_to(market.round_end_s(round_))
        step = f"Round {number + 1}: clear, settle"
        products = list(arrived)
        cleared = self._send(step, [(market.clear(product, round_), self.keeper) for product in products])
        for product, outcome in zip(products, cleared, strict=True):
            settlements = [(action, self.keeper) for action in market.settlements(product, round_)]
            traded: dict[int, int] = {}
            for part in self._send(step, settlements):
                traded |= part.value
            self._compare(product, round_, arrived[product], outcome.value, traded)

    def _arrived(self, round_: int, first_block: int) -> dict[Product, list[Order]]:
        """The orders of a round by product, in the order in which the chain took them."""
        arrived: dict[Product, list[Order]] = {}
        first_rounds: dict[Product, int] = {}
        for event in self.market.history(first_block):
            if event.name != "OrderPlaced":
                continue
            product = Product.from_id(event["product"])
            if product not in first_rounds:
                first_rounds[product] = self.market.book(product).first_round
            order = read_order(event["order"], product, first_rounds[product], event["index"])
            if order.round == round_:
                arrived.setdefault(product, []).append(order)
        return arrived

    def _compare(
        self, product: Product, round_: int, orders: Sequence[Order], cleared: Clearing, traded: Mapping[int, int]
    ) -> None:
        clearing, fills = run_auction(orders)
        if cleared != clearing:
            raise AssertionError(f"{product.code} cleared at {cleared}, by the rule at {clearing}")
        for order, units in zip(orders, fills, strict=True):
            if traded.get(order.index) != units:
                raise AssertionError(f"{order} traded {traded.get(order.index)} units, by the rule {units}")
        size_micro = self.market.tick_size_micro(product)
        self.books.trades.append(Trade(product, round_, size_micro, tuple(orders), tuple(fills), clearing))

    # ---- resell, split

    def _resales(self) -> list[tuple[Action[int], Signer]]:
        """Whoever bought most of a product last time offers a part of it again, a tenth under what it cost."""
        market, resold = self.market, []
        for trade in self.books.trades:
            least = market.terms_of(trade.product.class_id).min_order_units
            if trade.clearing.price_tick is None or trade.round != self.books.trades[-1].round:
                continue
            for name in self._largest_buyers(trade)[:1]:
                part = market.units(self.people[name].address, trade.product) // _RESOLD_PART
                if part >= least:
                    price_micro = market.price_micro(trade.product, trade.clearing.price_tick) * 9 // 10
                    resold.append((market.ask(trade.product, part, price_micro=price_micro), self.people[name]))
        return resold

    def _largest_buyers(self, trade: Trade) -> list[str]:
        bought = Counter[str]()
        for order, units in zip(trade.orders, trade.fills, strict=True):
            if order.kind is Kind.BID and units:
                bought[self.names[order.owner]] += units
        return [name for name, _ in sorted(bought.items(), key=lambda one: (-one[1], one[0]))]

    def _split(self) -> None:
        """Of each whole day whose hours are traded too, a large buyer splits a part: the hours are then sold or used
        one by one."""
        singles = {(one.class_id, one.tier, one.area) for one in self.plan.products if one.hours == 1}
        splits = []
        for trade in self.books.trades:
            product = trade.product
            if product.hours == 1 or (product.class_id, product.tier, product.area) not in singles:
                continue
            for name in self._largest_buyers(trade)[:1]:
                site, owed = self._most_owed(product)
                held = self.market.units(self.people[name].address, product)
                units = min(_SPLIT_UNITS, held // 2, owed)
                if units:
                    splits.append((self.market.split(site, product, units), self.people[name]))
                    self.books.split_units += units
        self._send("Split windows into hours", splits)

    def _most_owed(self, product: Product) -> tuple[int, int]:
        owed = [
            (self.market.obligation(product, self.sites[place]).units, -self.sites[place])
            for place in self.plan.sites_for(product)
        ]
        units, site = max(owed)
        return -site, units

    # ---- deliver, withdraw

    def deliver(self) -> None:
        """Holders redeem, providers deliver as FATES says, what is unredeemed expires: each at its hour."""
        leases = self._redeem()
        agenda: defaultdict[int, list[tuple[Action[Any], Signer, _Lease]]] = defaultdict(list)
        for lease in leases:
            for time_s, action, signer in self._agenda(lease):
                agenda[time_s].append((action, signer, lease))
        done = 0
        for time_s in sorted(agenda):
            self._go_to(time_s)
            steps = agenda[time_s]
            outcomes = self._send("", [(action, signer) for action, signer, _ in steps])
            for (_, _, lease), outcome in zip(steps, outcomes, strict=True):
                if isinstance(outcome.value, Resolution):
                    self.books.leases.append(self._ended(lease, outcome.value))
            done += len(steps)
            self.watch("Deliver", done, sum(map(len, agenda.values())))
        self._go_to((self.plan.start_hour + 24) * SECONDS_PER_HOUR + TERMS.grace_s + 1)
        self._expire()

    def _redeem(self) -> list[_Lease]:
        """Holders redeem at the sites that owe them most. The leases of whole days come first, then by number."""
        steps, leases = [], []
        for product in self._traded():
            owed = {number: self.market.obligation(product, number).units for number in self._sites_of(product)}
            for name, held in self._holders(product):
                for site, units in _drawn(owed, held):
                    job = f"{name} {product.code}".encode()
                    steps.append((self.delivery.redeem(product, site, units, job), self.people[name]))
                    leases.append((product, site, name, units))
        numbers = [outcome.value for outcome in self._send("Redeem", steps)]
        ranked = sorted(zip(numbers, leases, strict=True), key=lambda one: (-one[1][0].hours, one[0]))
        return [
            _Lease(number, *lease, FATES[min(place, len(FATES) - 1)]) for place, (number, lease) in enumerate(ranked)
        ]

    def _traded(self) -> list[Product]:
        return sorted({trade.product for trade in self.books.trades if trade.clearing.units})

    def _sites_of(self, product: Product) -> list[int]:
        return [self.sites[place] for place in self.plan.sites_for(product)]

    def _holders(self, product: Product) -> list[tuple[str, int]]:
        """Who redeems a product, and how much: all holders but each _IDLE-th."""
        buyers = [(name, self.people[name].address) for name in self.plan.buyers]
        calls = [self.market.call("Capacity", "balanceOf", address, product.id) for _, address in buyers]
        held = zip((name for name, _ in buyers), self.chain.call_many(calls), strict=True)
        ranked = sorted(((name, units) for name, units in held if units), key=lambda one: (-one[1], one[0]))
        return [one for place, one in enumerate(ranked, start=1) if place % _IDLE]

    def _agenda(self, lease: _Lease) -> list[tuple[int, Action[Any], Signer]]:
        """What happens to a lease, when, and by whom."""
        delivery, number = self.delivery, lease.number
        product, fate = lease.product, lease.fate
        provider = self.people[self.plan.sites[self.sites.index(lease.site)].provider]
        holder, keeper = self.people[lease.holder], self.keeper
        full_milli = lease.units * MILLI_PER_UNIT
        reported_milli = full_milli * fate.reported_percent // 100
        report = (
            product.end_s + 1,
            delivery.report(number, reported_milli, keccak(text=f"readings {number}")),
            provider,
        )
        overdue_s = product.end_s + 2 + max(TERMS.report_period_s, TERMS.dispute_period_s) + 60
        match fate.course:
            case "accept":
                return [report, (product.end_s + 2, delivery.accept(number), holder)]
            case "wait":
                return [report, (overdue_s, delivery.resolve(number), keeper)]
            case "silent":
                return [(overdue_s, delivery.resolve(number), keeper)]
            case "abort":
                middle_s = (product.start_s + product.end_s) // 2
                abort = (middle_s, delivery.abort(number, reported_milli), provider)
                return [abort, (middle_s + 1, delivery.accept(number), holder)]
            case _:
                ruled_milli = full_milli * fate.ruled_percent // 100
                evidence = keccak(text=f"own readings {number}")
                ruling = delivery.rule(
                    number, ruled_milli, f"ruling/{number}", f"{ruled_milli} of {full_milli}".encode()
                )
                return [
                    report,
                    (product.end_s + 2, delivery.dispute(number, evidence), holder),
                    (product.end_s + 3, ruling, self.people["arbiter"]),
                ]

    def _ended(self, lease: _Lease, end: Resolution) -> LeaseEnd:
        promised = (lease.number, lease.product, lease.site, lease.holder, lease.units)
        return LeaseEnd(*promised, lease.fate.words, end)

    def _expire(self) -> None:
        """The bonds of units that nobody redeemed go to their providers."""
        owed = [(product, site) for product in self._issued() for site in self._sites_of(product)]
        calls = [self.market.call("Delivery", "obligationOf", product.id, site) for product, site in owed]
        standing = zip(owed, self.chain.call_many(calls), strict=True)
        waiting = [(place, units) for place, (units, _) in standing if units]
        outcomes = self._send("Expire", [(self.delivery.expire(*place), self.keeper) for place, _ in waiting])
        self.books.expired_units = sum(units * product.hours for (product, _), units in waiting)
        self.books.expired_micro = sum(outcome.value for outcome in outcomes)

    def _issued(self) -> list[Product]:
        """All products that some site may owe: those traded, and the hours that windows were split into."""
        traded = self._traded()
        return sorted({*traded, *(hour for product in traded for hour in product.hourly())})

    def withdraw(self) -> None:
        """Everybody takes out what is theirs."""
        leaving = []
        for signer in self.people.values():
            cash_micro = self.market.cash_micro(signer.address)
            if cash_micro:
                leaving.append((self.market.withdraw(cash_micro, signer.address), signer))
        self._send("Withdraw", leaving)

    # ---- how it is sent

    def _go_to(self, time_s: int) -> None:
        """To that time, or the next second where it has passed by."""
        self.clock.go_to(max(time_s, self.chain.time_s() + 1))

    def _send(self, step: str, actions: Iterable[tuple[Action[T], Signer]]) -> list[Outcome[T]]:
        """In blocks of some dozens, a second of the chain apart, however long that takes here."""
        listed = list(actions)
        outcomes: list[Outcome[T]] = []
        for start in range(0, len(listed), _TOGETHER):
            self.clock.set_next(self.chain.time_s() + 1)
            outcomes += send_together(listed[start : start + _TOGETHER])
            if step:
                self.watch(step, len(outcomes), len(listed))
        self.books.transactions += len(outcomes)
        self.books.gas += sum(outcome.receipt.gas_used for outcome in outcomes)
        return outcomes


def _drawn(owed: dict[int, int], wanted: int) -> Iterator[tuple[int, int]]:
    """Takes so many units from those that owe most; gives each site with its units."""
    for site in sorted(owed, key=lambda number: (-owed[number], number)):
        units = min(wanted, owed[site])
        if units:
            owed[site] -= units
            wanted -= units
            yield site, units
