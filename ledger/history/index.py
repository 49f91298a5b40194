"""The index: reads a market's events off a node, and keeps them and the rows that follow from them.

What is final is read in ranges; what is not, block by block by its hash, along the chain of parents. A block that was
replaced is undone exactly; one that was final and is replaced stops everything (HistoryBroken).
"""

import gc
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Event as Flag
from typing import Any

from ledger.chain import Contracts
from ledger.errors import HistoryBroken, HistoryMoved, LedgerError, NodeRefused, Unreachable
from ledger.history.logs import Decoder, Said
from ledger.history.ranges import Ranges
from ledger.history.rows import Fold, needed
from ledger.history.source import Fresh, Json, Part, Source
from ledger.rpc import number_of
from ledger.store.engine import Store
from ledger.store.history import History
from ledger.store.records import BlockRow, Head

WINDOW = 512
"""How many blocks can be replaced at most, where a node calls nothing final for long."""

PART = 64
"""How many blocks that are not final are asked for at once."""

EVENTS_AT_ONCE, KEPT_AFTER_S = 20_000, 2.0
"""How many events of final blocks are kept in one transaction, and how long they wait for it at most: a row or a page
that many events change is written once."""

# What is not ours to read: the settlement token has other users, too many to keep.
_FOREIGN = ("Token",)


@dataclass(frozen=True, slots=True)
class Block:
    """A block is in the history now, with so many events of the market."""

    number: int
    hash: str
    time_s: int
    events: int


@dataclass(frozen=True, slots=True)
class Reorg:
    """All blocks after `number`, up to `last`, were replaced: what was said of them is taken back."""

    number: int
    last: int


@dataclass(frozen=True, slots=True)
class Finalized:
    """What is in the history up to this block stays."""

    number: int


Change = Block | Reorg | Finalized


