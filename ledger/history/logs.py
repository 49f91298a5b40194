"""Logs of a market's contracts, from a node's JSON to an event's name and values: the narrow, fast way.

Where every value is one word, or the only longer one a list of words, no general decoder is needed; the few other
events go through one. `ledger.abi` reads any log of any contract, and is what this is tested against.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import lru_cache, partial
from importlib import import_module
from typing import Any, NamedTuple

from eth_hash.auto import keccak as _any_keccak

from ledger.abi import Interface
from ledger.errors import HistoryBroken, NodeRefused
from ledger.rpc import read_log

_keccak: Callable[[bytes], bytes] = _any_keccak
with suppress(ImportError):
    # A third of the price of what chooses the library anew at each call.
    _keccak = import_module("eth_hash.backends.pysha3").keccak256

Decode = Callable[[Mapping[str, Any]], tuple[Any, ...]]


class Said(NamedTuple):
    """One event: who said what in which log. Values are in the order of the contract's declaration: integers,
    checksummed addresses, hashes as hex, lists as tuples, structs as mappings."""

    contract: str
    name: str
    values: tuple[Any, ...]
    block: int
    log_index: int
    transaction: str
    transaction_index: int


class Decoder:
    """Reads the logs of these contracts: addresses by name, and interfaces by the same names."""

    def __init__(self, addresses: Mapping[str, str], abis: Mapping[str, Iterable[Mapping[str, Any]]]) -> None:
        self._events: dict[str, dict[str, tuple[str, str, Decode]]] = {}
        for name, address in addresses.items():
            entries = tuple(abis[name])
            interface = Interface(name, entries)
            self._events[address.lower()] = {
                "0x" + interface.topic(entry["name"]).hex(): (name, entry["name"], _decoder(interface, entry))
                for entry in entries
                if entry["type"] == "event"
            }

    def read(self, entry: Mapping[str, Any]) -> Said:
        """What a log says. Raises HistoryBroken for an event that its contract does not declare, NodeRefused for what
        is no log of these contracts."""
        try:
            topics = entry["topics"]
            block = int(entry["blockNumber"], 16)
            found = self._events[entry["address"].lower()].get(topics[0]) if topics else None
            if found is None:
                raise HistoryBroken(block, f"{entry['address']} said what this version does not know ({topics})")
            contract, name, decode = found
            return Said(
                contract,
                name,
                decode(entry),
                block,
                int(entry["logIndex"], 16),
                entry["transactionHash"],
                int(entry["transactionIndex"], 16),
            )
        except (KeyError, IndexError, ValueError, TypeError, AttributeError):
            raise NodeRefused(f"it answered {str(entry)[:80]!r} where a log belongs") from None


def _decoder(interface: Interface, entry: Mapping[str, Any]) -> Decode:
    kinds = [(str(one["type"]), bool(one["indexed"])) for one in entry["inputs"]]
    plain = [kind for kind, indexed in kinds if not indexed]
    if plain == ["uint256[]"]:
        return partial(_with_list, tuple(_reader(kind) for kind, indexed in kinds if indexed))
    if all(_is_word(kind) for kind, _ in kinds):
        topic, word, readers = 0, 0, []
        for kind, indexed in kinds:
            topic, word = topic + indexed, word + (not indexed)
            readers.append((topic if indexed else -word, _reader(kind)))
        return partial(_words, tuple(readers), 2 + 64 * len(plain), 1 + len(kinds) - len(plain))
    return partial(_general, interface)


def _is_word(kind: str) -> bool:
    return kind in ("address", "bool", "bytes32") or (kind.startswith("uint") and not kind.endswith("]"))


def _reader(kind: str) -> Callable[[str], Any]:
    others: dict[str, Callable[[str], Any]] = {"address": _address, "bool": _flag, "bytes32": _hash}
    return others.get(kind, _number)


def _words(
    readers: tuple[tuple[int, Callable[[str], Any]], ...], length: int, topics_count: int, entry: Mapping[str, Any]
) -> tuple[Any, ...]:
    topics, data = entry["topics"], entry["data"]
    if len(data) != length or len(topics) != topics_count:
        raise ValueError(data)
    return tuple(
        [
            read(topics[place][2:]) if place > 0 else read(data[-62 - 64 * place : 2 - 64 * place])
            for place, read in readers
        ]
    )


def _with_list(readers: tuple[Callable[[str], Any], ...], entry: Mapping[str, Any]) -> tuple[Any, ...]:
    topics, data = entry["topics"], entry["data"]
    count = int(data[66:130], 16)
    if len(data) != 130 + 64 * count or len(topics) != 1 + len(readers):
        raise ValueError(data)
    values = tuple([int(data[start : start + 64], 16) for start in range(130, 130 + 64 * count, 64)])
    return (*(read(topic[2:]) for read, topic in zip(readers, topics[1:], strict=True)), values)


def _general(interface: Interface, entry: Mapping[str, Any]) -> tuple[Any, ...]:
    event = interface.event(read_log(entry))
    if event is None:
        raise ValueError(entry)
    return tuple("0x" + one.hex() if isinstance(one, bytes) else one for one in event.values.values())


def _number(word: str) -> int:
    return int(word, 16)


def _flag(word: str) -> bool:
    return int(word, 16) != 0


def _hash(word: str) -> str:
    return "0x" + word


@lru_cache(maxsize=65_536)
def _address(word: str) -> str:
    """As to_checksum_address (EIP-55), which looks closer at what it is given and takes four times as long."""
    digits = bytes.fromhex(word[24:]).hex()
    digest = _keccak(digits.encode()).hex()
    return "0x" + "".join([one.upper() if mark > "7" else one for one, mark in zip(digits, digest[:40], strict=True)])
