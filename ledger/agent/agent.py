"""The provider's agent: finds the leases of its site, runs each one's job once within its units and window, meters it,
reports in time, and brings the result to the store.

All that it knows stands in its database before it matters: killed at any moment and started again, it runs nothing
twice and reports nothing twice. It acts by the chain's clock, on leases that the chain still knows.

What it reports where a job cannot run is told in `LeaseWork.why`, which the holder finds at the head of the log:
- nothing to run (the hash of nothing), no document in the store, one that is none, or one that this site does not run
  (an image where there are no containers): the capacity stood ready, and counts for as long as the agent was awake;
- the store or the executor does not answer: nothing counts until it does;
- the machine was lost: what ran until then counts; the lease is aborted at once, so that the holder has its money back
  while there is time to use it, unless what ran is all that was promised;
- the lease was given up, disputed or ended by others in mid-window: its run is stopped, and what there is of it is
  brought. Nothing is reported.
"""

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from ledger.agent.executor import Capacity
from ledger.agent.finding import Gone, follow, gone
from ledger.agent.readings import delivered_of, usage_root
from ledger.agent.reporting import Reporting
from ledger.agent.running import Running, unforeseen
from ledger.agent.setup import AgentSetup
from ledger.errors import InputError, LedgerError, Unavailable
from ledger.model import Site
from ledger.product import Product
from ledger.rpc import Block
from ledger.store.agent import Beat, Job, LeaseWork, Stage
from ledger.units import BP_PER_ONE, MILLI_PER_UNIT


@dataclass(frozen=True, slots=True)
class AgentWork:
    """What one look came to: the block and its time, how many leases are in which stage, and what could not be done."""

    block: int
    time_s: int
    leases: dict[str, int]
    troubles: tuple[str, ...]


