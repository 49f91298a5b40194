"""Waits for the receipts of what was sent, under whichever of its transactions came into a block."""

from collections.abc import Callable, Mapping, Sequence

from ledger.errors import Cancelled, NotIncluded, Unavailable
from ledger.rpc import Receipt
from ledger.sending.drafts import Sent
from ledger.sending.groups import Groups
from ledger.sending.tracker import Clock
from ledger.sending.wire import Wire
from ledger.store.intents import Intent, State

PASS_S = 1.0
"""How often whoever waits looks whether something has to be offered again."""

_POLL_S_MIN, _POLL_S_MAX, _POLL_S_MAX_LOCAL = 0.005, 1.0, 0.02


class Waiting:
    """Threads that wait at the same time ask in one request. `known` gives an intent as this process saw it last,
    `advance` makes a pass over all that is unfinished."""

    def __init__(
        self,
        wire: Wire,
        clock: Clock,
        timeout_s: int,
        local: bool,
        known: Callable[[int], Intent | None],
        advance: Callable[[], object],
    ) -> None:
        self._wire = wire
        self._clock = clock
        self._timeout_s = timeout_s
        self._poll_s_max = _POLL_S_MAX_LOCAL if local else _POLL_S_MAX
        self._known = known
        self._advance = advance
        self._polls: Groups[Sequence[str], Mapping[str, Receipt]] = Groups(self._poll)
        self._next_pass_s = 0.0

    def wait_all(self, sents: Sequence[Sent]) -> list[Receipt]:
        """The receipts of many. Raises NotIncluded after the time-out, Reverted where a call failed, Cancelled where
        another transaction took its place: for the first that failed, when all are in blocks."""
        started_s = self._clock.monotonic()
        found: dict[str, Receipt] = {}
        pause_s = _POLL_S_MIN
        while missing := [one for one in sents if one.transaction not in found]:
            found |= self._receipts(missing)
            if all(one.transaction in found for one in missing):
                break
            if self._clock.monotonic() - started_s >= self._timeout_s:
                absent = next(one for one in missing if one.transaction not in found)
                raise NotIncluded(absent.transaction, self._timeout_s)
            self._clock.sleep(pause_s)
            pause_s = min(2 * pause_s, self._poll_s_max)
            self._sometimes_advance()
        for sent in sents:
            self._check(sent, found[sent.transaction])
        return [found[sent.transaction] for sent in sents]

    def _receipts(self, missing: Sequence[Sent]) -> dict[str, Receipt]:
        """What is in a block by now, each under the hash of its first attempt. Raises Cancelled."""
        firsts: dict[str, str] = {}
        for sent in missing:
            firsts[sent.transaction] = sent.transaction
            intent = self._known(sent.number)
            if intent is None:
                continue
            if intent.state in (State.CANCELLED, State.CONSUMED):
                raise Cancelled(intent.number, str(intent.reason))
            firsts |= {attempt.hash: sent.transaction for attempt in intent.attempts}
        try:
            found = self._polls.do(list(firsts))
        except Unavailable:
            # Its time-out bounds the waiting.
            return {}
        return {firsts[one]: receipt for one, receipt in found.items()}

    def _poll(self, wanted: Sequence[Sequence[str]]) -> list[Mapping[str, Receipt]]:
        hashes = list(dict.fromkeys(one for some in wanted for one in some))
        receipts = dict(zip(hashes, self._wire.receipts(hashes), strict=True))
        return [{one: found for one in some if (found := receipts[one]) is not None} for some in wanted]

    def _sometimes_advance(self) -> None:
        now_s = self._clock.monotonic()
        if now_s < self._next_pass_s:
            return
        first, self._next_pass_s = self._next_pass_s == 0, now_s + PASS_S
        if first:
            return
        try:
            self._advance()
        except Unavailable:
            # Another pass follows.
            return

    def _check(self, sent: Sent, receipt: Receipt) -> None:
        intent = self._known(sent.number)
        if intent is not None and intent.attempt(receipt.transaction).cancels:
            raise Cancelled(sent.number, "it was cancelled")
        if receipt.succeeded:
            return
        gas = sent.gas if intent is None else intent.attempt(receipt.transaction).gas
        raise self._wire.why_failed(sent.call, sent.sender, gas, receipt)
