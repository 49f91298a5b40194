"""The provider's agent: finds the leases of its site, runs each one's job once within its units and window, meters it,
reports in time, and brings the result to the store.

All that it knows stands in its database before it matters: killed at any moment and started again, it runs nothing
twice and reports nothing twice. It acts by the chain's clock, on leases that the chain still knows.

What it reports where a job cannot run is told in `LeaseWork.why`, which the holder finds at the head of the log:
- nothing to run (the hash of nothing), no document in the store, one that is none, or one that this site does not run
  (an image where there are no containers): the capacity stood ready, and counts for as long as the agent was awake;
- the store or the executor does not answer: nothing counts until it does;
- the machine was lost: what ran until then counts; the lease is aborted at once, so that the holder has its money back
  while there is time to use it, unless what ran is all that was promised.
"""

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from ledger.agent.document import NOTHING, JobDocument
from ledger.agent.executor import Progress, Run, RunState, Usage
from ledger.agent.finding import follow, share_of
from ledger.agent.meter import Gauge, Span, account, cut
from ledger.agent.readings import delivered_of, reading_domain, sign_reading, usage_root
from ledger.agent.reporting import Reporting
from ledger.agent.setup import AgentSetup
from ledger.errors import InputError, LedgerError, Reverted, Unavailable
from ledger.model import LeaseState, Site
from ledger.product import Product
from ledger.store.agent import Beat, Job, LeaseWork, ReadingRow, Stage
from ledger.units import BP_PER_ONE, MILLI_PER_UNIT

