"""A provider's agent as a process, on a real node, with the real API for its store: jobs run, are metered, reported and
paid; it is killed in mid-window and started again; it is dead, and the holder has the money back."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ledger import DEVELOPMENT_MNEMONIC, Product, Reason, reading_domain, usage_root, verify_reading
from ledger.agent.document import JobDocument
from ledger.agent.jobstore import HttpJobs
from ledger.agent.readings import ProvenReading, faults_of, read_reading
from ledger.model import LeaseState
from ledger.services import Service, Services
from tests.api.stage import Stage, staged
from tests.running import PROGRAM, environment, kill
from tests.world import World, world_on

pytestmark = pytest.mark.slow

UNITS = 100
FULL = 1_000 * UNITS


@dataclass
class Yard:
    """A market with an API, a site in it, and the agent's process."""

    stage: Stage
    folder: Path
    services: Services
    site: int
    starts: int = 0

    @property
    def world(self) -> World:
        return self.stage.world

    @property
    def url(self) -> str:
        return str(self.stage.client.base_url).rstrip("/")

    def start(self) -> Service:
        """The agent by the command line, once it has found a lease."""
        self.starts += 1
        log = self.folder / f"agent-{self.starts}.log"
        phrase = self.folder / "phrase"
        phrase.write_text(DEVELOPMENT_MNEMONIC)
        phrase.chmod(0o600)
        named = environment(
            rpc_url=self.world.url, manifest=self.folder / "deployment.json", mnemonic_file=phrase, account=1
        )
        words = ("agent", "--site", str(self.site), "--jobs", self.url, "--folder", str(self.folder / "agent"))
        service = Service("agent", [*PROGRAM, *words, "--reading", "600", "--gpus", "0"], log, named)
        return self.services.start(service, lambda: "open" in service.last_words(), 60)

    def lease(self, script: str, results: tuple[str, ...] = ()) -> tuple[int, Product]:
        """A job of the buyer's at the API, and a lease of it."""
        document = JobDocument(("sh", "-c", script), results=results)
        product = self.world.product(1)
        self.world.sell(self.site, product, UNITS)
        jobs = HttpJobs(self.url, self.world.buyer, self.world.chain.chain_id)
        status, _ = jobs._ask("PUT", f"/jobs/0x{document.hash.hex()}", document.encode())
        jobs.close()
        assert status == 201
        lease = self.world.delivery.redeem(product, self.site, UNITS, document.encode()).send(self.world.buyer).value
        self.stage.catch_up()
        return lease, product

    def result(self, lease: int) -> Any:
        """What the API shows the holder of a lease."""
        jobs = HttpJobs(self.url, self.world.buyer, self.world.chain.chain_id)
        status, content = jobs._ask("GET", f"/leases/{lease}/result", most=2**23)
        jobs.close()
        return json.loads(content) if status == 200 else None

    def is_reported(self, lease: int) -> bool:
        return self.world.delivery.lease(lease).state is LeaseState.REPORTED


def until(done: Callable[[], Any], what: str, service: Service | None = None, within_s: float = 60) -> None:
    end_s = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < end_s, f"{what}: {service.last_words() if service else ''}"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("market")
    with world_on("anvil") as world, staged(world, folder) as made:
        yield made


@contextmanager
def yard_on(stage: Stage, folder: Path) -> Iterator[Yard]:
    stage.world.market.deployment.write(folder / "deployment.json")
    with Services() as services:
        yield Yard(stage, folder, services, stage.world.site())


@pytest.fixture
def yard(stage: Stage, tmp_path: Path) -> Iterator[Yard]:
    with yard_on(stage, tmp_path) as made:
        yield made


def check_readings(yard: Yard, lease: int, product: Product, said: Any) -> None:
    """Every reading is the site's, in its place, and in the tree whose root is on the chain."""
    world = yard.world
    [report] = [one for one in world.market.history() if one.name == "Reported" and one["lease"] == lease]
    readings = [read_reading(one) for one in said["readings"]]
    assert faults_of(readings, lease, UNITS, (product.start_s, product.end_s)) == []
    assert usage_root(readings) == report["usageRoot"]
    domain = reading_domain(world.market.deployment)
    for one, signature in zip(readings, said["signatures"], strict=True):
        alone = ProvenReading(one, bytes.fromhex(signature[2:]), ())
        assert verify_reading(alone, one.leaf, domain, world.provider.address) == []


