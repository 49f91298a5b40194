"""What JSON-RPC says: numbers, bytes, blocks, receipts and logs, there and back.

Nodes are other people's programs: an answer that is none is theirs, not a crash of ours. eth-tester gives integers
where others give hex.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ledger.abi import Call, Log
from ledger.codec import checksummed
from ledger.errors import NodeRefused


@dataclass(frozen=True, slots=True)
class Block:
    """A block's header, as far as we need it; its base fee is per unit of gas."""

    number: int
    hash: str
    time_s: int
    gas_limit: int
    base_fee_wei: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a transaction: `contract` is the address of the one it created, if any."""

    transaction: str
    succeeded: bool
    block: int
    index: int
    gas_used: int
    gas_price_wei: int
    contract: str | None
    logs: tuple[Log, ...]
    block_hash: str = ""


def number_of(value: Any) -> int:
    """A quantity. Raises NodeRefused for what is none."""
    try:
        return value if isinstance(value, int) else int(value, 16)
    except (ValueError, TypeError):
        raise _nonsense(value, "a number") from None


def bytes_of(value: Any) -> bytes:
    """Unformatted data. Raises NodeRefused for what is none."""
    try:
        return bytes(value) if isinstance(value, bytes) else bytes.fromhex(value.removeprefix("0x"))
    except (ValueError, AttributeError):
        raise _nonsense(value, "bytes") from None


def tag_of(block: int | str) -> str:
    """A block by number or name, as a parameter."""
    return hex(block) if isinstance(block, int) else block


def message_of(call: Call, sender: str | None) -> dict[str, str]:
    """A call as a parameter."""
    message = {"data": "0x" + call.data.hex()}
    if call.to is not None:
        message["to"] = call.to
    if sender is not None:
        message["from"] = sender
    return message


def read_block(header: Mapping[str, Any]) -> Block:
    """A block's header. Raises NodeRefused for what is none."""
    with _understood(header, "a block"):
        return Block(
            number=number_of(header["number"]),
            hash=str(header["hash"]),
            time_s=number_of(header["timestamp"]),
            gas_limit=number_of(header["gasLimit"]),
            base_fee_wei=number_of(header.get("baseFeePerGas") or 0),
        )


def read_receipt(found: Mapping[str, Any]) -> Receipt:
    """A transaction's receipt. Raises NodeRefused for what is none."""
    with _understood(found, "a receipt"):
        created = found.get("contractAddress")
        return Receipt(
            transaction=str(found["transactionHash"]),
            succeeded=number_of(found["status"]) == 1,
            block=number_of(found["blockNumber"]),
            index=number_of(found["transactionIndex"]),
            gas_used=number_of(found["gasUsed"]),
            gas_price_wei=number_of(found["effectiveGasPrice"]),
            contract=checksummed(created) if created else None,
            logs=tuple(map(read_log, found["logs"])),
            block_hash=str(found.get("blockHash") or ""),
        )


def read_log(entry: Mapping[str, Any]) -> Log:
    """One log. Raises NodeRefused for what is none."""
    try:
        return Log(
            address=checksummed(entry["address"]),
            topics=tuple([bytes_of(topic) for topic in entry["topics"]]),
            data=bytes_of(entry["data"]),
            block=number_of(entry["blockNumber"]),
            transaction=str(entry["transactionHash"]),
            index=number_of(entry["logIndex"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError):
        raise _nonsense(entry, "a log") from None


@contextmanager
def _understood(value: Any, wanted: str) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError):
        raise _nonsense(value, wanted) from None


def _nonsense(value: Any, wanted: str) -> NodeRefused:
    return NodeRefused(f"it answered {str(value)[:40]!r} where {wanted} belongs")
