"""Does what anyone may do, so that nobody has to: relays signed orders, clears rounds, settles orders, ends leases,
frees bonds.

Every step is one that the contracts let anyone take and nobody take twice. So a keeper may die at any moment, several
may work at once, and none is needed: whoever waits for something can do it alone (`compute-ledger clear`, `settle` …).
What is to be done is read from the index's tables, never by scanning the chain. Block time is the clock.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ledger.errors import LedgerError, Reverted, Unavailable
from ledger.keeping.backlog import Backlog
from ledger.keeping.outgoing import Ended, Outgoing
from ledger.keeping.relays import ends_of
from ledger.keeping.tasks import Job, Task, Trouble, Troubles, plan, turn_s
from ledger.keys import Signer
from ledger.market import Market
from ledger.rpc import message_of, number_of
from ledger.store import queries
from ledger.store.engine import Store
from ledger.store.relay import RelayQueue
from ledger.units import SECONDS_PER_HOUR

# What the chain says when somebody else was first, or when a round was missed: nothing is left to do there.
_DONE = frozenset({"AlreadyCleared", "NothingToSettle", "WrongState", "NothingToExpire", "RoundVoid", "RoundEmpty"})
# What it says when the next block is still too early.
_EARLY = frozenset({"RoundNotEnded", "TooEarly", "NotCleared"})

# Others' transactions may come between the estimate and the block.
_GAS_SPARE_PERCENT = 25
_GAS_SPARE = 50_000

# After its start, and after another keeper was met, a keeper leaves work to others for so long. Two that have not met
# since then may start on the same: they waste a transaction or two, and share again.
_COMPANY_S = 600
_PAUSE_SECONDS = 0.25
_POLL_SECONDS = 0.01
_TROUBLE_KEPT_S = 24 * SECONDS_PER_HOUR


class Follower(Protocol):
    """Whoever keeps the index's tables up to date (ledger.history.index.Index)."""

    def advance(self) -> Iterable[object]: ...


@dataclass(frozen=True, slots=True)
class KeeperLimits:
    """Bounds of one tick: transactions, and signed orders looked at.

    `stagger_s` is how long at most work is left to other keepers, where there may be any (0: this one shares with
    nobody); `patience_s` is how long a tick waits for its own transactions.
    """

    transactions: int = 64
    orders: int = 1_500
    stagger_s: int = 4
    patience_s: float = 5.0


@dataclass(frozen=True, slots=True)
class KeeperWork:
    """What one tick did: `done` counts orders, rounds, leases and obligations by job, `sent` and `wasted` transactions.

    Signed orders were `skipped` with a reason, or `expired` with their round. `already` counts work that somebody else
    had done when it was looked at, `early` what is done soon, `failed` what is tried again later.
    """

    block: int
    time_s: int
    done: Mapping[Job, int]
    sent: int
    skipped: int
    expired: int
    already: int
    early: int
    failed: int
    wasted: int

    @property
    def is_idle(self) -> bool:
        """Whether there was nothing to do."""
        return not (self.done or self.sent or self.skipped or self.failed)


@dataclass(frozen=True, slots=True)
class KeeperHealth:
    """For metrics: `heartbeat_s` is the wall clock's time of the last whole tick, `overdue_s` how long, by the chain's
    clock, the oldest work has waited that could be done, `waiting` tasks by job, `under_way` transactions, `total` all
    that was done since the keeper started, `unavailable` how often nobody answered."""

    heartbeat_s: float = 0.0
    overdue_s: int = 0
    waiting: Mapping[Job, int] | None = None
    under_way: int = 0
    total: KeeperWork | None = None
    unavailable: int = 0
    troubles: tuple[Trouble, ...] = ()