_EARLY_S = 60.0
_JUST_NOW_S = 0.5
_FORGOTTEN = "the chain forgot it"


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
        self._asked_s: dict[bytes, float] = {}
        self._domain = reading_domain(setup.delivery.deployment)
        self.site: Site = setup.delivery.site(setup.site)
        if self.site.provider != setup.signer.address:
            raise InputError(
                f"Site {setup.site} is {self.site.provider}'s, and the key is {setup.signer.address}'s.",
                "Use the provider's key.",
            )

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
        for gone in follow(self._setup.delivery, site, self._setup.book, head.number):
            self._forget(gone)
        beat = self._setup.book.beat(site)
        watched = beat is not None and self._setup.wall() - beat.wall_s <= self._setup.limits.away_s
        troubles = []
        for work in self._setup.book.works(site):
            try:
                self._step(work, head.time_s, watched)
            except LedgerError as error:
                troubles.append(f"lease {work.lease}: {error}")
            except Exception as error:
                # Strangers' words, files and processes: what was not foreseen in one lease ends no other's.
                troubles.append(f"lease {work.lease}: {_unforeseen(error)}")
        self._setup.book.note_beat(site, Beat(head.time_s, self._setup.wall()))
        with suppress(Unavailable):
            self._setup.delivery.sender.advance()
        leases: dict[str, int] = {}
        for work in self._setup.book.works(site):
            leases[work.stage] = leases.get(work.stage, 0) + 1
        return AgentWork(head.number, head.time_s, leases, tuple(troubles))

    def _forget(self, work: LeaseWork) -> None:
        if work.handle:
            with suppress(Exception):
                self._setup.executor.stop(work.handle)

    def _step(self, work: LeaseWork, now_s: int, watched: bool) -> None:
        product = Product.from_id(work.product)
        if work.stage is Stage.OPEN:
            if now_s < product.start_s:
                # Early, so that a store which is away at the start does no harm. It will be asked again.
                with suppress(LedgerError):
                    self._document(work, _EARLY_S)
                return
            work = self._metered(work, now_s, watched)
            work = self._sealed(work, now_s)
        if work.stage is Stage.SEALED:
            work = self._reporting.reported(work, now_s)
        if work.stage is Stage.REPORTED:
            self._reporting.brought(work, now_s)

    # ---- run and meter

    def _metered(self, work: LeaseWork, now_s: int, watched: bool) -> LeaseWork:
        """The job begun where it is due, looked at, and all until now accounted for."""
        end_s, was_ready = Product.from_id(work.product).end_s, work.ready
        # What ran before this look ran all the while, whoever watched.
        watched = watched or work.job in (Job.STARTED, Job.ENDED)
        lost, asked_s = work.job is Job.LOST, self._setup.wall()
        ordered = work.job is Job.WANTED and work.started_s is not None
        if work.job is Job.WANTED and now_s < end_s:
            work = self._begun(work, now_s)
        elif work.job is Job.WANTED and not work.why:
            work = replace(work, ready=False, why="the agent was not there in the window")
        if work.stage is not Stage.OPEN:
            return work
        usage, lost_s = Usage(), None
        if work.handle:
            progress = self._polled(work, now_s)
            usage, work = progress.usage, self._seen(work, progress, now_s)
            # Found and not begun: an agent before this one ordered it, and was killed before it could note so.
            ran_s = usage.wall_ms / 1_000 - (self._setup.wall() - asked_s)
            watched = watched or (ordered and ran_s > _JUST_NOW_S)
            if work.job is Job.LOST and not lost:
                lost_s = (work.started_s or work.at_s) + usage.wall_ms // 1_000
        gauge = account(_gauge(work), min(now_s, end_s), Span(work.ready, was_ready, watched, lost_s))
        return self._cut(_with(work, gauge), gauge, usage, at_once=gauge.at_s == end_s or lost_s is not None)

    def _cut(self, work: LeaseWork, gauge: Gauge, usage: Usage, *, at_once: bool) -> LeaseWork:
        """The work kept, with a reading where one is due."""
        length_s = gauge.at_s - gauge.from_s
        if not length_s or (length_s < self._setup.limits.reading_s and not at_once):
            self._setup.book.save(work)
            return work
        reading, gauge = cut(gauge, work.lease, work.units, usage)
        signature = sign_reading(reading, self._domain, self._setup.signer)
        work = _with(work, gauge)
        self._setup.book.save(work, ReadingRow(**reading.json(), signature=signature))
        self._setup.at("read")
        return work

    def _begun(self, work: LeaseWork, now_s: int) -> LeaseWork:
        if work.job_hash == NOTHING:
            return replace(work, job=Job.NOTHING, ready=True, why="there is nothing to run: the capacity stands ready")
        gone = self._gone(work)
        if gone:
            stage = Stage.FORGOTTEN if gone == _FORGOTTEN else Stage.GONE
            return self._setup.kept(replace(work, stage=stage, why=gone))
        try:
            document = self._document(work, self._setup.limits.ask_s)
            if document is None:
                return replace(work, ready=True, why="the store has no document of this hash for the site")
            if work.started_s is None:
                work = self._setup.kept(replace(work, started_s=now_s))
            self._setup.at("noted")
            handle = self._setup.executor.start(self._run(work, document))
        except InputError as error:
            return replace(work, job=Job.NOTHING, ready=True, why=f"the job was not run: {error}")
        except Exception as error:
            why = str(error) if isinstance(error, Unavailable) else _unforeseen(error)
            return replace(work, ready=False, why=f"the job could not begin: {why}")
        self._setup.at("started")
        return self._setup.kept(replace(work, job=Job.STARTED, handle=handle, ready=True, why=""))

    def _document(self, work: LeaseWork, pause_s: float) -> JobDocument | None:
        """As the setup has it, with so long a pause before a store is asked for it again."""
        now_s = self._setup.wall()
        if now_s - self._asked_s.get(work.job_hash, -pause_s) < pause_s and not self._setup.has_document(work):
            return None
        self._asked_s[work.job_hash] = now_s
        return self._setup.document(work)

    def _gone(self, work: LeaseWork) -> str:
        """Why the chain has no such lease to be served; empty where it has."""
        try:
            lease = self._setup.delivery.lease(work.lease)
        except Reverted:
            return _FORGOTTEN
        same = (lease.site, lease.product, lease.units) == (work.site, work.product, work.units)
        if not same or lease.holder != work.holder:
            return "another lease has its number"
        return "" if lease.state is LeaseState.ACTIVE else f"it is {lease.state.name.lower()} already"

    def _polled(self, work: LeaseWork, now_s: int) -> Progress:
        """What the executor says; where it is silent for so long that the report would be late, that nothing is known:
        what was not seen does not count."""
        try:
            return self._setup.executor.poll(work.handle)
        except Exception as error:
            if not self._is_late(work, now_s):
                raise
            used = Usage(work.wall_ms, work.cpu_ms, work.gpu_ms)
            text = error.problem if isinstance(error, Unavailable) else _unforeseen(error)
            return Progress(RunState.LOST, used, text=text)

    def _is_late(self, work: LeaseWork, now_s: int) -> bool:
        period_s = self._setup.delivery.deployment.terms.report_period_s
        return now_s > Product.from_id(work.product).end_s + period_s // 2

    def _seen(self, work: LeaseWork, progress: Progress, now_s: int) -> LeaseWork:
        """What the executor says of the run; what is over stays over."""
        if work.job is not Job.STARTED:
            return work
        if progress.state is RunState.LOST:
            return replace(work, job=Job.LOST, ready=False, why=f"the run was lost: {progress.text}")
        if progress.state.is_over:
            return replace(work, job=Job.ENDED, ready=True, exit_code=progress.exit_code, why=progress.text)
        waited_s = now_s - (now_s if work.started_s is None else work.started_s)
        return replace(work, ready=progress.state is RunState.RUNNING or waited_s < self._setup.limits.queue_s)

    def _run(self, work: LeaseWork, document: JobDocument) -> Run:
        product, limits = Product.from_id(work.product), self._setup.limits
        share = share_of(self.site, work.units, limits.cpus, limits.memory_bytes)
        return Run(
            run_id=(run_id := self._setup.run_id(work)),
            lease=work.lease,
            document=document,
            folder=self._setup.folder / "runs" / run_id,
            units=work.units,
            devices=share.devices,
            start_s=product.start_s,
            end_s=product.end_s,
            cpus=share.cpus,
            memory_bytes=share.memory_bytes,
            gpus=share.gpus,
        )

    # ---- seal and report

    def _sealed(self, work: LeaseWork, now_s: int) -> LeaseWork:
        """What will be reported, fixed once the window is over, or the run lost and all that will be."""
        product = Product.from_id(work.product)
        over = now_s >= product.end_s
        if work.stage is not Stage.OPEN or not (over or work.job is Job.LOST):
            return work
        readings = self._setup.readings(work)
        delivered_milli = delivered_of(readings, product.start_s, product.end_s)
        promised = delivered_milli * BP_PER_ONE >= work.units * MILLI_PER_UNIT * product.grade.promised_bp
        if not over and promised:
            return work
        if work.job in (Job.STARTED, Job.LOST):
            self._stopped(work, now_s)
        root = usage_root(readings)
        if work.job is Job.STARTED:
            work = replace(work, job=Job.ENDED, why="the run was stopped at the end of its window")
        sealed = replace(work, stage=Stage.SEALED, delivered_milli=delivered_milli, root=root, ended_early=not over)
        self._setup.kept(sealed)
        self._setup.at("sealed")
        return sealed

    def _stopped(self, work: LeaseWork, now_s: int) -> None:
        """The run ended; where the executor is silent for so long that the report would be late, it waits no more."""
        try:
            self._setup.executor.stop(work.handle)
        except Exception:
            if not self._is_late(work, now_s):
                raise
        self._setup.at("stopped")


def _unforeseen(error: Exception) -> str:
    """What it was, in a few words that any log takes."""
    text = f"{type(error).__name__}: {error}"[:200].encode(errors="replace").decode()
    return f"Unforeseen: {text}. Tell the makers of this program."


def _gauge(work: LeaseWork) -> Gauge:
    used = Usage(work.wall_ms, work.cpu_ms, work.gpu_ms)
    return Gauge(work.number, work.from_s, work.at_s, work.ready_s, used)


def _with(work: LeaseWork, gauge: Gauge) -> LeaseWork:
    return replace(
        work,
        number=gauge.number,
        from_s=gauge.from_s,
        at_s=gauge.at_s,
        ready_s=gauge.ready_s,
        wall_ms=gauge.used.wall_ms,
        cpu_ms=gauge.used.cpu_ms,
        gpu_ms=gauge.used.gpu_ms,
    )
