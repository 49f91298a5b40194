"""The whole loop: 200 jobs of a real trace are bought in one dispatch, run by the agents of three providers (two on
their own machine, one on a Slurm cluster), metered and reported. One agent is killed and never comes back. Each lease
is paid or refunded to the last micro, and the audit proves the whole history."""

import csv
import sys
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

import ledger
from ledger import Delivery, Grade, LeaseState, Product, Signer, Store, Tier, open_store
from ledger.agent.document import JobDocument
from ledger.agent.jobstore import FolderJobs
from ledger.agent.readings import read_reading, usage_root
from ledger.audit.run import run_audit
from ledger.delivery import Reason
from ledger.dispatch.campaign import Campaign
from ledger.dispatch.problem import JobSpec
from ledger.dispatch.state import Phase
from ledger.model import Lease
from ledger.product import ComputeClass
from ledger.services import Service, Services
from ledger.standard import VCPU
from ledger.store.agent import AgentBook, Job
from ledger.units import MILLI_PER_UNIT, SECONDS_PER_HOUR
from tests.bazaar import TERMS, VIRGINIA, Bazaar, bazaar, fund
from tests.provider import database_of, folder_of
from tests.running import kill
from tests.slurm import Cluster
from tests.world import ADMIN, BUYER, PROVIDER, SELLER, STRANGER

JOBS, HOURS, UNITS_MAX, JOB_HOURS_MAX = 200, 4, 2, 3
LIMIT_MICRO = 40_000
# Numbers of the development accounts, as tests/provider.py takes them; the last one's site is the cluster.
PROVIDERS: tuple[tuple[Signer, int, int], ...] = ((PROVIDER, 1, 400), (SELLER, 3, 402), (STRANGER, 4, 404))
WAIT_S_MAX = 120.0


