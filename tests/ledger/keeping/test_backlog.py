"""What there is to do is what the chain would let anyone do, no more and no less."""

from collections.abc import Iterator

import pytest

from ledger.history.index import Index
from ledger.keeping.backlog import Backlog
from ledger.keeping.tasks import Job, Task
from ledger.store.engine import IN_MEMORY, Store, open_store
from ledger.store.relay import RelayQueue
from tests.world import World, world_on


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with world_on("anvil") as world:
        yield world


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    store = open_store(IN_MEMORY)
    yield store
    store.close()


def tasks(world: World, store: Store, backlog: Backlog, most: int = 100) -> list[Task]:
    list(Index(world.market, store).advance())
    return list(backlog.tasks(world.chain.time_s(), most))


def test_backlog_follows_a_round_from_its_end_to_its_last_order(world: World, store: Store) -> None:
    market, product, site = world.market, world.product(), world.site()
    backlog = Backlog(market, RelayQueue(store), "me")
    round_ = world.new_round()
    market.offer(site, product, 100, tick=400).send(world.provider)
    for _ in range(4):
        market.bid(product, 10, tick=400).send(world.buyer)
    assert tasks(world, store, backlog) == []
    world.clock.go_to(market.round_end_s(round_))
    [clear] = tasks(world, store, backlog)
    assert (clear.job, clear.due_s) == (Job.CLEAR, market.round_end_s(round_))
    market.sender.send(clear.call, world.stranger)
    [settle] = tasks(world, store, backlog)
    assert (settle.job, settle.size) == (Job.SETTLE, 5)
    whole = settle.key
    assert backlog.halve(settle)
    halves = tasks(world, store, backlog)
    assert sorted(one.size for one in halves) == [2, 3]
    assert whole not in {one.key for one in halves}
    for one in halves:
        assert backlog.halve(one)
    quarters = tasks(world, store, backlog)
    assert sorted(one.size for one in quarters) == [1, 1, 1, 2]
    single = next(one for one in quarters if one.size == 1)
    assert not backlog.halve(single), "one order cannot be halved"
    for one in quarters:
        market.sender.send(one.call, world.stranger)
    assert tasks(world, store, backlog) == []
    assert market.orders(product, waiting=True) == []


def test_settlements_of_offers_are_smaller(world: World, store: Store) -> None:
    market, product = world.market, world.product(hours=1)
    site = world.site(units=8_000)
    round_ = world.new_round()
    for _ in range(31):
        market.offer(site, product, 10, tick=400).send(world.provider)
    world.clock.go_to(market.round_end_s(round_))
    market.clear(product, round_).send(world.stranger)
    found = tasks(world, store, Backlog(market, RelayQueue(store), "me"))
    assert sorted(one.size for one in found) == [1, 30]
    for one in found:
        market.sender.send(one.call, world.stranger)
    assert market.orders(product, waiting=True) == []
