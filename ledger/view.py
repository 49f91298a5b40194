"""What the contracts of a market hold, read as the ledger's own values."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from ledger.chain import Contracts
from ledger.errors import InputError
from ledger.model import Basis, ClassTerms, Kind, Lease, LeaseState, Obligation, Order, Rating, Site
from ledger.prices import price_micro, tick_at_or_above, tick_at_or_below
from ledger.product import Product
from ledger.standard import load_standard

# Exchange's packing of an order (contracts/types/Order.sol), from high to low.
_ORDER_FIELDS = (("principal", 160), ("kind", 2), ("tick", 10), ("round", 20), ("prefix", 32), ("units", 32))
_LEASE_STATES = (None, LeaseState.ACTIVE, LeaseState.REPORTED, LeaseState.DISPUTED, LeaseState.RESOLVED)


@dataclass(frozen=True, slots=True)
class Book:
    """A product's book: its first round, how many order slots it has, its terms, and the bidders' money in it."""

    first_round: int
    orders: int
    tick_size_micro: int
    min_units: int
    escrow_micro: int

    @property
    def is_open(self) -> bool:
        """Whether anybody ever placed an order for the product."""
        return self.tick_size_micro > 0


@dataclass(frozen=True, slots=True)
class Price:
    """What a round cleared at: `units` traded at `tick`, `price_micro` per unit-hour; 0 and None without a trade."""

    units: int
    tick: int | None
    price_micro: int | None


@dataclass(frozen=True, slots=True)
class Depth:
    """Units standing in a round by tick, those of settled orders included; empty ticks are left out."""

    bids: dict[int, int]
    asks: dict[int, int]


@dataclass(frozen=True, slots=True)
class Account:
    """Someone's money in the market: free cash in micro, the epoch to sign orders with, and the numbers of the signed
    orders that were placed in `round`."""

    cash_micro: int
    epoch: int
    round: int
    used: frozenset[int]


class View(Contracts):
    """Reads one market. Raises Reverted for what does not exist, Unavailable when the node does not answer."""

    # ---- money

    def account(self, owner: str) -> Account:
        """What the treasury keeps for `owner`."""
        cash, epoch, round_, used = self.read("Treasury", "accountOf", owner)
        return Account(cash, epoch, round_, frozenset(bit for bit in range(80) if used >> bit & 1))

    def cash_micro(self, owner: str) -> int:
        """The owner's free cash."""
        return int(self.read("Treasury", "cashOf", owner))

    def wallet_micro(self, owner: str) -> int:
        """What the owner holds of the settlement token, outside of the market."""
        return int(self.read("Token", "balanceOf", owner))

    def allowance_micro(self, owner: str) -> int:
        """How much of that the treasury may pull for the owner's own orders."""
        return int(self.read("Token", "allowance", owner, self.address("Treasury")))

    # ---- the standard

    def terms_of(self, class_id: int) -> ClassTerms:
        """The terms of a class today."""
        terms = self.read("Standard", "termsOf", class_id)
        return ClassTerms(
            name=terms["name"],
            unit=terms["unit"],
            min_memory_gb=terms["minMemoryGb"],
            tick_size_micro=terms["tickSizeMicro"],
            min_order_units=terms["minOrderUnits"],
            bond_price_micro=terms["bondPriceMicro"],
        )

    def rating(self, device: str, class_id: int) -> Rating | None:
        """The latest rating of a device by its full name; None where it has none in that class."""
        rating = self.read("Standard", "ratingOf", device_hash(device), class_id)
        if not rating["milliUnits"]:
            return None
        basis = Basis(rating["basis"])
        return Rating(device, class_id, rating["milliUnits"], basis, rating["evidence"], rating["version"])

    # ---- rounds and prices

    def current_round(self, time_s: int | None = None) -> int:
        """The round at a time (default: that of the latest block)."""
        return (self.chain.time_s() if time_s is None else time_s) // self.deployment.terms.round_s

    def round_end_s(self, round_: int) -> int:
        """When a round ends and may be cleared, in seconds since the epoch."""
        return (round_ + 1) * self.deployment.terms.round_s

    def book(self, product: Product) -> Book:
        """The product's book."""
        return Book(*self.read("Exchange", "bookOf", product.id))

    def tick_size_micro(self, product: Product) -> int:
        """The price step of the product: its book's, or its class's where nobody traded it yet."""
        return self.book(product).tick_size_micro or self.terms_of(product.class_id).tick_size_micro

    def price_micro(self, product: Product, tick: int) -> int:
        """The price at a tick in micro per unit-hour. Raises OutOfRange."""
        return price_micro(tick, self.tick_size_micro(product))

    def tick(self, product: Product, kind: Kind, price_micro: int) -> int:
        """The tick of a limit in micro per unit-hour: rounded down for a bid, up for who sells. Raises InputError."""
        nearest = tick_at_or_above if kind.sells else tick_at_or_below
        return nearest(price_micro, self.tick_size_micro(product))

    def price(self, product: Product, round_: int) -> Price | None:
        """What a round cleared at; None where nobody cleared it."""
        cleared, tick, units = self.read("Exchange", "clearingOf", product.id, round_)
        if not cleared:
            return None
        return Price(units, tick, self.price_micro(product, tick)) if units else Price(0, None, None)

    def depth(self, product: Product, round_: int) -> Depth:
        """Units standing in a round, by tick and side."""
        bids, asks = self.read("Exchange", "depthOf", product.id, round_)
        return Depth(_non_empty(bids), _non_empty(asks))

    # ---- orders

    def orders(self, product: Product, round_: int | None = None, waiting: bool = False) -> list[Order]:
        """The product's orders, those of one round, or only those that wait to be settled, by their slots.

        A slot that was used again holds its last order.
        """
        book = self.book(product)
        calls = [self.call("Exchange", "orderOf", product.id, index) for index in range(book.orders)]
        found = [
            (read_order(word, product, book.first_round, index), settled)
            for index, (word, settled) in enumerate(self.chain.call_many(calls))
        ]
        return [
            order for order, settled in found if (round_ is None or order.round == round_) and not (waiting and settled)
        ]

    def free_slots(self, product: Product) -> list[int]:
        """The slots of settled orders: a relayed order that goes into one costs less."""
        waiting = {order.index for order in self.orders(product, waiting=True)}
        return [index for index in range(self.book(product).orders) if index not in waiting]

    # ---- capacity

    def units(self, owner: str, product: Product) -> int:
        """The units that `owner` holds, those in open asks not counted."""
        return int(self.read("Capacity", "balanceOf", owner, product.id))

    def held_units(self, owner: str, product: Product) -> int:
        """The units that wait for `owner`, a contract that refused them, to collect."""
        return int(self.read("Exchange", "heldOf", product.id, owner))

    def supply_units(self, product: Product) -> int:
        """The units of the product that exist."""
        return int(self.read("Capacity", "totalSupply", product.id))

    def site(self, site: int) -> Site:
        """A registered site. Its device is named where the standard knows it, else given as its hash in hex."""
        found = self.read("Capacity", "siteOf", site)
        return Site(
            site=site,
            provider=found["provider"],
            device=_device_names().get(found["device"], "0x" + found["device"].hex()),
            devices=found["devices"],
            class_id=found["class"],
            metro=found["metro"],
            attested_units=found["units"],
            grade=found["grade"],
            valid_until_s=found["validUntil_s"],
        )

    def site_count(self) -> int:
        """How many sites there are; they are numbered from 1."""
        return int(self.read("Capacity", "siteCount"))

    def available_units(self, site: int, product: Product) -> int:
        """What the site could still issue in the product's window."""
        return int(self.read("Capacity", "availableUnits", site, product.start_hour, product.hours))

    # ---- delivery

    def obligation(self, product: Product, site: int) -> Obligation:
        """What the site owes of the product, and the bond behind it."""
        units, bond_micro = self.read("Delivery", "obligationOf", product.id, site)
        return Obligation(product.id, site, units, bond_micro)

    def lease(self, lease: int) -> Lease:
        """A lease by its number. An aborted one counts as ABORTED once it has ended."""
        found = self.read("Delivery", "leaseOf", lease)
        state = _LEASE_STATES[found["state"]] or LeaseState.ACTIVE
        ended = state is LeaseState.RESOLVED
        return Lease(
            lease=lease,
            product=found["product"],
            site=found["site"],
            holder=found["holder"],
            units=found["units"],
            bond_micro=found["bondMicro"],
            job_hash=b"",
            state=LeaseState.ABORTED if ended and found["aborted"] else state,
            delivered_milli=found["reportedMilli"],
        )

    def lease_count(self) -> int:
        """How many leases there are; they are numbered from 1."""
        return int(self.read("Delivery", "leaseCount"))

    def record(self, site: int) -> tuple[int, int]:
        """What the site has delivered and failed to deliver, in milli-unit-hours."""
        delivered, failed = self.read("Delivery", "recordOf", site)
        return delivered, failed


