"""Signed orders on their way into the book: checked and queued as they come, packed into transactions as they leave."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ledger.abi import Call, Function
from ledger.chain import TRANSACTION_GAS_MAX, Chain
from ledger.errors import LedgerError, NodeRefused, OutOfRange, Reverted, refusal
from ledger.keeping.tasks import grouped, packed
from ledger.model import Kind
from ledger.orders import SignedOrder, digest_of, is_signed, order_domain
from ledger.product import Product
from ledger.rpc import Receipt, bytes_of, message_of, number_of
from ledger.store.relay import NewOrder, QueuedOrder, RelayQueue
from ledger.view import View

ROUNDS_AHEAD_MAX = 10_000
"""How far ahead of its round an order may be queued: a week, in rounds of a minute."""

BATCH_MAX = 400
"""Orders in one transaction, if they are as cheap as they get."""

# What placing one order takes at most, measured on anvil (gas): a bid at a tick of its own 60,000, on money that has to
# be pulled 110,000 (many of those together never come: pulling leaves no free cash); an ask 70,000; an offer of a fresh
# site 375,000 for a day and 772,000 for a week. Exchange gives each up to 1,200,000, as long as there is some. Where it
# was too little after all, the order comes back: it gets twice as much then, and at last all that an order may have.
_GAS = {Kind.BID: 65_000, Kind.ASK: 80_000, Kind.OFFER: 310_000}
_GAS_PER_HOUR = {Kind.BID: 0, Kind.ASK: 0, Kind.OFFER: 3_000}
_GAS_GIVEN = 1_200_000
_GAS_WHOLE = _GAS_GIVEN * 64 // 63 + 50_000
# What no order takes that stands.
_BURNT_GAS = 1_100_000
_GAS_BASE = 500_000
# An order that runs out of gas so often burns more than it may.
_STARVED_MAX = 5
# Products with fewer orders than this share a transaction, and name no free slots: it costs more than slots save.
_OWN_BATCH_MIN = 20

# What no later block of the same round takes back (contracts/parts/Orders.sol). Everything else may change: money
# comes, a pause ends, a node that lags catches up.
_FINAL = frozenset(
    {
        "BadSignature",
        "IndexOutOfRange",
        "IndexUsed",
        "MalformedProduct",
        "TickFull",
        "TickOutOfRange",
        "TooFewUnits",
        "TooManyUnits",
        "TradingClosed",
        "UnknownKind",
        "WrongEpoch",
    }
)

_APPEND = (2**32 - 1).to_bytes(32)
_ERC1271_YES = bytes.fromhex("1626ba7e")
_IS_VALID = Function(
    "isValidSignature", ({"name": "hash", "type": "bytes32"}, {"name": "signature", "type": "bytes"}), ()
)


@dataclass(frozen=True, slots=True)
class Batch:
    """Orders for one `placeSigned`, the free slots it may use, and the gas it is given."""

    orders: tuple[QueuedOrder, ...]
    product: int | None
    gas: int


@dataclass(frozen=True, slots=True)
class Refusals:
    """The orders that cannot be placed now, by number, and why: `final` ones never, `passing` ones perhaps later."""

    final: dict[int, str]
    passing: dict[int, str]


@dataclass(frozen=True, slots=True)
class Ends:
    """What one `placeSigned` came to, by the orders' numbers: their slots, why they were passed over, or that they are
    to be tried again."""

    placed: dict[int, int]
    skipped: dict[int, str]
    returned: tuple[int, ...]


def place_signed(view: View, orders: Sequence[QueuedOrder], slots: Sequence[int], gas: int | None = None) -> Call:
    """`placeSigned` of orders that are packed already: written word by word, ten times as fast as from their values."""
    entries = [_tuple(one) for one in orders]
    offset, offsets = 32 * len(entries), []
    for entry in entries:
        offsets.append(offset.to_bytes(32))
        offset += len(entry)
    batch = b"".join([len(entries).to_bytes(32), *offsets, *entries])
    free = b"".join(slot.to_bytes(32) for slot in [len(slots), *slots])
    head = (64).to_bytes(32) + (64 + len(batch)).to_bytes(32)
    return _written(view, "placeSigned", head + batch + free, gas)


def place_one(view: View, order: QueuedOrder) -> Call:
    """`placeOne` of an order that is packed already, to a new slot."""
    return _written(view, "placeOne", (64).to_bytes(32) + _APPEND + _tuple(order))


def _tuple(order: QueuedOrder) -> bytes:
    what, who, signature = order.words
    size = len(signature)
    head = what.to_bytes(32) + who.to_bytes(32) + (96).to_bytes(32) + size.to_bytes(32)
    return head + signature + bytes(-size % 32)


def _written(view: View, name: str, arguments: bytes, gas: int | None = None) -> Call:
    function = view.chain.interface("Exchange").function(name, 2)
    return Call("Exchange", view.address("Exchange"), function.selector + arguments, function, gas)


class RelayDesk:
    """Takes signed orders of one market: nothing is queued that its owner did not sign."""

    def __init__(self, view: View, queue: RelayQueue) -> None:
        self.queue = queue
        self._view = view
        self._domain = order_domain(view.chain.chain_id, view.address("Exchange"))

    def accept(self, orders: Sequence[SignedOrder], accepted_ms: int) -> list[QueuedOrder]:
        """Checks orders and queues them, all or none; one that is here already stays as it stands.

        Raises Exchange_BadSignature for one that its owner did not sign, Exchange_WrongRound for a round that is over,
        OutOfRange for one too far away, OrderNumberTaken; StoreUnavailable, and Unreachable where a contract that signs
        cannot be asked.
        """
        current = self._view.current_round()
        for order in orders:
            if order.terms.round < current:
                raise refusal("Exchange_WrongRound", {"round": order.terms.round, "current": current})
            if order.terms.round > current + ROUNDS_AHEAD_MAX:
                raise OutOfRange("round", order.terms.round, current, current + ROUNDS_AHEAD_MAX)
        return self.queue.accept([self._checked(order) for order in orders], accepted_ms, current)

    def _checked(self, order: SignedOrder) -> NewOrder:
        terms = order.terms
        digest = digest_of(terms, self._domain)
        by_key = is_signed(order, self._domain)
        if not by_key and not signed_by_contract(self._view.chain, terms.owner, digest, order.signature):
            raise refusal("Exchange_BadSignature", {"owner": terms.owner, "digest": "0x" + digest.hex()})
        what, who, signature = order.words
        product, kind = terms.product.id, int(terms.kind)
        return NewOrder(digest, terms.owner, terms.round, terms.index, product, kind, what, who, signature, by_key)


def signed_by_contract(chain: Chain, owner: str, digest: bytes, signature: bytes) -> bool:
    """Whether the contract at `owner` takes a signature for its own (ERC-1271). Raises Unreachable."""
    call = Call("", owner, _IS_VALID.encode((digest, signature)))
    # No more gas than a keeper gives it: nodes let a question burn far more.
    asked = message_of(call, None) | {"gas": hex(_GAS_GIVEN)}
    try:
        said = bytes_of(chain.request("eth_call", asked, "latest"))
    except (Reverted, NodeRefused):
        return False
    return said[:4] == _ERC1271_YES and len(said) >= 32


def batches(orders: Iterable[QueuedOrder]) -> list[Batch]:
    """Orders of one round in transactions that fit what one may burn: each product's together, so that they can use its
    free slots; products with few orders share one."""
    own: list[tuple[int | None, list[QueuedOrder]]] = []
    few: list[QueuedOrder] = []
    for product, wanted in grouped(orders, lambda one: one.order.product).items():
        if len(wanted) < _OWN_BATCH_MIN:
            few += wanted
        else:
            own.append((product, wanted))
    return [
        Batch(tuple(part), product, _GAS_BASE + sum(map(_weight, part)))
        for product, wanted in [*own, (None, sorted(few, key=lambda one: one.number))]
        for part in packed(wanted, _weight, TRANSACTION_GAS_MAX - _GAS_BASE, BATCH_MAX)
    ]


def _weight(queued: QueuedOrder) -> int:
    kind = Kind(queued.order.kind)
    usual = _GAS[kind] + _GAS_PER_HOUR[kind] * Product.from_id(queued.order.product).hours
    return min(usual << queued.attempts, _GAS_WHOLE) if queued.order.by_key else _GAS_WHOLE


def refused(view: View, orders: Sequence[QueuedOrder], keeper: str) -> Refusals:
    """The orders that the chain would pass over if `keeper` placed them in its latest block, each alone.

    Nothing is sent: a bad order costs more gas than a good one. What the node says of itself is never an order's end.
    """
    exchange = view.address("Exchange")
    calls = [place_one(view, one) for one in orders]
    # As much gas as Exchange gives it: what burns more is found out here.
    given = {"gas": hex(_GAS_GIVEN)}
    # Of the latest block: a node that makes the pending one anew for each question takes ten times as long.
    wanted = [("eth_call", (message_of(call, exchange) | given, "latest")) for call in calls]
    said = view.chain.outcomes(wanted)
    found = Refusals({}, {})
    for one, why in zip(orders, said, strict=True):
        if isinstance(why, LedgerError):
            kept = found.final if isinstance(why, Reverted) and why.name in _FINAL else found.passing
            kept[one.number] = str(why)
    standing = [one for one in orders if not one.order.by_key and one.number not in found.final | found.passing]
    found.passing.update(_burning(view, standing, keeper))
    return found


def _burning(view: View, orders: Sequence[QueuedOrder], keeper: str) -> dict[int, str]:
    """Those whose contract says yes to a question and burns gas in a transaction: asked as the keeper would send it,
    with a price of gas and the keeper as its origin. Nothing says so for certain: the contract may change its mind."""
    if not orders:
        return {}
    price = hex(view.chain.block().base_fee_wei)
    asked = {"from": keeper, "gas": hex(2 * _GAS_WHOLE), "gasPrice": price}
    wanted = [("eth_call", (asked | {"data": "0x" + _metered(view, one).hex()}, "latest")) for one in orders]
    found = {}
    for one, said in zip(orders, view.chain.outcomes(wanted), strict=True):
        if isinstance(said, LedgerError):
            found[one.number] = str(said)
        elif number_of(said if len(said) > 2 else "0x0") > _BURNT_GAS:
            found[one.number] = f"The contract of {one.order.owner} burns the gas of its order. Let it burn less."
    return found


def _metered(view: View, order: QueuedOrder) -> bytes:
    """Code that is called without being deployed: it places the order and returns the gas that this took."""
    data = place_signed(view, [order], []).data
    size, exchange = len(data).to_bytes(3), bytes.fromhex(view.address("Exchange")[2:])
    # codecopy(0, 50, size); gas; call(gas, exchange, 0, 0, size, 0, 0); pop; gas; swap, sub; return(the difference).
    head = b"\x62" + size + b"\x60\x32\x5f\x39\x5a\x5f\x5f\x62" + size + b"\x5f\x5f\x73" + exchange
    head += bytes.fromhex("5af1505a90035f5260205ff3")
    return head + data


def ends_of(view: View, orders: Sequence[QueuedOrder], receipt: Receipt) -> Ends:
    """What became of the orders of a `placeSigned`, by its receipt. One that came too late, or ran out of gas, is to be
    tried again: the first is found to be of a round that is over, the second gets room of its own."""
    said = view.events(receipt.logs)
    passed = {event["position"]: event["reason"] for event in said if event.name == "OrderSkipped"}
    slots = iter([event["index"] for event in said if event.name == "OrderPlaced"])
    placed: dict[int, int] = {}
    skipped: dict[int, str] = {}
    returned: list[int] = []
    for position, one in enumerate(orders):
        if position not in passed:
            placed[one.number] = next(slots)
            continue
        why = view.chain.reverts.decode(passed[position])
        # A contract's order had all that it may have already.
        starved = not passed[position] and one.order.by_key and one.attempts < _STARVED_MAX
        if starved or why.name == "WrongRound":
            returned.append(one.number)
        else:
            skipped[one.number] = str(why)
    return Ends(placed, skipped, tuple(returned))
