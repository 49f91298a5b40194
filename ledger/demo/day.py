"""One market day, acted out on a local chain: a plan's sites, offers and bids become trades, leases, payments.

Every clearing is compared with the independent rule, order by order. When the day is over, everybody has withdrawn,
and every invariant was checked from events: before delivery, when most is at stake, and at the end.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from eth_utils.crypto import keccak

from ledger.action import Action
from ledger.audit.checks import check_market, replay_of
from ledger.audit.replay import Replay
from ledger.delivery import Resolution
from ledger.demo.stage import TERMS, Diary, Fate, LeaseEnd, PlannedLease
from ledger.demo.trading import Trading
from ledger.keys import Signer
from ledger.product import Product
from ledger.units import MILLI_PER_UNIT, SECONDS_PER_HOUR

# Every so manieth holder of a product does not redeem it: its bonds expire.
_IDLE = 4

FATES = (
    Fate("short, 90 % delivered", "accept", reported_percent=90),
    Fate("failed, no report", "silent"),
    Fate("disputed, 60 % found", "dispute", ruled_percent=60),
    Fate("given up: 40 % delivered", "abort", reported_percent=40),
    Fate("nobody looked: as reported", "wait"),
    Fate("delivered", "accept"),
)
"""What happens to the first leases of the day; the last is what happens to all others."""


class Day(Trading):
    """A market on `chain`, a fresh local one, whose people are development accounts. Call `run`."""

    replay: Replay
    """The books by the events, as last verified."""

    def run(self) -> Diary:
        """The whole day. Raises AssertionError where the chain and the rule differ."""
        self.furnish()
        self.trade()
        leases = self.redeem()
        # Before the market is empty again there is most to compare.
        self.verify("before delivery")
        self.deliver(leases)
        self.withdraw()
        self.verify("after everybody left")
        return self.diary

    # ---- deliver, withdraw

    def deliver(self, leases: Sequence[PlannedLease]) -> None:
        """Providers deliver as FATES says, holders answer, what is unredeemed expires: each at its hour."""
        agenda: defaultdict[int, list[tuple[Action[Any], Signer, PlannedLease]]] = defaultdict(list)
        for lease in leases:
            for time_s, action, signer in self._agenda(lease):
                agenda[time_s].append((action, signer, lease))
        done = 0
        for time_s in sorted(agenda):
            self.go_to(time_s)
            steps = agenda[time_s]
            outcomes = self.send("", [(action, signer) for action, signer, _ in steps])
            for (_, _, lease), outcome in zip(steps, outcomes, strict=True):
                if isinstance(outcome.value, Resolution):
                    self.diary.leases.append(self._ended(lease, outcome.value))
            done += len(steps)
            self.watch("Deliver", done, sum(map(len, agenda.values())))
        self.go_to((self.plan.start_hour + 24) * SECONDS_PER_HOUR + TERMS.grace_s + 1)
        self._expire()

    def redeem(self) -> list[PlannedLease]:
        """Holders redeem at the sites that owe them most. The leases of whole days come first, then by number."""
        steps, leases = [], []
        for product in self._traded():
            owed = {number: self.market.obligation(product, number).units for number in self._sites_of(product)}
            for name, held in self._holders(product):
                for site, units in _drawn(owed, held):
                    job = f"{name} {product.code}".encode()
                    steps.append((self.delivery.redeem(product, site, units, job), self.people[name]))
                    leases.append((product, site, name, units))
        numbers = [outcome.value for outcome in self.send("Redeem", steps)]
        ranked = sorted(zip(numbers, leases, strict=True), key=lambda one: (-one[1][0].hours, one[0]))
        return [
            PlannedLease(number, *lease, FATES[min(place, len(FATES) - 1)])
            for place, (number, lease) in enumerate(ranked)
        ]

    def _traded(self) -> list[Product]:
        return sorted({trade.product for trade in self.diary.trades if trade.clearing.units})

    def _sites_of(self, product: Product) -> list[int]:
        return [self.sites[place] for place in self.plan.sites_for(product)]

    def _holders(self, product: Product) -> list[tuple[str, int]]:
        """Who redeems a product, and how much: all holders but each _IDLE-th."""
        buyers = [(name, self.people[name].address) for name in self.plan.buyers]
        calls = [self.market.call("Capacity", "balanceOf", address, product.id) for _, address in buyers]
        held = zip((name for name, _ in buyers), self.chain.call_many(calls), strict=True)
        ranked = sorted(((name, units) for name, units in held if units), key=lambda one: (-one[1], one[0]))
        return [one for place, one in enumerate(ranked, start=1) if place % _IDLE]

    def _agenda(self, lease: PlannedLease) -> list[tuple[int, Action[Any], Signer]]:
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

    def _ended(self, lease: PlannedLease, end: Resolution) -> LeaseEnd:
        promised = (lease.number, lease.product, lease.site, lease.holder, lease.units)
        return LeaseEnd(*promised, lease.fate.words, end)

    def _expire(self) -> None:
        """The bonds of units that nobody redeemed go to their providers."""
        owed = [(product, site) for product in self._issued() for site in self._sites_of(product)]
        calls = [self.market.call("Delivery", "obligationOf", product.id, site) for product, site in owed]
        standing = zip(owed, self.chain.call_many(calls), strict=True)
        waiting = [(place, units) for place, (units, _) in standing if units]
        outcomes = self.send("Expire", [(self.delivery.expire(*place), self.keeper) for place, _ in waiting])
        self.diary.expired_units = sum(units * product.hours for (product, _), units in waiting)
        self.diary.expired_micro = sum(outcome.value for outcome in outcomes)

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
        self.send("Withdraw", leaving)

    def verify(self, when: str) -> None:
        """Replays all events, and holds every invariant that they show against the chain."""
        self.watch(f"Check {when}", 0, 1)
        self.replay = replay_of(self.market)
        self.diary.checks[when] = check_market(self.market, self.replay)
        self.watch(f"Check {when}", 1, 1)


def _drawn(owed: dict[int, int], wanted: int) -> Iterator[tuple[int, int]]:
    """Takes so many units from those that owe most; gives each site with its units."""
    for site in sorted(owed, key=lambda number: (-owed[number], number)):
        units = min(wanted, owed[site])
        if units:
            owed[site] -= units
            wanted -= units
            yield site, units
