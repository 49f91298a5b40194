"""Sends transactions, and the one mechanism by which everything is done: an Action, which a person may look at first,
hand to a wallet, or have signed and sent here."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

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

T = TypeVar("T")


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


@dataclass(frozen=True, slots=True)
class Costs:
    """What an action takes from its owner's free cash, then from the wallet's allowance, in micro.

    A bid's escrow comes back for what does not trade; an offer's margin and a mint's bond, for what is delivered.
    """

    escrow_micro: int = 0
    margin_micro: int = 0
    bond_micro: int = 0
    deposit_micro: int = 0

    @property
    def total_micro(self) -> int:
        return self.escrow_micro + self.margin_micro + self.bond_micro + self.deposit_micro


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

    def action(
        self, title: str, call: Call, value_of: Callable[[Receipt], T], costs: Callable[[], Costs] | None = None
    ) -> "Action[T]":
        """Something to do with this sender: see Action."""
        return Action(title, call, self, value_of, costs or Costs)

    def _why(self, sent: Sent, receipt: Receipt) -> Reverted:
        if receipt.gas_used == sent.gas:
            return refusal("Unknown", {"data": "nothing: it ran out of gas"})
        for block in (receipt.block - 1, receipt.block):
            try:
                self.chain.call(sent.call, sent.sender, block)
            except Reverted as reason:
                return reason
        return refusal("Unknown", {"data": f"nothing; transaction {sent.transaction} failed, and would not now"})


@dataclass(frozen=True, slots=True)
class Preview:
    """What an action would do: its costs; why it would be refused, or None; the gas it may burn and what that costs
    at most. `result` is what the contract would return."""

    title: str
    costs: Costs
    refusal: LedgerError | None
    result: Any = None
    gas: int | None = None
    fee_wei: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What came of an action: its `value` (an order's index, a site's or a lease's number …) and its receipt."""

    value: T
    receipt: Receipt


@dataclass(frozen=True)
class Action(Generic[T]):
    """Something that someone may do in the market. Nothing happens until `send`."""

    title: str
    call: Call
    sender: Sender
    value_of: Callable[[Receipt], T]
    costs: Callable[[], Costs]

    def preview(self, owner: str) -> Preview:
        """What would happen if `owner` did it now: nothing is signed or sent. Raises only Unavailable."""
        costs = Costs()
        try:
            costs = self.costs()
            quote = self.sender.chain.quote(self.call, owner)
        except Reverted as reason:
            return Preview(self.title, costs, reason)
        unsigned = self.sender.priced(self.call, owner, quote)
        return Preview(self.title, costs, None, quote.result, unsigned.gas, unsigned.gas * unsigned.max_fee_wei)

    def build(self, owner: str) -> UnsignedTransaction:
        """The transaction for the owner's wallet to sign and send. Raises Reverted for one that would fail."""
        return self.sender.build(self.call, owner)

    def send(self, signer: Signer) -> Outcome[T]:
        """Signs, sends, waits. Raises Reverted, before anything is sent where that can be seen before."""
        return self.outcome(self.sender.send(self.call, signer))

    def outcome(self, receipt: Receipt) -> Outcome[T]:
        """What came of it, from the receipt of the transaction that did it, whoever sent that."""
        return Outcome(self.value_of(receipt), receipt)


def send_together(actions: Iterable[tuple[Action[T], Signer]]) -> list[Outcome[T]]:
    """Sends many actions before waiting for the first; on a local chain they stand in one block, in this order for
    each signer. Raises the first refusal: those before it were sent."""
    under_way: list[tuple[Action[T], Sent]] = []
    listed = list(actions)
    if not listed:
        return []
    clock = listed[0][0].sender.chain.clock
    if clock is None:
        _submit_all(listed, under_way)
    else:
        with clock.one_block():
            _submit_all(listed, under_way)
    return [action.outcome(action.sender.wait(sent)) for action, sent in under_way]


def _gas_limit(call: Call, quote: Quote) -> int:
    if call.gas is not None:
        return call.gas
    if quote.gas is None:
        return TRANSACTION_GAS_MAX
    return min(quote.gas * (100 + _GAS_SPARE_PERCENT) // 100 + _GAS_SPARE, TRANSACTION_GAS_MAX)


def _submit_all(actions: Sequence[tuple[Action[T], Signer]], under_way: list[tuple[Action[T], Sent]]) -> None:
    for action, signer in actions:
        under_way.append((action, action.sender.submit(action.call, signer)))