@dataclass(frozen=True)
class Row:
    """A job of the trace, and what its command must print."""

    name: str
    gpus: int
    duration_s: int

    @property
    def units(self) -> int:
        return min(self.gpus, UNITS_MAX)

    @property
    def hours(self) -> int:
        """As long as it was, in whole hours."""
        return min(-(-self.duration_s // SECONDS_PER_HOUR), JOB_HOURS_MAX)

    @property
    def answer(self) -> str:
        return sha256(self.name.encode()).hexdigest()

    @property
    def document(self) -> JobDocument:
        """An hour of the trace takes half a second here, and what is longer no longer than that."""
        sleep_s = min(self.duration_s, SECONDS_PER_HOUR) / SECONDS_PER_HOUR / 2
        script = f'sleep {sleep_s:.2f}; printf %s "$1" | sha256sum | cut -c1-64 > answer; cat answer'
        return JobDocument(("sh", "-c", script, "sh", self.name), results=("answer",))


def philly() -> list[Row]:
    """Rows of the trace, spread over all of it."""
    path = Path(ledger.__file__).parent / "data" / "jobs_philly.csv"
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    step = len(rows) // JOBS
    return [
        Row(f"{place}-{row['cluster']}-{row['submit_s']}", int(row["gpus"]), int(row["duration_s"]))
        for place, row in enumerate(rows[: step * JOBS : step])
    ]


@dataclass
class Loop:
    """A market with its three sites in the order of PROVIDERS, the agents' processes, and what the buyer redeemed."""

    fair: Bazaar
    folder: Path
    sites: list[int]
    services: Services
    agents: dict[int, Service]
    first_hour: int
    cash_micro: int
    rows: list[Row]

    @property
    def delivery(self) -> Delivery:
        return Delivery(self.fair.chain, self.fair.market.deployment, self.fair.market.sender)

    @property
    def doomed(self) -> int:
        """The site whose agent dies."""
        return self.sites[1]

    def product(self, hour: int) -> Product:
        return Product(ComputeClass.GENERAL, Tier.WIDE, 0, Grade.STANDARD, hour, 1)

    def reach(self, hour: int) -> None:
        """Lets the time pass until an hour begins, where it has not begun."""
        if self.fair.chain.time_s() < hour * SECONDS_PER_HOUR:
            self.fair.go_to(hour * SECONDS_PER_HOUR)

    def words(self) -> str:
        """What the agents printed, for a failure."""
        return "".join(f"\n--- agent of site {site}\n{one.last_words(20)}" for site, one in self.agents.items())

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + WAIT_S_MAX
        while not condition():
            fallen = [site for site, one in self.agents.items() if not one.alive and site != self.doomed]
            assert not fallen, f"the agents of {fallen} ended, waiting for {what}{self.words()}"
            assert time.monotonic() < deadline, f"waited in vain for {what}{self.words()}"
            time.sleep(0.2)


@pytest.fixture
def loop(slurm_cluster: Cluster, tmp_path: Path) -> Iterator[Loop]:
    with bazaar() as fair, Services() as services:
        fund(fair.market, SELLER)
        fair.market.deployment.write(tmp_path / "deployment.json")
        rows = philly()
        found = Loop(fair, tmp_path, [], services, {}, fair.now_hour + 2, 0, rows)
        for signer, _, _ in PROVIDERS:
            found.sites.append(site_of(fair, signer))
        found.cash_micro = fair.market.cash_micro(BUYER.address)
        yield found


def site_of(fair: Bazaar, signer: Signer) -> int:
    """A site of processors, attested."""
    site = fair.market.register_site(VCPU, 64, ComputeClass.GENERAL, VIRGINIA).send(signer).value
    until_s = fair.chain.time_s() + 400 * 24 * SECONDS_PER_HOUR
    fair.market.attest(site, 64, Grade.PREMIUM, b"\x01" * 32, until_s).send(ADMIN)
    return site


@pytest.mark.slow
def test_200_jobs_are_bought_run_metered_and_paid_or_refunded_and_the_audit_proves_it(
    loop: Loop, slurm_cluster: Cluster
) -> None:
    campaign = bought(loop)
    leases = [loop.delivery.lease(number) for job in campaign.state().jobs for number in job.leases]
    assert {lease.site for lease in leases} == set(loop.sites)
    wake(loop, slurm_cluster)
    for hour in range(loop.first_hour, loop.first_hour + HOURS):
        run_hour(loop, hour, [lease for lease in leases if Product.from_id(lease.product).start_hour == hour])
    # Nobody reports for the dead agent: when its time is over, all of those bonds is the holder's.
    loop.fair.go_to((loop.first_hour + HOURS) * SECONDS_PER_HOUR + TERMS.report_period_s + TERMS.grace_s + 2)
    failed = [one for one in leases if loop.delivery.lease(one.lease).state is LeaseState.ACTIVE]
    together(loop, [loop.delivery.resolve(one.lease).call for one in failed])
    check_money(loop, campaign, leases, {one.lease for one in failed})
    check_results(loop, campaign, {one.lease for one in failed})
    report = run_audit(loop.fair.market)[0]
    assert report.clean, report.findings


def bought(loop: Loop) -> Campaign:
    """All jobs in one dispatch: the plan is verified, the bids clear, every unit-hour is redeemed where it is owed."""
    fair, end_hour = loop.fair, loop.first_hour + HOURS
    wanted = sum(row.units * row.hours for row in loop.rows)
    fair.new_round()
    # Enough for all of it, and so little more that all three sites are needed.
    share = -(-wanted * 115 // (100 * HOURS * len(loop.sites)))
    for site, (signer, _, tick) in zip(loop.sites, PROVIDERS, strict=True):
        for hour in range(loop.first_hour, end_hour):
            fair.market.offer(site, loop.product(hour), share, tick=tick).send(signer)
    fair.refresh()
    jobs = [
        JobSpec(row.name, ComputeClass.GENERAL, row.units, row.hours, loop.first_hour, end_hour, LIMIT_MICRO)
        for row in loop.rows
    ]
    store = FolderJobs(loop.folder)
    hashes = {place: store.put_document(row.document.encode()) for place, row in enumerate(loop.rows)}
    campaigns = fair.campaigns()
    preview = campaigns.desk.preview(jobs, BUYER.address)
    assert preview.verified
    assert (preview.refusals, preview.left, preview.unit_hours) == ((), (), wanted)
    campaign = campaigns.start(jobs, BUYER.address, hashes=hashes)
    assert campaign.advance(BUYER).phase is Phase.BUYING
    fair.end_round()
    while len(campaign.state().steps) < len(campaign.advance(BUYER).steps):
        # It takes so many steps at once and no more.
        continue
    state = campaign.state()
    assert [job.running for job in state.jobs] == [row.units * row.hours for row in loop.rows], state.note
    assert state.unused_units == 0
    return campaign


def wake(loop: Loop, cluster: Cluster) -> None:
    """The agents, each a process with its provider's key."""
    for site, (_, key, _) in zip(loop.sites, PROVIDERS, strict=True):
        command = [sys.executable, "-m", "tests.provider", loop.fair.url, str(loop.folder), str(site), str(key)]
        command += [str(cluster.config)] if site == loop.sites[-1] else []
        log = loop.folder / f"agent-{site}.log"
        loop.agents[site] = loop.services.start(Service("agent", command, log), (database(loop, site)).exists)


def database(loop: Loop, site: int) -> Path:
    return folder_of(loop.folder, site) / "agent.db"


def run_hour(loop: Loop, hour: int, leases: Sequence[Lease]) -> None:
    """The hour begins, its jobs run to their end, and then it is over; in the second hour one agent is killed while its
    jobs run."""
    loop.reach(hour)
    if hour == loop.first_hour + 1:
        doomed = [one for one in leases if one.site == loop.doomed]
        assert doomed
        # What has begun may have ended before this looks: it is not reported before the hour is over.
        loop.wait_for(lambda: set(jobs_of(loop, doomed)) != {Job.WANTED}, "a job at the site whose agent dies")
        kill(loop.agents[loop.doomed])
    served = [one for one in leases if loop.agents[one.site].alive]
    loop.wait_for(lambda: set(jobs_of(loop, served)) <= {Job.ENDED}, f"the jobs of hour {hour}")
    loop.reach(hour + 1)
    waiting = list(served)

    def all_reported() -> bool:
        waiting[:] = [one for one in waiting if loop.delivery.lease(one.lease).state is not LeaseState.REPORTED]
        return not waiting

    loop.wait_for(all_reported, f"the reports of hour {hour}")
    together(loop, [loop.delivery.accept(one.lease).call for one in served])


def jobs_of(loop: Loop, leases: Sequence[Lease]) -> list[Job]:
    """How far the runs of these leases are, as their agents noted it."""
    found = []
    for site in {one.site for one in leases}:
        store: Store = open_store(database_of(loop.folder, site))
        book = AgentBook(store)
        found += [work.job for one in leases if one.site == site for work in book.find(one.lease)]
        store.close()
    assert len(found) <= len(leases)
    return found + [Job.WANTED] * (len(leases) - len(found))


def together(loop: Loop, calls: Sequence[ledger.Call]) -> None:
    sender = loop.fair.market.sender
    sender.wait_all(sender.submit_many([(call, BUYER) for call in calls]))


def check_money(loop: Loop, campaign: Campaign, leases: Sequence[Lease], failed: set[int]) -> None:
    """Each lease ended as it should, and the buyer's cash is what was paid at the clearing and came back."""
    ended = {one["lease"]: one for one in loop.fair.market.history() if one.name == "Resolved"}
    assert set(ended) == {lease.lease for lease in leases}
    for lease in leases:
        end = ended[lease.lease]
        dead = lease.site == loop.doomed and Product.from_id(lease.product).start_hour > loop.first_hour
        assert (lease.lease in failed) == dead
        full_milli = lease.units * MILLI_PER_UNIT
        said = (Reason(end["reason"]), end["deliveredMilli"], end["toProviderMicro"], end["toHolderMicro"])
        paid = (Reason.ACCEPTED, full_milli, lease.bond_micro, 0)
        assert said == ((Reason.UNREPORTED, 0, 0, lease.bond_micro) if dead else paid)
    state = campaign.advance(BUYER)
    assert state.phase is Phase.ENDED, state.note
    assert sum(job.delivered + job.failed for job in state.jobs) == sum(job.wanted for job in state.jobs)
    assert state.refunded_micro == sum(lease.bond_micro for lease in leases if lease.lease in failed) > 0
    now_micro = loop.fair.market.cash_micro(BUYER.address)
    assert now_micro == loop.cash_micro - state.spent_micro + state.refunded_micro


def check_results(loop: Loop, campaign: Campaign, failed: set[int]) -> None:
    """Each job that was paid for gave its own answer, once a lease, and its readings are in the tree on chain."""
    roots = {one["lease"]: one["usageRoot"] for one in loop.fair.market.history() if one.name == "Reported"}
    store = FolderJobs(loop.folder)
    delivered = 0
    for row, job in zip(loop.rows, campaign.state().jobs, strict=True):
        for lease in set(job.leases) - failed:
            said = store.result(lease)
            assert (said["exit_code"], said["log"]) == (0, f"{row.answer}\n")
            assert b64decode(said["files"]["answer"]).decode().strip() == row.answer
            readings = [read_reading(one) for one in said["readings"]]
            assert usage_root(readings) == roots[lease]
            assert sum(one.wall_ms for one in readings) > 0
            delivered += 1
    assert delivered + len(failed) >= JOBS
