"""The stage of a market day: a fresh market with its people, sites and money, and the diary of what happens on it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from ledger.action import Action, Outcome, send_together
from ledger.artifacts import Deployment, MarketTerms
from ledger.audit.books import Check, Finding, differences
from ledger.chain import Chain
from ledger.clock import LocalClock
from ledger.delivery import Delivery, Resolution
from ledger.demo.scenario import Plan
from ledger.deployment import Roles, deploy, seed_standard
from ledger.errors import InputError
from ledger.keys import Signer, signer_from_mnemonic
from ledger.market import Market
from ledger.model import Clearing, Order
from ledger.node import DEVELOPMENT_MNEMONIC
from ledger.product import Grade, Product
from ledger.sending.sender import Sender
from ledger.settings import Secret
from ledger.units import MICRO_PER_USD, SECONDS_PER_HOUR

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


@dataclass(frozen=True, slots=True)
class PlannedLease:
    """A lease that was made, and what is to become of it."""

    number: int
    product: Product
    site: int
    holder: str
    units: int
    fate: Fate


@dataclass
class Diary:
    """What the day brought, step by step."""

    trades: list[Trade] = field(default_factory=list)
    split_units: int = 0
    leases: list[LeaseEnd] = field(default_factory=list)
    expired_micro: int = 0
    expired_units: int = 0
    transactions: int = 0
    gas: int = 0
    signed: int = 0
    checks: dict[str, list[Check]] = field(default_factory=dict)
    """What the replay of all events came to, by when it was made."""

    @property
    def findings(self) -> list[Finding]:
        """Everything that no check should have found."""
        return [finding for checks in self.checks.values() for finding in differences(checks)]


def accounts_needed(plan: Plan) -> int:
    """How many development accounts a day of this plan takes."""
    return len(_OFFICES) + len(plan.providers) + len(plan.buyers)


def people_of(plan: Plan) -> dict[str, Signer]:
    """Everybody of this plan's day by name, each with a development account: the offices first."""
    names = (*_OFFICES, *plan.providers, *plan.buyers)
    return {name: signer_from_mnemonic(Secret(DEVELOPMENT_MNEMONIC), place) for place, name in enumerate(names)}


def start_s(plan: Plan) -> int:
    """When the chain of this plan's day has to start, in seconds since the epoch."""
    return (plan.start_hour - HEADSTART_HOURS) * SECONDS_PER_HOUR


class Stage:
    """A market on `chain`, a fresh local one, whose people are development accounts.

    Raises InputError where the chain's clock cannot be set.
    """

    def __init__(self, chain: Chain, plan: Plan, watch: Watch = lambda *_: None) -> None:
        if chain.clock is None:
            raise InputError("A market day needs a chain whose clock can be set.", "Use anvil or eth-tester.")
        self.chain, self.plan, self.watch = chain, plan, watch
        self.clock: LocalClock = chain.clock
        self.people = people_of(plan)
        self.names: Mapping[str, str] = {signer.address: name for name, signer in self.people.items()}
        self.keeper = self.people["keeper"]
        self.diary = Diary()
        self.sender = Sender(chain)
        self.market, self.delivery = self._open()
        self.sites: list[int] = []

    def furnish(self) -> None:
        """Sites are registered and attested; everybody brings money."""
        plan, market = self.plan, self.market
        registered = [
            (market.register_site(site.device, site.devices, site.class_id, site.metro), self.people[site.provider])
            for site in plan.sites
        ]
        self.sites = [outcome.value for outcome in self.send("Register sites", registered)]
        valid_until_s = (plan.start_hour + 30 * 24) * SECONDS_PER_HOUR
        attested = [
            (market.attest(number, site.units, Grade.PREMIUM, bytes(32), valid_until_s), self.people["auditor"])
            for number, site in zip(self.sites, plan.sites, strict=True)
        ]
        self.send("Attest hardware", attested)
        owners = [self.people[name] for name in (*plan.providers, *plan.buyers)]
        funding = [action for owner in owners for action in self._funding(owner)]
        self.send("Bring money", funding)

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

    # ---- how it is sent

    def go_to(self, time_s: int) -> None:
        """To that time, or the next second where it has passed by."""
        self.clock.go_to(max(time_s, self.chain.time_s() + 1))

    def send(self, step: str, actions: Iterable[tuple[Action[T], Signer]]) -> list[Outcome[T]]:
        """In blocks of some dozens, a second of the chain apart, however long that takes here."""
        listed = list(actions)
        outcomes: list[Outcome[T]] = []
        for start in range(0, len(listed), _TOGETHER):
            self.clock.set_next(self.chain.time_s() + 1)
            outcomes += send_together(listed[start : start + _TOGETHER])
            if step:
                self.watch(step, len(outcomes), len(listed))
        self.diary.transactions += len(outcomes)
        self.diary.gas += sum(outcome.receipt.gas_used for outcome in outcomes)
        return outcomes
