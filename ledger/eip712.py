"""Typed data as wallets sign it (EIP-712): one description gives the digest and what a wallet is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from ledger.codec import Unusual, Writer, word_writer, words_of

_DOMAIN = (("name", "string"), ("version", "string"), ("chainId", "uint256"), ("verifyingContract", "address"))


@dataclass(frozen=True, slots=True)
class Domain:
    """Where a signature is good: one contract on one chain, by the name and version that it goes by."""

    name: str
    version: str
    chain_id: int
    contract: str

    def values(self) -> dict[str, Any]:
        """The fields by their names in the standard."""
        return dict(zip((name for name, _ in _DOMAIN), self._fields(), strict=True))

    @property
    def separator(self) -> bytes:
        """The hash that sets signatures of this domain apart from all others."""
        return _separator(*self._fields())

    def _fields(self) -> tuple[Any, ...]:
        return self.name, self.version, self.chain_id, self.contract


@dataclass(frozen=True, slots=True)
class Struct:
    """A kind of message: its name, and its fields with their Solidity types: single words, or `string`."""

    name: str
    fields: Sequence[tuple[str, str]]

    def digest(self, values: Mapping[str, Any], domain: Domain) -> bytes:
        """The 32 bytes that are signed."""
        fields = tuple(self.fields)
        # A string is signed by its hash.
        single = tuple((name, "bytes32" if kind == "string" else kind) for name, kind in fields)
        said = [keccak(text=values[name]) if kind == "string" else values[name] for name, kind in fields]
        hashed = keccak(_type_hash(self.name, fields) + _words(single, said))
        return keccak(b"\x19\x01" + domain.separator + hashed)

    def typed_data(self, values: Mapping[str, Any], domain: Domain) -> dict[str, Any]:
        """The message as a wallet's eth_signTypedData_v4 takes it."""
        return {
            "types": {"EIP712Domain": _listed(_DOMAIN), self.name: _listed(self.fields)},
            "primaryType": self.name,
            "domain": domain.values(),
            "message": dict(values),
        }


def _listed(fields: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for name, kind in fields]


Fields = tuple[tuple[str, str], ...]


@lru_cache(maxsize=64)
def _separator(name: str, version: str, chain_id: int, contract: str) -> bytes:
    hashed = (_type_hash("EIP712Domain", _DOMAIN), keccak(text=name), keccak(text=version), chain_id, contract)
    return keccak(encode(["bytes32", "bytes32", "bytes32", "uint256", "address"], hashed))


@lru_cache(maxsize=64)
def _type_hash(name: str, fields: Fields) -> bytes:
    return keccak(text=f"{name}({','.join(f'{kind} {field}' for field, kind in fields)})")


@lru_cache(maxsize=64)
def _writers(fields: Fields) -> list[Writer] | None:
    writers = [writer for _, kind in fields if (writer := word_writer(kind)) is not None]
    return writers if len(writers) == len(fields) else None


def _words(fields: Fields, values: Sequence[Any]) -> bytes:
    writers = _writers(fields)
    if writers is not None:
        try:
            return words_of(writers, values)
        except Unusual:
            pass
    return encode([kind for _, kind in fields], values)
