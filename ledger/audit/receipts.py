"""Headers and receipts as a node gives them, read into what is hashed and what only stands beside it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from ledger.audit.tries import bloom_of, keccak, ordered_root, quantity, receipt_bytes, rlp_bytes, rlp_int, rlp_list
from ledger.errors import LedgerError

Nonsense = (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, LedgerError)
"""What reading an answer that is none raises."""


class Node(Protocol):
    """What answers JSON-RPC: a Chain, or what stands before one."""

    def request(self, method: str, *params: Any) -> Any: ...

    def batch(self, wanted: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]: ...


RawLog = tuple[bytes, Sequence[bytes], bytes]
"""An address, topics, data."""

# In the order in which headers are hashed. Those of later forks come only where a node gives them.
_HASHED = ["parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom"]
_NUMBERS = ["difficulty", "number", "gasLimit", "gasUsed", "timestamp"]
_REST = ["extraData", "mixHash", "nonce"]
_LATER = (
    ("baseFeePerGas", True),
    ("withdrawalsRoot", False),
    ("blobGasUsed", True),
    ("excessBlobGas", True),
    ("parentBeaconBlockRoot", False),
    ("requestsHash", False),
)
HEADER_FIELDS = (*_HASHED, *_NUMBERS, *_REST, *(name for name, _ in _LATER))
"""All that a header's hash depends on."""


def header_hash(header: Mapping[str, Any]) -> bytes:
    """The hash of a header from its fields. Raises KeyError, ValueError or TypeError for what is no header."""
    fields = [rlp_bytes(_data(header[name])) for name in _HASHED]
    fields += [rlp_int(quantity(header[name])) for name in _NUMBERS]
    fields += [rlp_bytes(_data(header[name])) for name in _REST]
    for name, numeric in _LATER:
        if header.get(name) is not None:
            fields.append(rlp_int(quantity(header[name])) if numeric else rlp_bytes(_data(header[name])))
    return keccak(rlp_list(fields))


class Receipt(NamedTuple):
    """A receipt: its type, status, the block's gas up to it, its bloom as its logs make it, and its logs. `first_log`
    is the index of its first log in the block; `said` is what the node gave."""

    transaction: str
    kind: int
    status: int
    gas: int
    bloom: int
    logs: tuple[RawLog, ...]
    first_log: int
    said: Mapping[str, Any]

    def differences(self, other: "Receipt") -> Iterator[tuple[str, str, object, object, int | None]]:
        """Rule, what, right and wrong, and the log's index, of each thing in which `other` is not this one."""
        for name in ("kind", "status", "gas"):
            right, wrong = getattr(self, name), getattr(other, name)
            if right != wrong:
                yield "RECEIPT", name, right, wrong, None
        missing = len(self.logs) - len(other.logs)
        if missing:
            place = next(
                (n for n, pair in enumerate(zip(self.logs, other.logs, strict=False)) if pair[0] != pair[1]), None
            )
            place = min(len(self.logs), len(other.logs)) if place is None else place
            what = "a log missing" if missing > 0 else "a log too many"
            yield "LOG", what, len(self.logs), len(other.logs), self.first_log + place
            return
        for place, (right, wrong) in enumerate(zip(self.logs, other.logs, strict=True)):
            for name, part, bad in zip(("address", "topics", "data"), right, wrong, strict=True):
                if part != bad:
                    yield "LOG", name, _shown(part), _shown(bad), self.first_log + place

    def misplaced(
        self, transaction: Any, block_hash: str, number: int, place: int, gas_before: int
    ) -> Iterator[tuple[str, object, object, int | None]]:
        """What, right and wrong, and the log's index, of what the receipt says falsely of its place."""
        at = {"transactionHash": transaction, "blockHash": block_hash, "blockNumber": hex(number)}
        at["transactionIndex"] = hex(place)
        own = {**at, "gasUsed": hex(self.gas - gas_before), "logsBloom": f"0x{self.bloom:0512x}"}
        yield from (
            (name, right, self.said.get(name), None) for name, right in own.items() if self.said.get(name) != right
        )
        for position, log in enumerate(self.said["logs"], start=self.first_log):
            if log.get("removed"):
                yield "removed", False, True, position
            if log.get("logIndex") != hex(position):
                yield "logIndex", hex(position), log.get("logIndex"), position
            for name, right in at.items():
                if log.get(name) != right:
                    yield name, right, log.get(name), position


def read_receipt(found: Mapping[str, Any], first_log: int) -> Receipt:
    """A receipt from a node's JSON. Raises KeyError, ValueError, TypeError or AttributeError for what is none."""
    logs = tuple((_data(log["address"]), tuple(map(_data, log["topics"])), _data(log["data"])) for log in found["logs"])
    # Nodes from before EIP-2718 give no type.
    kind, status, gas = (
        quantity(found.get("type", "0x0")),
        quantity(found["status"]),
        quantity(found["cumulativeGasUsed"]),
    )
    # EIP-2718: beyond it a first byte is a list's.
    if kind > 0x7F:
        raise ValueError(f"type {kind:#x} is none")
    return Receipt(str(found["transactionHash"]), kind, status, gas, bloom_of(logs), logs, first_log, found)


def receipts_root(receipts: Sequence[Receipt]) -> bytes:
    """The root of a block's receipts."""
    return ordered_root([receipt_bytes(one.kind, one.status, one.gas, one.bloom, one.logs) for one in receipts])


def _data(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def _shown(part: object) -> str:
    if isinstance(part, bytes):
        return "0x" + part.hex()
    return " ".join("0x" + one.hex() for one in part) if isinstance(part, tuple) else str(part)
