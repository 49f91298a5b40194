"""Where on the chain what was sent stands: in which block, whether that stands, and whether its nonce is gone.

Nothing is concluded from an absence but after every attempt was looked up without an error, and the nonce was used in a
final block, twice in a row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ledger.abi import Call
from ledger.rpc import Receipt
from ledger.sending.wire import Look, Wire
from ledger.store.intents import Attempt, Intent, State

_CANCELLED = "it was cancelled"
_FILLED = "it took a slot that was left empty"


class Places:
    """Looks intents up; remembers of which the nonce was found used without any of their attempts in a block."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._doubted: set[int] = set()

    def placed(self, intents: Sequence[Intent], look: Look) -> list[Intent]:
        """Each intent as it stands now. One whose block is gone is in none; one whose nonce another has is CONSUMED."""
        blocks = sorted({one.block for one in intents if one.block is not None})
        hashes = dict(zip(blocks, self._wire.hashes(blocks), strict=True)) if blocks else {}
        sought = [one for one in intents if one.block is None or hashes[one.block] not in (None, one.block_hash)]
        wanted = [attempt.hash for one in sought for attempt in one.attempts]
        receipts = [one for one in self._wire.receipts(wanted) if one is not None] if wanted else []
        found = {receipt.transaction: receipt for receipt in receipts}
        looked_up = {one.number for one in sought}
        return [
            self._found(one, found, look) if one.number in looked_up else _settled(one, hashes, look) for one in intents
        ]

    def forget(self, number: int) -> None:
        """The intent is over."""
        self._doubted.discard(number)

    def _found(self, intent: Intent, found: Mapping[str, Receipt], look: Look) -> Intent:
        for attempt in intent.attempts:
            receipt = found.get(attempt.hash)
            if receipt is not None:
                self._doubted.discard(intent.number)
                return replace(
                    intent,
                    state=State.INCLUDED,
                    block=receipt.block,
                    block_hash=receipt.block_hash,
                    counted=attempt.hash,
                    succeeded=receipt.succeeded,
                    reason=None if receipt.succeeded else self._why(intent, attempt, receipt),
                )
        if intent.block is not None:
            return replace(
                intent, state=State.BROADCAST, block=None, block_hash=None, counted=None, succeeded=None, reason=None
            )
        if look.settled[intent.sender] <= intent.nonce:
            self._doubted.discard(intent.number)
        elif intent.number in self._doubted:
            return replace(intent, state=State.CONSUMED, reason="another transaction has its nonce")
        else:
            self._doubted.add(intent.number)
        return intent

    def _why(self, intent: Intent, attempt: Attempt, receipt: Receipt) -> str:
        return str(self._wire.why_failed(call_of(intent), intent.sender, attempt.gas, receipt))


def _settled(intent: Intent, hashes: Mapping[int, str | None], look: Look) -> Intent:
    """An intent in a block that stands, or of which nothing is known now."""
    if intent.block is None or hashes[intent.block] is None:
        return intent
    if intent.block > look.final:
        return replace(intent, state=State.SAFE if intent.block <= look.safe else State.INCLUDED)
    if intent.counted is not None and intent.attempt(intent.counted).cancels:
        return replace(intent, state=State.CANCELLED, reason=_FILLED if intent.to == intent.sender else _CANCELLED)
    return replace(intent, state=State.FINAL if intent.succeeded else State.REVERTED)


def call_of(intent: Intent) -> Call:
    """What the intent calls."""
    return Call("", intent.to, intent.data)
