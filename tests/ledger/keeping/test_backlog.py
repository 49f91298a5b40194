"""What there is to do is what the chain would let anyone do, no more and no less."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from ledger.history.index import Index
from ledger.keeping.backlog import Backlog
from ledger.keeping.relays import RelayDesk
from ledger.keeping.tasks import Job, Task
from ledger.model import Kind
from ledger.orders import OrderTerms, SignedOrder
from ledger.rpc import message_of
from ledger.store.engine import IN_MEMORY, Store, open_store
from ledger.store.relay import RelayQueue, Stage
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


def test_few_of_the_orders_that_contracts_sign_leave_at_once_and_burners_wait(world: World) -> None:
    with closing(open_store(IN_MEMORY)) as store:
        market, queue, product = world.market, RelayQueue(store), world.product()
        round_ = world.new_round()
        owner = "0x00000000000000000000000000000000000C0De2"
        # Says yes to whatever it is asked.
        world.chain.request("anvil_setCode", owner, "0x631626ba7e60e01b60005260206000f3")
        market.mint_test_dollars(owner, 10**12).send(world.stranger)
        world.chain.request("anvil_impersonateAccount", owner)
        world.chain.request("anvil_setBalance", owner, hex(10**18))
        for call in (
            market.call("Token", "approve", market.address("Treasury"), 10**12),
            market.call("Treasury", "deposit", 10**12),
        ):
            world.chain.request("eth_sendTransaction", message_of(call, owner) | {"gas": hex(500_000)})
        orders = [
            SignedOrder(OrderTerms(owner, Kind.BID, product, 400, 10, round_, index), b"yes") for index in range(20)
        ]
        queued = RelayDesk(market, queue).accept(orders, 1)
        backlog, now_s = Backlog(market, queue, world.stranger.address), world.chain.time_s()
        [first], refused = backlog.relays(now_s, 100)
        assert (first.numbers, refused) == (tuple(one.number for one in queued[:12]), {})
        queue.claim({first.key: first.numbers})
        [second], _ = backlog.relays(now_s, 100)
        assert second.numbers == tuple(one.number for one in queued[12:]), "the rest is held, and has its turn"
        backlog.burnt(queued[:1], now_s)
        assert backlog.relays(now_s, 100) == ([], {})
        assert queue.counts()[Stage.QUEUED] == 8, "they wait"
