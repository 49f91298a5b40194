"""Signed orders from a queue to their settlement in the index, end to end: verify, relay, clear, settle, index.

A feeder in a process of its own verifies and queues orders that were signed beforehand; a keeper with several keys does
the rest. All of it shares this machine with the node.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from ledger.artifacts import MarketTerms, load_deployment
from ledger.chain import Chain, connect
from ledger.deployment import deploy, seed_standard
from ledger.errors import Reverted
from ledger.history.index import Index
from ledger.keeping.keeper import Keeper, KeeperLimits
from ledger.keeping.relays import RelayDesk
from ledger.keeping.tasks import Job
from ledger.keys import Signer, signer_from_mnemonic
from ledger.market import Market
from ledger.model import Kind
from ledger.node import DEVELOPMENT_MNEMONIC, local_node
from ledger.orders import OrderTerms, signed_order
from ledger.product import Grade, Product, Tier
from ledger.sending.sender import Sender
from ledger.settings import Secret
from ledger.store.engine import Store, open_store
from ledger.store.relay import RelayQueue
from ledger.units import MICRO_PER_USD, SECONDS_PER_HOUR
from tests.bench.figures import Figure
from tests.world import H100, START_S, VIRGINIA

ROUND_S = 8
PRODUCTS = 4
PER_OWNER = 80
KEYS = 6
# The first accounts: whoever deploys, the provider, the keeper's keys; then the owners.
_FIRST_KEEPER, _FIRST_OWNER = 2, 2 + KEYS
_BLOCK_GAS = 400_000_000
_CASH_MICRO = 10_000 * MICRO_PER_USD
_FEED_PART = 500


def figures() -> Iterator[Figure]:
    """Orders settled and indexed per second, while they come at 1,700 a second for a minute.

    The clock runs until the last round is settled, some three seconds after its end: a block for its end, one for its
    clearing, one for its settlement. So what comes at 1,500 a second cannot be settled at 1,500 by this count.
    """
    found = settle(owners=170, rounds=8)
    yield Figure("signed orders, queue to index", found["orders_per_s"], "/s", 1_500, note=_note(found))


def _note(found: dict[str, float]) -> str:
    parts = [f"{name.removesuffix('_ms')} {found[name]:.2f}" for name in ("feeder_ms", "keeper_ms", "node_ms")]
    return f"{found['settled']:,.0f} of {found['orders']:,.0f}; ms of processor an order: {', '.join(parts)}"


def settle(owners: int, rounds: int) -> dict[str, float]:
    """Plays rounds of `owners` × 80 orders; gives orders a second from the first round's start to the last settlement
    in the index, and how many there were. The owners' first asks, the others bid."""
    accounts, before_s = _FIRST_OWNER + owners, sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    with (
        tempfile.TemporaryDirectory(prefix="compute-ledger-bench-") as folder,
        local_node("--gas-limit", str(_BLOCK_GAS), start_s=START_S, accounts=accounts) as node,
    ):
        chain = connect(node.url)
        market = _market(chain, Path(folder), owners)
        first = market.current_round() + 3 + owners * PER_OWNER * rounds // (2_000 * ROUND_S)
        files = _signed(market, Path(folder), owners, range(first, first + rounds))
        if market.current_round() >= first:
            raise RuntimeError("signing took longer than thought")
        chain.request("evm_setAutomine", False)
        chain.request("evm_setIntervalMining", 1)
        found = _played(market, node.url, Path(folder), files, first)
    # The node is gone now, and its time counted.
    others_s = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - before_s
    per_order = 1_000 / max(found["settled"], 1)
    found["node_ms"] = (others_s - found["feeder_s"]) * per_order
    found["feeder_ms"] = found.pop("feeder_s") * per_order
    found["keeper_ms"] = found.pop("keeper_s") * per_order
    return found


def _market(chain: Chain, folder: Path, owners: int) -> Market:
    sender = Sender(chain)
    admin, provider = _account(0), _account(1)
    deployment = deploy(sender, admin, MarketTerms(round_s=ROUND_S, lead_s=ROUND_S))
    deployment.write(folder / "deployment.json")
    market = Market(chain, deployment, sender)
    seed_standard(market, sender, admin)
    money = [
        call
        for one in [provider, *(_account(_FIRST_OWNER + place) for place in range(owners))]
        for call in (
            (market.mint_test_dollars(one.address, 100 * _CASH_MICRO).call, one),
            (market.approve().call, one),
        )
    ]
    sender.wait_all(sender.submit_many(money))
    deposits = [(market.deposit(_CASH_MICRO).call, _account(_FIRST_OWNER + place)) for place in range(owners)]
    sender.wait_all(sender.submit_many(deposits))
    site = market.register_site(H100, 4_000, 1, VIRGINIA).send(provider).value
    until_s = chain.time_s() + 400 * 24 * SECONDS_PER_HOUR
    market.attest(site, 4_000_000, Grade.PREMIUM, b"\x01" * 32, until_s).send(admin)
    seller = _account(_FIRST_OWNER)
    for product in _products():
        market.mint(site, product, 200_000).send(provider)
        market.transfer(product, 200_000, provider.address, seller.address).send(provider)
    return market


