"""Typed data as wallets sign it (EIP-712): one description gives the digest and what a wallet is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak

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
        name, version, chain_id, contract = self._fields()
        hashed = (_type_hash("EIP712Domain", _DOMAIN), keccak(text=name), keccak(text=version), chain_id, contract)
        return keccak(encode(["bytes32", "bytes32", "bytes32", "uint256", "address"], hashed))

    def _fields(self) -> tuple[Any, ...]:
        return self.name, self.version, self.chain_id, self.contract


@dataclass(frozen=True, slots=True)
class Struct:
    """A kind of message: its name, and its fields with their Solidity types, all of them single words."""

    name: str
    fields: Sequence[tuple[str, str]]

    def digest(self, values: Mapping[str, Any], domain: Domain) -> bytes:
        """The 32 bytes that are signed."""
        kinds = ["bytes32", *(kind for _, kind in self.fields)]
        words = (_type_hash(self.name, self.fields), *(values[name] for name, _ in self.fields))
        return keccak(b"\x19\x01" + domain.separator + keccak(encode(kinds, words)))

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


def _type_hash(name: str, fields: Sequence[tuple[str, str]]) -> bytes:
    return keccak(text=f"{name}({','.join(f'{kind} {field}' for field, kind in fields)})")
