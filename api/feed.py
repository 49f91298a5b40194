"""What is new, for whoever listens: one thread looks at the head of the history and tells all streams and caches.

It asks the database, not the index: so it is the same whether the index runs in this process or in another.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from threading import Event, Lock

from ledger import Head, Product, Store, Unavailable, past, queries

_PAUSE_S = 0.1
_WAITING_MAX = 1_000
REPLAYED_MAX = 1_000
"""How many blocks a stream is told of that it missed; one that missed more begins anew."""


@dataclass(frozen=True, slots=True)
class News:
    """One event of the stream: its name, its data as JSON, and the place to resume from."""

    name: str
    data: str
    place: str | None = None


class Listener:
    """One stream's queue. One that is too slow is ended, and resumes from where it was."""

    def __init__(self, loop: asyncio.AbstractEventLoop, address: str = "") -> None:
        self.address = address
        self._loop = loop
        self._queue: deque[News] = deque()
        self._ready = asyncio.Event()
        self.ended = False

    def give(self, news: list[News]) -> None:
        """From any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._take, news)

    def end(self) -> None:
        """From any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._finish)

    def _take(self, news: list[News]) -> None:
        self._queue.extend(() if self.ended else news)
        if len(self._queue) > _WAITING_MAX:
            # Whoever reads nothing at all would have it grow with every block.
            self._queue.clear()
            self.ended = True
        self._ready.set()

    def _finish(self) -> None:
        self.ended = True
        self._ready.set()

    async def __aiter__(self) -> AsyncIterator[News]:
        while not self.ended:
            while self._queue:
                yield self._queue.popleft()
            self._ready.clear()
            await self._ready.wait()


class Feed:
    """The head of the history as it was last seen, and who wants to be told of the next."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.head: Head | None = None
        self.generation = 0
        """Rises with every change of the head: what was computed before is of another block."""
        self._listeners: set[Listener] = set()
        self._lock = Lock()
        self._wake = Event()

    def run(self, stop: Event) -> None:
        """Looks until `stop` is set."""
        while not stop.is_set():
            try:
                self.look()
            except Unavailable:
                self._wake.wait(_PAUSE_S * 10)
            self._wake.wait(_PAUSE_S)
            self._wake.clear()

    def wake(self) -> None:
        """Says that there is something to look at."""
        self._wake.set()

    def close(self) -> None:
        """Ends all streams."""
        self._wake.set()
        with self._lock:
            listeners, self._listeners = self._listeners, set()
        for one in listeners:
            one.end()

    def listen(self, listener: Listener) -> None:
        with self._lock:
            self._listeners.add(listener)

    def leave(self, listener: Listener) -> None:
        with self._lock:
            self._listeners.discard(listener)

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    def listeners_at(self, address: str) -> int:
        """How many listen from one address."""
        with self._lock:
            return sum(one.address == address for one in self._listeners)

    def look(self) -> None:
        """One look: tells all listeners what came since the last."""
        head = queries.head(self._store)
        if head is None or head.hash is None or head == self.head:
            return
        news = self.since(self.head.block, self.head.hash or "", head) if self.head else []
        if self.head and head.finalized > self.head.finalized:
            news.append(News("finalized", json.dumps({"block": head.finalized})))
        moved = self.head is None or (head.block, head.hash) != (self.head.block, self.head.hash)
        self.head = head
        if moved:
            self.generation += 1
        with self._lock:
            listeners = tuple(self._listeners)
        for one in listeners:
            if one.ended:
                # Its stream may hang at a caller who takes nothing: the place is free.
                self.leave(one)
            else:
                one.give(news)

    def since(self, block: int, block_hash: str, head: Head) -> list[News]:
        """What came after a block: a reorganisation where it is no longer there, then every block with something in it,
        and the last."""
        kept = past.hash_of(self._store, block)
        if block > head.block or (kept is not None and kept != block_hash):
            # How deep it went is not known: anything that is not final may be another.
            first, reorganised = min(head.finalized + 1, head.block), True
        else:
            first, reorganised = block + 1, head.block - block > REPLAYED_MAX
        if head.block - first > REPLAYED_MAX:
            first = head.block
        news = []
        if reorganised:
            news.append(News("reorg", json.dumps({"from_block": min(first, block), "to_block": head.block})))
        return news + [_block(one) for one in past.touched(self._store, first, head.block)]


def _block(touched: past.Touched) -> News:
    data = {
        "block": touched.block,
        "block_hash": touched.hash,
        "time_s": touched.time_s,
        "products": [Product.from_id(one).code for one in touched.products],
        "accounts": touched.accounts,
    }
    return News("block", json.dumps(data), f"{touched.block}:{touched.hash}")
