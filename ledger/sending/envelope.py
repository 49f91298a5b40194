"""Transactions as they travel: unsigned for a wallet, signed by a key of ours, read from bytes that others signed."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import rlp  # type: ignore[import-untyped]
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from ledger.errors import UnreadableText
from ledger.keys import SignedTransaction, Signer, recover
from ledger.sending.fees import Fees

_TYPE = b"\x02"


@dataclass(frozen=True, slots=True)
class UnsignedTransaction:
    """A transaction for a wallet to sign. Amounts in wei, fees per unit of gas."""

    sender: str
    to: str | None
    data: bytes
    chain_id: int
    nonce: int
    gas: int
    max_fee_wei: int
    tip_wei: int
    value_wei: int = 0

    def fields(self) -> dict[str, Any]:
        """By the names that eth_account and web3 use; `to` is absent for the creation of a contract."""
        wallet = {
            "type": 2,
            "chainId": self.chain_id,
            "nonce": self.nonce,
            "gas": self.gas,
            "maxFeePerGas": self.max_fee_wei,
            "maxPriorityFeePerGas": self.tip_wei,
            "value": self.value_wei,
            "data": self.data,
        }
        return wallet if self.to is None else wallet | {"to": self.to}

    def json(self) -> dict[str, Any]:
        """As a wallet's eth_sendTransaction takes it: everything in hex."""
        texts = {key: hex(value) if isinstance(value, int) else value for key, value in self.fields().items()}
        return texts | {"from": self.sender, "data": "0x" + self.data.hex()}


def sign(
    signer: Signer, chain_id: int, nonce: int, what: tuple[str | None, bytes], gas: int, fees: Fees
) -> SignedTransaction:
    """Signs one transaction without value; `what` is the contract called (None to create one) and the data."""
    to, data = what
    unsigned = UnsignedTransaction(signer.address, to, data, chain_id, nonce, gas, fees.max_fee_wei, fees.tip_wei)
    return signer.sign_transaction(unsigned.fields())


# Whoever takes bytes in reads them to see what they are for, and the sender again to keep them, a moment later.
@lru_cache(maxsize=64)
def read_signed(raw: bytes) -> tuple[UnsignedTransaction, SignedTransaction]:
    """What somebody signed (EIP-1559), by whom, and its hash. Raises UnreadableText for other bytes."""
    try:
        if raw[:1] != _TYPE:
            raise ValueError("it is of another type")
        fields: Any = rlp.decode(raw[1:])
        chain_id, nonce, tip_wei, max_fee_wei, gas = (int.from_bytes(one) for one in fields[:5])
        signature = fields[10].rjust(32, b"\0") + fields[11].rjust(32, b"\0")
        digest = keccak(_TYPE + rlp.encode(fields[:9]))
        sender = recover(digest, signature + bytes([27 + int.from_bytes(fields[9])]))
        if sender is None:
            raise ValueError("nobody signed it")
    except (ValueError, IndexError, TypeError, rlp.DecodingError) as error:
        raise UnreadableText("a signed transaction", "0x" + raw[:16].hex(), str(error), "0x02f8…") from None
    to = to_checksum_address(fields[5]) if fields[5] else None
    value_wei = int.from_bytes(fields[6])
    unsigned = UnsignedTransaction(sender, to, fields[7], chain_id, nonce, gas, max_fee_wei, tip_wei, value_wei)
    return unsigned, SignedTransaction(raw, "0x" + keccak(raw).hex())
