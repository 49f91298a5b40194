"""What the history's rows are outside of the database: typed, frozen, with the units in their names.

Fields are named as the columns they come from (ledger/store/tables.py).
"""

from dataclasses import dataclass

from ledger.model import Kind, LeaseState

Place = tuple[int, int, int]
"""Where a row stands in the history: block, log index, slot."""


@dataclass(frozen=True, slots=True)
class Head:
    """How far the history goes: up to `block`, final up to `finalized`, while the node was at `head`."""

    chain_id: int
    exchange: str
    block: int
    hash: str | None
    time_s: int
    finalized: int
    head: int
    events: int

    @property
    def lag(self) -> int:
        """Blocks that the node had and the history did not, when it last looked."""
        return self.head - self.block


@dataclass(frozen=True, slots=True)
class BlockRow:
    """A block; its `parent` is None where it was final before anybody looked at its header."""

    block: int
    hash: str
    parent: str | None
    time_s: int


@dataclass(frozen=True, slots=True)
class BookRow:
    """A product that was ever traded; `last_price_micro` per unit-hour is None before its first trade, `slots` are
    those of its orders, `escrow_micro` is bidders' money."""

    product: int
    class_id: int
    start_s: int
    end_s: int
    first_round: int
    tick_size_micro: int
    min_units: int
    slots: int
    escrow_micro: int
    last_price_micro: int | None
    last_round: int | None
    traded_units: int


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order that was placed. `owner` is the provider for an offer, `escrow_micro` a bid's limit or an offer's
    margin."""

    product: int
    round: int
    slot: int
    kind: Kind
    owner: str
    site: int
    tick: int
    price_micro: int
    units: int
    prefix: int
    escrow_micro: int
    filled: int
    settled: bool
    placed_s: int
    transaction: str
    placed_block: int
    placed_log: int

    @property
    def place(self) -> Place:
        return self.placed_block, self.placed_log, self.slot


@dataclass(frozen=True, slots=True)
class ClearingRow:
    """What a round cleared at; without a trade `units` is 0 and the rest None."""

    product: int
    round: int
    units: int
    price_tick: int | None
    price_micro: int | None
    bid_tick: int | None
    bid_filled: int | None
    bid_standing: int | None
    ask_tick: int | None
    ask_filled: int | None
    ask_standing: int | None
    time_s: int
    block: int
    log_index: int

    @property
    def place(self) -> Place:
        return self.block, self.log_index, 0


@dataclass(frozen=True, slots=True)
class FillRow:
    """What an order traded: `cost_micro` is what its units cost for the whole window at the clearing price."""

    product: int
    round: int
    slot: int
    kind: Kind
    owner: str
    site: int
    units: int
    price_micro: int
    cost_micro: int
    time_s: int
    block: int
    log_index: int

    @property
    def place(self) -> Place:
        return self.block, self.log_index, self.slot


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """Units that `owner` holds; `held_units` wait for it, a contract that refused them."""

    owner: str
    product: int
    units: int
    held_units: int


@dataclass(frozen=True, slots=True)
class CashRow:
    """An owner's free cash, all that came in and went out, and the epoch to sign orders with."""

    owner: str
    free_micro: int
    deposited_micro: int
    withdrawn_micro: int
    epoch: int


@dataclass(frozen=True, slots=True)
class SiteRow:
    """A site, what was attested there, and its record in milli-unit-hours. `device` is the hash of its full name."""

    site: int
    provider: str
    device: str
    devices: int
    class_id: int
    metro: int
    hub: int
    uri: str
    attested_units: int
    grade: int
    valid_until_s: int
    delivered_milli_hours: int
    failed_milli_hours: int


@dataclass(frozen=True, slots=True)
class ObligationRow:
    """What a site owes of a product; after `due_s` anyone may expire it. Margin and reserved units are of offers that
    wait to be settled."""

    product: int
    site: int
    units: int
    bond_micro: int
    margin_micro: int
    reserved_units: int
    expired_units: int
    due_s: int


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """A lease: `bond_micro` at its start, `held_micro` what it still holds. After `due_s` anyone may resolve it; None
    once it has ended."""

    lease: int
    product: int
    site: int
    provider: str
    holder: str
    units: int
    bond_micro: int
    held_micro: int
    deposit_micro: int
    state: LeaseState
    aborted: bool
    reason: int | None
    reported_milli: int | None
    delivered_milli: int | None
    to_provider_micro: int
    to_holder_micro: int
    redeemed_s: int
    reported_s: int | None
    disputed_s: int | None
    resolved_s: int | None
    due_s: int | None
    job_hash: str
    usage_root: str | None


@dataclass(frozen=True, slots=True)
class WaitingRound:
    """A round with `orders` orders that are not settled; `cleared` says what can be done next."""

    product: int
    round: int
    orders: int
    cleared: bool


@dataclass(frozen=True, slots=True)
class Levels:
    """Units standing in a round, by tick; those of settled orders included."""

    bids: dict[int, int]
    asks: dict[int, int]
