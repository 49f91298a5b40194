"""What the sender asks of a node and tells it: many things in one round trip each, every answer a value of ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.abi import Call
from ledger.chain import Chain
from ledger.clock import InProcessClock
from ledger.errors import LedgerError, NodeRefused, Reverted, refusal
from ledger.rpc import Block, Receipt, bytes_of, message_of, number_of, read_block, read_receipt, tag_of

_DELEGATED = bytes.fromhex("ef0100")
_SAFE_DEPTH, _FINAL_DEPTH = 32, 64


@dataclass(frozen=True, slots=True)
class Account:
    """One sender, as the node sees it: the number of its next transaction with those that wait and without, its gas
    money, and whether its key is delegated to code (EIP-7702)."""

    nonce: int
    mined: int
    balance_wei: int
    delegated: bool


@dataclass(frozen=True, slots=True)
class Terms:
    """What sending takes now: the latest block, the tip that is asked for, and the senders."""

    head: Block
    tip_wei: int
    accounts: Mapping[str, Account]


@dataclass(frozen=True, slots=True)
class Tried:
    """What a call would return in the block that is being made, and the gas it would burn (None: not known)."""

    result: Any
    gas: int | None


@dataclass(frozen=True, slots=True)
class Look:
    """How far the chain is: its latest block, the numbers of the last safe and final ones, the tip, how many
    transactions of each sender are final (0 where the node does not say), the first nonce of each that the node has
    nothing for, and which senders are delegated to code (EIP-7702)."""

    head: Block
    safe: int
    final: int
    tip_wei: int
    settled: Mapping[str, int]
    pending: Mapping[str, int]
    delegated: frozenset[str]


class Wire:
    """One chain, as far as the sender needs it."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    def terms(self, senders: Sequence[str], tried: Sequence[tuple[Call, str]]) -> tuple[Terms, list[Tried]]:
        """What sending takes, and what the calls would do. Raises the Reverted of the first that would fail."""
        wanted: list[tuple[str, Sequence[Any]]] = [
            ("eth_maxPriorityFeePerGas", ()),
            ("eth_getBlockByNumber", ("latest", False)),
        ]
        for sender in senders:
            wanted.append(("eth_getTransactionCount", (sender, "pending")))
            wanted.append(("eth_getTransactionCount", (sender, "latest")))
            wanted.append(("eth_getBalance", (sender, "latest")))
            wanted.append(("eth_getCode", (sender, "latest")))
        for call, sender in tried:
            message = message_of(call, sender)
            wanted.append(("eth_call", (message, "pending")))
            if self._estimates(call):
                wanted.append(("eth_estimateGas", (message, "pending")))
        tip, header, *rest = self._chain.batch(wanted)
        accounts = {
            sender: Account(
                number_of(rest[4 * place]),
                number_of(rest[4 * place + 1]),
                number_of(rest[4 * place + 2]),
                bytes_of(rest[4 * place + 3]).startswith(_DELEGATED),
            )
            for place, sender in enumerate(senders)
        }
        answers = iter(rest[4 * len(senders) :])
        results = [
            Tried(call.result(bytes_of(next(answers))), number_of(next(answers)) if self._estimates(call) else None)
            for call, _ in tried
        ]
        return Terms(read_block(header), number_of(tip), accounts), results

    def _estimates(self, call: Call) -> bool:
        return call.gas is None and not self._chain.in_process

    def look(self, senders: Sequence[str]) -> Look:
        """How far the chain is. A node that knows no final blocks is taken to be final 64 blocks back."""
        wanted: list[tuple[str, Sequence[Any]]] = [("eth_getBlockByNumber", (tag, False)) for tag in _TAGS]
        tip, *answers = self._chain.outcomes([("eth_maxPriorityFeePerGas", ()), *wanted])
        head = read_block(_value(answers[0]))
        safe, final = (
            max(0, head.number - depth)
            if isinstance(answer, LedgerError) or answer is None
            else read_block(answer).number
            for answer, depth in zip(answers[1:], (_SAFE_DEPTH, _FINAL_DEPTH), strict=True)
        )
        asked: list[tuple[str, Sequence[Any]]] = []
        for sender in senders:
            asked.append(("eth_getTransactionCount", (sender, tag_of(final))))
            asked.append(("eth_getTransactionCount", (sender, "pending")))
            asked.append(("eth_getCode", (sender, "latest")))
        told = self._chain.outcomes(asked)
        pending, codes = map(_value, told[1::3]), map(_value, told[2::3])
        return Look(
            head,
            safe,
            final,
            number_of(_value(tip)),
            dict(zip(senders, map(_settled, told[::3]), strict=True)),
            dict(zip(senders, map(number_of, pending), strict=True)),
            frozenset(one for one, code in zip(senders, codes, strict=True) if bytes_of(code).startswith(_DELEGATED)),
        )

    def hashes(self, blocks: Sequence[int]) -> list[str | None]:
        """The hash of each block as the node has it now; None for one that it does not have."""
        found = self._chain.batch([("eth_getBlockByNumber", (tag_of(block), False)) for block in blocks])
        return [None if header is None else read_block(header).hash for header in found]

    def receipts(self, transactions: Sequence[str]) -> list[Receipt | None]:
        """What became of each; None for what is in no block. Raises where the node failed to say so for any."""
        if self._chain.in_process:
            return [self._chain.receipt(one) for one in transactions]
        found = self._chain.batch([("eth_getTransactionReceipt", (one,)) for one in transactions])
        return [None if one is None or one.get("blockNumber") is None else read_receipt(one) for one in found]

    def send(self, raws: Sequence[bytes]) -> list[LedgerError | None]:
        """Hands signed transactions to the node, in this order; for each, why it was not taken. Raises Unreachable."""
        if not isinstance(self._chain.clock, InProcessClock):
            answers = self._chain.outcomes([("eth_sendRawTransaction", ("0x" + raw.hex(),)) for raw in raws])
            return [answer if isinstance(answer, LedgerError) else None for answer in answers]
        return [self._send_here(raw) for raw in raws]

    def _send_here(self, raw: bytes) -> LedgerError | None:
        try:
            self._chain.send_raw(raw)
        except LedgerError as error:
            return error
        return None

    def estimate(self, calls: Sequence[tuple[Call, str]]) -> list[int | LedgerError]:
        """The gas that each call would burn in the block that is being made, or why it would fail."""
        answers = self._chain.outcomes([("eth_estimateGas", (message_of(*call), "pending")) for call in calls])
        return [answer if isinstance(answer, LedgerError) else number_of(answer) for answer in answers]

    def why_failed(self, call: Call, sender: str, gas: int, receipt: Receipt) -> Reverted:
        """Why a transaction of `call` with that gas limit failed: by making the call again, at the block before its
        own and at its own."""
        if receipt.gas_used == gas:
            return refusal("Unknown", {"data": "nothing: it ran out of gas"})
        for block in (receipt.block - 1, receipt.block):
            try:
                self._chain.request("eth_call", message_of(call, sender), tag_of(block))
            except Reverted as reason:
                return reason
            except NodeRefused:
                # A block that is final by now may be older than the states that the node keeps.
                return refusal("Unknown", {"data": "nothing: the node keeps no state of its block"})
        return refusal("Unknown", {"data": f"nothing; transaction {receipt.transaction} failed, and would not now"})


_TAGS = ("latest", "safe", "finalized")


def _settled(answer: Any) -> int:
    """How many transactions are final. A node that was begun from a snapshot has the final block and not its state:
    then nothing counts as final, and nothing is concluded from it, until a block that the node made is."""
    return 0 if isinstance(answer, NodeRefused) else number_of(_value(answer))


def _value(answer: Any) -> Any:
    if isinstance(answer, LedgerError):
        raise answer
    return answer
