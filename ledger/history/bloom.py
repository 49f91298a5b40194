"""A block header's bloom: which addresses and topics its logs may hold (yellow paper, 4.3.1). Pure."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from eth_utils.crypto import keccak

from ledger.rpc import bytes_of

Bloom = int
"""2,048 bits; the header's 256 bytes, read as one number."""

_BITS = 2_048


def may_hold(bloom: Bloom, addresses: Iterable[bytes]) -> bool:
    """Whether a log of one of these contracts may be in the block: False is certain."""
    return any(_bits(one) & ~bloom == 0 for one in addresses)


def bloom_of(logs: Iterable[Mapping[str, Any]]) -> Bloom:
    """The bloom of these logs. Raises NodeRefused for what is no log."""
    bloom = 0
    for entry in logs:
        for said in (entry.get("address"), *(entry.get("topics") or ())):
            bloom |= _bits(bytes_of(said))
    return bloom


@lru_cache(maxsize=1_024)
def _bits(value: bytes) -> Bloom:
    digest = keccak(value)
    bits = 0
    for start in (0, 2, 4):
        bits |= 1 << int.from_bytes(digest[start : start + 2]) % _BITS
    return bits
