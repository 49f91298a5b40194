"""The chain's own proofs: each header's hash from its fields, each one's parent, and for every block whose bloom may
hold our contracts all of its transactions and receipts under the header's roots. So no log can be missing, added or
altered unseen.

Whatever a node says is only a claim until it fits. Where it does not, the node is asked in another way: an answer that
fits shows what exactly was altered, and the walk goes on with what is proven.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ledger.audit.acts import Act
from ledger.audit.books import Finding
from ledger.audit.decode import Entry, address_of
from ledger.audit.receipts import Node, Nonsense, Receipt, header_hash, read_receipt, receipts_root
from ledger.audit.tries import bloom_bits, keccak, ordered_root, quantity, transaction_bytes
from ledger.errors import NodeRefused
from ledger.keys import recover

_AT_ONCE = 64
# What a full block says may be megabytes.
_BODIES_AT_ONCE = 8


class ProvenBlock(NamedTuple):
    """A block as its header proves it: our logs, and its transactions where it has any of ours."""

    number: int
    time_s: int
    hash: bytes
    state_root: bytes
    entries: tuple[Entry, ...]
    acts: Mapping[str, Act]
    receipts: int


class Headers:
    """Walks a node's blocks; everything that does not fit goes to `note`."""

    def __init__(
        self, node: Node, addresses: Iterable[str], token: str, treasury: str, note: Callable[[Finding], None]
    ) -> None:
        """`addresses` are the market's contracts'; of the settlement token only what names the treasury is wanted."""
        self._node, self._note = node, note
        self._token, self._named = bytes.fromhex(token[2:]), bytes(12) + bytes.fromhex(treasury[2:])
        self._ours = frozenset(bytes.fromhex(address[2:]) for address in addresses) - {self._token}
        self._blooms = [*map(bloom_bits, self._ours), bloom_bits(self._token) | bloom_bits(self._named)]
        self._parent: str | None = None

    def walk(self, first: int, last: int) -> Iterator[ProvenBlock]:
        """The blocks from `first` to `last`, both included. Raises Unavailable when the node does not answer."""
        for start in range(first, last + 1, _AT_ONCE):
            numbers = range(start, min(start + _AT_ONCE, last + 1))
            found = self._node.batch([("eth_getBlockByNumber", (hex(number), False)) for number in numbers])
            headers = [self._header(number, header) for number, header in zip(numbers, found, strict=True)]
            known = [header for header in headers if header is not None]
            for place in range(0, len(known), _BODIES_AT_ONCE):
                part = known[place : place + _BODIES_AT_ONCE]
                ours = [header for header in part if self._may_hold_ours(header)]
                bodies = dict(zip((header["hash"] for header in ours), self._bodies(ours), strict=True))
                yield from (self._block(header, bodies.get(header["hash"])) for header in part)

    # ---- headers

    def _header(self, number: int, found: Any) -> Mapping[str, Any] | None:
        try:
            digest = "0x" + header_hash(found).hex()
            if digest != found["hash"]:
                found = self._second_header(number, found, digest)
                digest = "0x" + header_hash(found).hex()
            stated, parent = quantity(found["number"]), found["parentHash"]
            _readable(found)
        except Nonsense as error:
            self._note(Finding("HEADER", "a header", "a block's header", f"none: {error!r}", number))
            self._parent = None
            return None
        if stated != number:
            self._note(Finding("HEADER", "number", number, stated, number))
        if self._parent is not None and parent != self._parent:
            self._note(Finding("PARENT", "parent's hash", self._parent, parent, number))
        self._parent = digest
        return {**found, "hash": digest}

    def _second_header(self, number: int, found: Mapping[str, Any], digest: str) -> Mapping[str, Any]:
        """What the node says of the block by its hash, if that fits; else what it said at first."""
        second = self._asked("eth_getBlockByHash", found["hash"], False)
        try:
            if "0x" + header_hash(second).hex() == found["hash"]:
                for name in second:
                    if name in found and second[name] != found[name]:
                        self._note(Finding("HEADER", name, second[name], found[name], number))
                return dict(second)
        except Nonsense:
            pass
        self._note(Finding("HEADER", "hash", digest, found["hash"], number))
        return found

    def _may_hold_ours(self, header: Mapping[str, Any]) -> bool:
        bloom = int(header["logsBloom"], 16)
        return any(bloom & bits == bits for bits in self._blooms)

    def _asked(self, method: str, *params: Any) -> Any:
        try:
            return self._node.request(method, *params)
        except NodeRefused:
            return None

    # ---- what is in a block

    def _bodies(self, headers: Sequence[Mapping[str, Any]]) -> list[tuple[Any, Any]]:
        """Each block's transactions, and its receipts."""
        numbers = [header["number"] for header in headers]
        full = self._node.batch([("eth_getBlockByNumber", (number, True)) for number in numbers])
        try:
            receipts = self._node.batch([("eth_getBlockReceipts", (number,)) for number in numbers])
        except NodeRefused:
            # Some nodes do not have the method.
            receipts = [self._one_by_one(block) for block in full]
        return list(zip(full, receipts, strict=True))

    def _one_by_one(self, block: Any) -> list[Any]:
        try:
            wanted = [("eth_getTransactionReceipt", (one["hash"],)) for one in block["transactions"]]
            return self._node.batch(wanted)
        except (*Nonsense,):
            return []

    def _block(self, header: Mapping[str, Any], body: tuple[Any, Any] | None) -> ProvenBlock:
        number, time_s = int(header["number"], 16), int(header["timestamp"], 16)
        proven = (number, time_s, bytes.fromhex(header["hash"][2:]), bytes.fromhex(header["stateRoot"][2:]))
        if body is None:
            return ProvenBlock(*proven, (), {}, 0)
        acts = self._acts(header, number, body[0])
        receipts = self._receipts(header, number, body)
        hashes = list(acts)
        entries = []
        for place, receipt in enumerate(receipts):
            transaction = hashes[place] if place < len(hashes) else receipt.transaction
            entries += [
                Entry(number, transaction, receipt.first_log + position, address_of(address), tuple(topics), data)
                for position, (address, topics, data) in enumerate(receipt.logs)
                if address in self._ours or (address == self._token and self._named in topics)
            ]
        return ProvenBlock(*proven, tuple(entries), acts, len(receipts))

    # ---- transactions

    def _acts(self, header: Mapping[str, Any], number: int, block: Any) -> dict[str, Act]:
        """The block's transactions by their hashes, in their order."""
        acts: dict[str, Act] = {}
        encoded = []
        for place, found in enumerate(_list(block, "transactions")):
            try:
                whole, digest, parity = transaction_bytes(found)
                transaction = "0x" + keccak(whole).hex()
                act = _act(found, digest, parity)
            except Nonsense as error:
                self._note(Finding("TRANSACTION", f"number {place}", "a transaction", f"none: {error!r}", number))
                continue
            encoded.append(whole)
            acts[transaction] = act
            # What stands beside what is hashed is compared as text: nothing of it needs to make sense.
            said = (found.get("hash"), str(found.get("from")).lower(), found.get("transactionIndex"))
            for name, right, actual in zip(
                ("hash", "sender", "index"), (transaction, act.sender.lower(), hex(place)), said, strict=True
            ):
                if right != actual:
                    self._note(Finding("TRANSACTION", name, right, actual, number, transaction))
        root = "0x" + ordered_root(encoded).hex()
        if root != header["transactionsRoot"]:
            self._note(Finding("TRANSACTIONS", "root of transactions", header["transactionsRoot"], root, number))
        return acts

    # ---- receipts

    def _receipts(self, header: Mapping[str, Any], number: int, body: tuple[Any, Any]) -> list[Receipt]:
        """The block's receipts, proven by the header's root where that is possible."""
        block, found = body
        receipts = self._read(number, found)
        root = "0x" + receipts_root(receipts).hex()
        if root != header["receiptsRoot"]:
            second = self._read(number, self._one_by_one(block), quietly=True)
            if "0x" + receipts_root(second).hex() == header["receiptsRoot"]:
                self._compare(number, second, receipts)
                return second
            self._note(Finding("RECEIPTS", "root of receipts", header["receiptsRoot"], root, number))
        hashes = [one.get("hash") for one in _list(block, "transactions") if isinstance(one, Mapping)]
        self._continuous(header, number, hashes, receipts)
        bloom = 0
        for receipt in receipts:
            bloom |= receipt.bloom
        if bloom != int(header["logsBloom"], 16):
            self._note(Finding("BLOOM", "bloom of the block", header["logsBloom"][:18], hex(bloom)[:18], number))
        return receipts

    def _read(self, number: int, found: Any, quietly: bool = False) -> list[Receipt]:
        receipts, logs = [], 0
        for place, one in enumerate(found if isinstance(found, list) else ()):
            try:
                receipt = read_receipt(one, logs)
            except Nonsense as error:
                if not quietly:
                    self._note(Finding("RECEIPT", f"number {place}", "a receipt", f"none: {error!r}", number))
                continue
            receipts.append(receipt)
            logs += len(receipt.logs)
        return receipts

    def _compare(self, number: int, right: Sequence[Receipt], wrong: Sequence[Receipt]) -> None:
        """Names each receipt and log that the node altered."""
        if len(right) != len(wrong):
            self._note(Finding("RECEIPTS", "receipts of the block", len(right), len(wrong), number))
        said = {receipt.transaction: receipt for receipt in wrong}
        for receipt in right:
            other = said.get(receipt.transaction)
            if other is None:
                self._note(Finding("RECEIPTS", "a receipt", "there", "missing", number, receipt.transaction))
                continue
            for rule, where, expected, actual, log in receipt.differences(other):
                self._note(Finding(rule, where, expected, actual, number, receipt.transaction, log))

    def _continuous(
        self, header: Mapping[str, Any], number: int, hashes: Sequence[Any], receipts: Sequence[Receipt]
    ) -> None:
        """What receipts say of themselves beside what is hashed: their places, and those of their logs."""
        if len(hashes) != len(receipts):
            self._note(Finding("RECEIPTS", "receipts of the block", len(hashes), len(receipts), number))
        gas = 0
        for place, (transaction, receipt) in enumerate(zip(hashes, receipts, strict=False)):
            for where, expected, actual, log in receipt.misplaced(transaction, header["hash"], number, place, gas):
                self._note(Finding("RECEIPT", where, expected, actual, number, transaction, log))
            gas = receipt.gas


def _act(found: Mapping[str, Any], digest: bytes, parity: int) -> Act:
    signature = int(found["r"], 16).to_bytes(32) + int(found["s"], 16).to_bytes(32) + bytes((27 + parity,))
    sender = recover(digest, signature)
    if sender is None:
        raise ValueError("its signature is none")
    to = address_of(bytes.fromhex(found["to"][2:])) if found["to"] else None
    return Act(sender, to, bytes.fromhex(found["input"][2:]))


def _readable(header: Mapping[str, Any]) -> None:
    """Raises ValueError or TypeError for a header of which something that is used later makes no sense."""
    for name in ("timestamp", "logsBloom"):
        quantity(header[name])
    for name in ("hash", "stateRoot"):
        if len(bytes.fromhex(header[name][2:])) != 32:
            raise ValueError(f"{name} is {header[name]!r}")


def _list(found: Any, name: str) -> list[Any]:
    inside = found.get(name) if isinstance(found, Mapping) else None
    return inside if isinstance(inside, list) else []
