"""The one that changes a local chain, and has it written down before anybody can rely on it.

A transaction is answered when anvil has taken it and the journal has it on the disk. A block, and every other change,
is in the journal before anvil makes it, so that nobody sees a block that could be lost. One task does all of this, so
the journal's order is anvil's.

Time goes on by itself unless the chain is begun `manual`: a block soon after a transaction, and an empty one every
heartbeat, dated by the clock on the wall, or ahead of it where somebody set the chain's clock ahead.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from ledger.errors import InputError, LedgerError
from ledger.localchain.journal import Journal, Kind, Record
from ledger.localchain.keptnode import HEAD, Head, KeptNode, head_of, raw_request, request
from ledger.localchain.pipe import Cut
from ledger.localchain.wishes import STEP_S_MAX, checked

SNAPSHOT_IDLE_S, SNAPSHOT_BUSY_S = 3, 8
"""A snapshot is made when so much would have to be replayed, in seconds: sooner while nothing happens, later while the
chain would have to stand still for it; and never before twice of what the last one took."""

_MINING_SHARE = 2
"""How many times as long as its making took the chain waits with the next block: anvil reckons the root of all of its
state anew for each, which takes 40 ms with 25,000 accounts."""

_REST_S_MAX = 0.5
_GROUP_MAX = 500
_INVALID, _REFUSED, _UNAVAILABLE = -32602, -32004, -32010

Reply = Mapping[str, Any]
"""The `result` or the `error` of a JSON-RPC answer."""


@dataclass(frozen=True, slots=True)
class Pace:
    """When blocks are made: so long after a transaction, and after so long without one (None: no empty blocks).
    `manual`: only when asked to."""

    delay_s: float = 0.02
    heartbeat_s: float | None = 2
    manual: bool = False


AUTOMATIC = Pace()
"""Time goes on by itself."""


@dataclass(slots=True)
class _Wish:
    """Something to be done to the chain: a method, its parameters (of which `checked` gives the form), and where the
    reply goes."""

    method: str
    params: Sequence[Any]
    reply: "asyncio.Future[Reply] | None" = field(default=None)

    def answer(self, reply: Reply) -> None:
        if self.reply is not None and not self.reply.done():
            self.reply.set_result(reply)


class Scribe:
    """The one that changes the chain. `start` it, wish with `wish`, and `stop` it."""

    def __init__(self, journal: Journal, node: KeptNode, pace: Pace, guarded: bool = True) -> None:
        """`guarded`: what reaches the node past the journal is undone as soon as a block shows it."""
        self.node = node
        self._guarded = guarded
        self.ready = asyncio.Event()
        """Whether the node is there and as the journal says."""
        self._journal = journal
        self._pace = pace
        self._wishes: asyncio.Queue[_Wish] = asyncio.Queue()
        self._group: list[Record] = []
        self._held = pace.manual
        self._waits = False
        self._due: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._head = Head(0, b"", 0, 0, ())
        self._next_s: int | None = None
        self._offset_s = 0
        self._mined_at = time.monotonic()
        self._rest_s = 0.0

    # ---- life

    async def start(self, ended: Callable[[], None] = lambda: None) -> None:
        """Brings the node up; calls `ended` when it works no more. Raises as KeptNode.start does."""
        try:
            await self._revive()
        except BaseException:
            self.node.stop()
            raise
        self._task = asyncio.create_task(self._work())
        self._task.add_done_callback(lambda _: ended())

    async def stop(self) -> None:
        """Finishes what it has begun, and lets the node go."""
        if self._task is not None:
            self._wishes.put_nowait(_Wish("stop", ()))
            await self._task
        self.node.stop()

    async def _revive(self) -> None:
        self.ready.clear()
        self._head = await self.node.start()
        ahead_s = self._head.time_s - int(time.time())
        self._offset_s = ahead_s if self._pace.manual else max(0, ahead_s)
        self._next_s = None
        self._waits = self._head.waiting > 0
        calls: list[bytes] = []
        for record in self._journal.records():
            if record.kind is Kind.MINE:
                calls.clear()
            elif record.kind is Kind.CALL:
                calls.append(record.data)
        for call in calls:
            self._tell_clock(*json.loads(call))
        self.ready.set()
        if self._waits and not self._held:
            self._mine_soon()

    # ---- wishes

    async def wish(self, method: str, params: Sequence[Any]) -> Reply:
        """Has one of CHANGES made, and gives the node's reply once nothing can take the change back."""
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        try:
            self._wishes.put_nowait(_Wish(method, checked(method, params), reply))
        except InputError as error:
            return refusal(_INVALID, str(error))
        return await reply

    def suspect(self) -> None:
        """Has the node looked after: somebody could not reach it."""
        self._wishes.put_nowait(_Wish("look", ()))

    async def _work(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._patience_s()):
                    wishes = [await self._wishes.get()]
            except TimeoutError:
                wishes = [_Wish("evm_mine", (None,))]
                # One that fails is not tried again at once.
                self._mined_at = time.monotonic()
                await self._snapshot(SNAPSHOT_IDLE_S)
            while len(wishes) < _GROUP_MAX and not self._wishes.empty():
                wishes.append(self._wishes.get_nowait())
            await self._grant_all(wishes)
            if any(wish.method == "stop" for wish in wishes):
                await self._snapshot(SNAPSHOT_IDLE_S)
                return
            await self._snapshot(SNAPSHOT_BUSY_S)

    def _patience_s(self) -> float | None:
        if self._held or self._pace.heartbeat_s is None:
            return None
        return max(0.0, self._mined_at + self._pace.heartbeat_s - time.monotonic())

    async def _grant_all(self, wishes: list[_Wish]) -> None:
        try:
            if not self.ready.is_set():
                await self._revive()
            replies = await self._granted(wishes)
        except Exception as error:
            # What is not on the disk was not promised: better no answer of ours than a wrong one. And whatever it was
            # that failed, the next wish is granted.
            replies = [_cannot_go_on(error)] * len(wishes)
            self._doubt()
        for wish, reply in zip(wishes, replies, strict=True):
            wish.answer(reply)

    async def _granted(self, wishes: Sequence[_Wish]) -> list[Reply]:
        if self._journal.failed is not None:
            await self._look()
            return [_cannot_go_on(self._journal.failed)] * len(wishes)
        replies: list[Reply] = []
        while len(replies) < len(wishes):
            rest = wishes[len(replies) :]
            sends = _leading_sends(rest)
            replies += await self._send(rest[:sends]) if sends else [await self._grant(rest[0])]
        await self._commit()
        return replies

    def _doubt(self) -> None:
        """The node may have what the journal has not: it is made anew from the journal before it is read again."""
        self._group.clear()
        if self.ready.is_set():
            self.ready.clear()
            self.suspect()

    async def _send(self, wishes: Sequence[_Wish]) -> list[Reply]:
        try:
            answers = await self.node.ask_many([raw_request(wish.params[0]) for wish in wishes])
        except Cut as cut:
            answers = cut.answered
        replies = [_reply_of(answer) for answer in answers]
        taken = [wish.params[0] for wish, reply in zip(wishes, replies, strict=False) if "result" in reply]
        self._group += [Record(Kind.TRANSACTION, raw) for raw in taken]
        self.node.owed.update(reply["result"] for reply in replies if "result" in reply)
        self._waits = self._waits or bool(taken)
        if taken and not self._held:
            self._mine_soon()
        if len(answers) < len(wishes):
            await self._recover()
        return replies

    async def _grant(self, wish: _Wish) -> Reply:
        if wish.method == "evm_mine":
            return await self._mine(wish.params[0])
        if wish.method == "evm_setAutomine":
            return self._hold(not wish.params[0])
        if wish.method in ("look", "stop"):
            return await self._look()
        return await self._call(wish.method, wish.params)

    async def _look(self) -> Reply:
        try:
            await self.node.ask_many(HEAD)
        except Cut:
            await self._recover()
        return {"result": None}

    # ---- blocks and time

    async def _mine(self, asked_s: int | None) -> Reply:
        if asked_s is not None and not self._is_to_come(asked_s):
            return self._out_of_time()
        now_s = int(time.time())
        set_s = self._next_s if asked_s is None else asked_s
        if set_s is None:
            time_s = self._now_s()
        else:
            time_s, self._offset_s = set_s, set_s - now_s
        self._group.append(Record(Kind.MINE, time_s.to_bytes(8)))
        await self._commit()
        await self._make(time_s)
        return {"result": "0x0"}

    async def _make(self, time_s: int) -> None:
        self._mined_at, self._next_s = time.monotonic(), None
        try:
            mined, *answers = await self.node.ask_many([request("evm_mine", time_s), *HEAD])
            made = head_of(answers)
            if self._guarded and ("error" in _reply_of(mined) or not self._is_ours(made)):
                self.node.notices.append(f"Block {made.number} held what went past the journal: it was made anew.")
                await self._revive()
            else:
                self._head = made
            self._rest_s = min(_REST_S_MAX, _MINING_SHARE * (time.monotonic() - self._mined_at))
        except Cut:
            # The block is in the journal: it is made as the node comes back.
            await self._revive()
        self.node.owed.difference_update(self._head.transactions)
        self._group.append(Record(Kind.SEAL, self._head.hash))
        # Where a block takes nothing, the next one would not either: what waits is for the heartbeat.
        self._waits = self._head.waiting > 0
        if self._waits and self._head.transactions and not self._held:
            self._mine_soon()

    def _is_ours(self, made: Head) -> bool:
        return made.number == self._head.number + 1 and self.node.owed.issuperset(made.transactions)

    def _now_s(self) -> int:
        return max(self._head.time_s, int(time.time()) + self._offset_s)

    def _is_to_come(self, time_s: int) -> bool:
        return self._head.time_s <= time_s <= max(self._head.time_s, int(time.time())) + STEP_S_MAX

    def _out_of_time(self) -> Reply:
        said = f"The last block's time is {self._head.time_s}: the next one's is neither before it nor ten years ahead."
        return refusal(_INVALID, said)

    def _mine_soon(self) -> None:
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(max(self._pace.delay_s, self._rest_s), self._mine_now)

    def _mine_now(self) -> None:
        self._due = None
        if self._waits and not self._held:
            self._wishes.put_nowait(_Wish("evm_mine", (None,)))

    def _hold(self, held: bool) -> Reply:
        self._held = held
        if self._waits and not held:
            self._mine_soon()
        return {"result": None}

    async def _call(self, method: str, params: Sequence[Any]) -> Reply:
        if method == "evm_setNextBlockTimestamp" and not self._is_to_come(params[0]):
            return self._out_of_time()
        if method == "evm_increaseTime" and params[0] and not self._is_to_come(self._now_s() + params[0]):
            return self._out_of_time()
        self._group.append(Record(Kind.CALL, json.dumps([method, params]).encode()))
        await self._commit()
        try:
            reply = _reply_of((await self.node.ask_many([request(method, *params)]))[0])
        except Cut:
            # It is in the journal: the node comes back with it.
            await self._revive()
            return {"result": None}
        self._tell_clock(method, params)
        return reply

    def _tell_clock(self, method: str, params: Sequence[Any]) -> None:
        if method == "evm_setNextBlockTimestamp":
            self._next_s = params[0]
        elif method == "evm_increaseTime":
            self._offset_s += params[0]

    # ---- keeping

    async def _commit(self) -> None:
        if self._group:
            await asyncio.to_thread(self._journal.append, self._group)
            self._group = []

    async def _recover(self) -> None:
        await self._commit()
        await self._revive()

    async def _snapshot(self, least_s: int) -> None:
        if self.node.replay_s < max(least_s, 2 * self.node.snapshot_s):
            return
        try:
            await self._commit()
            await self.node.keep_snapshot()
        except Cut:
            # With the next wish, which is this one.
            self.suspect()
        except (LedgerError, OSError) as error:
            # The chain goes on without: only its next start takes longer.
            self.node.give_up_snapshot(str(error))


def refusal(code: int, message: str) -> Reply:
    """An error as JSON-RPC has it."""
    return {"error": {"code": code, "message": message}}


def _cannot_go_on(error: Exception) -> Reply:
    return refusal(_UNAVAILABLE, f"The chain's journal cannot go on: {error}")


def _leading_sends(wishes: Sequence[_Wish]) -> int:
    others = (place for place, wish in enumerate(wishes) if wish.method != "eth_sendRawTransaction")
    return next(others, len(wishes))


def _reply_of(answer: bytes) -> Reply:
    said = orjson.loads(answer)
    return {name: said[name] for name in ("result", "error") if name in said}