def read_order(word: int, product: Product, first_round: int, index: int) -> Order:
    """The order in a slot's word. Raises InputError for a word that is none."""
    parts = {}
    for name, bits in reversed(_ORDER_FIELDS):
        parts[name], word = word & (1 << bits) - 1, word >> bits
    if not parts["units"]:
        raise InputError(f"Slot {index} of {product.code} holds no order.", "Slots are numbered from 0.")
    # 0 is a bid as well: of a bidder that has a key.
    kind = Kind(parts["kind"] or Kind.BID)
    principal = parts["principal"]
    return Order(
        kind=kind,
        tick=parts["tick"],
        units=parts["units"],
        prefix=parts["prefix"],
        owner="" if kind is Kind.OFFER else checksummed(principal),
        site=principal if kind is Kind.OFFER else 0,
        product=product.id,
        round=first_round + parts["round"],
        index=index,
    )


def device_hash(device: str) -> bytes:
    """The id of a device on chain: the keccak-256 of its full name."""
    return keccak(text=device)


def checksummed(address: int) -> str:
    """An address from its number."""
    return str(to_checksum_address(address.to_bytes(20)))


@cache
def _device_names() -> dict[bytes, str]:
    return {device_hash(entry.rating.device): entry.rating.device for entry in load_standard().entries}


def _non_empty(volumes: Iterable[int]) -> dict[int, int]:
    return {tick: units for tick, units in enumerate(volumes) if units}
