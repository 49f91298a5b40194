"""The values that the layers above share. Nothing here does anything; ids and amounts are as on chain."""

from dataclasses import dataclass
from enum import IntEnum


class Kind(IntEnum):
    """What an order does. A bid buys; an ask resells tokens; an offer issues a site's units when sold."""

    BID = 1
    ASK = 2
    OFFER = 3

    @property
    def sells(self) -> bool:
        return self is not Kind.BID


@dataclass(frozen=True, slots=True)
class Order:
    """An order in a round's book. `prefix` is the volume in units that stood at its tick and side when it came.

    An offer's principal is its `site`; a bid's and an ask's is its `owner`, an address. `index` is the order's place
    among the product's orders.
    """

    kind: Kind
    tick: int
    units: int
    prefix: int = 0
    owner: str = ""
    site: int = 0
    product: int = 0
    round: int = 0
    index: int = 0


@dataclass(frozen=True, slots=True)
class Margin:
    """The last tick of a side that fills: `filled_units` (q) of the `standing_units` (v) there trade."""

    tick: int
    filled_units: int
    standing_units: int


@dataclass(frozen=True, slots=True)
class Clearing:
    """What a round came to. Without a trade `units` is 0 and the rest is None."""

    units: int
    price_tick: int | None
    bid: Margin | None
    ask: Margin | None


@dataclass(frozen=True, slots=True)
class Fill:
    """What one order came to: `units` traded of it, `returned_units` did not, `cash_micro` goes to its principal
    (a bid's unspent escrow, a seller's proceeds)."""

    units: int
    returned_units: int
    cash_micro: int


@dataclass(frozen=True, slots=True)
class ClassTerms:
    """A class of compute: one row of the standard."""

    name: str
    unit: str
    min_memory_gb: int
    tick_size_micro: int
    min_order_units: int
    bond_price_micro: int


class Basis(IntEnum):
    """What a rating rests on."""

    MEASURED = 1
    DATASHEET = 2


@dataclass(frozen=True, slots=True)
class Rating:
    """What one device of a model yields in a class, in milli-units; `evidence` is the keccak-256 of its ground."""

    device: str
    class_id: int
    milli_units: int
    basis: Basis
    evidence: bytes
    version: int = 1


@dataclass(frozen=True, slots=True)
class Area:
    """A metro with the code of its `hub`, or a hub, whose `hub` is 0."""

    code: int
    hub: int
    name: str

    @property
    def is_hub(self) -> bool:
        return self.hub == 0


@dataclass(frozen=True, slots=True)
class Site:
    """Devices of one model, in one metro, of one provider, offering one class; and what an auditor attested there."""

    site: int
    provider: str
    device: str
    devices: int
    class_id: int
    metro: int
    uri: str = ""
    attested_units: int = 0
    grade: int = 0
    valid_until_s: int = 0

    @property
    def device_units(self) -> int:
        """What one of its devices counts, rounded up."""
        return -(-self.attested_units // self.devices)


@dataclass(frozen=True, slots=True)
class Obligation:
    """What a site owes of a product: `units` not yet redeemed, each with an equal claim on `bond_micro`."""

    product: int
    site: int
    units: int
    bond_micro: int


class LeaseState(IntEnum):
    """Where a lease stands; the last two are ends."""

    ACTIVE = 1
    REPORTED = 2
    DISPUTED = 3
    RULED = 4
    RESOLVED = 5
    ABORTED = 6


@dataclass(frozen=True, slots=True)
class Lease:
    """Redeemed units, assigned to a site, with their share of the bond. `delivered_milli` counts milli-unit-hours
    over the window, as last reported or ruled."""

    lease: int
    product: int
    site: int
    holder: str
    units: int
    bond_micro: int
    job_hash: bytes
    state: LeaseState = LeaseState.ACTIVE
    delivered_milli: int = 0
