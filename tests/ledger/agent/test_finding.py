"""A site's leases from the chain's logs, and what units come to there."""

from dataclasses import replace
from pathlib import Path

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ledger.agent import finding
from ledger.agent.executor import Capacity
from ledger.agent.finding import FORGOTTEN, Gone, Share, follow, gone, share_of
from ledger.errors import InputError
from ledger.model import Site
from ledger.product import ComputeClass
from ledger.settings import Secret
from ledger.store.agent import AgentBook, LeaseWork, Stage
from ledger.store.engine import open_store
from tests.world import World

HAVE = Capacity(64, 2**40)


@given(
    st.integers(1, 64),
    st.none() | st.integers(0, 64),
    st.lists(st.integers(1, 2_000), min_size=1, max_size=20),
    st.integers(0, 2_000),
)
def test_leases_together_have_no_more_than_the_site(
    devices: int, gpus: int | None, leased: list[int], free: int
) -> None:
    attested, count = sum(leased) + free, devices if gpus is None else gpus
    site = Site(1, "", "H100", devices, ComputeClass.AI_LARGE, 1, attested_units=attested)
    shares = []
    for units in leased:
        # Less than a GPU is refused, and nothing else is.
        if count and units * count < attested:
            with pytest.raises(InputError, match="less than one H100 of site 1"):
                share_of(site, units, HAVE, gpus)
            continue
        share = share_of(site, units, HAVE, gpus)
        assert share.devices * attested <= units * devices < (share.devices + 1) * attested
        assert share.gpus * attested <= units * count < (share.gpus + 1) * attested
        assert bool(share.gpus) == bool(count)
        assert share.cpus == max(1, HAVE.cpus * units // attested)
        shares.append(share)
    assert sum(share.gpus for share in shares) <= count
    assert sum(share.memory_bytes for share in shares) <= HAVE.memory_bytes


def test_units_of_general_are_processors_with_their_memory() -> None:
    site = Site(1, "", "vCPU", 64, ComputeClass.GENERAL, 1, attested_units=64)
    assert share_of(site, 3, HAVE) == Share(3, 3, 12 * 10**9)


def test_the_least_that_a_refusal_names_is_the_least_that_is_served() -> None:
    site = Site(3, "", "A100", 8, ComputeClass.AI_LARGE, 1, attested_units=2_750)
    with pytest.raises(InputError, match="343 units are less than one A100 of site 3, which counts 344 units"):
        share_of(site, 343, HAVE)
    assert share_of(site, 344, HAVE).gpus == 1
    assert share_of(site, 343, HAVE, gpus=0) == Share(0, 7, 2**40 * 343 // 2_750, 0)


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


# ---- what became of them


def followed(world: World, folder: Path, lease: int) -> LeaseWork:
    """The lease as an agent notes it."""
    store = open_store(Secret(f"sqlite:///{folder / 'a.db'}"))
    try:
        book = AgentBook(store)
        follow(world.delivery, world.delivery.lease(lease).site, book, world.chain.block().number)
        [work] = book.find(lease)
    finally:
        store.close()
    return work


def test_a_lease_that_is_not_to_be_served_is_told_from_one_that_is(anvil_world: World, tmp_path: Path) -> None:
    world = anvil_world
    lease, product = world.lease(10)
    work = followed(world, tmp_path, lease)
    begun, absent = replace(work, started_s=product.start_s), replace(work, lease=99_999)
    assert gone(world.delivery, [work]) == {}
    # One that the chain does not have does not hide the others.
    assert gone(world.delivery, [absent, work]) == {99_999: Gone(Stage.FORGOTTEN, FORGOTTEN)}
    for other in (replace(work, units=9), replace(work, holder=world.seller.address), replace(work, site=1)):
        assert gone(world.delivery, [other])[lease].stage is Stage.GONE
    world.clock.go_to(product.start_s)
    world.delivery.report(lease, 10_000).send(world.provider)
    assert gone(world.delivery, [work]) == {lease: Gone(Stage.REPORTED, "it is reported already")}
    assert gone(world.delivery, [begun]) == {}
    world.delivery.dispute(lease, b"\x01" * 32).send(world.buyer)
    assert gone(world.delivery, [begun]) == {lease: Gone(Stage.REPORTED, "it is disputed")}
    accepted, later = world.lease(10)
    begun = replace(followed(world, tmp_path, accepted), started_s=later.start_s)
    world.clock.go_to(later.start_s)
    world.delivery.report(accepted, 10_000).send(world.provider)
    world.delivery.accept(accepted).send(world.buyer)
    assert gone(world.delivery, [begun]) == {accepted: Gone(Stage.REPORTED, "it has ended")}


@pytest.mark.parametrize("delivered_milli", [0, 1])
def test_a_lease_that_was_given_up_is_gone_whatever_is_left_of_it(
    anvil_world: World, tmp_path: Path, delivered_milli: int
) -> None:
    world = anvil_world
    lease, product = world.lease(10)
    begun = replace(followed(world, tmp_path, lease), started_s=product.start_s)
    world.clock.go_to(product.start_s + 1_800)
    world.delivery.abort(lease, delivered_milli).send(world.provider)
    assert gone(world.delivery, [begun]) == {lease: Gone(Stage.REPORTED, "it was given up")}
