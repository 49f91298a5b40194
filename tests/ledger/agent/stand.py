"""A provider's site with an agent: leases to buy, documents to bring, a clock to move, and an agent to kill."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak

from ledger import Secret, Sender, Store, open_store
from ledger.agent.agent import Agent, AgentWork
from ledger.agent.document import JobDocument
from ledger.agent.executor import Capacity, Executor, Progress, Run, RunState, Usage
from ledger.agent.jobstore import FolderJobs, JobStore
from ledger.agent.local import LocalExecutor
from ledger.agent.readings import MeterReading, ProvenReading, read_reading, reading_domain, usage_root, verify_reading
from ledger.agent.setup import AgentLimits, AgentSetup
from ledger.delivery import Delivery
from ledger.errors import Unavailable
from ledger.model import Lease
from ledger.product import Grade, Product
from ledger.store.agent import AgentBook, LeaseWork, Stage
from tests.world import World

UNITS = 100
HOUR = 3_600
EAGER = AgentLimits(ask_s=0.0, gpus=0)
"""Without pauses, and without GPUs: the tests' leases are less than a device, and their jobs want none."""


class Killed(BaseException):
    """What `kill -9` is to a drill: nobody catches it."""


@dataclass
class Hand:
    """An executor that does what a test says: for what real machines cannot be made to do at a wish."""

    state: RunState = RunState.RUNNING
    usage: Usage = field(default_factory=Usage)
    refusal: Exception | None = None
    starts: list[str] = field(default_factory=list)
    stops: list[str] = field(default_factory=list)

    def capacity(self) -> Capacity:
        self._answer()
        return Capacity(64, 2**38)

    def start(self, run: Run) -> str:
        self._answer()
        self.starts.append(run.run_id)
        return run.run_id

    def found(self, run_id: str, folder: Path) -> str:  # noqa: ARG002
        self._answer()
        return run_id if run_id in self.starts else ""

    def poll(self, handle: str) -> Progress:  # noqa: ARG002
        self._answer()
        return Progress(self.state, self.usage, None, self.state.value)

    def stop(self, handle: str) -> None:
        self._answer()
        self.stops.append(handle)
        self.state = RunState.DONE if not self.state.is_over else self.state

    def _answer(self) -> None:
        if self.refusal is not None:
            raise self.refusal


@dataclass
class Away:
    """A job store that does not answer."""

    def document(self, job_hash: bytes) -> bytes | None:  # noqa: ARG002
        raise Unavailable("The store is away.", "Ask later.")

    def put_result(self, lease: int, result: bytes) -> None:  # noqa: ARG002
        raise Unavailable("The store is away.", "Ask later.")


