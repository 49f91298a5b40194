"""Real keepers in processes of their own, on a chain whose blocks come by the clock: two at once do everything once and
waste little; one that is killed again and again loses nothing and does nothing twice."""

import json
import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ledger import (
    DEVELOPMENT_MNEMONIC,
    Delivery,
    Kind,
    Market,
    MarketTerms,
    Order,
    OrderTerms,
    Product,
    Secret,
    Sender,
    Signer,
    connect,
    deploy,
    local_node,
    queries,
    seed_standard,
    signer_from_mnemonic,
)
from ledger.keeping.relays import RelayDesk
from ledger.store.engine import open_store
from ledger.store.relay import RelayQueue, Stage
from tests.world import FUNDS_MICRO, START_S, World

LOG = logging.getLogger(__name__)
# Longer than any machine takes for a round's orders: who needs the next one does not wait for it, but goes there.
ROUND_S = 120
SIDE = 30
PATIENCE_S = 90
# Accounts of the mnemonic: 0 to 4 are the world's people.
KEEPERS = (5, 7)
KILLS_EACH = 2


@dataclass
class Running:
    """A market whose blocks come every second, and the folder of its keepers."""

    world: World
    folder: Path

    def environment(self, name: str, account: int) -> dict[str, str]:
        return {
            **{key: text for key, text in os.environ.items() if not key.startswith("COMPUTE_LEDGER_")},
            "COMPUTE_LEDGER_RPC_URL": self.world.url,
            "COMPUTE_LEDGER_MANIFEST": str(self.folder / "deployment.json"),
            "COMPUTE_LEDGER_MNEMONIC_FILE": str(self.folder / "phrase"),
            "COMPUTE_LEDGER_ACCOUNT": str(account),
            "COMPUTE_LEDGER_DATABASE": self.database(name).reveal(),
        }

    def database(self, name: str) -> Secret:
        return Secret(f"sqlite:///{self.folder / name}.db")

    def start(self, name: str, account: int) -> subprocess.Popen[str]:
        """A keeper with two keys, in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-c", "from ledger.cli.main import main; main()", "keeper", "--keys", "2", "--json"],
            env=self.environment(name, account),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def until_ready(self, name: str) -> None:
        """Waits until a keeper has read the chain once."""
        with self.queue(name) as desk:
            until(lambda: queries.head(desk.queue.store) is not None, "the keeper did not start")

    @contextmanager
    def queue(self, name: str) -> Iterator[RelayDesk]:
        store = open_store(self.database(name))
        yield RelayDesk(self.world.market, RelayQueue(store))
        store.close()

    def place(self, product: Product, site: int, desk: RelayDesk, index: int) -> list[bytes]:
        """An offer by its owner, and signed bids in a queue, all for a round that has just begun; the bids' digests."""
        market, world = self.world.market, self.world
        round_ = self.next_round()
        market.offer(site, product, SIDE * 10, tick=390).send(world.provider)
        signed = [
            market.signed(OrderTerms(one.address, Kind.BID, product, 400, 10, round_, index * 10 + number), one)
            for one in (world.buyer, world.seller)
            for number in range(SIDE // 6)
        ]
        queued = desk.accept(signed, time.time_ns() // 1_000_000)
        market.bid(product, 20, tick=400).send(world.buyer)
        return [one.order.digest for one in queued]

    def next_round(self) -> int:
        """Goes to the first second of the next round; blocks go on coming every second from there."""
        market, round_ = self.world.market, self.world.market.current_round() + 1
        self.world.clock.go_to(round_ * ROUND_S)
        until(lambda: market.current_round() == round_, "the round did not begin")
        return round_

    def until_relayed(self, desk: RelayDesk, digests: list[bytes]) -> None:
        """Waits until the keeper has learnt what became of orders."""
        ends = Stage.PLACED, Stage.SKIPPED, Stage.EXPIRED
        until(lambda: all(desk.queue.order(one).stage in ends for one in digests), "they were not relayed in time")

    def until_settled(self, products: list[Product]) -> list[list[Order]]:
        """Waits until nothing of the products waits; gives all their orders."""
        market = self.world.market
        until(lambda: not any(market.orders(one, waiting=True) for one in products), "it was not settled in time")
        return [market.orders(product) for product in products]

    def sent_by(self, account: int) -> tuple[int, int]:
        """How many transactions a keeper's two keys have in blocks, and how many of those failed."""
        keys = {signer(account + place).address for place in range(2)}
        chain = self.world.chain
        sent = failed = 0
        for number in range(chain.block().number + 1):
            for receipt in chain.request("eth_getBlockReceipts", hex(number)) or []:
                if receipt["from"].lower() in {key.lower() for key in keys}:
                    sent += 1
                    failed += int(receipt["status"], 16) == 0
        return sent, failed


def signer(account: int) -> Signer:
    return signer_from_mnemonic(Secret(DEVELOPMENT_MNEMONIC), account)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with local_node(start_s=START_S) as node:
        chain = connect(node.url)
        assert chain.clock is not None
        sender = Sender(chain)
        deployment = deploy(sender, World.admin, MarketTerms(round_s=ROUND_S, lead_s=ROUND_S))
        deployment.write(tmp_path / "deployment.json")
        (tmp_path / "phrase").write_text(DEVELOPMENT_MNEMONIC)
        (tmp_path / "phrase").chmod(0o600)
        market = Market(chain, deployment, sender)
        seed_standard(market, sender, World.admin)
        for one in (World.provider, World.buyer, World.seller):
            market.mint_test_dollars(one.address, 2 * FUNDS_MICRO).send(one)
            market.fund(FUNDS_MICRO, one)
        world = World(chain, chain.clock, market, Delivery(chain, deployment, sender), iter(range(100)), node.url)
        yield Running(world, tmp_path)
        sender.close()


def until(true: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.1)


def blocks_by_the_clock(world: World) -> None:
    world.chain.request("evm_setAutomine", False)
    world.chain.request("evm_setIntervalMining", 1)


def end(keeper: subprocess.Popen[str]) -> None:
    """kill -9, whatever it is doing."""
    if keeper.poll() is None:
        keeper.kill()
        keeper.communicate()


def stop(keeper: subprocess.Popen[str]) -> dict[str, int]:
    """Asks a keeper to end, and gives its totals."""
    keeper.send_signal(signal.SIGTERM)
    out, err = keeper.communicate(timeout=PATIENCE_S)
    assert keeper.returncode == 0, err
    total: dict[str, int] = json.loads(out.splitlines()[-1])["total"]
    return total


@pytest.mark.slow
def test_two_keepers_at_once_do_everything_once_and_waste_little(running: Running) -> None:
    world = running.world
    work = [(world.product(), world.site()) for _ in range(2)]
    blocks_by_the_clock(world)
    keepers = [running.start(f"keeper{account}", account) for account in KEEPERS]
    try:
        for account in KEEPERS:
            running.until_ready(f"keeper{account}")
        with running.queue(f"keeper{KEEPERS[0]}") as first, running.queue(f"keeper{KEEPERS[1]}") as second:
            wanted: dict[RelayDesk, list[bytes]] = {first: [], second: []}
            for index, (product, site) in enumerate(work):
                desk = (first, second)[index % 2]
                placed = running.place(product, site, desk, index)
                running.until_relayed(desk, placed)
                wanted[desk] += placed
            running.next_round()
            books = running.until_settled([product for product, _ in work])
            for desk, digests in wanted.items():
                assert {desk.queue.order(digest).stage for digest in digests} == {Stage.PLACED}
        for (product, _), orders in zip(work, books, strict=True):
            assert len(orders) == 2 + SIDE // 6 * 2, "each order once"
            assert world.market.supply_units(product) == SIDE // 6 * 20 + 20
        totals = [stop(keeper) for keeper in keepers]
    finally:
        for keeper in keepers:
            end(keeper)
    sent, failed = map(sum, zip(*(running.sent_by(account) for account in KEEPERS), strict=True))
    LOG.info("%d transactions, %d failed; %s", sent, failed, totals)
    assert failed <= sent // 3
    assert sent >= 2 + 2 + 2


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_keeper_that_is_killed_again_and_again_loses_nothing_and_does_nothing_twice(
    running: Running, seed: int
) -> None:
    drawn = random.Random(seed)
    world, account = running.world, KEEPERS[0]
    work = [(world.product(), world.site()) for _ in range(3)]
    blocks_by_the_clock(world)
    keeper = running.start("keeper", account)
    kills = 0
    try:
        running.until_ready("keeper")
        with running.queue("keeper") as desk:
            wanted = []
            for index, (product, site) in enumerate(work):
                orders = running.place(product, site, desk, index)
                # Killed while it relays, and while it clears and settles what came before.
                for _ in range(KILLS_EACH):
                    time.sleep(drawn.uniform(0.2, 3.0))
                    end(keeper)
                    kills += 1
                    keeper = running.start("keeper", account)
                running.until_relayed(desk, orders)
                wanted += orders
            end(keeper)
            missed = running.place(*work[0], desk, len(work))
            running.next_round()
            keeper = running.start("keeper", account)
            running.until_settled([product for product, _ in work])
            running.until_relayed(desk, missed)
            placed = [desk.queue.order(digest) for digest in wanted]
            assert {one.stage for one in placed} == {Stage.PLACED}, f"seed {seed}"
            # An order whose round went by while the keeper was down has no effect, and says so.
            assert {desk.queue.order(digest).stage for digest in missed} == {Stage.EXPIRED}
            for product, _ in work:
                slots = [one.slot for one in placed if one.order.product == product.id]
                assert len(set(slots)) == len(slots)
                by_hand = 4 if product == work[0][0] else 2
                assert len(world.market.orders(product)) == len(slots) + by_hand, "each order once"
        stop(keeper)
    finally:
        end(keeper)
    sent, failed = running.sent_by(account)
    LOG.info("%d kills, %d sent, %d failed, %d placed", kills, sent, failed, len(placed))
    assert failed <= 1 + sent // 5, f"seed {seed}"
