"""Slots that nobody fills: somebody else used the same key, its transaction was forgotten, and everything of ours with
a higher nonce waits for one that does not come (DRILLS.md mode 1, 10)."""

from collections.abc import Mapping, Sequence
from itertools import islice

from ledger.sending.wire import Look
from ledger.store.intents import Intent

GAP_WAIT_S = 60
"""How long a slot must have been empty, at every look, before a self-send fills it."""

# More than this many at once are looked at later.
_SLOTS_MOST = 16


class Gaps:
    """For how long each empty slot was seen as one. Looks that miss a block or a transaction put an end to the count,
    or begin one that ends with the next look."""

    def __init__(self) -> None:
        self._since_s: dict[tuple[str, int], float] = {}

    def due(self, unfinished: Sequence[Intent], look: Look, now_s: float) -> list[tuple[str, int]]:
        """The sender and nonce of each slot that is to be filled now: the first that the node misses of a sender, below
        one of ours, and no unfinished intent's. What is over may still have it: the outbox knows."""
        taken: dict[str, set[int]] = {}
        tops: dict[str, int] = {}
        for intent in unfinished:
            taken.setdefault(intent.sender, set()).add(intent.nonce)
            if not intent.relayed:
                tops[intent.sender] = max(intent.nonce, tops.get(intent.sender, 0))
        empty = {(sender, slot) for sender, top in tops.items() for slot in _empty(look, sender, taken[sender], top)}
        self._since_s = {one: self._since_s.get(one, now_s) for one in empty}
        return sorted(
            (sender, slot)
            for (sender, slot), since_s in self._since_s.items()
            # Behind the first, the node may hold others' that only wait for it.
            if slot == look.pending[sender] and now_s - since_s >= GAP_WAIT_S
        )


def _empty(look: Look, sender: str, taken: set[int], top: int) -> list[int]:
    return list(islice((slot for slot in range(look.pending[sender], top) if slot not in taken), _SLOTS_MOST))


def first_missed(waiting: Sequence[Intent], look: Look) -> Mapping[str, int]:
    """For each sender the first nonce that the node has nothing for, where that is of one that waits to be mined: it
    was dropped there, or its block was replaced, and it and those behind it are to be offered again."""
    return {one.sender: one.nonce for one in waiting if one.nonce == look.pending[one.sender]}
