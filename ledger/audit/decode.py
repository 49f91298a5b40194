"""Logs to values, straight from their bytes: a decoder of the audit's own, made from nothing but the ABI.

Of what an event may say in two ways only one is taken: words wider than their type, bytes left over and offsets that
point elsewhere than a compiler puts them are no event.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

WORD = 32


class Entry(NamedTuple):
    """One log as its block's receipts hold it: `log` is its index in the block, `address` is checksummed."""

    block: int
    transaction: str
    log: int
    address: str
    topics: tuple[bytes, ...]
    data: bytes


class Said(NamedTuple):
    """What a log says: its event, and the event's values in the ABI's order, indexed ones first.

    Numbers are integers, addresses checksummed texts, `bytes…` and `string` bytes, arrays and structs tuples.
    """

    event: str
    values: tuple[Any, ...]


class BadEvent(Exception):
    """A log that says nothing its contract could have said. Never leaves the audit: it becomes a finding."""


Reader = Callable[[bytes], Any]


class Decoder:
    """Reads the logs of some contracts: `abis` by the contract's address, as solc gives them."""

    def __init__(self, abis: Mapping[str, Iterable[Mapping[str, Any]]]) -> None:
        self._shapes = {
            (address, _topic(entry)): _Shape(entry)
            for address, abi in abis.items()
            for entry in abi
            if entry["type"] == "event" and not entry.get("anonymous")
        }
        self.addresses = frozenset(abis)

    def read(self, entry: Entry) -> Said:
        """What a log says. Raises BadEvent."""
        shape = self._shapes.get((entry.address, entry.topics[0])) if entry.topics else None
        if shape is None:
            raise BadEvent("an event that its contract does not have")
        return Said(shape.name, shape.read(entry.topics, entry.data))


class _Shape:
    """How one event lies in topics and data."""

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self.name = str(entry["name"])
        inputs = entry["inputs"]
        self._topics = tuple(_word_reader(_type(one)) for one in inputs if one["indexed"])
        self._plain = tuple(one for one in inputs if not one["indexed"])
        self._words = None
        if not any(_is_dynamic(one) or _type(one).startswith("(") for one in self._plain):
            self._words = tuple(_word_reader(_type(one)) for one in self._plain)

    def read(self, topics: tuple[bytes, ...], data: bytes) -> tuple[Any, ...]:
        if len(topics) != len(self._topics) + 1:
            raise BadEvent(f"{len(topics) - 1} indexed values, and {len(self._topics)} belong there")
        values = [read(topic) for read, topic in zip(self._topics, topics[1:], strict=True)]
        if self._words is None:
            plain, end = _decode(self._plain, data, 0)
            values += plain
        else:
            end = len(self._words) * WORD
            values += [read(data[place * WORD : place * WORD + WORD]) for place, read in enumerate(self._words)]
        if end != len(data):
            raise BadEvent(f"{len(data)} bytes of data, and {end} belong there")
        return tuple(values)


def _decode(parameters: Sequence[Mapping[str, Any]], data: bytes, base: int) -> tuple[list[Any], int]:
    """Values from `base` on, and where they end."""
    values = []
    place, tail = base, base + sum(_head_size(one) for one in parameters)
    for one in parameters:
        if not _is_dynamic(one):
            value, place = _static(one, data, place)
        else:
            if _number(data, place) != tail - base:
                raise BadEvent("an offset that points elsewhere than to the next free byte")
            place += WORD
            value, tail = _tail(one, data, tail)
        values.append(value)
    return values, tail


def _static(one: Mapping[str, Any], data: bytes, place: int) -> tuple[Any, int]:
    if one["type"] == "tuple":
        values, end = _decode(one["components"], data, place)
        return tuple(values), end
    return _word_reader(_type(one))(data[place : place + WORD]), place + WORD


def _tail(one: Mapping[str, Any], data: bytes, place: int) -> tuple[Any, int]:
    kind = str(one["type"])
    if kind == "tuple":
        values, end = _decode(one["components"], data, place)
        return tuple(values), end
    count = _number(data, place)
    if count > len(data):
        raise BadEvent("a length beyond its data")
    if kind.endswith("[]"):
        values, end = _decode([{**one, "type": kind[:-2]}] * count, data, place + WORD)
        return tuple(values), end
    start = place + WORD
    end = start + -(-count // WORD) * WORD
    if end > len(data) or any(data[start + count : end]):
        raise BadEvent("text that is cut off, or padded with more than zeros")
    return data[start : start + count], end


def _number(data: bytes, place: int) -> int:
    if place + WORD > len(data):
        raise BadEvent("data that is cut off")
    return int.from_bytes(data[place : place + WORD])


def _word_reader(kind: str) -> Reader:
    if kind == "address":
        return address_of
    if kind.startswith("uint"):
        return _uint_reader(int(kind.removeprefix("uint") or 256))
    if kind == "bool":
        return _uint_reader(1)
    return _bytes_reader(int(kind.removeprefix("bytes") or WORD) if kind.startswith("bytes") else WORD)


def _uint_reader(bits: int) -> Reader:
    def read(word: bytes) -> int:
        value = int.from_bytes(word)
        if value >> bits or len(word) != WORD:
            raise BadEvent(f"a word of {len(word)} bytes that holds {value:#x}, where {bits} bits belong")
        return value

    return read


def _bytes_reader(size: int) -> Reader:
    def read(word: bytes) -> bytes:
        if len(word) != WORD or any(word[size:]):
            raise BadEvent(f"a word that is no bytes{size}")
        return word[:size]

    return read


@lru_cache(maxsize=1 << 16)
def address_of(word: bytes) -> str:
    """An address, checksummed, from a word or from its 20 bytes. Raises BadEvent."""
    if len(word) not in (20, WORD) or any(word[:-20]):
        raise BadEvent("a word that is no address")
    return str(to_checksum_address(word[-20:]))


def _head_size(one: Mapping[str, Any]) -> int:
    if one["type"] == "tuple" and not _is_dynamic(one):
        return sum(map(_head_size, one["components"]))
    return WORD


def _is_dynamic(one: Mapping[str, Any]) -> bool:
    kind = str(one["type"])
    if kind == "tuple":
        return any(map(_is_dynamic, one["components"]))
    return kind in ("string", "bytes") or kind.endswith("]")


def _type(parameter: Mapping[str, Any]) -> str:
    kind = str(parameter["type"])
    if kind.startswith("tuple"):
        return f"({','.join(map(_type, parameter['components']))}){kind.removeprefix('tuple')}"
    return kind


def _topic(entry: Mapping[str, Any]) -> bytes:
    return keccak(text=f"{entry['name']}({','.join(map(_type, entry['inputs']))})")
