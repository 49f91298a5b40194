"""A backfill of a market's history from a local node, beside a loop that fetches the same logs and drops them."""

import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from ledger import Market
from ledger.history.index import Index
from ledger.keys import Signer, signer_from_mnemonic
from ledger.model import Kind
from ledger.node import DEVELOPMENT_MNEMONIC
from ledger.orders import OrderTerms
from ledger.settings import Secret
from ledger.store.engine import open_store
from tests.bench.figures import Figure
from tests.world import World, world_on

EVENTS = 100_000
_AT_ONCE = 150
_BLOCKS_AT_ONCE = 20
_PEOPLE = 8
_ORDERS_EACH = 80
_FUNDS_MICRO = 10**12


def figures() -> Iterator[Figure]:
    """Events a second. Both ways ask for the same ranges; the index writes to a file, as it always does."""
    with world_on("anvil") as world:
        play(world, EVENTS)
        before = fetch_and_discard(world.market, _BLOCKS_AT_ONCE)
        with tempfile.TemporaryDirectory() as folder:
            index = Index(world.market, open_store(Secret(f"sqlite:///{Path(folder, 'ledger.db')}")))
            began, worked_s = time.perf_counter(), time.process_time()
            for _ in index.advance():
                pass
            took_s, worked_s = time.perf_counter() - began, time.process_time() - worked_s
            index.history.store.close()
        # Others' work on the machine harms both ways: the loop is timed before and after, and the mean time counts.
        fetched = 2 / (1 / before + 1 / fetch_and_discard(world.market, _BLOCKS_AT_ONCE))
        rate = index.head.events / took_s
        yield Figure("index a backfill", rate, "events/s", 10_000, yardstick=fetched, beside="fetched and dropped")
        note = f"{1e6 * worked_s / index.head.events:.0f} µs of processor time an event"
        yield Figure("index a backfill, share of fetching", 100 * rate / fetched, "%", 60, note=note)


def fetch_and_discard(market: Market, blocks: int) -> float:
    """Logs a second of a loop that only asks for them."""
    chain, deployment = market.chain, market.deployment
    addresses = [address for name, address in deployment.addresses.items() if name != "Token"]
    first, last, logs = deployment.block, chain.block().number, 0
    began = time.perf_counter()
    while first <= last:
        end = min(last, first + blocks - 1)
        wanted = {"address": addresses, "fromBlock": hex(first), "toBlock": hex(end)}
        logs += len(chain.request("eth_getLogs", wanted))
        first = end + 1
    return logs / (time.perf_counter() - began)


def play(world: World, events: int) -> None:
    """Rounds of an offer and 80 signed bids of each of a few people, relayed, cleared and settled, and of transfers
    among them, until so many events were said; then blocks enough that all of them are final."""
    people = [signer_from_mnemonic(Secret(DEVELOPMENT_MNEMONIC), number) for number in range(5, 5 + _PEOPLE)]
    for one in people:
        world.chain.request("anvil_setBalance", one.address, hex(10**21))
        world.market.mint_test_dollars(one.address, _FUNDS_MICRO).send(one)
        world.market.fund(_FUNDS_MICRO, one)
    site, said = world.site(units=1_000_000), 0
    while said < events:
        said += _round(world, site, people)
    world.chain.request("anvil_mine", hex(70))


def _round(world: World, site: int, people: list[Signer]) -> int:
    market, product, round_ = world.market, world.product(1), world.new_round()
    market.offer(site, product, 10 * _ORDERS_EACH * len(people), tick=300).send(world.provider)
    orders = [
        market.signed(OrderTerms(one.address, Kind.BID, product, 300 + number % 50, 10, round_, index=number), one)
        for number in range(_ORDERS_EACH)
        for one in people
    ]
    for start in range(0, len(orders), _AT_ONCE):
        market.place_signed(orders[start : start + _AT_ONCE]).send(world.stranger)
    world.clock.go_to(market.round_end_s(round_))
    market.clear(product, round_).send(world.stranger)
    slots = range(len(orders) + 1)
    for start in range(0, len(slots), _AT_ONCE):
        market.settle(product, round_, slots[start : start + _AT_ONCE]).send(world.stranger)
    for giver, taker in pairwise(people):
        market.transfer(product, 1, giver.address, taker.address).send(giver)
    return 2 * len(orders)
