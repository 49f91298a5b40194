"""Streams are told every block once, what was replaced, and where to go on."""

import asyncio
import json
from collections.abc import Iterator

import pytest

from api.feed import REPLAYED_MAX, Feed, Listener, News
from ledger import IN_MEMORY, Index, Store, open_store
from tests.world import World, world_on


@pytest.fixture
def world() -> Iterator[World]:
    """One of its own: its blocks are replaced."""
    with world_on("anvil") as found:
        yield found


@pytest.fixture
def store() -> Iterator[Store]:
    found = open_store(IN_MEMORY)
    yield found
    found.close()


def heard(feed: Feed, acts: object) -> list[News]:
    """What a listener is told of one look, after `acts`."""

    async def listen() -> list[News]:
        listener = Listener(asyncio.get_running_loop())
        feed.listen(listener)
        await asyncio.to_thread(acts)  # type: ignore[arg-type]
        await asyncio.to_thread(feed.look)
        feed.leave(listener)
        listener.end()
        await asyncio.sleep(0.01)
        listener.ended = False
        found = []
        listener._queue.append(News("end", ""))
        async for news in listener:
            if news.name == "end":
                break
            found.append(news)
        return found

    return asyncio.run(listen())


def test_blocks_name_whom_they_touch_and_reorganisations_are_told(world: World, store: Store) -> None:
    index, feed = Index(world.market, store), Feed(store)
    list(index.advance())
    feed.look()
    assert (feed.generation, feed.head is not None) == (1, True)
    feed.look()
    assert feed.generation == 1
    product = world.product()

    def bid() -> None:
        world.market.bid(product, 50, tick=300).send(world.buyer)
        list(index.advance())

    news = heard(feed, bid)
    [block] = [json.loads(one.data) for one in news if one.name == "block"]
    head = world.chain.block()
    assert (block["block"], block["block_hash"], block["products"]) == (head.number, head.hash, [product.code])
    assert world.buyer.address in block["accounts"]
    assert news[-1].place == f"{head.number}:{head.hash}"

    def replace() -> None:
        world.chain.request("anvil_reorg", 1, [])
        list(index.advance())

    news = heard(feed, replace)
    assert news[0].name == "reorg"
    assert json.loads(news[0].data)["from_block"] <= head.number
    assert feed.generation == 3
    fresh = world.chain.block()
    assert feed.head is not None
    assert feed.since(head.number, head.hash, feed.head)[0].name == "reorg"
    assert feed.since(fresh.number, fresh.hash, feed.head) == []
    missed = feed.since(fresh.number - 2, world.chain.block(fresh.number - 2).hash, feed.head)
    assert [json.loads(one.data)["block"] for one in missed] == [fresh.number - 1, fresh.number]
    assert feed.since(10**9, "0x", feed.head)[0].name == "reorg"


def test_a_stream_that_is_too_slow_is_ended() -> None:
    async def flood() -> bool:
        listener = Listener(asyncio.get_running_loop())
        for _ in range(3):
            listener.give([News("block", "{}")] * (REPLAYED_MAX + 1))
        await asyncio.sleep(0.01)
        return listener.ended and not listener._queue

    assert asyncio.run(flood())


def test_a_place_is_free_where_nobody_takes_what_comes(world: World, store: Store) -> None:
    index, feed = Index(world.market, store), Feed(store)
    list(index.advance())
    feed.look()

    async def listen() -> list[int]:
        stuck, good = (Listener(asyncio.get_running_loop(), address) for address in ("1.1.1.1", "1.1.1.2"))
        for one in (stuck, good, Listener(asyncio.get_running_loop(), "1.1.1.1")):
            feed.listen(one)
        before = feed.listeners_at("1.1.1.1")
        stuck.give([News("block", "{}")] * (REPLAYED_MAX + 1))
        await asyncio.sleep(0.01)
        await asyncio.to_thread(feed.look)
        return [before, feed.listeners_at("1.1.1.1"), feed.listeners_at("1.1.1.2")]

    world.market.bid(world.product(), 10, tick=100).send(world.buyer)
    list(index.advance())
    assert asyncio.run(listen()) == [2, 1, 1]


def test_close_ends_every_stream() -> None:
    async def run() -> list[News]:
        feed = Feed(open_store(IN_MEMORY))
        listener = Listener(asyncio.get_running_loop())
        feed.listen(listener)
        assert feed.listeners == 1
        await asyncio.to_thread(feed.close)
        return [one async for one in listener]

    assert asyncio.run(run()) == []
