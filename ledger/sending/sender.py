"""Sends transactions so that each has one effect, whatever fails between: kept before they are sent, found again after
a crash, offered until they are final.

sender.send(call, signer, key="invoice 7")      # the same key and call again gives the same transaction
"""

import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from threading import Event
from typing import Any

from eth_utils.crypto import keccak

from ledger.abi import Call
from ledger.chain import Chain, Quote
from ledger.errors import (
    InputError,
    KeyBusy,
    LedgerError,
    NodeRefused,
    Unavailable,
    UnknownIntent,
)
from ledger.keys import SignedTransaction, Signer
from ledger.rpc import Receipt
from ledger.sending.drafts import Sent, draft_of, gas_limit, require_gas_money, sent_of
from ledger.sending.envelope import UnsignedTransaction, sign
from ledger.sending.fees import FeePolicy, Fees
from ledger.sending.groups import Groups
from ledger.sending.relayed import carry, is_for_good
from ledger.sending.tracker import Clock, Tracker
from ledger.sending.waiting import PASS_S, Waiting
from ledger.sending.wire import Account, Terms, Tried, Wire
from ledger.store.chains import require_chain
from ledger.store.engine import IN_MEMORY, Store, open_store
from ledger.store.intents import UNFINISHED, Draft, Intent, State
from ledger.store.outbox import Outbox

IntentStatus = Intent
"""What is known of something that was sent: see `Sender.status`."""

_WINDOW, _WINDOW_LOCAL = 16, 4_096


@dataclass(frozen=True, slots=True)
class _Batch:
    drafts: Sequence[Draft]
    terms: Terms


