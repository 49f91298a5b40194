"""Whose act it was: transactions and signatures beside the orders that were placed and the cash that fell.

An order is its owner's if the owner sent it to the exchange (DESIGN §4.4) or signed it, and nobody's cash falls but in
a transaction of their own or through an order they signed (INV-12, INV-13, INV-17). What else happened, only the code
of the one concerned can have done: called by other people's contracts, back from ours, or asked for a signature
(ERC-1271). Such acts are counted, and whoever they are of must be proven to have code at that block.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from eth_utils.crypto import keccak

from ledger.audit.decode import address_of
from ledger.eip712 import Domain
from ledger.keys import recover
from ledger.model import Kind

PLACE_SIGNED = keccak(text="placeSigned((uint256,uint256,bytes)[],uint32[])")[:4]
# contracts/types/SignedOrder.sol
_ORDER_TYPE = keccak(
    text="Order(address owner,uint8 kind,uint32 site,uint256 product,uint16 tick,uint64 units,uint64 round,"
    "uint8 index,uint32 epoch)"
)

Fault = tuple[str, str, object, object]
"""Rule, where, expected, actual."""


class Act(NamedTuple):
    """A transaction: who signed it, whom it called (None: it made a contract), with what."""

    sender: str
    to: str | None
    data: bytes


class Placed(NamedTuple):
    """An order as its event says it, the site 0 unless it is an offer."""

    owner: str
    kind: Kind
    site: int
    product: int
    tick: int
    units: int
    round: int


class Signed(NamedTuple):
    """An order out of `placeSigned`'s calldata."""

    placed: tuple[str, int, int, int, int, int, int]
    number: int
    epoch: int
    signature: bytes


class Marked(Protocol):
    """What the books know of signers."""

    epochs: Counter[str]
    marks: dict[str, tuple[int, int]]
    fell_now: set[str]


@dataclass(frozen=True, slots=True)
class Consent:
    """Judges transactions of one market, by the addresses of its contracts."""

    exchange: str
    ours: frozenset[str]
    separator: bytes
    unseen: Counter[str]
    """Acts by owner whose consent could not be seen."""
    by_code: set[tuple[str, str]]
    """Of the transaction judged last: rule and owner of what only the owner's code can have done."""

    @classmethod
    def of(cls, chain_id: int, exchange: str, ours: Iterable[str]) -> "Consent":
        separator = Domain("Compute Ledger", "1", chain_id, exchange).separator
        return cls(exchange, frozenset(ours), separator, Counter(), set())

    def faults(self, books: Marked, act: Act | None, placed: Sequence[Placed], skipped: set[int]) -> Iterator[Fault]:
        """What was nobody's act in a transaction that placed these orders and skipped those positions."""
        self.by_code.clear()
        if act is None or (not placed and not books.fell_now):
            return
        willing = {act.sender}
        if act.to == self.exchange and act.data[:4] == PLACE_SIGNED:
            yield from self._relayed(books, act.data, placed, skipped)
            willing = {one.owner for one in placed}
        else:
            for one in placed:
                if one.owner != act.sender:
                    self._only_code("INV-17", one.owner)
        ordered = {one.owner for one in placed}
        for owner in sorted(books.fell_now - willing - ordered):
            self._only_code("INV-13", owner)

    def _only_code(self, rule: str, owner: str) -> None:
        self.unseen[owner] += 1
        self.by_code.add((rule, owner))

    def _relayed(self, books: Marked, data: bytes, placed: Sequence[Placed], skipped: set[int]) -> Iterator[Fault]:
        try:
            orders = [one for position, one in enumerate(signed_orders(data)) if position not in skipped]
        except (IndexError, ValueError, OverflowError):
            orders = []
        if len(orders) != len(placed):
            yield "INV-17", "orders placed by relay", len(orders), len(placed)
            return
        for order, one in zip(orders, placed, strict=True):
            if order.placed != tuple(one):
                yield "INV-17", "an order placed by relay", order.placed, tuple(one)
                continue
            yield from self._marked(books, order, one)
            if recover(self._digest(order), order.signature) != one.owner:
                self._only_code("INV-17", one.owner)

    def _marked(self, books: Marked, order: Signed, one: Placed) -> Iterator[Fault]:
        if order.epoch != books.epochs[one.owner]:
            yield "INV-12", f"epoch of an order of {one.owner}", books.epochs[one.owner], order.epoch
        last, used = books.marks.get(one.owner, (0, 0))
        if one.round < last or (one.round == last and used >> order.number & 1):
            yield "INV-12", f"order {order.number} of {one.owner}, round {one.round}", "placed once", "placed again"
        kept = used if one.round == last else 0
        books.marks[one.owner] = one.round, kept | 1 << order.number

    def _digest(self, order: Signed) -> bytes:
        owner, *numbers = order.placed
        words = (int(owner, 16), *(numbers[place] for place in range(6)), order.number, order.epoch)
        struct = _ORDER_TYPE + b"".join(word.to_bytes(32) for word in words)
        return keccak(b"\x19\x01" + self.separator + keccak(struct))


def signed_orders(data: bytes) -> list[Signed]:
    """The orders in the calldata of `placeSigned`. Raises IndexError or ValueError for calldata that is none."""
    body = data[4:]
    start = _word(body, 0)
    first = start + 32
    return [_signed(body, first + _word(body, first + 32 * place)) for place in range(_word(body, start))]


def _signed(body: bytes, place: int) -> Signed:
    """The packing is in contracts/types/SignedOrder.sol."""
    what, who = _word(body, place), _word(body, place + 32)
    tail = place + _word(body, place + 64)
    signature = body[tail + 32 : tail + 32 + _word(body, tail)]
    owner = address_of((who >> 88 & (1 << 160) - 1).to_bytes(20))
    kind, tick, units = who >> 80 & 0xFF, who >> 64 & 0xFFFF, who >> 32 & 0xFFFF_FFFF
    site, product, round_ = what >> 88 & 0xFFFF_FFFF, what & (1 << 88) - 1, what >> 120 & 0xFF_FFFF_FFFF
    placed = (owner, kind, site, product, tick, units, round_)
    return Signed(placed, who >> 24 & 0xFF, who & 0xFF_FFFF, signature)


def _word(body: bytes, place: int) -> int:
    if place + 32 > len(body):
        raise IndexError(place)
    return int.from_bytes(body[place : place + 32])
