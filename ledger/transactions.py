"""Transactions as they go over the wire: calls that pay by EIP-1559 (type 2), encoded and hashed. Pure; keys sign."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from eth_utils.address import is_checksum_address
from eth_utils.crypto import keccak

TYPE = b"\x02"

# In the order of EIP-1559: before the receiver, then the value; the data and an empty access list follow.
_NUMBERS = ("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas")
_PLAIN = {"type", *_NUMBERS, "value", "data"}
_NO_ACCESS_LIST = b"\xc0"
_RECEIVERS_KEPT = 2**12


@dataclass(frozen=True, slots=True)
class Envelope:
    """A transaction that waits for its signature: what its list holds, item after item (RLP)."""

    items: bytes

    @property
    def digest(self) -> bytes:
        """The 32 bytes that are signed."""
        return keccak(TYPE + _list_of(self.items))

    def signed(self, signature: bytes) -> bytes:
        """The transaction as a node takes it, from 65 bytes r, s and parity (0 or 1)."""
        parity, r, s = signature[64], int.from_bytes(signature[:32]), int.from_bytes(signature[32:64])
        return TYPE + _list_of(self.items + _number(parity) + _number(r) + _number(s))


def envelope_of(fields: Mapping[str, Any]) -> Envelope | None:
    """The transaction of web3's fields (`to`, `data`, `nonce` …).

    None for one that is not a plain call or creation of type 2, or whose values are written in an unusual way: what it
    is, or what is wrong with it, eth_account says.
    """
    if fields.keys() - {"to"} != _PLAIN or fields["type"] != 2:
        return None
    numbers = [fields[name] for name in _NUMBERS]
    value, data = fields["value"], fields["data"]
    if type(data) is not bytes or any(type(one) is not int or one < 0 for one in (*numbers, value)):
        return None
    receiver = _receiver(fields["to"]) if "to" in fields else b"\x80"
    if receiver is None:
        return None
    return Envelope(b"".join(map(_number, numbers)) + receiver + _number(value) + _text(data) + _NO_ACCESS_LIST)


def hash_of(raw: bytes) -> str:
    """The hash by which a signed transaction is known, in hex: no node is needed to say it."""
    return "0x" + keccak(raw).hex()


@lru_cache(maxsize=_RECEIVERS_KEPT)
def _receiver(address: Any) -> bytes | None:
    if not isinstance(address, str) or not is_checksum_address(address):
        return None
    return _text(bytes.fromhex(address[2:]))


# ---- RLP: a length before everything, except a single small byte


def _number(value: int) -> bytes:
    if value < 128:
        return bytes((value,)) if value else b"\x80"
    size = (value.bit_length() + 7) // 8
    return bytes((128 + size,)) + value.to_bytes(size) if size < 56 else _text(value.to_bytes(size))


def _text(data: bytes) -> bytes:
    if len(data) == 1 and data[0] < 128:
        return data
    return _length(len(data), 128) + data


def _list_of(items: bytes) -> bytes:
    return _length(len(items), 192) + items


def _length(size: int, base: int) -> bytes:
    if size < 56:
        return bytes((base + size,))
    width = (size.bit_length() + 7) // 8
    return bytes((base + 55 + width,)) + size.to_bytes(width)
