"""A site's leases from the chain's logs, and what units come to there."""

from pathlib import Path

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ledger.agent import finding
from ledger.agent.finding import Share, follow, share_of
from ledger.model import Site
from ledger.product import ComputeClass
from ledger.settings import Secret
from ledger.store.agent import AgentBook
from ledger.store.engine import open_store
from tests.world import World


@given(st.integers(1, 64), st.integers(1, 100_000), st.integers(1, 10_000))
def test_devices_are_as_many_as_the_units_are_a_part_of(devices: int, attested: int, units: int) -> None:
    share = share_of(Site(1, "", "H100", devices, ComputeClass.AI_LARGE, 1, attested_units=attested), units)
    assert (share.devices - 1) * attested < units * devices <= share.devices * attested
    assert (share.gpus, share.cpus, share.memory_bytes) == (share.devices, 0, 0)


def test_units_of_general_are_processors_with_their_memory() -> None:
    site = Site(1, "", "vCPU", 64, ComputeClass.GENERAL, 1, attested_units=64)
    assert share_of(site, 3) == Share(3, 3, 12 * 10**9)
    assert share_of(Site(1, "", "H100", 8, ComputeClass.HPC, 1), 5) == Share(1, gpus=1)


def test_only_the_sites_own_leases_are_found_each_once(
    anvil_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = anvil_world
    store = open_store(Secret(f"sqlite:///{tmp_path / 'a.db'}"))
    book = AgentBook(store)
    monkeypatch.setattr(finding, "BLOCKS_AT_ONCE", 7)
    first, product = world.lease(10)
    site = world.delivery.lease(first).site
    other, _ = world.lease(10)
    assert follow(world.delivery, site, book, world.chain.block().number) == []
    [work] = book.works(site)
    assert (work.lease, work.job_hash, work.units, work.holder) == (first, keccak(b"job"), 10, world.buyer.address)
    assert (work.product, work.from_s, work.at_s) == (product.id, product.start_s, product.start_s)
    assert book.find(other) == []
    cursor = book.cursor(site)
    assert cursor is not None
    assert cursor <= world.chain.block().number
    assert follow(world.delivery, site, book, world.chain.block().number) == []
    assert book.works(site) == [work]
    store.close()


def test_a_lease_in_a_block_that_was_replaced_is_forgotten(anvil_world: World, tmp_path: Path) -> None:
    world = anvil_world
    store = open_store(Secret(f"sqlite:///{tmp_path / 'a.db'}"))
    book = AgentBook(store)
    site, product = world.site(), world.product(1)
    world.sell(site, product, 10)
    snapshot = world.chain.request("evm_snapshot")
    lease = world.delivery.redeem(product, site, 10, b"job").send(world.buyer).value
    follow(world.delivery, site, book, world.chain.block().number)
    assert [one.lease for one in book.works(site)] == [lease]
    world.chain.request("evm_revert", snapshot)
    [gone] = follow(world.delivery, site, book, world.chain.block().number)
    assert gone.lease == lease
    assert book.works(site) == []
    store.close()