class Sender:
    """Signs, keeps, sends, waits. Simulates first, at the pending block: what would revert never costs gas.

    Threads may share one; what several submit at the same time is kept in one transaction of the database and sent in
    one request. One process at a time sends for a key: another is told KeyBusy. Without a `store` the outbox is in
    memory, and a crash forgets it.
    """

    def __init__(
        self,
        chain: Chain,
        store: Store | None = None,
        fees: FeePolicy | None = None,
        timeout_s: int = 120,
        *,
        wire: Wire | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.chain = chain
        self._store = store
        self._fees = fees or FeePolicy()
        self._wire = wire or Wire(chain)
        self._clock = clock or Clock()
        self._local = chain.clock is not None
        self._groups: Groups[_Batch, list[Intent | LedgerError]] = Groups(self._commit)
        self._asks: Groups[Sequence[str], Terms] = Groups(self._ask)
        self._relays: Groups[tuple[Draft, int], Intent | LedgerError] = Groups(
            lambda wanted: carry(wanted, self._outbox, self._wire, lambda *batch: self._groups.do(_Batch(*batch)))
        )
        self._waiting = Waiting(
            self._wire,
            self._clock,
            timeout_s,
            self._local,
            self._seen,
            lambda: self._tracker.advance(wait=False),
        )
        self._proven = False

    @cached_property
    def _outbox(self) -> Outbox:
        store = self._store
        if store is None:
            store = open_store(IN_MEMORY)
            weakref.finalize(self, store.close)
        return Outbox(store, self.chain.chain_id, self._clock.wall)

    @cached_property
    def _tracker(self) -> Tracker:
        window = self._fees.window or (_WINDOW_LOCAL if self._local else _WINDOW)
        return Tracker(self._wire, self._outbox, self.chain.chain_id, self._fees, window, self._clock)

    def _seen(self, number: int) -> Intent | None:
        return self._tracker.known(number)

    def _prove(self) -> None:
        """Raises BadStore for a database of another chain that has the same id: its nonces are not this one's."""
        if self._proven or self._store is None:
            return
        [genesis] = self._wire.hashes([0])
        # A node without its beginning cannot say.
        if genesis is not None:
            require_chain(self._store, self.chain.chain_id, genesis)
        self._proven = True

    # ---- before anything is sent

    def simulate(self, call: Call, sender: str) -> Any:
        """What `call` would return in the block that is being made. Raises the Reverted that it would end with."""
        return self.chain.call(call, sender, block="pending")

    def build(self, call: Call, sender: str) -> UnsignedTransaction:
        """The transaction that would make `call`, for its sender to sign. Raises Reverted, NodeRefused, Unreachable."""
        return self.priced(call, sender, self.chain.quote(call, sender))

    def priced(self, call: Call, sender: str, quote: Quote) -> UnsignedTransaction:
        """The transaction that makes `call` on the terms of `quote`. Raises NodeRefused where gas is above the cap."""
        fees = self._fees.suggest(quote.base_fee_wei, quote.tip_wei)
        kept = self._outbox.next_nonce(sender) if "_outbox" in self.__dict__ or self._store else 0
        return UnsignedTransaction(
            sender=sender,
            to=call.to,
            data=call.data,
            chain_id=self.chain.chain_id,
            nonce=max(kept, quote.nonce),
            gas=gas_limit(call, quote.gas),
            max_fee_wei=fees.max_fee_wei,
            tip_wei=fees.tip_wei,
        )

    # ---- sending

    def submit(
        self,
        call: Call,
        signer: Signer,
        key: str | None = None,
        *,
        simulate: bool = True,
        deadline_s: int | None = None,
    ) -> Sent:
        """Signs, keeps and sends, without waiting for a block. Raises Reverted for a call that would fail: nothing is
        kept or sent.

        `key` names what is to be done once: the same key and call again give the same Sent, another call KeyReused. A
        call that is in no block at `deadline_s` of the chain's time is cancelled. `simulate=False` saves a round trip
        for a call that names its gas. Raises KeyBusy where another process sends for the signer.
        """
        return self.submit_many([(call, signer)], [key], simulate=simulate, deadline_s=deadline_s)[0]

    def submit_many(
        self,
        calls: Sequence[tuple[Call, Signer]],
        keys: Sequence[str | None] | None = None,
        *,
        simulate: bool = True,
        deadline_s: int | None = None,
    ) -> list[Sent]:
        """Many at once: one simulation of all, one transaction of the database, one request. Raises as `submit` does,
        for the first that cannot be sent; where one would revert, none is kept."""
        self._prove()
        named = list(keys) if keys is not None else [None] * len(calls)
        known = self._outbox.named([key for key in named if key is not None])
        fresh = [pair for pair, key in zip(calls, named, strict=True) if key is None or key not in known]
        if not simulate and any(call.gas is None for call, _ in fresh):
            raise InputError("A call without a gas limit cannot go unsimulated.", "Name its gas.")
        drafts: list[Draft] = []
        kept: Iterator[Intent | LedgerError] = iter(())
        if fresh:
            terms, tried = self._terms(fresh, simulate)
            fees = self._fees.suggest(terms.head.base_fee_wei, terms.tip_wei)
            tries = iter(tried)
            for (call, signer), key in zip(calls, named, strict=True):
                if key is None or key not in known:
                    self._tracker.adopt(signer)
                    gas = gas_limit(call, next(tries).gas)
                    drafts.append(self._draft(call, signer, key, (gas, fees, deadline_s), terms.accounts))
            require_gas_money(drafts, terms)
            kept = iter(self._groups.do(_Batch(drafts, terms)))
        return [
            sent_of(call, signer, known[key] if key is not None and key in known else next(kept))
            for (call, signer), key in zip(calls, named, strict=True)
        ]

    def _terms(self, calls: Sequence[tuple[Call, Signer]], simulate: bool) -> tuple[Terms, list[Tried]]:
        senders = sorted({signer.address for _, signer in calls})
        if not simulate:
            return self._asks.do(senders), [Tried(None, None)] * len(calls)
        return self._wire.terms(senders, [(call, signer.address) for call, signer in calls])

    def _ask(self, wanted: Sequence[Sequence[str]]) -> list[Terms]:
        terms, _ = self._wire.terms(sorted({sender for some in wanted for sender in some}), [])
        return [terms] * len(wanted)

    def _draft(
        self,
        call: Call,
        signer: Signer,
        key: str | None,
        offer: tuple[int, Fees, int | None],
        accounts: Mapping[str, Account],
    ) -> Draft:
        gas, fees, deadline_s = offer

        def signed(nonce: int) -> SignedTransaction:
            return sign(signer, self.chain.chain_id, nonce, (call.to, call.data), gas, fees)

        floor = accounts[signer.address].nonce
        return Draft(signer.address, call.to, call.data, gas, fees, signed, key, floor, deadline_s=deadline_s)

    def _commit(self, batches: Sequence[_Batch]) -> list[list[Intent | LedgerError]]:
        """Keeps what several threads submit, then sends it: the database first."""
        latest = max((batch.terms.head for batch in batches), key=lambda head: head.number)
        drafts = [draft for batch in batches for draft in batch.drafts]
        kept = self._outbox.keep(drafts, self._tracker.budget(latest.time_s))
        accounts = {name: one for batch in batches for name, one in batch.terms.accounts.items()}
        mined = {name: (one.mined, one.delegated) for name, one in accounts.items()}
        intents = [intent for intent in kept if isinstance(intent, Intent)]
        errors: dict[int, LedgerError] = {}
        try:
            for refused in self._tracker.offer_first(intents, mined, latest.number):
                if is_for_good(refused.error):
                    errors[refused.intent.number] = refused.error
                    self._give_up(refused.intent, refused.error)
        except Unavailable:
            # It is kept, and will be offered again: whether the node has it is not known.
            pass
        rest = iter([errors.get(one.number, one) if isinstance(one, Intent) else one for one in kept])
        return [[next(rest) for _ in batch.drafts] for batch in batches]

    def _give_up(self, intent: Intent, error: LedgerError) -> None:
        """Has the slot of a transaction taken that no node takes: those behind it wait for its nonce. What others
        signed is over: were its account paid later, nobody would expect it to happen still."""
        if intent.relayed:
            self._tracker.end(intent, error.problem)
            return
        self._outbox.cancel(intent.number)
        self._tracker.cancel(intent, self._tracker.look([intent.sender]))

    def relay(self, raw: bytes, key: str | None = None) -> Sent:
        """Keeps and sends a transaction that somebody else signed; it is offered until it is final, and never replaced.

        Raises UnreadableText for bytes that are no transaction with fees by EIP-1559, WrongChain for another chain's,
        NodeRefused for one that cannot be paid or has a nonce that is not next, where too many wait, and for one that
        every node refused: that is for good. What no node takes is given up after half an hour.
        """
        self._prove()
        key = key or "relayed 0x" + keccak(raw).hex()
        draft, value_wei = draft_of(raw, key, self.chain.chain_id)
        call = Call("", draft.to, draft.data, gas=draft.gas)
        self._tracker.carry()
        kept = self._relays.do((draft, value_wei))
        if isinstance(kept, Intent) and kept.state is State.CANCELLED:
            raise NodeRefused(f"it was given up before ({kept.reason})", "Sign it again, with other fees.")
        return sent_of(call, None, kept)

    # ---- waiting

    def wait(self, sent: Sent) -> Receipt:
        """The receipt, once there is one. Raises NotIncluded after the time-out, Reverted where the call failed,
        Cancelled where another transaction took its place."""
        return self.wait_all([sent])[0]

    def wait_all(self, sents: Sequence[Sent]) -> list[Receipt]:
        """The receipts of many. Raises as `wait` does, for the first that failed, when all are in blocks."""
        return self._waiting.wait_all(sents)

    def send(self, call: Call, signer: Signer, key: str | None = None) -> Receipt:
        """Submits and waits."""
        return self.wait(self.submit(call, signer, key))

    # ---- what became of it

    def status(self, name: int | str) -> IntentStatus:
        """What is known of an intent, by its number or its idempotency key. Raises UnknownIntent."""
        intent = self._outbox.find(name)
        if intent is None:
            raise UnknownIntent(f"intent {name}" if isinstance(name, int) else f"{name!r}")
        return self._tracker.heard(intent)

    def unfinished(self) -> list[IntentStatus]:
        """All that is not final, reverted or cancelled for good."""
        return [self._tracker.heard(intent) for intent in self._outbox.unfinished()]

    def cancel(self, number: int) -> IntentStatus:
        """Has the nonce of an intent taken by a self-send, unless the intent itself is in a block first: its status
        says which. A key that has not sent here since the start must be adopted by `resume`. Raises UnknownIntent."""
        self._prove()
        intent = self.status(number)
        if intent.relayed:
            raise InputError(f"Intent {number} was signed elsewhere.", "Cancel it with the key that signed it.")
        if intent.state not in UNFINISHED:
            return intent
        self._outbox.cancel(number)
        self._tracker.cancel(self.status(number), self._tracker.look([intent.sender]))
        return self.status(number)

    # ---- going on

    def resume(self, *signers: Signer) -> int:
        """Takes up what an earlier process left: claims the keys, and offers all that is unfinished again. Says how
        much that is. Raises KeyBusy where another process sends for one of the signers."""
        self._prove()
        for signer in signers:
            self._tracker.adopt(signer)
        wanted = {signer.address for signer in signers}
        for address in sorted(wanted - self._outbox.hold(wanted)):
            raise KeyBusy(address, "Another process")
        return self.advance()

    def advance(self, orphans: bool = False) -> int:
        """Looks once at what the keys that send here left unfinished: finds it in blocks, offers again what is in none,
        pays more where that is due. With `orphans` also at what belongs to keys that no living process holds, whose
        owner is shut out until `close`. Says how much is unfinished. Raises Unavailable where nobody answers."""
        self._prove()
        return self._tracker.advance(orphans=orphans)

    def run(self, stop: Event) -> None:
        """Advances once a second until `stop` is set, also what others signed, whichever process was handed it."""
        self._tracker.carry()
        while not stop.is_set():
            # Where one fails, the next pass finds the same work.
            with suppress(Unavailable):
                self.advance()
            stop.wait(PASS_S)

    def close(self) -> None:
        """Gives up the keys, so that another process need not wait for their leases to end."""
        if "_outbox" in self.__dict__:
            self._outbox.release()