class Agent:
    """The agent of one site."""

    def __init__(self, setup: AgentSetup) -> None:
        """Raises InputError where the site is another provider's."""
        self._setup, self._reporting = setup, Reporting(setup)
        self._looked_at: Block | None = None
        self._gone: dict[int, Gone] = {}
        self.site: Site = setup.delivery.site(setup.site)
        if self.site.provider != setup.signer.address:
            raise InputError(
                f"Site {setup.site} is {self.site.provider}'s, and the key is {setup.signer.address}'s.",
                "Use the provider's key.",
            )
        self._running = Running(setup, self.site)

    def capacity(self) -> Capacity:
        """What the site's leases share. Raises InputError where it cannot be known, Unavailable where it is not now."""
        return self._running.capacity()

    def run(self, stop: threading.Event) -> Iterator[AgentWork]:
        """Looks again and again until `stop` is set. What does not answer is asked again."""
        while not stop.is_set():
            try:
                yield self.tick()
            except Unavailable as error:
                yield AgentWork(0, 0, {}, (str(error),))
            stop.wait(self._setup.limits.pause_s)

    def tick(self) -> AgentWork:
        """Does all that can be done now. Raises Unavailable where the node does not answer; what only one lease waits
        for is told in the work's troubles."""
        head, site = self._setup.delivery.chain.block(), self.site.site
        for lost in follow(self._setup.delivery, site, self._setup.book, head.number):
            self._forget(lost)
        beat = self._setup.book.beat(site)
        watched = beat is not None and self._setup.wall() - beat.wall_s <= self._setup.limits.away_s
        troubles, works = [], self._setup.book.works(site)
        self._look_for_ends(works, head)
        for work in works:
            try:
                self._step(work, head.time_s, watched)
            except LedgerError as error:
                troubles.append(f"lease {work.lease}: {error}")
            except Exception as error:
                # Strangers' words, files and processes: what was not foreseen in one lease ends no other's.
                troubles.append(f"lease {work.lease}: {unforeseen(error)}")
        self._setup.book.note_beat(site, Beat(head.time_s, self._setup.wall()))
        with suppress(Unavailable):
            self._setup.delivery.sender.advance()
        leases: dict[str, int] = {}
        for work in self._setup.book.works(site):
            leases[work.stage] = leases.get(work.stage, 0) + 1
        return AgentWork(head.number, head.time_s, leases, tuple(troubles))

    def _look_for_ends(self, works: list[LeaseWork], head: Block) -> None:
        """Asks, once a block, which of the leases whose window runs have ended otherwise. A window that is over is
        looked at where it is reported."""
        if head == self._looked_at:
            return
        now = [work for work in works if work.stage is Stage.OPEN]
        windows = [Product.from_id(work.product) for work in now]
        running = [work for work, one in zip(now, windows, strict=True) if one.start_s <= head.time_s < one.end_s]
        self._gone = gone(self._setup.delivery, running) if running else {}
        self._looked_at = head

    def _forget(self, work: LeaseWork) -> None:
        with suppress(Exception):
            if handle := self._running.handle_of(work):
                self._setup.executor.stop(handle)

    def _step(self, work: LeaseWork, now_s: int, watched: bool) -> None:
        product = Product.from_id(work.product)
        if work.stage is Stage.OPEN:
            if now_s < product.start_s:
                self._running.fetch_early(work)
                return
            if (ended := self._gone.get(work.lease)) and now_s < product.end_s:
                work = self._let_go(work, ended, now_s, watched)
            else:
                work = self._sealed(self._running.metered(work, now_s, watched), now_s)
        if work.stage is Stage.SEALED:
            work = self._reporting.reported(work, now_s)
        if work.stage is Stage.REPORTED:
            self._reporting.brought(work, now_s)

    # ---- seal and report

    def _let_go(self, work: LeaseWork, ended: Gone, now_s: int, watched: bool) -> LeaseWork:
        """A lease that ended otherwise in its window: its run is stopped, and what there is of it will be brought."""
        handle = self._running.handle_of(work)
        if handle and work.job is Job.WANTED:
            work = replace(work, handle=handle, job=Job.STARTED)
        if work.job is Job.WANTED:
            stage = Stage.GONE if ended.stage is Stage.REPORTED else ended.stage
            return self._setup.kept(replace(work, stage=stage, why=ended.why))
        work = self._running.metered(work, now_s, watched, last=True)
        if work.handle:
            self._running.stopped(work, now_s)
        if work.job is Job.STARTED:
            work = replace(work, job=Job.ENDED, why=f"the run was stopped: {ended.why}")
        self._setup.at("let go")
        return self._setup.kept(replace(self._with_root(work), stage=ended.stage))

    def _sealed(self, work: LeaseWork, now_s: int) -> LeaseWork:
        """What will be reported, fixed once the window is over, or the run lost and all that will be."""
        product = Product.from_id(work.product)
        over = now_s >= product.end_s
        if work.stage is not Stage.OPEN or not (over or work.job is Job.LOST):
            return work
        work = self._with_root(work)
        delivered_milli = work.delivered_milli or 0
        promised = delivered_milli * BP_PER_ONE >= work.units * MILLI_PER_UNIT * product.grade.promised_bp
        if not over and promised:
            return work
        if work.job in (Job.STARTED, Job.LOST):
            self._running.stopped(work, now_s)
        if work.job is Job.STARTED:
            work = replace(work, job=Job.ENDED, why="the run was stopped at the end of its window")
        sealed = self._setup.kept(replace(work, stage=Stage.SEALED, ended_early=not over))
        self._setup.at("sealed")
        return sealed

    def _with_root(self, work: LeaseWork) -> LeaseWork:
        """The work with what its readings come to, and their root."""
        product, readings = Product.from_id(work.product), self._setup.readings(work)
        delivered_milli = delivered_of(readings, product.start_s, product.end_s)
        return replace(work, delivered_milli=delivered_milli, root=usage_root(readings))
