"""A site's leases from the chain's logs, and what units come to there."""

import os
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


@given(st.integers(1, 64), st.lists(st.integers(1, 2_000), min_size=1, max_size=20), st.integers(0, 2_000))
def test_leases_together_have_no_more_than_the_site(devices: int, leased: list[int], free: int) -> None:
    attested, cpus, memory_bytes = sum(leased) + free, 64, 2**40
    site = Site(1, "", "H100", devices, ComputeClass.AI_LARGE, 1, attested_units=attested)
    shares = [share_of(site, units, cpus, memory_bytes) for units in leased]
    assert sum(share.gpus for share in shares) <= devices
    assert sum(share.memory_bytes for share in shares) <= memory_bytes
    for share, units in zip(shares, leased, strict=True):
        assert share.devices * attested <= units * devices < (share.devices + 1) * attested
        assert share.gpus == share.devices
        assert share.cpus == max(1, cpus * units // attested)


def test_units_of_general_are_processors_with_their_memory() -> None:
    site = Site(1, "", "vCPU", 64, ComputeClass.GENERAL, 1, attested_units=64)
    assert share_of(site, 3) == Share(3, 3, 12 * 10**9)


def test_a_lease_below_a_device_has_none_and_its_part_of_this_machine() -> None:
    site = Site(1, "", "H100", 8, ComputeClass.HPC, 1, attested_units=8_000)
    found = share_of(site, 999)
    assert (found.devices, found.gpus, found.cpus) == (0, 0, max(1, len(os.sched_getaffinity(0)) * 999 // 8_000))
    assert 0 < found.memory_bytes < share_of(site, 8_000).memory_bytes
    assert share_of(site, 1_000).gpus == 1


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
