"""What a dispatch would do, to be looked at before anything is signed: where jobs run, what is bought for it, what is
left over, and what capacity is worth."""

from dataclasses import dataclass

from ledger.action import Preview
from ledger.dispatch.problem import JobSpec, Latencies, Left, Plan, Supply
from ledger.errors import LedgerError


@dataclass(frozen=True, slots=True)
class Where:
    """Units of a job in one hour: at which site, at what price per unit-hour (0 for what is held), how far one way."""

    job: int
    name: str
    site: int
    metro: int
    hour: int
    units: int
    price_micro: int
    product: int
    latency_us: int
    held: bool


@dataclass(frozen=True, slots=True)
class Purchase:
    """One bid: `units` of a product up to `tick`. `used_unit_hours` of them serve jobs (`shares`: unit-hours by job);
    the rest is what a window or the least order makes one buy. By the book as it stands `expected_units` would trade at
    `expected_price_micro`, for `expected_micro`. `preview` is what the chain says of it, None where it was not
    asked."""

    product: int
    code: str
    units: int
    hours: int
    used_unit_hours: int
    tick: int
    price_micro: int
    escrow_micro: int
    expected_units: int
    expected_price_micro: int | None
    expected_micro: int
    shares: tuple[tuple[int, int], ...]
    preview: Preview | None = None


@dataclass(frozen=True, slots=True)
class CapacityPrice:
    """What one more unit at a site in an hour would be worth to the plan, in micro per unit-hour; `scarce` where jobs
    are left out that could use it: then it is the best limit among them."""

    site: int
    hour: int
    price_micro: int
    scarce: bool


@dataclass(frozen=True, slots=True)
class DispatchPreview:
    """A plan on the market at a block. `jobs` and `supplies` are what was planned with (`latencies` with them), so that
    anyone can `verify` it; `refusals` is what stops the purchases now."""

    block: int
    block_hash: str
    time_s: int
    round: int
    jobs: tuple[JobSpec, ...]
    supplies: tuple[Supply, ...]
    latencies: Latencies
    plan: Plan
    placements: tuple[Where, ...]
    purchases: tuple[Purchase, ...]
    left: tuple[Left, ...]
    prices: tuple[CapacityPrice, ...]
    refusals: tuple[LedgerError, ...]
    verified: bool

    @property
    def unit_hours(self) -> int:
        return sum(one.units for one in self.placements)

    @property
    def wanted_unit_hours(self) -> int:
        return sum(job.unit_hours for job in self.jobs)

    @property
    def cost_micro(self) -> int:
        """What the placements cost at the offers' prices, windows' unused hours included."""
        return self.plan.cost_micro

    @property
    def escrow_micro(self) -> int:
        return sum(one.escrow_micro for one in self.purchases)

    @property
    def expected_micro(self) -> int:
        return sum(one.expected_micro for one in self.purchases)

    @property
    def gas(self) -> int:
        """Gas of the bids that were tried."""
        return sum(one.preview.gas or 0 for one in self.purchases if one.preview)

    @property
    def fee_wei(self) -> int:
        return sum(one.preview.fee_wei or 0 for one in self.purchases if one.preview)
