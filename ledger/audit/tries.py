"""What headers commit to, computed anew: RLP, receipts and transactions as the chain encodes them, blooms, the roots of
ordered tries, and Merkle proofs. Pure; written from the yellow paper and the EIPs, and tested against eth libraries.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from typing import Any

from eth_hash.auto import keccak as _any_keccak

from ledger.errors import InputError

_keccak: Callable[[bytes], bytes] = _any_keccak
with suppress(ImportError):
    # A third of the price of what chooses the library anew at each call.
    _keccak = import_module("eth_hash.backends.pysha3").keccak256

EMPTY_ROOT = bytes.fromhex("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421")
BLOOM_BYTES = 256
_QUANTITY = re.compile("0x[0-9a-f]+")


class BadProof(Exception):
    """A proof that does not lead from its root. Never leaves the audit: it becomes a finding."""


def keccak(data: bytes) -> bytes:
    """The hash that everything here is made of."""
    return _keccak(data)


# ---- RLP


def rlp_bytes(text: bytes) -> bytes:
    """A string of bytes."""
    size = len(text)
    if size == 1 and text[0] < 0x80:
        return text
    if size < 56:
        return bytes((0x80 + size,)) + text
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((0xB7 + len(length),)) + length + text


def rlp_list(items: Iterable[bytes]) -> bytes:
    """A list of items that are RLP already."""
    body = b"".join(items)
    size = len(body)
    if size < 56:
        return bytes((0xC0 + size,)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((0xF7 + len(length),)) + length + body


def rlp_int(number: int) -> bytes:
    """A number, without leading zeros."""
    return rlp_bytes(number.to_bytes((number.bit_length() + 7) // 8))


def rlp_read(data: bytes) -> list[Any]:
    """A list's items: bytes, and lists of them. Raises BadProof for data that is no list."""
    try:
        item, end = _read(data, 0)
    except IndexError:
        raise BadProof("it is cut off") from None
    if end != len(data) or not isinstance(item, list):
        raise BadProof("it is no list")
    return item


def _read(data: bytes, place: int) -> tuple[Any, int]:
    first = data[place]
    if first < 0x80:
        return data[place : place + 1], place + 1
    is_list, first = first >= 0xC0, first - (0xC0 if first >= 0xC0 else 0x80)
    place += 1
    size = first
    if first > 55:
        width = first - 55
        size, place = int.from_bytes(data[place : place + width]), place + width
    end = place + size
    if end > len(data):
        raise IndexError(end)
    if not is_list:
        return data[place:end], end
    items = []
    while place < end:
        item, place = _read(data, place)
        items.append(item)
    return items, place


# ---- blooms


@lru_cache(maxsize=1 << 16)
def bloom_bits(item: bytes) -> int:
    """The three bits of 2,048 that an address or a topic sets, as a number."""
    digest = keccak(item)
    bits = 0
    for place in (0, 2, 4):
        bits |= 1 << (int.from_bytes(digest[place : place + 2]) & 2047)
    return bits


def bloom_of(logs: Iterable[tuple[bytes, Sequence[bytes], bytes]]) -> int:
    """The bloom of logs, each an address, its topics and data."""
    bits = 0
    for address, topics, _ in logs:
        bits |= bloom_bits(address)
        for topic in topics:
            bits |= bloom_bits(topic)
    return bits


# ---- receipts and transactions


def receipt_bytes(
    kind: int, status: int, gas: int, bloom: int, logs: Iterable[tuple[bytes, Sequence[bytes], bytes]]
) -> bytes:
    """A receipt as its trie holds it (EIP-2718): `gas` is the block's up to it and with it."""
    encoded = rlp_list(
        rlp_list((rlp_bytes(address), rlp_list(map(rlp_bytes, topics)), rlp_bytes(data)))
        for address, topics, data in logs
    )
    body = rlp_list((rlp_int(status), rlp_int(gas), rlp_bytes(bloom.to_bytes(BLOOM_BYTES)), encoded))
    return body if kind == 0 else bytes((kind,)) + body


_FEES = {0: ("gasPrice",), 1: ("gasPrice",), 2: ("maxPriorityFeePerGas", "maxFeePerGas")}
_FEES |= {3: _FEES[2], 4: _FEES[2]}


