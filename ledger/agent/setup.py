"""What an agent is made of, and what all its parts ask of that: a run's name, a lease's document, its readings."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from eth_utils.crypto import keccak

from ledger.agent.document import NOTHING, JobDocument, read_document
from ledger.agent.executor import Executor
from ledger.agent.jobstore import JobStore
from ledger.agent.readings import MeterReading
from ledger.delivery import Delivery
from ledger.keys import Signer
from ledger.store.agent import AgentBook, LeaseWork, ReadingRow


@dataclass(frozen=True, slots=True)
class AgentLimits:
    """How an agent goes about it, in seconds: how long a reading is (of the chain's clock); how long it may have been
    away and still say that capacity stood ready; how long a run may wait in the executor's queue before that counts as
    not delivered; how long it waits before it asks again for a document that the store did not have; how long it tries
    to bring a result; how long it pauses. `cpus` and `memory_bytes` are what the site's leases share beside its GPUs; 0
    is what the executor has. `gpus` is how many GPUs they share: 0 for a site whose jobs run without, None where each
    of the site's devices is one."""

    reading_s: int = 300
    away_s: int = 120
    queue_s: int = 60
    ask_s: float = 15.0
    upload_s: int = 7 * 24 * 3_600
    pause_s: float = 2.0
    cpus: int = 0
    memory_bytes: int = 0
    gpus: int | None = None


@dataclass(frozen=True, slots=True)
class AgentSetup:
    """The market and the site in it, the provider's key, what must not be forgotten, what runs jobs, where documents
    come from and results go, and a folder of the agent's own. `at` is told of each step that was just kept or done: for
    drills."""

    delivery: Delivery
    site: int
    signer: Signer
    book: AgentBook
    executor: Executor
    jobs: JobStore
    folder: Path
    limits: AgentLimits = field(default_factory=AgentLimits)
    wall: Callable[[], float] = time.time
    at: Callable[[str], None] = lambda _: None

    def kept(self, work: LeaseWork) -> LeaseWork:
        """The work, once it is kept."""
        self.book.save(work)
        return work

    def run_id(self, work: LeaseWork) -> str:
        """A run's name: another chain's, another market's and another job's lease of the same number have others."""
        deployment = self.delivery.deployment
        whole = f"{deployment.chain_id} {deployment.address('Delivery')} {work.lease} {work.job_hash.hex()}"
        return f"lease-{work.lease}-{keccak(text=whole)[:6].hex()}"

    def run_folder(self, work: LeaseWork) -> Path:
        """Where the lease's job runs."""
        return self.folder / "runs" / self.run_id(work)

    def readings(self, work: LeaseWork) -> list[MeterReading]:
        """A lease's readings, in order."""
        return [reading_of(row) for row in self.book.readings(work)]

    def has_document(self, work: LeaseWork) -> bool:
        """Whether the lease's document is here, so that no store need be asked."""
        return self._document_path(work).exists()

    def document(self, work: LeaseWork) -> JobDocument | None:
        """The lease's document; None where the store has none, or has other bytes in its place. Raises UnreadableText
        for bytes of the right hash that are no document."""
        if work.job_hash == NOTHING:
            return None
        path = self._document_path(work)
        if path.exists() and keccak(kept := path.read_bytes()) == work.job_hash:
            return read_document(kept)
        fetched = self.jobs.document(work.job_hash)
        if fetched is None or keccak(fetched) != work.job_hash:
            return None
        document = read_document(fetched)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = path.with_suffix(".new")
        new.write_bytes(fetched)
        new.replace(path)
        self.at("fetched")
        return document

    def clear(self, work: LeaseWork) -> None:
        """Removes what strangers left here: the run's folder and the document. Another lease of the same document has
        it fetched again."""
        shutil.rmtree(self.run_folder(work), ignore_errors=True)
        self._document_path(work).unlink(missing_ok=True)

    def _document_path(self, work: LeaseWork) -> Path:
        return self.folder / "documents" / f"{work.job_hash.hex()}.json"


def reading_of(row: ReadingRow) -> MeterReading:
    """The reading that a row keeps."""
    used = (row.wall_ms, row.cpu_ms, row.gpu_ms)
    return MeterReading(row.lease, row.number, row.from_s, row.to_s, row.delivered_milli, *used)
