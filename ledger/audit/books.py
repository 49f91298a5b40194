"""A market's books as replay keeps them: whose money and units, each round, obligation, lease and site."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from ledger.model import Clearing, Order
from ledger.product import Product
from ledger.units import BP_PER_ONE, MILLI_PER_UNIT

Place = tuple[int, int]
"""A product's token id, and a site's or a slot's number."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as invariant `number` says; `where` names the thing."""

    number: int
    where: str
    expected: object
    actual: object

    def __str__(self) -> str:
        return f"INV-{self.number}, {self.where}: {self.actual}, where {self.expected} belongs"


@dataclass(frozen=True, slots=True)
class Check:
    """One invariant: what it says, how many reads of the chain were compared, and what is wrong."""

    number: int
    sentence: str
    compared: int
    findings: tuple[Finding, ...]


def differences(checks: Iterable[Check]) -> list[Finding]:
    """All that is wrong."""
    return [finding for check in checks for finding in check.findings]


@dataclass
class Slot:
    """An order in its slot; `margin_micro` is what an offer of it escrowed."""

    order: Order
    settled: bool = False
    margin_micro: int = 0


@dataclass
class RoundBook:
    """A round of a product: its orders as they came, what it cleared at, the money and the units that it moves."""

    orders: list[Order] = field(default_factory=list)
    clearing: Clearing | None = None
    settled: int = 0
    pot_micro: int = 0
    bought_units: int = 0
    sold_units: int = 0


@dataclass
class Bonded:
    """Units that someone owes, and the bond behind them."""

    units: int = 0
    bond_micro: int = 0


@dataclass
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
    reason: int = 0
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


@dataclass
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
    """A market's books. `treasury` and `exchange` are those contracts' addresses."""

    def __init__(self, treasury: str, exchange: str, derating_floor_bp: int) -> None:
        self.treasury, self.exchange, self.floor_bp = treasury, exchange, derating_floor_bp
        self.findings: list[Finding] = []
        self.events = 0
        self.transactions = 0
        # Money, in micro.
        self.cash: Counter[str] = Counter()
        self.deposited: Counter[str] = Counter()
        self.withdrawn: Counter[str] = Counter()
        self.token_micro = 0
        self.epochs: Counter[str] = Counter()
        # Orders.
        self.first_rounds: dict[int, int] = {}
        self.tick_sizes_micro: dict[int, int] = {}
        self.escrow: Counter[int] = Counter()
        self.slots: dict[Place, Slot] = {}
        self.rounds: defaultdict[Place, RoundBook] = defaultdict(RoundBook)
        # Units.
        self.units: Counter[tuple[int, str]] = Counter()
        self.supply: Counter[int] = Counter()
        self.in_escrow: Counter[int] = Counter()
        self.held: Counter[tuple[int, str]] = Counter()
        # Sites and what they owe.
        self.sites: dict[int, SiteBook] = {}
        self.calendar: Counter[Place] = Counter()
        self.owed: defaultdict[Place, Bonded] = defaultdict(Bonded)
        self.reserved: Counter[Place] = Counter()
        self.margins: Counter[Place] = Counter()
        self.spent: Counter[Place] = Counter()
        self.outstanding: Counter[int] = Counter()
        self.expired: Counter[int] = Counter()
        self.leases: dict[int, LeaseBook] = {}
        self.last_placed: Slot | None = None
        self.open_offers: defaultdict[Place, list[tuple[int, int, int, int]]] = defaultdict(list)
        self.open_bonds: dict[Place, int] = {}
        self.touched_now: dict[Place, tuple[int, int]] = {}
        self.products_now: set[int] = set()

    def owed_micro(self) -> int:
        """All that the treasury owes to someone."""
        pots = self.cash.total() + self.escrow.total() + self.margins.total()
        bonds = sum(owed.bond_micro for owed in self.owed.values())
        return pots + bonds + sum(lease.bond_micro + lease.deposit_micro for lease in self.leases.values())

    def expect(self, number: int, where: str, expected: object, actual: object) -> None:
        """A finding unless the two are equal."""
        if expected != actual:
            self.findings.append(Finding(number, where, expected, actual))

    def close_transaction(self) -> None:
        """Holds what the transaction touched against the rules that hold between any two."""
        self.expect(1, f"treasury after transaction {self.transactions}", self.owed_micro(), self.token_micro)
        for product in self.products_now:
            name = f"product {product:#x}"
            self.expect(2, name, self.outstanding[product] + self.expired[product], self.supply[product])
            self.expect(11, name, self.in_escrow[product], self.units[product, self.exchange])
        for place, (units, bond_micro) in self.touched_now.items():
            owed = self.owed[place]
            # What stood before, while offers of several limits still settle one by one, is no level to hold.
            if owed.units and units and not self.reserved[place] and owed.bond_micro * units < bond_micro * owed.units:
                self.expect(
                    9, f"bond of {place}", f">= {bond_micro} for {units}", f"{owed.bond_micro} for {owed.units}"
                )
        self.touched_now = {
            place: before
            for place, before in self.touched_now.items()
            if self.reserved[place] and self.owed[place].units
        }
        self.products_now.clear()
