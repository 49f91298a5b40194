"""Sends transactions: signs them, hands them to the node, and waits for what becomes of them."""

import threading
import time
from dataclasses import dataclass
from typing import Any

from ledger.abi import Call
from ledger.chain import TRANSACTION_GAS_MAX, Chain, Quote
from ledger.errors import LedgerError, NodeRefused, NotIncluded, Reverted, refusal
from ledger.keys import Signer
from ledger.rpc import Receipt

WEI_PER_GWEI = 10**9
FEE_CAP_WEI = 500 * WEI_PER_GWEI

# Orders of others may come between the estimate and the block: what they change costs less than this.
_GAS_SPARE_PERCENT = 25
_GAS_SPARE = 30_000
_POLL_SECONDS_MIN = 0.005
_POLL_SECONDS_MAX = 1.0


@dataclass(frozen=True, slots=True)
class Sent:
    """A transaction on its way: what was called, by whom, its hash, number and gas limit."""

    call: Call
    sender: str
    transaction: str
    nonce: int
    gas: int


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

    def fields(self) -> dict[str, Any]:
        """By the names that eth_account and web3 use; `to` is absent for the creation of a contract."""
        wallet = {
            "type": 2,
            "chainId": self.chain_id,
            "nonce": self.nonce,
            "gas": self.gas,
            "maxFeePerGas": self.max_fee_wei,
            "maxPriorityFeePerGas": self.tip_wei,
            "value": 0,
            "data": self.data,
        }
        return wallet if self.to is None else wallet | {"to": self.to}

    def json(self) -> dict[str, Any]:
        """As a wallet's eth_sendTransaction takes it: everything in hex."""
        texts = {key: hex(value) if isinstance(value, int) else value for key, value in self.fields().items()}
        return texts | {"from": self.sender, "data": "0x" + self.data.hex()}


class Sender:
    """Signs, sends, waits. Simulates first, at the pending block: what would revert never costs gas.

    One per process: it keeps the numbers of its signers' transactions, so that several may be under way at once.
    """

    def __init__(self, chain: Chain, fee_cap_wei: int = FEE_CAP_WEI, timeout_s: int = 120) -> None:
        self.chain = chain
        self._fee_cap_wei = fee_cap_wei
        self._timeout_s = timeout_s
        self._next: dict[str, int] = {}
        self._lock = threading.Lock()

    def simulate(self, call: Call, sender: str) -> Any:
        """What `call` would return in the block that is being made. Raises the Reverted that it would end with."""
        return self.chain.call(call, sender, block="pending")

    def build(self, call: Call, sender: str) -> UnsignedTransaction:
        """The transaction that would make `call`, for its sender to sign. Raises Reverted, NodeRefused, Unreachable."""
        return self.priced(call, sender, self.chain.quote(call, sender))

    def priced(self, call: Call, sender: str, quote: Quote) -> UnsignedTransaction:
        """The transaction that makes `call` on the terms of `quote`. Raises NodeRefused where gas is above the cap."""
        price_wei = quote.base_fee_wei + quote.tip_wei
        if price_wei > self._fee_cap_wei:
            raise NodeRefused(
                f"gas costs {price_wei / WEI_PER_GWEI:.1f} gwei, more than the cap",
                "Wait, or raise COMPUTE_LEDGER_FEE_CAP_GWEI.",
            )
        return UnsignedTransaction(
            sender=sender,
            to=call.to,
            data=call.data,
            chain_id=self.chain.chain_id,
            nonce=max(self._next.get(sender, 0), quote.nonce),
            gas=_gas_limit(call, quote),
            # Twice the base fee lasts for five full blocks.
            max_fee_wei=min(quote.base_fee_wei + price_wei, self._fee_cap_wei),
            tip_wei=quote.tip_wei,
        )

    def submit(self, call: Call, signer: Signer) -> Sent:
        """Signs and sends, without waiting for a block. Raises Reverted for a call that would fail: nothing is sent."""
        with self._lock:
            unsigned = self.build(call, signer.address)
            signed = signer.sign_transaction(unsigned.fields())
            try:
                self.chain.send_raw(signed.raw)
            except LedgerError:
                # The number may be taken by another process: the chain says which comes next.
                self._next.pop(signer.address, None)
                raise
            self._next[signer.address] = unsigned.nonce + 1
        return Sent(call, signer.address, signed.hash, unsigned.nonce, unsigned.gas)

    def wait(self, sent: Sent) -> Receipt:
        """The receipt, once there is one. Raises NotIncluded after the time-out, Reverted where the call failed."""
        deadline = time.monotonic() + self._timeout_s
        pause = _POLL_SECONDS_MIN
        while (receipt := self.chain.receipt(sent.transaction)) is None:
            if time.monotonic() > deadline:
                raise NotIncluded(sent.transaction, self._timeout_s)
            time.sleep(pause)
            pause = min(2 * pause, _POLL_SECONDS_MAX)
        if not receipt.succeeded:
            raise self._why(sent, receipt)
        return receipt

    def send(self, call: Call, signer: Signer) -> Receipt:
        """Submits and waits."""
        return self.wait(self.submit(call, signer))

    def _why(self, sent: Sent, receipt: Receipt) -> Reverted:
        if receipt.gas_used == sent.gas:
            return refusal("Unknown", {"data": "nothing: it ran out of gas"})
        for block in (receipt.block - 1, receipt.block):
            try:
                self.chain.call(sent.call, sent.sender, block)
            except Reverted as reason:
                return reason
        return refusal("Unknown", {"data": f"nothing; transaction {sent.transaction} failed, and would not now"})


def _gas_limit(call: Call, quote: Quote) -> int:
    if call.gas is not None:
        return call.gas
    if quote.gas is None:
        return TRANSACTION_GAS_MAX
    return min(quote.gas * (100 + _GAS_SPARE_PERCENT) // 100 + _GAS_SPARE, TRANSACTION_GAS_MAX)
