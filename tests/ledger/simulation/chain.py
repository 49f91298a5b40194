"""A chain that misbehaves as chains do: it drops what waits, reorganises, answers late, from the past, or not at all.

It stands in the place of the sender's Wire. Every question and every answer passes a gate, at which the run may crash
or the message be lost.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from ledger.abi import Call
from ledger.errors import LedgerError, NodeRefused, Reverted, refusal
from ledger.keys import SignedTransaction
from ledger.rpc import Block, Receipt
from ledger.sending.fees import Fees, tenth_more
from ledger.sending.wire import Account, Look, Terms, Tried, Wire

FINAL_DEPTH, SAFE_DEPTH = 12, 6
REORG_MAX, LAG_MAX = 3, 4
GWEI = 10**9
STRANGER = b"stranger"


@dataclass(frozen=True, slots=True)
class Transaction:
    """What a signer of the simulation signed."""

    hash: str
    sender: str
    nonce: int
    data: bytes
    gas: int
    fees: Fees


class FakeSigner:
    """Signs without cryptography: a transaction's bytes are its fields as a text, its hash is that of the bytes."""

    def __init__(self, address: str) -> None:
        self.address = address

    def sign_transaction(self, fields: Mapping[str, Any]) -> SignedTransaction:
        shown = (self.address, fields["nonce"], fields["data"].hex(), fields["gas"], fields["maxFeePerGas"])
        raw = "|".join(map(str, (*shown, fields["maxPriorityFeePerGas"]))).encode()
        return SignedTransaction(raw, "0x" + hashlib.sha256(raw).hexdigest())


def decode(raw: bytes) -> Transaction:
    """The transaction that such bytes are."""
    sender, nonce, data, gas, fee, tip = raw.decode().split("|")
    transaction = "0x" + hashlib.sha256(raw).hexdigest()
    return Transaction(transaction, sender, int(nonce), bytes.fromhex(data), int(gas), Fees(int(fee), int(tip)))


@dataclass(frozen=True, slots=True)
class Mined:
    """A block and the transactions in it."""

    header: Block
    transactions: tuple[Transaction, ...]


