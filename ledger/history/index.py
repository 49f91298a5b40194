"""The index: reads a market's events off a node, and keeps them and the rows that follow from them.

What is final is read in ranges; what is not, block by block by its hash, along the chain of parents. A block that was
replaced is undone exactly; one that was final and is replaced stops everything (HistoryBroken).
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Event as Flag
from typing import Any

from ledger.chain import Contracts
from ledger.errors import HistoryBroken, LedgerError, NodeRefused, Unreachable
from ledger.history.logs import Decoder, Said
from ledger.history.rows import Fold, needed
from ledger.rpc import number_of, tag_of
from ledger.store.engine import Store
from ledger.store.history import History
from ledger.store.records import BlockRow, Head

WINDOW = 512
"""How many blocks can be replaced at most, where a node calls nothing final for long."""

PART = 64
"""How many blocks that are not final are asked for at once."""

LOGS_WANTED = 5_000
"""About how many logs an answer should have: enough to be fast, few enough to hold."""

RANGE_FIRST, RANGE_MAX = 100, 1_000_000
# What is not ours to read: the settlement token has other users, too many to keep.
_FOREIGN = ("Token",)

Json = Mapping[str, Any]


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


class Ranges:
    """How many blocks to ask for at once: learned from what the node gives, and from what it says when it refuses."""

    def __init__(self, first: int = RANGE_FIRST, most: int = RANGE_MAX) -> None:
        self.blocks = first
        self._most = most

    def refused(self, from_block: int, to_block: int, why: str) -> bool:
        """Makes the range smaller: as small as `why` says, else half. False where it is one block already."""
        asked = to_block - from_block + 1
        if asked == 1:
            return False
        told = suggested(why, from_block)
        self.blocks = told if told is not None and told < asked else max(asked // 2, 1)
        if told is not None:
            self._most = max(told, 1)
        return True

    def gave(self, from_block: int, to_block: int, logs: int) -> None:
        """Aims at LOGS_WANTED an answer, at most four times as many blocks as before."""
        asked = to_block - from_block + 1
        fair = asked * LOGS_WANTED // max(logs, 1)
        self.blocks = max(1, min(fair, asked * 4, self._most))


_RANGE = re.compile(r"\[\s*(0x[0-9a-f]+|\d+)\s*,\s*(0x[0-9a-f]+|\d+)\s*\]", re.IGNORECASE)
_LIMIT = re.compile(
    r"(?:limited to|max(?:imum)?(?: allowed)?(?: block)?(?: range)?(?: is|:| of)?|exceeds?|up to|over|than)"
    r"(?: the| an?| range| 0 -)* ([\d,]+)(k?)(?= ?-? ?blocks?\b| range|$|\.|,|\))",
    re.IGNORECASE,
)


def suggested(why: str, from_block: int) -> int | None:
    """How many blocks from `from_block` on a node says it would give; None where it says nothing of the kind.

    Such texts are not standardised. Known: a range in brackets (Alchemy, Infura, thirdweb), or a limit in blocks (Ankr,
    QuickNode, Cloudflare, BlockPI, Base, Chainstack …).
    """
    found = _RANGE.search(why)
    if found is not None:
        first, last = (int(text, 16 if text.lower().startswith("0x") else 10) for text in found.groups())
        return last - first + 1 if first == from_block and last >= first else None
    limit = _LIMIT.search(why) if "block" in why.lower() or "range" in why.lower() else None
    digits = limit[1].replace(",", "") if limit is not None else ""
    if limit is None or not digits.isascii() or not digits.isdigit():
        return None
    return int(digits) * (1_000 if limit[2] else 1) or None


class Index:
    """Keeps one market's history in a store. One at a time writes a store."""

    def __init__(self, contracts: Contracts, store: Store, window: int = WINDOW) -> None:
        """Raises BadStore for a store with another market's history."""
        deployment = contracts.deployment
        names = {name: one for name, one in deployment.addresses.items() if name not in _FOREIGN}
        self._chain = contracts.chain
        self._addresses = list(names.values())
        self._decoder = Decoder(names, {name: self._chain.artifact(name).abi for name in names})
        self._window = window
        self.history = History(store, deployment.chain_id, contracts.address("Exchange"), deployment.block)
        self._fold = Fold(self.history.rows, deployment.terms)
        self.ranges = Ranges()

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
            stop.wait(pause_s)

    def advance(self, blocks: int | None = None) -> Iterator[Change]:
        """Reads on to the node's head, at most so many blocks; gives each change once it is kept.

        Raises HistoryBroken where the node contradicts what was final, Unavailable where it does not answer.
        """
        before = self.head
        latest, final, ours = self._look()
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

    # ---- what the node has

    def _look(self) -> tuple[BlockRow, int, BlockRow | None]:
        """The node's latest block, the number of the last that it calls final, and what it has where we are."""
        wanted: list[tuple[str, Sequence[Any]]] = [
            ("eth_getBlockByNumber", (name, False)) for name in ("latest", "finalized", tag_of(self.head.block))
        ]
        latest, final, ours = self._chain.batch(wanted)
        if latest is None:
            raise NodeRefused("it has no latest block")
        return _block(latest), _block(final).block if final else 0, _block(ours) if ours else None

    def _headers(self, numbers: Sequence[int]) -> list[BlockRow | None]:
        found = self._chain.batch([("eth_getBlockByNumber", (tag_of(number), False)) for number in numbers])
        return [_block(one) if one else None for one in found]

    def _reconsider(self, latest: BlockRow, ours: BlockRow | None) -> Iterator[Reorg]:
        """Goes back to the newest block that the node and we have in common. A node that is behind us is none."""
        head = self.head
        if head.hash is None or (ours is not None and ours.hash == head.hash):
            return
        known = [one for one in self.history.window() if one.block <= latest.block]
        for start in range(0, len(known), PART):
            part = known[start : start + PART]
            for ours_then, theirs in zip(part, self._headers([one.block for one in part]), strict=True):
                if theirs is None:
                    raise NodeRefused(f"it has no block {ours_then.block}, and says that its head is {latest.block}")
                if theirs.hash == ours_then.hash:
                    # Where the node only lacks what we have, it is behind, and will come.
                    if latest.hash != ours_then.hash:
                        self.history.undo(ours_then)
                        yield Reorg(ours_then.block, head.block)
                    return
        if latest.block >= head.finalized:
            raise HistoryBroken(head.finalized, "the node has another block where one was final")

    # ---- what is final

    def _backfill(self, last: int) -> Iterator[Block]:
        """Reads up to a final block, asking for the next range while the one before is written."""
        if self.head.block >= last:
            return
        with ThreadPoolExecutor(1, "index") as reader:
            waiting: Future[_Part] | None = reader.submit(self._range, self.head.block + 1, last)
            while waiting is not None:
                part = waiting.result()
                more = part.end.block < last
                waiting = reader.submit(self._range, part.end.block + 1, last) if more else None
                yield from self._keep_final(part)

    def _range(self, first: int, last: int) -> "_Part":
        """The logs from a block on, as far as the node gives them at once."""
        while True:
            end = min(last, first + self.ranges.blocks - 1)
            wanted = {"address": self._addresses, "fromBlock": tag_of(first), "toBlock": tag_of(end)}
            try:
                # The header beside the logs: a node that lacks the last block has no say in what is in it.
                header, logs = self._chain.batch(
                    [("eth_getBlockByNumber", (tag_of(end), False)), ("eth_getLogs", (wanted,))]
                )
            except (NodeRefused, Unreachable) as error:
                if not self.ranges.refused(first, end, error.why):
                    raise
                continue
            if header is None or not isinstance(logs, list):
                raise NodeRefused(f"it has no block {end}")
            self.ranges.gave(first, end, len(logs))
            return _Part(first, _block(header), logs)

    def _keep_final(self, part: "_Part") -> Iterator[Block]:
        said = [self._decoder.read(entry) for entry in part.logs]
        _check_order(said, part.first, part.end.block)
        counts = Counter(one.block for one in said)
        counts[part.end.block] += 0
        blocks = self._blocks(part, said)
        self.history.rows.begin(part.end.block, final=True)
        self.history.rows.prefetch(key for one in said for key in needed(one))
        with self._unharmed():
            for one in said:
                self._fold.apply(one, blocks[one.block].time_s)
        self._commit(part.end, part.end.block, blocks.values(), part.logs, said)
        yield from (Block(one, blocks[one].hash, blocks[one].time_s, counts[one]) for one in sorted(counts))

    def _blocks(self, part: "_Part", said: Sequence[Said]) -> dict[int, BlockRow]:
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
        for number, header in zip(missing, self._headers(missing), strict=True):
            if header is None or header.hash != blocks[number].hash:
                raise NodeRefused(f"it has no block {number}, or another than its logs are of")
            blocks[number] = replace(blocks[number], time_s=header.time_s)
        return blocks

    # ---- what is not final

    def _tip(self, last: int) -> Iterator[Block]:
        """Reads block by block, each by its hash, as long as each is the child of the one before."""
        while self.head.block < last:
            first = self.head.block + 1
            headers = self._headers(range(first, min(last, first + PART - 1) + 1))
            line = self._line(headers)
            if not line:
                # It was replaced while we read: the next time we go back first.
                return
            wanted = [("eth_getLogs", ({"address": self._addresses, "blockHash": one.hash},)) for one in line]
            answers = self._chain.batch(wanted)
            yield from self._keep_tip(line, answers)

    def _line(self, headers: Sequence[BlockRow | None]) -> list[BlockRow]:
        line: list[BlockRow] = []
        parent = self.head.hash
        for header in headers:
            if header is None or parent not in (None, header.parent):
                break
            line.append(header)
            parent = header.hash
        return line

    def _keep_tip(self, line: Sequence[BlockRow], answers: Sequence[Any]) -> Iterator[Block]:
        changes, logs, said = [], [], []
        with self._unharmed():
            for header, answer in zip(line, answers, strict=True):
                if not isinstance(answer, list) or any(entry.get("blockHash") != header.hash for entry in answer):
                    raise NodeRefused(f"it gave no logs of block {header.block}, or another's")
                events = [self._decoder.read(entry) for entry in answer]
                _check_order(events, header.block, header.block)
                self.history.rows.begin(header.block, final=False)
                for one in events:
                    self._fold.apply(one, header.time_s)
                logs += answer
                said += events
                changes.append(Block(header.block, header.hash, header.time_s, len(events)))
        self._commit(line[-1], self.head.finalized, line, logs, said)
        yield from changes

    # ---- keeping

    @contextmanager
    def _unharmed(self) -> Iterator[None]:
        """Forgets what was begun when it cannot be ended."""
        try:
            yield
        except LedgerError:
            self.history.rows.forget()
            raise

    def _commit(self, end: BlockRow, finalized: int, blocks: Any, logs: Sequence[Json], said: Sequence[Said]) -> None:
        head = replace(
            self.head,
            block=end.block,
            hash=end.hash,
            time_s=end.time_s,
            finalized=finalized,
            events=self.head.events + len(said),
        )
        self.history.commit(head, blocks, [_event(entry, one) for entry, one in zip(logs, said, strict=True)])


@dataclass(frozen=True, slots=True)
class _Part:
    """A range's logs as the node gave them, from block `first` up to `end`."""

    first: int
    end: BlockRow
    logs: list[Json]


def _block(header: Json) -> BlockRow:
    try:
        parent, time_s = str(header["parentHash"]), number_of(header["timestamp"])
        return BlockRow(number_of(header["number"]), str(header["hash"]), parent, time_s)
    except (KeyError, TypeError, AttributeError):
        raise NodeRefused(f"it answered {str(header)[:40]!r} where a block belongs") from None


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