@dataclass
class Stand:
    """A site of a world, and what its agent stands on. The agent is made anew by `wake`."""

    world: World
    folder: Path
    site: int
    database: Path
    executor: Executor = field(default_factory=LocalExecutor)
    jobs: JobStore | None = None
    limits: AgentLimits = EAGER
    wall_s: float = 1_000_000.0
    deadly: str = ""
    chance: Callable[[], bool] | None = None
    _store: Store | None = None
    _sender: Sender | None = None
    agent: Agent = field(init=False)

    @property
    def shelf(self) -> FolderJobs:
        """Where documents lie and results come to."""
        return FolderJobs(self.folder / "store")

    def wake(self) -> Agent:
        """An agent as a new process has it; what the one before held is gone."""
        self.sleep()
        self._store = open_store(Secret(f"sqlite:///{self.database}"))
        self._sender = Sender(self.world.chain, self._store)
        delivery = Delivery(self.world.chain, self.world.market.deployment, self._sender)
        self._sender.resume(self.world.provider)
        setup = AgentSetup(
            delivery,
            self.site,
            self.world.provider,
            AgentBook(self._store),
            self.executor,
            self.jobs or self.shelf,
            self.folder / "agent",
            limits=self.limits,
            wall=lambda: self.wall_s,
            at=self._at,
        )
        self.agent = Agent(setup)
        return self.agent

    def sleep(self) -> None:
        if self._sender is not None:
            self._sender.close()
        if self._store is not None:
            self._store.close()
        self._store = self._sender = None

    def _at(self, step: str) -> None:
        if step == self.deadly:
            self.deadly = ""
            raise Killed(step)
        if self.chance is not None and self.chance():
            raise Killed(step)

    def lease(self, job: bytes, grade: Grade = Grade.STANDARD, hours: int = 1) -> tuple[int, Product]:
        """A lease of the buyer's at this site, for a job of these bytes."""
        product = self.world.product(hours, grade)
        self.world.sell(self.site, product, UNITS)
        return self.world.delivery.redeem(product, self.site, UNITS, job).send(self.world.buyer).value, product

    def job(self, script: str, results: tuple[str, ...] = ()) -> bytes:
        """A document, brought to the store."""
        content = JobDocument(("sh", "-c", script), results=results).encode()
        self.shelf.put_document(content)
        return content

    def tick(self, time_s: int | None = None, passed_s: float = 2.0) -> AgentWork:
        """One look of the agent at that time of the chain, so long after the last one by the machine's clock."""
        if time_s is not None and time_s > self.world.chain.time_s():
            self.world.clock.go_to(time_s)
        self.wall_s += passed_s
        looked = self.agent.tick()
        # A report is in a block a moment after it was sent; the agent does not wait for it, and looks again.
        until_s = time.monotonic() + 20
        while looked.leases.get(Stage.SEALED) and not looked.troubles:
            assert time.monotonic() < until_s
            looked = self.agent.tick()
        return looked

    def work(self, lease: int) -> LeaseWork:
        assert self._store is not None
        [work] = AgentBook(self._store).find(lease)
        return work

    def work_in(self, folder: Path, lease: int) -> LeaseWork:
        """The lease as another agent, with that folder, has it."""
        store = open_store(Secret(f"sqlite:///{folder / 'agent.db'}"))
        try:
            [work] = AgentBook(store).find(lease)
        finally:
            store.close()
        return work

    def on_chain(self, lease: int) -> Lease:
        return self.world.delivery.lease(lease)

    def reported(self, lease: int) -> list[tuple[int, bytes]]:
        """Every report of the lease that the chain has: milli-units and root."""
        events = self.world.market.history()
        return [
            (one["deliveredMilli"], one["usageRoot"])
            for one in events
            if one.name == "Reported" and one["lease"] == lease
        ]

    def result(self, lease: int) -> Any:
        return self.shelf.result(lease)

    def check_result(self, lease: int, store: FolderJobs | None = None) -> list[MeterReading]:
        """The readings of the result that came to the store: signed, in the tree of the report, and all of it."""
        said = (store or self.shelf).result(lease)
        readings = [read_reading(one) for one in said["readings"]]
        [(_, root)] = self.reported(lease)
        assert usage_root(readings) == root
        domain = reading_domain(self.world.market.deployment)
        for one, text in zip(readings, said["signatures"], strict=True):
            proven = ProvenReading(one, bytes.fromhex(text[2:]), ())
            assert not [
                fault
                for fault in verify_reading(proven, root, domain, self.world.provider.address)
                if "not signed" in fault
            ]
        return readings


@contextmanager
def stand(world: World, folder: Path, **facts: Any) -> Iterator[Stand]:
    """A new site in that world, with an agent that is awake."""
    made = Stand(world, folder, world.site(), folder / "agent.db", **facts)
    made.wake()
    try:
        yield made
    finally:
        made.deadly, made.chance = "", None
        if isinstance(made.executor, Hand):
            made.executor.refusal = None
        for work in AgentBook(made._store).works(made.site) if made._store else []:
            if work.handle:
                made.executor.stop(work.handle)
        made.sleep()


def survived(stand: Stand, what: Callable[[], object]) -> bool:
    """Whether nothing was killed in it."""
    try:
        what()
    except Killed:
        stand.wake()
        return False
    return True


__all__ = ["EAGER", "HOUR", "UNITS", "Away", "Hand", "Killed", "Stand", "keccak", "replace", "stand", "survived"]
