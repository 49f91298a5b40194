"""Writes one part of the history while the next is worked out: a database spends most of its time where Python's other
threads may run, and on the disk."""

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from ledger.store.history import History, Writing
from ledger.store.records import BlockRow, Head

EVENTS_AT_ONCE, KEPT_AFTER_S = 20_000, 2.0
"""How many events of final blocks are kept in one transaction, and how long they wait for it at most: a row or a page
that many events change is written once."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block is in the history now, with so many events of the market."""

    number: int
    hash: str
    time_s: int
    events: int


@dataclass(slots=True)
class Batch:
    """What is to be kept in one transaction: where its ranges end, its blocks, its events, and what to tell then."""

    ends: list[BlockRow] = field(default_factory=list)
    blocks: list[BlockRow] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    changes: list[Block] = field(default_factory=list)
    began_s: float = field(default_factory=time.monotonic)

    @property
    def is_due(self) -> bool:
        return len(self.events) >= EVENTS_AT_ONCE or time.monotonic() - self.began_s >= KEPT_AFTER_S


class Writer:
    """One transaction under way at most, in a thread of its own; when the context ends, none."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._crew = ThreadPoolExecutor(1, "index-writer")
        self._under_way: tuple[Future[None], Writing, list[Block]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Whoever leaves early has an error of their own to tell of.
        with suppress(Exception):
            self.end()
        self._crew.shutdown()

    def begin(self, batch: Batch) -> Sequence[Block]:
        """Starts to write a batch; gives what was kept of the one before. Raises what `end` raises."""
        told = self.end()
        if batch.ends:
            end = batch.ends[-1]
            head = head_at(self._history.head, end, end.block, len(batch.events))
            writing = self._history.prepare(head, batch.blocks, batch.events)
            self._under_way = self._crew.submit(self._history.write, writing), writing, batch.changes
        return told

    def end(self) -> Sequence[Block]:
        """Waits for what is being written, and gives it. Raises HistoryMoved and StoreUnavailable where it could not
        be: then nothing that came after it is remembered either."""
        if self._under_way is None:
            return ()
        (future, writing, changes), self._under_way = self._under_way, None
        try:
            future.result()
        except BaseException:
            self._history.rows.forget()
            raise
        self._history.written(writing)
        return changes


def head_at(before: Head, end: BlockRow, finalized: int, events: int) -> Head:
    """How far the history goes with so many events more, up to `end`."""
    return Head(
        chain_id=before.chain_id,
        exchange=before.exchange,
        block=end.block,
        hash=end.hash,
        time_s=end.time_s,
        finalized=finalized,
        head=before.head,
        events=before.events + events,
    )