class FakeWire(Wire):
    """The chain and its node. `gate` is told of each message, and may raise; `stale` says whether an answer is old."""

    def __init__(self, random: Random, gate: Callable[[str], None], stale: Callable[[], bool]) -> None:
        self._random = random
        self._gate = gate
        self._stale = stale
        self._count = 0
        self.time_s = 1_800_000_000
        self.base_fee_wei = GWEI
        self.delegated: frozenset[str] = frozenset()
        self.estimated: int | LedgerError = 50_000
        self.waiting: dict[tuple[str, int], Transaction] = {}
        self.heard: set[str] = set()
        self.blocks: tuple[Mined, ...] = ()
        self._past: deque[tuple[Mined, ...]] = deque(maxlen=LAG_MAX)
        self._extend(())

    # ---- what happens to it

    def mine(self, most: int = 5) -> None:
        """Makes a block of some of what waits and pays enough, in the order of the nonces."""
        taken: list[Transaction] = []
        nonces = {sender: self._mined(self.blocks, sender) for sender, _ in self.waiting}
        for (sender, nonce), one in sorted(self.waiting.items()):
            if nonce == nonces[sender] and one.fees.max_fee_wei >= self.base_fee_wei and len(taken) < most:
                taken.append(one)
                nonces[sender] += 1
        for one in taken:
            del self.waiting[one.sender, one.nonce]
        self._extend(tuple(taken))

    def reorganise(self, depth: int) -> None:
        """Replaces the last blocks by others, one more; what stood in them may wait again, or is forgotten."""
        depth = min(depth, REORG_MAX, len(self.blocks) - 1)
        gone = self.blocks[len(self.blocks) - depth :]
        self.blocks = self.blocks[: len(self.blocks) - depth]
        for block in gone:
            for one in block.transactions:
                if self._random.random() < 0.5:
                    self.waiting.setdefault((one.sender, one.nonce), one)
        for _ in range(depth + 1):
            self.mine(self._random.randrange(3))

    def drop(self) -> None:
        """Forgets one of those that wait."""
        if self.waiting:
            del self.waiting[self._random.choice(sorted(self.waiting))]

    def stranger(self, sender: str) -> None:
        """Somebody else sends with the same key, as a wallet does: at the next nonce that this node knows of."""
        self._count += 1
        fees = Fees(2 * self.base_fee_wei + GWEI, GWEI)
        data = b"%s %d" % (STRANGER, self._count)
        fields = {"nonce": self._pending(self.blocks, sender), "data": data, "gas": 50_000}
        signed = FakeSigner(sender).sign_transaction(
            fields | {"maxFeePerGas": fees.max_fee_wei, "maxPriorityFeePerGas": fees.tip_wei}
        )
        one = decode(signed.raw)
        self.waiting[one.sender, one.nonce] = one

    def evict(self) -> None:
        """Forgets what somebody else offers too little for, as nodes do in time: nobody offers it again."""
        for slot, one in list(self.waiting.items()):
            if one.data.startswith(STRANGER) and one.fees.max_fee_wei < self.base_fee_wei:
                del self.waiting[slot]

    def strangers(self) -> set[tuple[str, int]]:
        """The slots that somebody else's transactions have in blocks."""
        return {
            (one.sender, one.nonce)
            for block in self.blocks
            for one in block.transactions
            if one.data.startswith(STRANGER)
        }

    def _extend(self, transactions: tuple[Transaction, ...]) -> None:
        self._past.append(self.blocks)
        self._count += 1
        self.time_s += 12
        number = len(self.blocks)
        header = Block(number, f"0x{number:x}-{self._count}", self.time_s, 30_000_000, self.base_fee_wei)
        self.blocks = (*self.blocks, Mined(header, transactions))

    def effects(self) -> list[bytes]:
        """The data of every transaction on the chain, self-sends left out."""
        return [one.data for block in self.blocks for one in block.transactions if one.data]

    # ---- what it answers

    def _seen(self) -> tuple[Mined, ...]:
        past = [blocks for blocks in self._past if blocks]
        return self._random.choice(past) if past and self._stale() else self.blocks

    @staticmethod
    def _mined(blocks: Sequence[Mined], sender: str) -> int:
        return sum(one.sender == sender for block in blocks for one in block.transactions)

    def _pending(self, blocks: Sequence[Mined], sender: str) -> int:
        nonce = self._mined(blocks, sender)
        while (sender, nonce) in self.waiting:
            nonce += 1
        return nonce

    def terms(self, senders: Sequence[str], tried: Sequence[tuple[Call, str]]) -> tuple[Terms, list[Tried]]:
        self._gate("ask terms")
        blocks = self._seen()
        accounts = {}
        for sender in senders:
            nonces = self._pending(blocks, sender), self._mined(blocks, sender)
            accounts[sender] = Account(*nonces, 10**24, sender in self.delegated)
        self._gate("hear terms")
        return Terms(blocks[-1].header, GWEI, accounts), [Tried(None, 50_000) for _ in tried]

    def look(self, senders: Sequence[str]) -> Look:
        self._gate("ask look")
        blocks = self._seen()
        head = blocks[-1].header
        final = max(0, head.number - FINAL_DEPTH)
        settled = {sender: self._mined(blocks[: final + 1], sender) for sender in senders}
        pending = {sender: self._pending(blocks, sender) for sender in senders}
        self._gate("hear look")
        return Look(head, max(0, head.number - SAFE_DEPTH), final, GWEI, settled, pending, self.delegated)

    def hashes(self, blocks: Sequence[int]) -> list[str | None]:
        self._gate("ask hashes")
        seen = self._seen()
        found = [seen[number].header.hash if number < len(seen) else None for number in blocks]
        self._gate("hear hashes")
        return found

    def receipts(self, transactions: Sequence[str]) -> list[Receipt | None]:
        self._gate("ask receipts")
        found = {
            one.hash: Receipt(
                one.hash, True, block.header.number, place, 40_000, one.fees.max_fee_wei, None, (), block.header.hash
            )
            for block in self._seen()
            for place, one in enumerate(block.transactions)
        }
        self._gate("hear receipts")
        return [found.get(one) for one in transactions]

    def send(self, raws: Sequence[bytes]) -> list[LedgerError | None]:
        self._gate("ask send")
        answers = [self._take(decode(raw)) for raw in raws]
        self._gate("hear send")
        return answers

    def _take(self, one: Transaction) -> LedgerError | None:
        self.heard.add(one.hash)
        slot = (one.sender, one.nonce)
        there = self.waiting.get(slot)
        if one.nonce < self._mined(self.blocks, one.sender):
            return NodeRefused("nonce too low")
        if there is not None and there.hash == one.hash:
            return NodeRefused("already known")
        if there is not None and (
            one.fees.max_fee_wei < tenth_more(there.fees.max_fee_wei)
            or one.fees.tip_wei < tenth_more(there.fees.tip_wei)
        ):
            return NodeRefused("replacement transaction underpriced")
        self.waiting[slot] = one
        return None

    def estimate(self, calls: Sequence[tuple[Call, str]]) -> list[int | LedgerError]:
        self._gate("ask estimate")
        self._gate("hear estimate")
        return [self.estimated for _ in calls]

    def why_failed(self, call: Call, sender: str, gas: int, receipt: Receipt) -> Reverted:  # noqa: ARG002
        return refusal("Unknown", {"data": "nothing"})
