"""The audit: the independent model alone, the proof of receipts alone, and a whole audit of the same market.

What one core does is measured in seconds of the processor that this process was given, so that a busy machine does not
change the figure; a whole audit waits for its node, and is measured by the clock.
"""

import time
from collections.abc import Iterator
from itertools import islice

from ledger.audit.checks import entries_of, new_replay
from ledger.audit.headers import Headers
from ledger.audit.run import run_audit
from ledger.market import Market
from tests.bench.figures import Figure
from tests.bench.indexing import play
from tests.world import World, world_on

EVENTS = 12_000
FULL_BLOCKS, PER_BLOCK = 20, 200


def figures() -> Iterator[Figure]:
    """Events and receipts a second."""
    with world_on("anvil") as world:
        play(world, EVENTS)
        yield Figure("audit: replay by the model, a core", replayed(world.market), "events/s", 50_000)
        first, last = full_blocks(world)
        yield Figure("audit: receipts with their roots, a core", proven(world.market, first, last), "receipts/s", 5_000)
        began = time.perf_counter()
        report, _ = run_audit(world.market)
        took_s = time.perf_counter() - began
        assert report.clean, report.findings[:3]
        note = f"{report.events:,} events, {report.words_proven:,} words proven, {took_s:.0f} s"
        yield Figure("audit: everything, by the clock", report.events / took_s, "events/s", note=note)


def replayed(market: Market) -> float:
    """Events a second of processor time through the model's books."""
    entries = list(entries_of(market))
    books = new_replay(market.deployment)
    began = time.process_time()
    books.run(entries)
    took_s = time.process_time() - began
    assert not books.findings, books.findings[:3]
    return len(entries) / took_s


def full_blocks(world: World) -> tuple[int, int]:
    """Makes some blocks full of bids, a transaction each; gives the first and the last."""
    market, chain, product = world.market, world.chain, world.product(1)
    world.new_round()
    chain.request("evm_setAutomine", False)
    first = chain.block().number + 1
    for number in range(FULL_BLOCKS):
        calls = [market.bid(product, 10, tick=1 + (number + place) % 200).call for place in range(PER_BLOCK)]
        sents = market.sender.submit_many([(call, world.buyer) for call in calls])
        chain.request("evm_mine")
        market.sender.wait_all(sents)
    chain.request("evm_setAutomine", True)
    return first, chain.block().number


def proven(market: Market, first: int, last: int) -> float:
    """Receipts a second of processor time: headers hashed, transactions' and receipts' roots, blooms, senders."""
    deployment, findings = market.deployment, list[object]()
    token, treasury = deployment.address("Token"), deployment.address("Treasury")
    headers = Headers(market.chain, deployment.addresses.values(), token, treasury, findings.append)
    began = time.process_time()
    receipts = sum(block.receipts for block in headers.walk(first, last))
    took_s = time.process_time() - began
    assert not findings, list(islice(findings, 3))
    return receipts / took_s