def transaction_bytes(found: Mapping[str, Any]) -> tuple[bytes, bytes, int]:
    """A transaction from a node's JSON: as its trie holds it, the digest its sender signed, and the parity of the
    signature's v. Raises KeyError, ValueError or InputError for what is none."""
    kind = quantity(found["type"])
    if kind not in _FEES:
        raise InputError(f"A transaction of type {kind} is unknown here.", "Update this program.")
    middle = [_number(found["nonce"]), *(_number(found[name]) for name in _FEES[kind]), _number(found["gas"])]
    middle += [rlp_bytes(_hex(found["to"])) if found["to"] else b"\x80", _number(found["value"])]
    middle.append(rlp_bytes(_hex(found["input"])))
    signed = [_number(found["r"]), _number(found["s"])]
    if kind == 0:
        v = quantity(found["v"])
        chain = () if v < 35 else (rlp_int((v - 35) // 2), b"\x80", b"\x80")
        return rlp_list((*middle, rlp_int(v), *signed)), keccak(rlp_list((*middle, *chain))), (v - 27) % 8 & 1
    fields = [_number(found["chainId"]), *middle, _accesses(found.get("accessList") or ())]
    if kind == 3:
        fields += [
            _number(found["maxFeePerBlobGas"]),
            rlp_list(rlp_bytes(_hex(one)) for one in found["blobVersionedHashes"]),
        ]
    if kind == 4:
        fields.append(rlp_list(map(_authorization, found["authorizationList"])))
    parity = quantity(found["yParity"] if "yParity" in found else found["v"])
    prefix = bytes((kind,))
    whole = prefix + rlp_list((*fields, rlp_int(parity), *signed))
    return whole, keccak(prefix + rlp_list(fields)), parity


def _accesses(entries: Iterable[Mapping[str, Any]]) -> bytes:
    return rlp_list(
        rlp_list((rlp_bytes(_hex(one["address"])), rlp_list(rlp_bytes(_hex(key)) for key in one["storageKeys"])))
        for one in entries
    )


def _authorization(one: Mapping[str, Any]) -> bytes:
    parity = _number(one["yParity"] if "yParity" in one else one["v"])
    address = rlp_bytes(_hex(one["address"]))
    return rlp_list(
        (_number(one["chainId"]), address, _number(one["nonce"]), parity, _number(one["r"]), _number(one["s"]))
    )


def _hex(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def quantity(value: Any) -> int:
    """A number as nodes write it, never negative. Raises ValueError or TypeError for what is none: `int` alone would
    take signs, spaces and underlines."""
    if isinstance(value, int) and value >= 0:
        return value
    if _QUANTITY.fullmatch(value) is None:
        raise ValueError(f"{value[:80]!r} is no quantity")
    return int(value, 16)


def _number(value: Any) -> bytes:
    return rlp_int(quantity(value))


# ---- tries


def ordered_root(values: Sequence[bytes]) -> bytes:
    """The root of the trie that holds `values` under their indices, as a block's receipts and transactions."""
    if not values:
        return EMPTY_ROOT
    pairs = sorted((rlp_int(place).hex(), value) for place, value in enumerate(values))
    return keccak(_node(pairs, 0))


def _node(pairs: Sequence[tuple[str, bytes]], depth: int) -> bytes:
    """The node above keys (nibbles as hex digits, sorted) that are equal up to `depth`; no key is another's start."""
    first = pairs[0][0]
    if len(pairs) == 1:
        return rlp_list((rlp_bytes(_packed(first[depth:], True)), rlp_bytes(pairs[0][1])))
    last, fork = pairs[-1][0], depth
    while first[fork] == last[fork]:
        fork += 1
    if fork > depth:
        return rlp_list((rlp_bytes(_packed(first[depth:fork], False)), _reference(_node(pairs, fork))))
    children = [b"\x80"] * 17
    start = 0
    for stop in range(1, len(pairs) + 1):
        if stop == len(pairs) or pairs[stop][0][depth] != pairs[start][0][depth]:
            children[int(pairs[start][0][depth], 16)] = _reference(_node(pairs[start:stop], depth + 1))
            start = stop
    return rlp_list(children)


def _reference(node: bytes) -> bytes:
    return node if len(node) < 32 else b"\xa0" + keccak(node)


def _packed(nibbles: str, is_leaf: bool) -> bytes:
    odd = len(nibbles) % 2
    return bytes.fromhex(f"{2 * is_leaf + odd}{'' if odd else '0'}{nibbles}")


def proven(root: bytes, key: bytes, nodes: Sequence[bytes]) -> bytes | None:
    """What a trie with this root holds under keccak(`key`), by the nodes of a proof; None for nothing.

    Raises BadProof for nodes that do not lead from the root to that.
    """
    if root == EMPTY_ROOT and not any(node != b"\x80" for node in nodes):
        return None
    path, waiting = keccak(key).hex(), list(reversed(nodes))
    wanted: Any = root
    while True:
        if isinstance(wanted, bytes):
            if not waiting or keccak(waiting[-1]) != wanted:
                raise BadProof("a node is missing, or is another than its parent says")
            wanted = rlp_read(waiting.pop())
        step, path, ended = _step(wanted, path)
        if ended or not step:
            if waiting:
                raise BadProof("nodes are left over")
            return step or None
        wanted = step


def _step(node: list[Any], path: str) -> tuple[Any, str, bool]:
    """What a node says of a path: the next node (its hash, or itself where it is short) or the value, the rest of the
    path, and whether that is the end."""
    if len(node) == 17:
        return (node[int(path[0], 16)], path[1:], False) if path else (node[16], path, True)
    if len(node) != 2 or not isinstance(node[0], bytes) or not node[0]:
        raise BadProof("a node that is none")
    flags = node[0].hex()
    nibbles = flags[1:] if int(flags[0], 16) & 1 else flags[2:]
    is_leaf = int(flags[0], 16) >= 2
    if not path.startswith(nibbles) or (is_leaf and nibbles != path):
        return b"", path, True
    return node[1], path[len(nibbles) :], is_leaf
