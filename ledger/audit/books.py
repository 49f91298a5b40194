"""A market's books as replay keeps them: whose money and units, each round, obligation, lease and site."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from ledger.model import Clearing, Order
from ledger.product import Product
from ledger.units import BP_PER_ONE, MILLI_PER_UNIT

Place = tuple[int, int]
"""A product's token id, and a site's number."""


def keyed(product: int, number: int) -> int:
    """A product and an index, a round or a word in one key, as contracts/types/ProductId.sol packs it."""
    return product | number << 88


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as `rule` says: an invariant's id, or what of the chain's own proofs is broken. `where`
    names the thing; block, transaction (hex) and log (its index in the block) say where in the history, as far as it
    can be told."""

    rule: str
    where: str
    expected: object
    actual: object
    block: int | None = None
    transaction: str | None = None
    log: int | None = None

    def __str__(self) -> str:
        named = (("block", self.block), ("transaction", self.transaction), ("log", self.log))
        at = "".join(f", {name} {value}" for name, value in named if value is not None)
        return f"{self.rule}, {self.where}{at}: {self.actual}, where {self.expected} belongs"


@dataclass(frozen=True, slots=True)
class Check:
    """One invariant: what it says, how many reads of the chain were compared, and what is wrong."""

    rule: str
    sentence: str
    compared: int
    findings: tuple[Finding, ...]

    @property
    def number(self) -> int:
        """The invariant's, as tests/INVARIANTS.md has it."""
        return int(self.rule.removeprefix("INV-"))


def differences(checks: Iterable[Check]) -> list[Finding]:
    """All that is wrong."""
    return [finding for check in checks for finding in check.findings]


class Unseen(NamedTuple):
    """An act that only its owner's code can have done; `rule` is broken where there is none."""

    rule: str
    owner: str
    transaction: str | None


class Line(NamedTuple):
    """A line of somebody's account. `product` is None for cash, in micro; else amounts are its units."""

    block: int
    time_s: int
    transaction: str
    log: int
    owner: str
    what: str
    product: int | None
    amount: int
    before: int
    after: int


@dataclass(slots=True)
class Slot:
    """An order that waits; `margin_micro` is what an offer of it escrowed."""

    order: Order
    margin_micro: int = 0


@dataclass(slots=True)
class RoundBook:
    """A round of a product: the units that came at each side and tick, what it cleared at, the orders that still wait,
    the money and the units that it moves."""

    standing: dict[tuple[bool, int], int] = field(default_factory=dict)
    clearing: Clearing | None = None
    placed: int = 0
    settled: int = 0
    pot_micro: int = 0
    bought_units: int = 0
    sold_units: int = 0


@dataclass(slots=True)
class Bonded:
    """Units that someone owes, and the bond behind them."""

    units: int = 0
    bond_micro: int = 0


@dataclass(slots=True)
class LeaseBook:
    """A lease: what it holds, what was said of it, and what it paid to whom."""

    product: Product
    site: int
    holder: str
    units: int
    bond_micro: int
    deposit_micro: int = 0
    reported_milli: int = 0
    delivered_milli: int = 0
    reason: int | None = None
    at_s: int = 0
    disputed_at_s: int = 0
    aborted: bool = False
    to_provider_micro: int = 0
    to_holder_micro: int = 0

    @property
    def full_milli(self) -> int:
        return self.units * MILLI_PER_UNIT

    def counted_milli(self, delivered_milli: int) -> int:
        """Delivered within the grade's promise counts as full."""
        promised = self.product.grade.promised_bp * self.full_milli
        return self.full_milli if delivered_milli * BP_PER_ONE >= promised else delivered_milli

    @property
    def due_micro(self) -> int:
        """What the provider gets of its bond for what was delivered, rounded down. An aborted lease's bond stands for
        the reported part alone."""
        if self.aborted:
            return self.bond_micro * self.delivered_milli // self.reported_milli if self.delivered_milli else 0
        return self.bond_micro * self.counted_milli(self.delivered_milli) // self.full_milli


@dataclass(slots=True)
class SiteBook:
    """A site: whose it is, what was attested, what it delivered and failed to deliver in milli-unit-hours."""

    provider: str
    attested_units: int = 0
    delivered: int = 0
    failed: int = 0

    def cap_units(self, floor_bp: int) -> int:
        """What it may commit in an hour."""
        total = self.delivered + self.failed
        share_bp = self.delivered * BP_PER_ONE // total if self.failed else BP_PER_ONE
        return self.attested_units * max(share_bp, floor_bp) // BP_PER_ONE