def _account(index: int) -> Signer:
    return signer_from_mnemonic(Secret(DEVELOPMENT_MNEMONIC), index)


def _products() -> list[Product]:
    hour = START_S // SECONDS_PER_HOUR + 100
    return [Product(1, Tier.METRO, VIRGINIA, Grade.BASIC, hour + place, 1) for place in range(PRODUCTS)]


def _signed(market: Market, folder: Path, owners: int, rounds: Sequence[int]) -> list[Path]:
    """A file for each round with its orders, as the world outside would send them."""
    signers = [_account(_FIRST_OWNER + place) for place in range(owners)]
    products, files = _products(), []
    for round_ in rounds:
        lines = []
        for place, one in enumerate(signers):
            kind = Kind.BID if place else Kind.ASK
            for index in range(PER_OWNER):
                tick, units = 380 + (place * 7 + index) % 40, 10 if place else 100
                terms = OrderTerms(one.address, kind, products[index % PRODUCTS], tick, units, round_, index)
                lines.append(json.dumps(market.signed(terms, one).json()))
        files.append(folder / f"{round_}.jsonl")
        files[-1].write_text("\n".join(lines))
    return files


def _played(market: Market, url: str, folder: Path, files: Sequence[Path], first: int) -> dict[str, float]:
    database = f"sqlite:///{folder / 'ledger.db'}"
    store = open_store(Secret(database))
    sender = Sender(market.chain, store)
    ours = Market(market.chain, market.deployment, sender)
    keeper = Keeper(
        ours,
        store,
        Index(ours, store),
        [_account(_FIRST_KEEPER + place) for place in range(KEYS)],
        KeeperLimits(patience_s=1.5, stagger_s=0),
    )
    command = [sys.executable, "-m", "tests.bench.settle", url, str(folder), str(first)]
    feeder = subprocess.Popen(command, env=dict(os.environ))
    before_s = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    try:
        found = _kept(keeper, market, first, files)
        feeder.wait(timeout=60)
        return found | {"feeder_s": sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - before_s}
    finally:
        feeder.kill()
        feeder.wait()
        sender.close()
        store.close()


def _kept(keeper: Keeper, market: Market, first: int, files: Sequence[Path]) -> dict[str, float]:
    orders = sum(len(path.read_text().splitlines()) for path in files)
    before_s, last = 0.0, 0.0
    stop, settled, started, end_s = threading.Event(), 0, 0.0, (first + len(files) + 8) * ROUND_S
    for work in keeper.run(stop):
        if not started and work.time_s >= first * ROUND_S:
            started, before_s = time.perf_counter(), time.process_time()
        if work.done.get(Job.SETTLE):
            settled, last = settled + work.done[Job.SETTLE], time.perf_counter()
        if settled >= orders or work.time_s >= end_s:
            stop.set()
    taken, total = last - started, keeper.health().total
    return {
        "orders_per_s": settled / taken,
        "orders": orders,
        "settled": settled,
        "seconds": taken,
        "wasted": 0 if total is None else total.wasted,
        "keeper_s": time.process_time() - before_s,
    }


def feed(url: str, folder: Path, first: int) -> None:
    """Verifies and queues each round's orders, from shortly before its start on."""
    chain = connect(url)
    store: Store = open_store(Secret(f"sqlite:///{folder / 'ledger.db'}"))
    market = Market(chain, load_deployment(folder / "deployment.json"))
    desk = RelayDesk(market, RelayQueue(store))
    for path in sorted(folder.glob("*.jsonl"), key=lambda one: int(one.stem)):
        while market.current_round() < int(path.stem) - 1:
            time.sleep(0.05)
        lines = path.read_text().splitlines()
        for start in range(0, len(lines), _FEED_PART):
            part = [signed_order(json.loads(line)) for line in lines[start : start + _FEED_PART]]
            with suppress(Reverted):
                # It came too late: its round is over.
                desk.accept(part, time.time_ns() // 1_000_000)


if __name__ == "__main__":
    feed(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