def test_a_job_is_run_by_an_agent_that_is_killed_and_everybody_is_paid(yard: Yard) -> None:
    world, count = yard.world, yard.folder / "count"
    script = f"echo started >> {count}; echo hello; mkdir out; echo 42 > out/answer; sleep 600"
    lease, product = yard.lease(script, ("out/*",))
    # A second one, in the hour after: it ends by itself.
    failed = yard.folder / "failed"
    short, after = yard.lease(f"echo 1 > {failed}; exit 3")
    assert after.start_s == product.end_s
    service = yard.start()
    world.clock.go_to(product.start_s)
    until(count.exists, "the job does not start", service)
    kill(service)
    world.clock.go_to(product.start_s + 1_800)
    service = yard.start()
    world.clock.go_to(product.end_s)
    until(lambda: yard.is_reported(lease) and failed.exists(), "it does not report", service)
    world.clock.go_to(after.end_s)
    until(lambda: yard.is_reported(short), "it does not report", service)
    until(lambda: yard.result(lease) is not None and yard.result(short) is not None, "no result", service)
    assert count.read_text() == "started\n"

    said = yard.result(lease)
    assert (said["exit_code"], said["files"]) == (None, {"out/answer": "NDIK"})
    assert said["log"] == "[agent] the run was stopped at the end of its window\nhello\n"
    check_readings(yard, lease, product, said)
    assert yard.result(short)["exit_code"] == 3

    bond_micro, before = world.delivery.lease(lease).bond_micro, world.market.cash_micro(world.provider.address)
    ended = world.delivery.accept(lease).send(world.buyer).value
    assert (ended.reason, ended.delivered_milli, ended.to_holder_micro) == (Reason.ACCEPTED, FULL, 0)
    assert world.market.cash_micro(world.provider.address) - before == bond_micro
    # Nobody disputes the other: anyone ends it, and the provider is paid.
    world.clock.go_to(after.end_s + world.market.deployment.terms.dispute_period_s + 3_600)
    ended = world.delivery.resolve(short).send(world.stranger).value
    assert (ended.reason, ended.to_holder_micro) == (Reason.UNDISPUTED, 0)
    kill(service)


def test_where_a_runs_warden_is_killed_on_a_living_machine_nothing_comes_back(yard: Yard) -> None:
    world = yard.world
    up = yard.folder / "up"
    lease, product = yard.lease(f"echo up > {up}; sleep 600")
    service = yard.start()
    world.clock.go_to(product.start_s)
    until(up.exists, "the job does not start", service)
    world.clock.go_to(product.start_s + 900)
    started = next((yard.folder / "agent" / "runs").iterdir()) / "started"
    looks = len(service.log.read_text().splitlines())
    until(lambda: len(service.log.read_text().splitlines()) > looks + 1, "it does not look", service)
    os.kill(json.loads(started.read_text())["pid"], 9)
    # A job could do that itself: it counts as its own end, and the capacity stood ready.
    world.clock.go_to(product.start_s + 1_000)
    looks = len(service.log.read_text().splitlines())
    until(lambda: len(service.log.read_text().splitlines()) > looks + 1, "it does not look", service)
    assert not yard.is_reported(lease)
    world.clock.go_to(product.end_s)
    until(lambda: yard.is_reported(lease), "it does not report", service)
    assert world.delivery.lease(lease).delivered_milli == FULL
    kill(service)


def test_where_the_agent_is_dead_the_holder_has_everything_back(yard: Yard) -> None:
    world = yard.world
    lease, product = yard.lease("sleep 600")
    service = yard.start()
    kill(service)
    bond_micro, before = world.delivery.lease(lease).bond_micro, world.market.cash_micro(world.buyer.address)
    world.clock.go_to(product.end_s + world.market.deployment.terms.report_period_s + 1)
    ended = world.delivery.resolve(lease).send(world.stranger).value
    assert (ended.reason, ended.to_provider_micro) == (Reason.UNREPORTED, 0)
    assert world.market.cash_micro(world.buyer.address) - before == bond_micro
