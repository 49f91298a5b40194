"""Orders that their owners sign, for anyone to relay (EIP-712): build, sign, verify, pack."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eth_utils.address import to_checksum_address

from ledger.eip712 import Domain, Struct
from ledger.errors import InputError, OutOfRange, UnreadableText
from ledger.keys import Signer, recover
from ledger.model import Kind
from ledger.prices import TICK_MAX, TICK_MIN
from ledger.product import Product

SIGNED_PER_ROUND = 80
"""How many orders one owner may have signed and placed in one round."""

_FIELDS = (
    ("owner", "address"),
    ("kind", "uint8"),
    ("site", "uint32"),
    ("product", "uint256"),
    ("tick", "uint16"),
    ("units", "uint64"),
    ("round", "uint64"),
    ("index", "uint8"),
    ("epoch", "uint32"),
)
_ORDER = Struct("Order", _FIELDS)


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """What an owner signs. Good for `round` only; `index` numbers the owner's signed orders of that round from 0 to 79,
    `epoch` is the owner's when it was signed. An offer names its `site`. Raises OutOfRange."""

    owner: str
    kind: Kind
    product: Product
    tick: int
    units: int
    round: int
    index: int = 0
    epoch: int = 0
    site: int = 0

    def __post_init__(self) -> None:
        limits = (
            ("tick", self.tick, TICK_MIN, TICK_MAX),
            ("units", self.units, 1, 2**32 - 1),
            ("round", self.round, 0, 2**40 - 1),
            ("index", self.index, 0, SIGNED_PER_ROUND - 1),
            ("epoch", self.epoch, 0, 2**24 - 1),
            ("site", self.site, 0, 2**32 - 1),
        )
        for name, value, least, most in limits:
            if not least <= value <= most:
                raise OutOfRange(name, value, least, most)
        if (self.kind is Kind.OFFER) != (self.site > 0):
            raise InputError("An offer names its site, a bid or an ask names none.", "Sites are numbered from 1.")

    def values(self) -> dict[str, Any]:
        """The fields as they are signed, by name."""
        return {
            "owner": self.owner,
            "kind": int(self.kind),
            "site": self.site,
            "product": self.product.id,
            "tick": self.tick,
            "units": self.units,
            "round": self.round,
            "index": self.index,
            "epoch": self.epoch,
        }


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """An order and its owner's signature: 65 bytes of ECDSA, or what the owner's contract takes (ERC-1271)."""

    terms: OrderTerms
    signature: bytes

    @property
    def words(self) -> tuple[int, int, bytes]:
        """As `placeSigned` takes it (contracts/types/SignedOrder.sol): `what` is `round 40 | site 32 | product 88`,
        `who` is `owner 160 | kind 8 | tick 16 | units 32 | index 8 | epoch 24`, from high to low."""
        order = self.terms
        what = order.round << 120 | order.site << 88 | order.product.id
        who = int(order.owner, 16) << 88 | order.kind << 80 | order.tick << 64
        return what, who | order.units << 32 | order.index << 24 | order.epoch, self.signature

    def json(self) -> dict[str, Any]:
        """For files and relays; `signed_order` reads it."""
        return {"order": self.terms.values(), "signature": "0x" + self.signature.hex()}


def order_domain(chain_id: int, exchange: str) -> Domain:
    """Where orders are good: one exchange on one chain."""
    return Domain("Compute Ledger", "1", chain_id, exchange)


def digest_of(terms: OrderTerms, domain: Domain) -> bytes:
    """The 32 bytes that the owner signs."""
    return _ORDER.digest(terms.values(), domain)


def typed_data(terms: OrderTerms, domain: Domain) -> dict[str, Any]:
    """The order as a wallet's eth_signTypedData_v4 takes it."""
    return _ORDER.typed_data(terms.values(), domain)


def sign_order(terms: OrderTerms, domain: Domain, signer: Signer) -> SignedOrder:
    """Signs an order. Raises InputError unless it is the signer's own."""
    if signer.address != to_checksum_address(terms.owner):
        raise InputError(
            f"The order is {terms.owner}'s, the key is {signer.address}'s.", "Sign it with its owner's key."
        )
    return SignedOrder(terms, signer.sign_digest(digest_of(terms, domain)))


def is_signed(order: SignedOrder, domain: Domain) -> bool:
    """Whether the owner's key signed it, for this exchange on this chain. A contract's signature only a chain can
    check."""
    return recover(digest_of(order.terms, domain), order.signature) == to_checksum_address(order.terms.owner)


def unpack(what: int, who: int, signature: bytes) -> SignedOrder:
    """The order that these words of `placeSigned` hold. Raises InputError for words that hold none."""
    terms = OrderTerms(
        owner=to_checksum_address((who >> 88).to_bytes(20)),
        kind=_kind(who >> 80 & 0xFF),
        product=Product.from_id(what & (1 << 88) - 1),
        tick=who >> 64 & 0xFFFF,
        units=who >> 32 & 0xFFFF_FFFF,
        round=what >> 120,
        index=who >> 24 & 0xFF,
        epoch=who & 0xFF_FFFF,
        site=what >> 88 & 0xFFFF_FFFF,
    )
    return SignedOrder(terms, signature)


def signed_order(record: Mapping[str, Any]) -> SignedOrder:
    """The order that `SignedOrder.json` wrote. Raises UnreadableText or InputError."""
    try:
        values = {name: record["order"][name] for name, _ in _FIELDS}
        signature = bytes.fromhex(record["signature"].removeprefix("0x"))
        owner = to_checksum_address(values.pop("owner"))
        product, kind = Product.from_id(int(values.pop("product"))), _kind(int(values.pop("kind")))
        numbers = {name: int(value) for name, value in values.items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise UnreadableText("a signed order", str(record)[:80], f"it lacks {error}", '{"order": {…}}') from None
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise UnreadableText("a signed order", str(record)[:80], str(error), '{"order": {…}}') from None
    return SignedOrder(OrderTerms(owner=owner, product=product, kind=kind, **numbers), signature)


def _kind(number: int) -> Kind:
    if number not in set(Kind):
        raise OutOfRange("kind", number, Kind.BID, Kind.OFFER)
    return Kind(number)