class Books:
    """A market's books, and where in the history they stand. Settled orders leave nothing but their slot's word."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.events = self.transactions = 0
        self.block = self.time_s = 0
        self.transaction: str | None = None
        self.log: int | None = None
        self.sink: Callable[[Line], None] | None = None
        """Takes every line of every account, when somebody wants them."""
        # Money, in micro.
        self.cash: Counter[str] = Counter()
        self.deposited: Counter[str] = Counter()
        self.withdrawn: Counter[str] = Counter()
        self.token_micro = self.owed_now_micro = 0
        self.epochs: Counter[str] = Counter()
        self.marks: dict[str, tuple[int, int]] = {}
        self.fell_now: set[str] = set()
        # Orders. The words are what the contract's slots hold.
        self.first_rounds: dict[int, int] = {}
        self.tick_sizes_micro: dict[int, int] = {}
        self.least_units: dict[int, int] = {}
        self.slot_counts: Counter[int] = Counter()
        self.escrow: Counter[int] = Counter()
        self.words: dict[int, int] = {}
        self.settled_words: Counter[int] = Counter()
        self.waiting: dict[int, Slot] = {}
        self.rounds: dict[int, RoundBook] = {}
        self.clearings: dict[int, Clearing] = {}
        # Units.
        self.units: Counter[tuple[int, str]] = Counter()
        self.supply: Counter[int] = Counter()
        self.in_escrow: Counter[int] = Counter()
        self.held: Counter[tuple[int, str]] = Counter()
        # Sites and what they owe.
        self.sites: dict[int, SiteBook] = {}
        self.calendar: Counter[Place] = Counter()
        self.owed: dict[Place, Bonded] = {}
        self.reserved: Counter[Place] = Counter()
        self.margins: Counter[Place] = Counter()
        self.spent: Counter[Place] = Counter()
        self.outstanding: Counter[int] = Counter()
        self.expired: Counter[int] = Counter()
        self.leases: dict[int, LeaseBook] = {}

    # ---- what is wrong

    def fault(self, rule: str, where: str, expected: object, actual: object) -> None:
        """Notes a finding where the books stand in the history."""
        at = (self.block or None, self.transaction, self.log)
        self.findings.append(Finding(rule, where, expected, actual, *at))

    def expect(self, rule: str, where: str, expected: object, actual: object) -> None:
        """A finding unless the two are equal."""
        if expected != actual:
            self.fault(rule, where, expected, actual)

    # ---- money and units move

    def owed_micro(self) -> int:
        """All that the treasury owes to someone, added up anew. `owed_now_micro` is the same, kept as it changes."""
        pots = self.cash.total() + self.escrow.total() + self.margins.total()
        bonds = sum(owed.bond_micro for owed in self.owed.values())
        return pots + bonds + sum(lease.bond_micro + lease.deposit_micro for lease in self.leases.values())

    def pay(self, owner: str, amount_micro: int, what: str) -> None:
        """Changes somebody's free cash. What an order takes may be said before the deposit that pays for it: whether
        anyone owes is looked at when the transaction ends."""
        before = self.cash[owner]
        after = self.cash[owner] = before + amount_micro
        self.owed_now_micro += amount_micro
        if amount_micro < 0:
            self.fell_now.add(owner)
        if self.sink is not None and amount_micro:
            self.sink(self._line(owner, what, None, amount_micro, before, after))

    def give(self, product: int, owner: str, units: int, what: str) -> None:
        """Changes somebody's units."""
        key = product, owner
        before = self.units[key]
        after = self.units[key] = before + units
        if after < 0:
            self.fault("INV-16", f"units of {owner} of {product:#x}", ">= 0", after)
        if self.sink is not None and units:
            self.sink(self._line(owner, what, product, units, before, after))

    def _line(self, owner: str, what: str, product: int | None, amount: int, before: int, after: int) -> Line:
        at = (self.block, self.time_s, self.transaction or "", self.log or 0)
        return Line(*at, owner, what, product, amount, before, after)

    def move_escrow(self, product: int, amount_micro: int) -> None:
        """Changes what a product's book holds of bidders' and sellers' money."""
        self.escrow[product] += amount_micro
        self.owed_now_micro += amount_micro

    def move_margin(self, place: Place, amount_micro: int) -> None:
        """Changes what waiting offers have escrowed."""
        self.margins[place] += amount_micro
        self.owed_now_micro += amount_micro

    def move_deposit(self, lease: LeaseBook, amount_micro: int) -> None:
        """Changes the deposit of a dispute."""
        lease.deposit_micro += amount_micro
        self.owed_now_micro += amount_micro

    def move_bond(self, holder: Bonded | LeaseBook, amount_micro: int) -> None:
        """Changes an obligation's or a lease's bond."""
        holder.bond_micro += amount_micro
        self.owed_now_micro += amount_micro
