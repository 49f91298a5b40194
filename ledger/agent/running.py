"""From a lease that is due to what was metered: its job begun once, looked at, and all that passed accounted for."""

from contextlib import suppress
from dataclasses import replace

from ledger.agent.document import NOTHING, JobDocument
from ledger.agent.executor import Capacity, Progress, Run, RunState, Usage
from ledger.agent.finding import share_of
from ledger.agent.meter import Gauge, Span, account, cut
from ledger.agent.readings import reading_domain, sign_reading
from ledger.agent.setup import AgentSetup
from ledger.errors import InputError, LedgerError, Unavailable
from ledger.model import Site
from ledger.product import Product
from ledger.store.agent import Job, LeaseWork, ReadingRow

_EARLY_S = 60.0
_JUST_NOW_S = 0.5


class Running:
    """Runs and meters the jobs of one site."""

    def __init__(self, setup: AgentSetup, site: Site) -> None:
        self._setup, self._site = setup, site
        self._asked_s: dict[bytes, float] = {}
        self._capacity: Capacity | None = None
        self._domain = reading_domain(setup.delivery.deployment)

    def handle_of(self, work: LeaseWork) -> str:
        """The handle of its run, also of one that was ordered by an agent which was killed before it could note so."""
        if work.handle or work.started_s is None:
            return work.handle
        return self._setup.executor.found(self._setup.run_id(work), self._setup.run_folder(work))

    def metered(self, work: LeaseWork, now_s: int, watched: bool, *, last: bool = False) -> LeaseWork:
        """The job begun where it is due, looked at, and all until now accounted for; with a reading of it where this
        is the `last` look."""
        end_s, was_ready = Product.from_id(work.product).end_s, work.ready
        # What ran before this look ran all the while, whoever watched.
        watched = watched or work.job in (Job.STARTED, Job.ENDED)
        lost, asked_s = work.job is Job.LOST, self._setup.wall()
        ordered = work.job is Job.WANTED and work.started_s is not None
        if work.job is Job.WANTED and now_s < end_s:
            work = self._begun(work, now_s)
        elif work.job is Job.WANTED and not work.why:
            work = replace(work, ready=False, why="the agent was not there in the window")
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
        at_once = last or gauge.at_s == end_s or lost_s is not None
        return self._cut(_with(work, gauge), gauge, usage, at_once=at_once)

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
            why = str(error) if isinstance(error, Unavailable) else unforeseen(error)
            return replace(work, ready=False, why=f"the job could not begin: {why}")
        self._setup.at("started")
        return self._setup.kept(replace(work, job=Job.STARTED, handle=handle, ready=True, why=""))

    def fetch_early(self, work: LeaseWork) -> None:
        """The document brought here before the start, so that a store which is away then does no harm."""
        with suppress(LedgerError):
            self._document(work, _EARLY_S)

    def _document(self, work: LeaseWork, pause_s: float) -> JobDocument | None:
        """As the setup has it, with so long a pause before a store is asked for it again."""
        now_s = self._setup.wall()
        if now_s - self._asked_s.get(work.job_hash, -pause_s) < pause_s and not self._setup.has_document(work):
            return None
        self._asked_s[work.job_hash] = now_s
        return self._setup.document(work)

    def _polled(self, work: LeaseWork, now_s: int) -> Progress:
        """What the executor says; where it is silent for so long that the report would be late, that nothing is known:
        what was not seen does not count."""
        try:
            return self._setup.executor.poll(work.handle)
        except Exception as error:
            if not self._is_late(work, now_s):
                raise
            used = Usage(work.wall_ms, work.cpu_ms, work.gpu_ms)
            text = error.problem if isinstance(error, Unavailable) else unforeseen(error)
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
        product = Product.from_id(work.product)
        share = share_of(self._site, work.units, self.capacity(), self._setup.limits.gpus)
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

    def capacity(self) -> Capacity:
        """What the site's leases share, as the limits say, or the executor where they do not; asked of it once. Raises
        InputError where it cannot be known, Unavailable where it is not now."""
        limits = self._setup.limits
        if self._capacity is None:
            known = limits.cpus and limits.memory_bytes
            found = Capacity(0, 0) if known else self._setup.executor.capacity()
            self._capacity = Capacity(limits.cpus or found.cpus, limits.memory_bytes or found.memory_bytes)
        return self._capacity

    def stopped(self, work: LeaseWork, now_s: int) -> None:
        """The run ended; where the executor is silent for so long that the report would be late, it waits no more."""
        try:
            self._setup.executor.stop(work.handle)
        except Exception:
            if not self._is_late(work, now_s):
                raise
        self._setup.at("stopped")


def unforeseen(error: Exception) -> str:
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
