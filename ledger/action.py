"""The one mechanism by which everything is done: an Action, which a person may look at first, hand to a wallet, or have
signed and sent here."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ledger.abi import Call
from ledger.errors import LedgerError, Reverted
from ledger.keys import Signer
from ledger.rpc import Receipt
from ledger.sending.drafts import Sent
from ledger.sending.envelope import UnsignedTransaction
from ledger.sending.sender import Sender

T = TypeVar("T")


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


@dataclass(frozen=True, slots=True)
class Preview:
    """What an action would do: its costs; why it would be refused, or None; the gas it may burn and what that costs
    at most. `result` is what the contract would return; `notes` are what a person may want to think over before."""

    title: str
    costs: Costs
    refusal: LedgerError | None
    result: Any = None
    gas: int | None = None
    fee_wei: int | None = None
    notes: tuple[str, ...] = ()


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
    costs: Callable[[], Costs] = Costs
    notes: Callable[[], tuple[str, ...]] = tuple

    def preview(self, owner: str) -> Preview:
        """What would happen if `owner` did it now: nothing is signed or sent. Raises only Unavailable."""
        costs = Costs()
        try:
            costs = self.costs()
            quote = self.sender.chain.quote(self.call, owner)
            notes = self.notes()
        except Reverted as reason:
            return Preview(self.title, costs, reason)
        unsigned = self.sender.priced(self.call, owner, quote)
        return Preview(self.title, costs, None, quote.result, unsigned.gas, unsigned.gas * unsigned.max_fee_wei, notes)

    def build(self, owner: str) -> UnsignedTransaction:
        """The transaction for the owner's wallet to sign and send. Raises Reverted for one that would fail."""
        return self.sender.build(self.call, owner)

    def send(self, signer: Signer, key: str | None = None) -> Outcome[T]:
        """Signs, sends, waits; the same `key` again sends nothing again. Raises Reverted, before anything is sent where
        that can be seen before, and KeyReused for a key of another call."""
        return self.outcome(self.sender.send(self.call, signer, key))

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


def _submit_all(actions: Sequence[tuple[Action[T], Signer]], under_way: list[tuple[Action[T], Sent]]) -> None:
    for action, signer in actions:
        under_way.append((action, action.sender.submit(action.call, signer)))
