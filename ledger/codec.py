"""Words of 32 bytes to values and back, fast, for what a contract's ABI can say in whole words.

eth_abi knows every type and every malformed text, and takes its time. Here is what our events and calls are made of:
one word each, or arrays of words and texts laid out one after the other. Whatever is anything else raises Unusual, and
is eth_abi's to judge. Pure.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address

WORD = 32

Reader = Callable[[bytes], Any]
Writer = Callable[[Any], bytes]

_ADDRESSES_KEPT = 2**16


class Unusual(Exception):
    """Not what this file reads or writes: eth_abi says what it is, or that it is nothing."""


@lru_cache(maxsize=_ADDRESSES_KEPT)
def checksummed(address: str | bytes) -> str:
    """An address as wallets write it, from hex or 20 bytes. Raises ValueError or TypeError for what is none."""
    return str(to_checksum_address(address))


# ---- one word


def word_reader(kind: str) -> Reader | None:
    """Reads one word of a Solidity type; None for a type that is not one word, or rare. Raises Unusual for a word that
    is no value of it."""
    if kind == "address":
        return _address
    if kind == "bool":
        return _bool
    if kind == "bytes32":
        return _whole
    bits = _uint_bits(kind)
    return None if bits is None else _uint_reader(bits)


def word_writer(kind: str) -> Writer | None:
    """Writes a value as one word; None for a type that is not one word, or rare. Raises Unusual for a value that is
    none of the type, or is written as one in an unusual way."""
    if kind == "address":
        return _address_word
    if kind == "bool":
        return _bool_word
    if kind == "bytes32":
        return _bytes32_word
    bits = _uint_bits(kind)
    return None if bits is None else _uint_writer(bits)


def _uint_bits(kind: str) -> int | None:
    return int(kind[4:]) if kind.startswith("uint") and kind[4:].isdigit() else None


def _whole(word: bytes) -> bytes:
    return word


def _address(word: bytes) -> str:
    if word[:12] != _NO_BYTES:
        raise Unusual
    return checksummed(word[12:])


_NO_BYTES = bytes(12)
_TRUTHS = {bytes(32): False, (1).to_bytes(32): True}
_TRUTH_WORDS = {truth: word for word, truth in _TRUTHS.items()}


def _bool(word: bytes) -> bool:
    truth = _TRUTHS.get(word)
    if truth is None:
        raise Unusual
    return truth


def _uint_reader(bits: int) -> Reader:
    def read(word: bytes) -> int:
        value = int.from_bytes(word)
        if value >> bits:
            raise Unusual
        return value

    return read


def _uint_writer(bits: int) -> Writer:
    def write(value: Any) -> bytes:
        # A truth is an int to Python and none to Solidity; a negative number keeps its sign when shifted.
        if type(value) is not int or value >> bits:
            raise Unusual
        return value.to_bytes(32)

    return write


def _bool_word(value: Any) -> bytes:
    if type(value) is not bool:
        raise Unusual
    return _TRUTH_WORDS[value]


def _bytes32_word(value: Any) -> bytes:
    if type(value) is not bytes or len(value) != WORD:
        raise Unusual
    return value


def _address_word(value: Any) -> bytes:
    if type(value) is not str:
        raise Unusual
    return _encoded_address(value)


@lru_cache(maxsize=_ADDRESSES_KEPT)
def _encoded_address(address: str) -> bytes:
    return bytes(encode(["address"], [address]))


# ---- several words, and what hangs on them


class Layout:
    """How values of these types lie in data: heads of one word each, then the tails of what has no fixed length, in
    order and without gaps. Raises Unusual, when it is made, for types that do not."""

    __slots__ = ("_head", "_parts")

    def __init__(self, kinds: Sequence[str]) -> None:
        self._head = WORD * len(kinds)
        self._parts = [_part(kind) for kind in kinds]

    def read(self, data: bytes) -> list[Any]:
        """The values, arrays as tuples. Raises Unusual for data that lies otherwise."""
        end = self._head
        if len(data) < end:
            raise Unusual
        values = []
        for place, (word, tail) in enumerate(self._parts):
            head = data[WORD * place : WORD * place + WORD]
            if word is not None:
                values.append(word(head))
            elif tail is not None:
                if int.from_bytes(head) != end:
                    raise Unusual
                value, end = tail(data, end)
                values.append(value)
        return values


Tail = Callable[[bytes, int], tuple[Any, int]]


def _part(kind: str) -> tuple[Reader | None, Tail | None]:
    if kind.endswith("[]"):
        each = word_reader(kind[:-2])
        if each is None:
            raise Unusual
        return None, _array_reader(each)
    if kind in ("string", "bytes"):
        return None, _text if kind == "string" else _bytes
    reader = word_reader(kind)
    if reader is None:
        raise Unusual
    return reader, None


def _array_reader(each: Reader) -> Tail:
    def read(data: bytes, start: int) -> tuple[tuple[Any, ...], int]:
        first = start + WORD
        count = int.from_bytes(data[start:first])
        end = first + WORD * count
        if first > len(data) or end > len(data):
            raise Unusual
        return tuple([each(data[place : place + WORD]) for place in range(first, end, WORD)]), end

    return read


def _bytes(data: bytes, start: int) -> tuple[bytes, int]:
    first = start + WORD
    length = int.from_bytes(data[start:first])
    end = first + -(-length // WORD) * WORD
    if first > len(data) or end > len(data) or any(data[first + length : end]):
        raise Unusual
    return data[first : first + length], end


def _text(data: bytes, start: int) -> tuple[str, int]:
    raw, end = _bytes(data, start)
    try:
        return raw.decode(), end
    except UnicodeDecodeError:
        raise Unusual from None


def words_of(writers: Iterable[Writer], values: Iterable[Any]) -> bytes:
    """Values one word each, one after the other. Raises Unusual, and ValueError where their counts differ."""
    return b"".join([write(value) for write, value in zip(writers, values, strict=True)])