class Keeper:
    """Keeps one market going with the keys of `signers`. `store` holds the queue and the index's tables; `index` brings
    these up to date at every tick, unless it is None and another process does."""

    def __init__(
        self,
        market: Market,
        store: Store,
        index: Follower | None,
        signers: Sequence[Signer],
        limits: KeeperLimits | None = None,
    ) -> None:
        self.queue = RelayQueue(store)
        self._market = market
        self._store = store
        self._index = index
        self._limits = limits or KeeperLimits()
        self._who = signers[0].address
        self._backlog = Backlog(market, self.queue, self._who)
        self._outgoing = Outgoing(market.sender, signers)
        self._recent: dict[str, int] = {}
        self._head = -1, 0.0
        self._troubles = Troubles()
        self._company_until_s: int | None = None
        self._done: Counter[Job] = Counter()
        self._counts: Counter[str] = Counter()
        self._total: tuple[Counter[Job], Counter[str]] = Counter(), Counter()
        self._health = KeeperHealth()
        self._unavailable = 0

    def health(self) -> KeeperHealth:
        """How the keeper does; may be asked from another thread."""
        return self._health

    # ---- run

    def run(self, stop: threading.Event) -> Iterator[KeeperWork]:
        """Ticks until `stop`, and gives what each tick did; whoever does not answer is asked again after a pause."""
        while not stop.is_set():
            try:
                work = self.tick()
            except Unavailable:
                self._unavailable += 1
                stop.wait(4 * _PAUSE_SECONDS)
                continue
            yield work
            if work.is_idle:
                stop.wait(_PAUSE_SECONDS)

    def tick(self) -> KeeperWork:
        """Does a bounded part of what can be done now, and waits a while for its transactions. Raises Unavailable."""
        self._done, self._counts = Counter(), Counter()
        if self._index is not None:
            for _ in self._index.advance():
                pass
        self._end()
        block = self._market.chain.block()
        if block.number != self._head[0]:
            self._head = block.number, time.monotonic()
        self._take_up(block.time_s)
        if self._company_until_s is None:
            self._company_until_s = block.time_s + _COMPANY_S
        candidates = self._candidates(block.time_s)
        chosen = plan(candidates, self._limits.transactions, lambda task: self._is_ready(task, block.time_s))
        self._send(chosen, block.time_s)
        relayed = sum(task.size for task in chosen if task.job is Job.RELAY)
        # Where more waits than a tick may do, the next one follows at once: its round will not wait.
        self._wait(self._limits.patience_s if relayed < self._limits.orders // 2 else 0)
        return self._report(block.number, block.time_s, candidates)

    # ---- what to do

    def _candidates(self, now_s: int) -> list[Task]:
        self._counts["expired"] += self.queue.expire(self._market.current_round(now_s))
        relays, refused = self._backlog.relays(now_s, self._limits.orders)
        if refused:
            self.queue.reject(refused)
            self._counts["skipped"] += len(refused)
        # KeeperWork that fails must not stand before the rest.
        most = self._limits.transactions + len(self._troubles) + len(self._outgoing) + len(self._recent)
        return [*relays, *self._backlog.tasks(now_s, most)]

    def _is_ready(self, task: Task, now_s: int) -> bool:
        if task.key in self._outgoing or task.key in self._recent or self._troubles.waits(task.key, now_s):
            return False
        if task.job is Job.RELAY or not self._shares(now_s):
            return True
        # Where no block comes until somebody sends something, block time stands still: the wall clock goes on.
        waited_s = now_s - task.due_s + int(time.monotonic() - self._head[1])
        return waited_s >= turn_s(task.key, self._who, self._limits.stagger_s)

    def _shares(self, now_s: int) -> bool:
        return self._limits.stagger_s > 0 and now_s < (self._company_until_s or 0)

    # ---- do it

    def _send(self, tasks: Sequence[Task], now_s: int) -> None:
        """Sends orders first, as their round will not wait; of the rest what would succeed now."""
        relays = self._claimed([task for task in tasks if task.job is Job.RELAY])
        # An order that comes after its round is passed over: then its keeper had better not have sent it.
        round_end_s = self._market.round_end_s(self._market.current_round(now_s))
        self._counts["sent"] += self._outgoing.send([(task, self._outgoing.turn()) for task in relays], round_end_s)
        for task in relays:
            self.queue.note_intent(task.key, self._outgoing.number(task.key))
        rest = [(task, self._outgoing.turn()) for task in tasks if task.job is not Job.RELAY]
        self._counts["sent"] += self._outgoing.send(self._possible(rest, now_s))

    def _claimed(self, relays: Sequence[Task]) -> list[Task]:
        """Those batches whose orders are this keeper's now: so the database says before their transactions exist."""
        if not relays:
            return []
        claimed = self.queue.claim({task.key: task.numbers for task in relays})
        for task in relays:
            if len(claimed[task.key]) < len(task.numbers):
                # Another keeper took some: the rest is packed anew.
                self.queue.release(task.key)
        return [task for task in relays if len(claimed[task.key]) == len(task.numbers)]

    def _possible(self, tasks: Sequence[tuple[Task, Signer]], now_s: int) -> list[tuple[Task, Signer]]:
        """The tasks that would succeed, with their gas."""
        # What others have sent shows only in the pending block, which some nodes make anew for each question: that is
        # worth its time where there are others.
        block = "pending" if self._shares(now_s) else "latest"
        wanted: list[tuple[str, Sequence[Any]]] = []
        for task, signer in tasks:
            message = message_of(task.call, signer.address)
            if task.call.gas is None:
                wanted.append(("eth_estimateGas", (message, block)))
            else:
                wanted.append(("eth_call", (message | {"gas": hex(task.call.gas)}, block)))
        found = []
        for (task, signer), said in zip(tasks, self._market.chain.outcomes(wanted), strict=True):
            if isinstance(said, LedgerError):
                self._note_refusal(task, said, now_s)
                continue
            gas = task.call.gas or number_of(said) * (100 + _GAS_SPARE_PERCENT) // 100 + _GAS_SPARE
            found.append((replace(task, call=replace(task.call, gas=gas)), signer))
        return found

    def _note_refusal(self, task: Task, refusal: LedgerError | None, now_s: int) -> None:
        name = refusal.name if isinstance(refusal, Reverted) else ""
        if name in _DONE:
            self._counts["already"] += 1
            self._company_until_s = now_s + _COMPANY_S
            self._remember(task)
        elif name in _EARLY:
            self._counts["early"] += 1
        else:
            self._counts["failed"] += 1
            if not self._backlog.halve(task):
                self._troubles.add(task.key, str(refusal or "it ran out of gas"), now_s)

    def _remember(self, task: Task) -> None:
        """Leaves a piece of work alone until the index has read past the block that settled it."""
        self._recent[task.key] = self._market.chain.block().number

    # ---- what came of it

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while True:
            self._end()
            if not len(self._outgoing) or time.monotonic() >= until:
                return
            time.sleep(_POLL_SECONDS)

    def _end(self) -> None:
        head = queries.head(self._store)
        read_to = -1 if head is None else head.block
        self._recent = {key: block for key, block in self._recent.items() if block > read_to}
        for ended in self._outgoing.ended():
            if ended.task.job is Job.RELAY:
                self._end_relay(ended)
            elif ended.receipt is not None and ended.succeeded:
                self._done[ended.task.job] += ended.task.size
                self._troubles.clear(ended.task.key)
                self._recent[ended.task.key] = ended.receipt.block
            else:
                self._counts["wasted"] += 1
                self._note_refusal(ended.task, ended.refusal, self._market.chain.time_s())

    def _end_relay(self, ended: Ended) -> None:
        orders = self.queue.batch(ended.task.key)
        if ended.receipt is None or not ended.succeeded:
            self._counts["wasted"] += 1
            self.queue.note(returned=[one.number for one in orders])
            return
        ends = ends_of(self._market, orders, ended.receipt)
        self.queue.note(ends.placed, ends.skipped, ends.returned)
        self._done[Job.RELAY] += len(ends.placed)
        self._counts["skipped"] += len(ends.skipped)
        if ends.skipped:
            self._backlog.burnt((one for one in orders if one.number in ends.skipped), self._market.chain.time_s())

    def _take_up(self, now_s: int) -> None:
        """Looks for the ends of batches that a keeper left behind: this one before it died, or any other once their
        round is long over."""
        over = self._market.current_round(now_s) - 1
        for name, round_ in self.queue.batches().items():
            mine = f":{self._who}:" in name
            if name not in self._outgoing and (mine or round_ < over) and self._outgoing.adopt(name) is None:
                self.queue.release(name)

    def _report(self, block: int, now_s: int, candidates: Sequence[Task]) -> KeeperWork:
        self._troubles.forget(now_s - _TROUBLE_KEPT_S)
        work = _work(block, now_s, self._done, self._counts)
        done, counts = self._total
        done.update(self._done)
        counts.update(self._counts)
        left = [task for task in candidates if task.key not in self._recent and task.job is not Job.RELAY]
        self._health = KeeperHealth(
            heartbeat_s=time.time(),
            overdue_s=max((now_s - task.due_s for task in left), default=0),
            waiting=dict(Counter(task.job for task in left)),
            under_way=len(self._outgoing),
            total=_work(block, now_s, done, counts),
            unavailable=self._unavailable,
            troubles=self._troubles.all(),
        )
        return work


def _work(block: int, time_s: int, done: Counter[Job], counts: Counter[str]) -> KeeperWork:
    names = ("sent", "skipped", "expired", "already", "early", "failed", "wasted")
    return KeeperWork(block, time_s, dict(done), **{name: counts[name] for name in names})
