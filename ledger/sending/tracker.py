"""Follows what was sent until it is final: finds it in blocks, puts it back after a reorganisation, offers it again,
pays more where that is due, and takes its place where it was cancelled.

A pass looks at everything unfinished at once.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock

from ledger.errors import LedgerError, NodeRefused
from ledger.keys import SignedTransaction, Signer
from ledger.sending.drafts import with_spare
from ledger.sending.envelope import sign
from ledger.sending.fees import FeePolicy, Fees
from ledger.sending.gaps import Gaps, first_missed
from ledger.sending.places import Places, call_of
from ledger.sending.relayed import Pauses, ended
from ledger.sending.wire import Look, Wire
from ledger.store.intents import IN_A_BLOCK, UNFINISHED, Attempt, Draft, Intent, State
from ledger.store.outbox import RELAYED, Outbox
from ledger.store.spending import Budget

REPUBLISH_S = 12
MISSED_S = 0.5
"""After so long is offered again what the node has nothing of: it may be a look from before the offer."""

SECONDS_PER_DAY = 86_400
_CANCEL_GAS = 21_000
_CANCEL_GAS_DELEGATED = 100_000
WAITING = UNFINISHED - IN_A_BLOCK
# A transaction that waits while this many blocks are made was passed over.
_BLOCKS_PASSED = 2


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as the sender knows it: timers run on one that never goes back, leases on the time of day."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


@dataclass(slots=True)
class _Offer:
    """When a transaction was first and last handed to the node, at which block, and whether it offered too little."""

    first_s: float
    last_s: float
    block: int
    too_little: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """An intent whose transaction the node did not take, and what it said."""

    intent: Intent
    error: LedgerError


class Tracker:
    """The unfinished intents of one chain. One pass runs at a time."""

    def __init__(self, wire: Wire, outbox: Outbox, chain_id: int, fees: FeePolicy, window: int, clock: Clock) -> None:
        self._wire = wire
        self._outbox = outbox
        self._chain_id = chain_id
        self._fees = fees
        self._window = window
        self._clock = clock
        self._signers: dict[str, Signer] = {}
        self._offers: dict[str, _Offer] = {}
        self._known: dict[int, Intent] = {}
        self._places = Places(wire)
        self._gaps = Gaps()
        self._pauses = Pauses()
        self._carries = False
        self._turn = Lock()

    def adopt(self, signer: Signer) -> None:
        """From now on this signer may replace and cancel what its key sent."""
        self._signers[signer.address] = signer

    def carry(self) -> None:
        """From now on what others signed is followed here, unless another process does it already."""
        self._carries = True

    def end(self, intent: Intent, why: str) -> None:
        """What others signed is never offered again."""
        over = ended(intent, why)
        self._outbox.record([over])
        self._remember(over)

    def known(self, number: int) -> Intent | None:
        """An intent as this process saw it last."""
        return self._known.get(number)

    def budget(self, time_s: int) -> Budget | None:
        """What may be spent on the day of that time."""
        most_wei = self._fees.daily_budget_wei
        return None if most_wei is None else Budget(time_s // SECONDS_PER_DAY, most_wei)

    # ---- a pass

    def advance(self, wait: bool = True, orphans: bool = False) -> int:
        """Looks once at what the adopted keys sent, with `orphans` also at what belongs to keys that nobody holds, and
        says how much is unfinished. Raises Unavailable where the node or the database does not answer. Without `wait`,
        leaves it to a pass that runs already."""
        if not self._turn.acquire(blocking=wait):
            return len(self._known)
        try:
            return self._pass(orphans)
        finally:
            self._turn.release()

    def _pass(self, orphans: bool) -> int:
        everything = self._outbox.unfinished()
        senders = {one.sender for one in everything if not one.relayed}
        # Who goes on forever leaves others' keys alone: an owner that was killed and comes back must find its own free.
        wanted = senders if orphans else senders & self._signers.keys()
        held = self._outbox.hold(wanted | ({RELAYED} if self._carries or orphans else set()))
        before = [one for one in everything if (RELAYED if one.relayed else one.sender) in held]
        if not before:
            return len(everything)
        look = self._wire.look(sorted({one.sender for one in before}))
        placed = self._places.placed(before, look)
        gone = (one for one, now in zip(before, placed, strict=True) if one.block is not None and now.block is None)
        self._forget_offers(gone)
        after = [self.heard(one) for one in placed]
        after = [self._expired(one, look) for one in after]
        over = [one for one in after if one.state not in UNFINISHED]
        self._outbox.record([new for new, old in zip(after, before, strict=True) if new != old], self._paid(over))
        for intent in after:
            self._remember(intent)
        filled = self._filled(after, look)
        waiting = [*filled, *(one for one in after if one.state in WAITING)]
        missed = first_missed(waiting, look)
        self._offer([self._improved(one, look) for one in self._in_window(waiting, look)], look.head.number, missed)
        return len(everything) + len(filled) - len(over)

    def _paid(self, over: Sequence[Intent]) -> dict[int, int]:
        """What each intent that is over did cost, in wei, where that is counted and the node knows it."""
        if self._fees.daily_budget_wei is None or not over:
            return {}
        paid = {one.number: 0 for one in over if one.counted is None}
        mined = [(one.number, one.counted) for one in over if one.counted is not None]
        receipts = self._wire.receipts([counted for _, counted in mined]) if mined else []
        for (number, _), receipt in zip(mined, receipts, strict=True):
            if receipt is not None:
                paid[number] = receipt.gas_used * receipt.gas_price_wei
        return paid

    def _filled(self, after: Sequence[Intent], look: Look) -> list[Intent]:
        """Self-sends for slots of our keys that nobody fills, kept."""
        unfinished = [one for one in after if one.state in UNFINISHED and one.sender in self._signers]
        filled = []
        for sender, nonce in self._gaps.due(unfinished, look, self._clock.monotonic()):
            signer = self._signers[sender]
            fees = self._fees.cancel(Fees(0, 0), look.head.base_fee_wei, look.tip_wei)
            gas = _CANCEL_GAS_DELEGATED if sender in look.delegated else _CANCEL_GAS
            what = sender, b""

            def signed(
                slot: int, signer: Signer = signer, gas: int = gas, what: tuple[str, bytes] = what, fees: Fees = fees
            ) -> SignedTransaction:
                return sign(signer, self._chain_id, slot, what, gas, fees)

            intent = self._outbox.fill(Draft(sender, sender, b"", gas, fees, signed, nonce=nonce, fills=True))
            if intent is not None:
                filled.append(intent)
                self._known[intent.number] = intent
        return filled

    def _remember(self, intent: Intent) -> None:
        self._known[intent.number] = intent
        if intent.state in UNFINISHED:
            return
        # Whoever waits looks here last; what is over for good is in the database.
        if intent.state in (State.FINAL, State.REVERTED):
            self._known.pop(intent.number)
        self._places.forget(intent.number)
        self._forget_offers([intent])
        for attempt in intent.attempts:
            self._pauses.forget(attempt.hash)

    def _forget_offers(self, intents: Iterable[Intent]) -> None:
        """Of those that are over, or whose block is gone: whatever was offered may be forgotten with it."""
        for intent in intents:
            for attempt in intent.attempts:
                self._offers.pop(attempt.hash, None)

    def heard(self, intent: Intent) -> Intent:
        """The intent as of now: what was handed to the node since the last pass is not in the database as that yet."""
        offered = any(attempt.hash in self._offers for attempt in intent.attempts)
        return replace(intent, state=State.BROADCAST) if offered and intent.state is State.SIGNED else intent

    def _expired(self, intent: Intent, look: Look) -> Intent:
        late = intent.deadline_s is not None and look.head.time_s > intent.deadline_s
        if not late or intent.state not in WAITING:
            return intent
        if not intent.relayed:
            return replace(intent, cancel=True)
        # One that the node holds may be mined yet: it is followed.
        return ended(intent, _NOT_TAKEN) if intent.nonce >= look.pending[intent.sender] else intent

    # ---- offering

    def _in_window(self, waiting: Sequence[Intent], look: Look) -> list[Intent]:
        lowest: dict[str, int] = {}
        allowed = []
        for intent in waiting:
            low = lowest.setdefault(intent.sender, intent.nonce)
            window = 1 if intent.sender in look.delegated else self._window
            if intent.relayed or intent.nonce < low + window:
                allowed.append(intent)
        return allowed

    def offer_first(
        self, intents: Sequence[Intent], mined: Mapping[str, tuple[int, bool]], block: int
    ) -> list[Refused]:
        """Hands new intents to the node, those that the window holds; says which it did not take, and why. `mined` is
        how many transactions of each sender are in blocks, and whether its key is delegated."""
        for intent in intents:
            self._known[intent.number] = intent
        allowed = []
        for intent in intents:
            low, delegated = mined[intent.sender]
            if intent.relayed or intent.nonce < low + (1 if delegated else self._window):
                allowed.append(intent)
        return self._offer(allowed, block, {})

    def _offer(self, intents: Sequence[Intent], block: int, missed: Mapping[str, int]) -> list[Refused]:
        now_s = self._clock.monotonic()
        due = [one for one in intents if self._due(one, now_s, missed)]
        if not due:
            return []
        refused = []
        for intent, error in zip(due, self._wire.send([one.last.raw for one in due]), strict=True):
            said = str(error.problem).lower() if error is not None else ""
            taken = error is None or "already known" in said or "already imported" in said
            offer = self._offers.get(intent.last.hash)
            if offer is None and (taken or _TOO_LITTLE in said or _FEE_TOO_LOW in said):
                offer = self._offers[intent.last.hash] = _Offer(now_s, now_s, block)
            if offer is not None:
                offer.last_s = now_s
                offer.too_little = not taken and (_TOO_LITTLE in said or _FEE_TOO_LOW in said)
            if error is not None and not taken:
                self._pauses.begin(intent.last.hash, now_s)
                refused.append(Refused(intent, error))
        return refused

    def _due(self, intent: Intent, now_s: float, missed: Mapping[str, int]) -> bool:
        offer = self._offers.get(intent.last.hash)
        if offer is None:
            return not intent.relayed or self._pauses.over(intent.last.hash, now_s)
        first = missed.get(intent.sender)
        return now_s - offer.last_s >= (MISSED_S if first is not None and intent.nonce >= first else REPUBLISH_S)

    # ---- paying more, and cancelling

    def _improved(self, intent: Intent, look: Look) -> Intent:
        signer = self._signers.get(intent.sender)
        if intent.relayed or signer is None:
            return intent
        if intent.cancel and not any(attempt.cancels for attempt in intent.attempts):
            return self._cancelled(intent, signer, look)
        offer = self._offers.get(intent.last.hash)
        if offer is None:
            return intent
        waited = self._clock.monotonic() - offer.first_s >= self._fees.bump_after_s
        passed_over = look.head.number >= offer.block + _BLOCKS_PASSED
        return self._bumped(intent, signer, look) if offer.too_little or (waited and passed_over) else intent

    def cancel(self, intent: Intent, look: Look) -> Intent:
        """Signs the self-send that takes the intent's nonce, and offers it. Raises KeyBusy."""
        signer = self._signers.get(intent.sender)
        with self._turn:
            # A pass may have paid more for it meanwhile, or found it in a block.
            intent = self._outbox.find(intent.number) or intent
            waits = intent.state in WAITING
            if signer is None or not waits or any(attempt.cancels for attempt in intent.attempts):
                return intent
            intent = self._cancelled(intent, signer, look)
            self._offer([intent], look.head.number, {})
        return intent

    def look(self, senders: Iterable[str]) -> Look:
        """How far the chain is."""
        return self._wire.look(sorted(set(senders)))

    def _cancelled(self, intent: Intent, signer: Signer, look: Look) -> Intent:
        fees = self._fees.cancel(intent.last.fees, look.head.base_fee_wei, look.tip_wei)
        gas = _CANCEL_GAS_DELEGATED if intent.sender in look.delegated else _CANCEL_GAS
        return self._signed(intent, signer, gas, fees, cancels=True) or intent

    def _bumped(self, intent: Intent, signer: Signer, look: Look) -> Intent:
        old = intent.last
        if old.cancels:
            fees: Fees | None = self._fees.cancel(old.fees, look.head.base_fee_wei, look.tip_wei)
        else:
            fees = self._fees.replace(old.fees, look.head.base_fee_wei, look.tip_wei)
        gas = old.gas if old.cancels else self._gas(intent)
        if fees is None or gas is None:
            return intent
        return self._signed(intent, signer, gas, fees, old.cancels, self.budget(look.head.time_s)) or intent

    def _gas(self, intent: Intent) -> int | None:
        """The gas limit of a replacement: what it takes now, and never less than before. None where nothing is to be
        replaced, as it would fail now for want of those before it."""
        estimate = self._wire.estimate([(call_of(intent), intent.sender)])[0]
        if isinstance(estimate, int):
            return max(intent.last.gas, with_spare(estimate))
        first = not any(
            other.sender == intent.sender and other.nonce < intent.nonce and other.state in WAITING
            for other in list(self._known.values())
        )
        # The first in line holds up all others: better that it fails on the chain than that it stays.
        return intent.last.gas if first or isinstance(estimate, NodeRefused) else None

    def _signed(
        self,
        intent: Intent,
        signer: Signer,
        gas: int,
        fees: Fees,
        cancels: bool,
        budget: Budget | None = None,
    ) -> Intent | None:
        to, data = (intent.sender, b"") if cancels else (intent.to, intent.data)
        signed = sign(signer, self._chain_id, intent.nonce, (to, data), gas, fees)
        added = self._outbox.add(intent, Attempt(signed.hash, signed.raw, gas, fees, cancels), budget)
        if added is not None:
            self._known[added.number] = added
        return added


_NOT_TAKEN = "no node took it in half an hour"
_TOO_LITTLE = "underpriced"
_FEE_TOO_LOW = "base fee"
