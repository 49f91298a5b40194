"""A leased job on a real Slurm cluster whose node dies in mid-window: what ran is paid, the rest comes back at once."""

import time
from pathlib import Path

import pytest

from ledger import Grade, LeaseState, Product, Tier
from ledger.agent.executor import RunState
from ledger.agent.readings import read_reading
from ledger.agent.slurm import SlurmExecutor
from ledger.product import ComputeClass
from ledger.standard import VCPU
from ledger.store.agent import Job, Stage
from ledger.units import MILLI_PER_UNIT, SECONDS_PER_HOUR
from tests.ledger.agent.stand import Stand
from tests.slurm import WAIT_S_MAX, Cluster
from tests.world import VIRGINIA, World, world_on

UNITS, FULL_MILLI = 4, 4 * MILLI_PER_UNIT


def general_site(world: World) -> int:
    """A site of processors, attested."""
    site = world.market.register_site(VCPU, 16, ComputeClass.GENERAL, VIRGINIA).send(world.provider).value
    valid_until_s = world.chain.time_s() + 400 * 24 * SECONDS_PER_HOUR
    world.market.attest(site, 16, Grade.PREMIUM, b"\x01" * 32, valid_until_s).send(world.admin)
    return site


def leased(stand: Stand, script: str) -> tuple[int, Product]:
    """Units of an hour, bought in the market and redeemed for a job."""
    start_hour = stand.world.chain.time_s() // SECONDS_PER_HOUR + 48
    product = Product(ComputeClass.GENERAL, Tier.METRO, VIRGINIA, Grade.STANDARD, start_hour, 1)
    stand.world.sell(stand.site, product, UNITS)
    redeemed = stand.world.delivery.redeem(product, stand.site, UNITS, stand.job(script))
    return redeemed.send(stand.world.buyer).value, product


def until(stand: Stand, lease: int, state: RunState) -> None:
    """Until the executor says so of the lease's run."""
    deadline = time.monotonic() + WAIT_S_MAX
    while (progress := stand.executor.poll(stand.work(lease).handle)).state is not state:
        assert time.monotonic() < deadline, f"waited for {state}: {progress}"
        time.sleep(0.1)


@pytest.mark.slow
def test_a_node_that_dies_in_mid_window_is_partly_paid_and_the_rest_refunded(
    slurm_cluster: Cluster, tmp_path: Path
) -> None:
    with world_on("tester") as world:
        executor = SlurmExecutor(config=slurm_cluster.config)
        stand = Stand(world, tmp_path, general_site(world), tmp_path / "agent.db", executor=executor)
        stand.wake()
        try:
            lost_at_half(stand, slurm_cluster)
        finally:
            slurm_cluster.return_node()
            stand.sleep()


def lost_at_half(stand: Stand, cluster: Cluster) -> None:
    world = stand.world
    lease, product = leased(stand, "echo begun; sleep 3000")
    bond_micro = stand.on_chain(lease).bond_micro
    held_micro, earned_micro = (world.market.cash_micro(one.address) for one in (world.buyer, world.provider))
    stand.tick(product.start_s - 10)
    stand.tick(product.start_s)
    until(stand, lease, RunState.RUNNING)
    assert "NumCPUs=4" in cluster.tell("scontrol", "show", "job", stand.work(lease).handle.split(":")[1])
    assert stand.tick(product.start_s + 1_800).troubles == ()
    cluster.lose_node()
    # Slurm has not seen it yet: nobody knows better, and nothing is claimed that nobody saw.
    until(stand, lease, RunState.LOST)
    assert stand.tick(product.start_s + 2_700).troubles == ()
    found = stand.on_chain(lease)
    assert (found.state, found.delivered_milli) == (LeaseState.REPORTED, FULL_MILLI // 2)
    # Half of the bond came back before the window's end; the other half is paid for what ran.
    assert world.market.cash_micro(world.buyer.address) - held_micro == bond_micro - bond_micro // 2
    paid = world.delivery.accept(lease).send(world.buyer).value
    assert (paid.delivered_milli, paid.to_provider_micro) == (FULL_MILLI // 2, bond_micro // 2)
    assert world.market.cash_micro(world.provider.address) - earned_micro == bond_micro // 2
    stand.tick(product.end_s)
    work = stand.work(lease)
    assert (work.stage, work.job) == (Stage.DONE, Job.LOST)
    assert "NODE_FAIL" in work.why
    said = stand.result(lease)
    assert said["log"].endswith("begun\n")
    readings = [read_reading(one) for one in said["readings"]]
    assert sum(one.delivered_milli * (one.to_s - one.from_s) for one in readings) == 1_800 * FULL_MILLI