class Index:
    """Keeps one market's history in a store. One at a time writes a store."""

    def __init__(self, contracts: Contracts, store: Store, window: int = WINDOW) -> None:
        """Raises BadStore for a store with another market's history."""
        deployment = contracts.deployment
        names = {name: one for name, one in deployment.addresses.items() if name not in _FOREIGN}
        self._source = Source(contracts.chain, list(names.values()))
        self._decoder = Decoder(names, {name: contracts.chain.artifact(name).abi for name in names})
        self._window = window
        self.history = History(store, deployment.chain_id, contracts.address("Exchange"), deployment.block)
        self._fold = Fold(self.history.rows, deployment.terms)

    @property
    def ranges(self) -> Ranges:
        """How many blocks it asks for at once now."""
        return self._source.ranges

    @property
    def head(self) -> Head:
        """How far the history goes."""
        return self.history.head

    def rebuild(self) -> None:
        """Forgets everything: the next `advance` starts from the market's first block."""
        self.history.clear()

    def follow(self, stop: Flag, pause_s: float = 1) -> Iterator[Change]:
        """Advances until `stop` is set; a node that does not answer is asked again."""
        while not stop.is_set():
            try:
                yield from self.advance()
            except (Unreachable, NodeRefused):
                stop.wait(pause_s * 4)
            except HistoryMoved:
                # A command that reads the chain itself was quicker: we go on from there.
                pass
            stop.wait(pause_s)

    def advance(self, blocks: int | None = None) -> Iterator[Change]:
        """Reads on to the node's head, at most so many blocks; gives each change once it is kept.

        Raises HistoryBroken where the node contradicts what was final, Unavailable where it does not answer.
        """
        self.history.reload()
        before = self.head
        latest, final, ours = self._source.look(self.head.block)
        yield from self._reconsider(latest, ours)
        last = latest.block if blocks is None else min(latest.block, self.head.block + blocks)
        finalized = max(self.head.finalized, min(final, last), last - self._window)
        self.history.head = replace(self.head, head=latest.block)
        yield from self._backfill(min(finalized, last))
        yield from self._tip(last)
        now = replace(self.head, finalized=max(before.finalized, min(finalized, self.head.block)))
        if (now.finalized, now.head) != (before.finalized, before.head):
            self.history.finalize(now)
        if now.finalized > before.finalized:
            yield Finalized(now.finalized)

    # ---- what was replaced

    def _reconsider(self, latest: BlockRow, ours: BlockRow | None) -> Iterator[Reorg]:
        """Goes back to the newest block that the node and we have in common. A node that is behind us is none."""
        head = self.head
        if head.hash is None or (ours is not None and ours.hash == head.hash):
            return
        self._check_chain()
        known = [one for one in self.history.window() if one.block <= latest.block]
        for start in range(0, len(known), PART):
            part = known[start : start + PART]
            for ours_then, theirs in zip(part, self._source.headers([one.block for one in part]), strict=True):
                if theirs is None:
                    raise NodeRefused(f"it has no block {ours_then.block}, and says that its head is {latest.block}")
                if theirs.row.hash == ours_then.hash:
                    # Where the node only lacks what we have, it is behind, and will come.
                    if latest.hash != ours_then.hash:
                        self.history.undo(ours_then)
                        yield Reorg(ours_then.block, head.block)
                    return
        if latest.block >= head.finalized:
            raise HistoryBroken(head.finalized, "the node has another block where one was final")

    def _check_chain(self) -> None:
        """Raises HistoryBroken where the node's chain is another from the start: a local one that was begun anew has
        the same id and the same addresses."""
        oldest = self.history.oldest()
        if oldest is None:
            return
        [there] = self._source.headers([oldest.block])
        if there is not None and there.row.hash != oldest.hash:
            what = f"the database holds the history of another chain with the same id {self.head.chain_id}"
            hashes = f"this block is {oldest.hash} in it and {there.row.hash} on the node"
            raise HistoryBroken(oldest.block, f"{what} ({hashes}), so name another database or rebuild this one")

    # ---- what is final

    def _backfill(self, last: int) -> Iterator[Block]:
        """Reads up to a final block, asking for the next range while the one before is worked on."""
        if self.head.block >= last:
            return
        batch = _Batch([], [], [], [], time.monotonic())
        with ThreadPoolExecutor(1, "index") as reader:
            waiting: Future[Part] | None = reader.submit(self._source.range, self.head.block + 1, last)
            while waiting is not None:
                try:
                    part = waiting.result()
                except LedgerError:
                    # What it gave before it failed is kept: the next time goes on from there.
                    yield from self._keep_final(batch)
                    raise
                more = part.end.block < last
                waiting = reader.submit(self._source.range, part.end.block + 1, last) if more else None
                with self._unharmed(), _collector_at_rest():
                    self._take(part, batch)
                if waiting is None or batch.is_due:
                    yield from self._keep_final(batch)
                    batch = _Batch([], [], [], [], time.monotonic())

    def _take(self, part: Part, batch: "_Batch") -> None:
        """Does what a range's events do, and notes what is to be kept of it."""
        said = [self._decoder.read(entry) for entry in part.logs]
        _check_order(said, part.first, part.end.block)
        counts = Counter(one.block for one in said)
        counts[part.end.block] += 0
        blocks = self._blocks(part, said)
        self.history.rows.begin(part.end.block, final=True)
        self.history.rows.prefetch(key for one in said for key in needed(one))
        for one in said:
            self._fold.apply(one, blocks[one.block].time_s)
        batch.ends.append(part.end)
        batch.blocks += blocks.values()
        batch.events += map(_event, part.logs, said)
        batch.changes += (Block(one, blocks[one].hash, blocks[one].time_s, counts[one]) for one in sorted(counts))

    def _keep_final(self, batch: "_Batch") -> Iterator[Block]:
        if batch.ends:
            end = batch.ends[-1]
            with _collector_at_rest():
                self._commit(end, end.block, batch.blocks, batch.events)
            yield from batch.changes

    def _blocks(self, part: Part, said: Sequence[Said]) -> dict[int, BlockRow]:
        """The blocks of a range's logs, with their times: as the logs say, or their headers where a node's logs do
        not."""
        blocks = {part.end.block: part.end}
        missing: list[int] = []
        for entry, one in zip(part.logs, said, strict=True):
            if one.block not in blocks:
                time = entry.get("blockTimestamp")
                if time is None:
                    missing.append(one.block)
                time_s = 0 if time is None else number_of(time)
                blocks[one.block] = BlockRow(one.block, str(entry.get("blockHash")), None, time_s)
        for number, header in zip(missing, self._source.headers(missing), strict=True):
            if header is None or header.row.hash != blocks[number].hash:
                raise NodeRefused(f"it has no block {number}, or another than its logs are of")
            blocks[number] = replace(blocks[number], time_s=header.row.time_s)
        return blocks

    # ---- what is not final

    def _tip(self, last: int) -> Iterator[Block]:
        """Reads block by block, each by its hash, as long as each is the child of the one before."""
        while self.head.block < last:
            first = self.head.block + 1
            headers = self._source.headers(range(first, min(last, first + PART - 1) + 1))
            line = self._line(headers)
            if not line:
                # It was replaced while we read: the next time we go back first.
                return
            yield from self._keep_tip([one.row for one in line], self._source.logs_of(line))

    def _line(self, headers: Sequence[Fresh | None]) -> list[Fresh]:
        line: list[Fresh] = []
        parent = self.head.hash
        for header in headers:
            if header is None or parent not in (None, header.row.parent):
                break
            line.append(header)
            parent = header.row.hash
        return line

    def _keep_tip(self, line: Sequence[BlockRow], answers: Sequence[Sequence[Json]]) -> Iterator[Block]:
        changes: list[Block] = []
        events: list[dict[str, Any]] = []
        with self._unharmed():
            for header, logs in zip(line, answers, strict=True):
                said = [self._decoder.read(entry) for entry in logs]
                _check_order(said, header.block, header.block)
                self.history.rows.begin(header.block, final=False)
                for one in said:
                    self._fold.apply(one, header.time_s)
                events += map(_event, logs, said)
                changes.append(Block(header.block, header.hash, header.time_s, len(said)))
        self._commit(line[-1], self.head.finalized, line, events)
        yield from changes

    # ---- keeping

    @contextmanager
    def _unharmed(self) -> Iterator[None]:
        """Forgets what was begun when it cannot be ended."""
        try:
            yield
        except BaseException:
            self.history.rows.forget()
            raise

    def _commit(
        self, end: BlockRow, finalized: int, blocks: Sequence[BlockRow], events: Sequence[dict[str, Any]]
    ) -> None:
        head = replace(
            self.head,
            block=end.block,
            hash=end.hash,
            time_s=end.time_s,
            finalized=finalized,
            events=self.head.events + len(events),
        )
        self.history.commit(head, blocks, events)


