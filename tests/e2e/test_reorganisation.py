"""Drill 2: a node replaces blocks. The tables equal a rebuild from scratch, or everything stops aloud."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from ledger import Delivery, Market, Sender
from ledger.errors import HistoryBroken
from ledger.history.index import Index, Reorg
from ledger.product import Product
from ledger.settings import Secret
from ledger.store import queries
from ledger.store.engine import IN_MEMORY, Store, open_store
from tests.indexed import Dump, dump
from tests.world import World, world_on

# What anvil calls final lies so many blocks behind its head.
FINAL_LAG = 64


@pytest.fixture
def world() -> Iterator[World]:
    """A chain of its own for each test: what is replaced there is nobody else's."""
    with world_on("anvil") as found:
        yield found


def indexed(world: World, store: Store | None = None) -> Index:
    index = Index(world.market, store or open_store(IN_MEMORY))
    list(index.advance())
    return index


def rebuilt(world: World) -> Dump:
    return dump(indexed(world).history.store)


def reorganise(world: World, depth: int) -> World:
    """Replaces the last `depth` blocks by empty ones; the same world, with a sender that does not send again what was
    in them."""
    world.chain.request("anvil_reorg", depth, [])
    sender, deployment = Sender(world.chain), world.market.deployment
    market, delivery = Market(world.chain, deployment, sender), Delivery(world.chain, deployment, sender)
    return replace(world, market=market, delivery=delivery)


def play(world: World, site: int, product: Product) -> None:
    """A round with all that can be undone in it: orders, a clearing, fills, units, money, a lease, a report."""
    world.sell(site, product, 50)
    world.delivery.redeem(product, site, 20, b"job").send(world.buyer)
    world.market.transfer(product, 12, world.buyer.address, world.seller.address).send(world.buyer)
    world.market.ask(product, 10, tick=300).send(world.seller)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    url: Secret = IN_MEMORY if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.mark.parametrize("depth", [1, 5, 12])
def test_replaced_blocks_leave_no_trace(world: World, store: Store, depth: int) -> None:
    site, product = world.site(), world.product()
    index = indexed(world, store)
    before = index.head.block
    play(world, site, product)
    list(index.advance())
    assert queries.fills(index.history.store)
    head = index.head.block
    assert head - before >= 8
    world = reorganise(world, depth)
    changes = list(index.advance())
    assert Reorg(head - depth, head) in changes
    assert dump(index.history.store) == rebuilt(world)
    assert index.head.hash == world.chain.block().hash
    # The market goes on where it was left, and the history with it.
    play(world, world.site(), world.product())
    list(index.advance())
    assert dump(index.history.store) == rebuilt(world)


def test_what_was_replaced_while_nobody_looked_is_found(world: World, tmp_path: Path) -> None:
    url = Secret(f"sqlite:///{tmp_path / 'ledger.db'}")
    index = indexed(world, open_store(url))
    play(world, world.site(), world.product())
    list(index.advance())
    index.history.store.close()
    world = reorganise(world, 7)
    play(world, world.site(), world.product())
    again = indexed(world, open_store(url))
    assert dump(again.history.store) == rebuilt(world)


def test_what_was_final_and_is_replaced_stops_everything(world: World) -> None:
    index = indexed(world)
    world.chain.request("anvil_mine", hex(FINAL_LAG + 10))
    list(index.advance())
    before = dump(index.history.store)
    assert index.head.finalized == index.head.block - FINAL_LAG
    reorganise(world, FINAL_LAG + 5)
    for _ in range(2):
        with pytest.raises(HistoryBroken):
            list(index.advance())
    assert dump(index.history.store) == before
    index.rebuild()
    list(index.advance())
    assert dump(index.history.store) == rebuilt(world)


def test_beyond_the_window_stops_everything(world: World) -> None:
    """Where nothing is called final for long, what lies further back than the window counts as final."""
    index = Index(world.market, open_store(IN_MEMORY), window=4)
    list(index.advance())
    reorganise(world, 6)
    with pytest.raises(HistoryBroken):
        list(index.advance())


@pytest.mark.parametrize("seed", range(8))
def test_any_mixture_ends_as_a_rebuild(world: World, seed: int) -> None:
    """Actions, reorganisations of any depth and looks of the index in any order; the seed is the test's name."""
    random = Random(seed)
    # No reorganisation reaches down to where people got their money.
    world.chain.request("anvil_mine", hex(15))
    site, product = world.site(), world.product()
    index = indexed(world)
    for _ in range(12):
        match random.choice(("play", "bid", "replace", "look", "look")):
            case "play":
                product = world.product()
                site = world.site()
                play(world, site, product)
            case "bid":
                world.market.bid(product, random.randint(10, 90), tick=random.randint(1, 500)).send(world.buyer)
            case "replace":
                world = reorganise(world, random.randint(1, 15))
                site, product = world.site(), world.product()
            case _:
                list(index.advance(random.choice((None, 1, 3))))
    list(index.advance())
    assert dump(index.history.store) == rebuilt(world)