@dataclass(slots=True)
class _Batch:
    """What is to be kept in one transaction: where its ranges end, its blocks, its events, and what to tell then."""

    ends: list[BlockRow]
    blocks: list[BlockRow]
    events: list[dict[str, Any]]
    changes: list[Block]
    began_s: float

    @property
    def is_due(self) -> bool:
        return len(self.events) >= EVENTS_AT_ONCE or time.monotonic() - self.began_s >= KEPT_AFTER_S


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Keeps the garbage collector from looking through every row that is remembered, again and again, while thousands
    of new ones come: it took a quarter of the time, and there are no cycles to find."""
    ran = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if ran:
            gc.enable()


def _event(entry: Json, said: Said) -> dict[str, Any]:
    return {
        "block": said.block,
        "log_index": said.log_index,
        "transaction_index": said.transaction_index,
        "transaction": said.transaction,
        "contract": said.contract,
        "name": said.name,
        "topics": bytes.fromhex("".join([topic[2:] for topic in entry["topics"]])),
        "data": bytes.fromhex(entry["data"][2:]),
    }


def _check_order(said: Sequence[Said], first: int, last: int) -> None:
    """Raises NodeRefused unless the events stand in the blocks that were asked for, in order, each once."""
    before = (first, -1)
    for one in said:
        place = one.block, one.log_index
        if not before < place or one.block > last:
            raise NodeRefused(f"it gave log {one.log_index} of block {one.block} out of place")
        before = place
