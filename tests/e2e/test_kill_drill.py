"""Drill 8: kill -9 of node, keeper, index and sender under load, twenty times. Afterwards every accepted intent and
order has one effect, the index is what a rebuild makes, the audit finds nothing, and the keeper has caught up."""

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ledger import DEVELOPMENT_MNEMONIC, Kind, Market, MarketTerms, OrderTerms, Product, Secret, Sender, connect
from ledger.audit.run import run_audit
from ledger.audit.stored import Stored
from ledger.deployment import deploy, seed_standard
from ledger.errors import LedgerError
from ledger.history.index import Index
from ledger.keeping.relays import RelayDesk
from ledger.product import Grade, Tier
from ledger.services import Service, Services
from ledger.store import queries
from ledger.store.engine import IN_MEMORY, Store, open_store
from ledger.store.relay import RelayQueue, Stage
from ledger.units import SECONDS_PER_HOUR
from tests.driver import ACCEPTED, DATABASE, STOP, UNITS_FIRST
from tests.indexed import dump
from tests.ports import free_port
from tests.running import PROGRAM, environment, kill, start_node, url_of
from tests.world import ADMIN, BUYER, FUNDS_MICRO, H100, PROVIDER, SELLER, VIRGINIA

KILLS_EACH = 5
# A keeper that is killed in every other round relays some of them still, on a machine that starts it slowly.
ROUND_S = 10
PAUSE_S = 0.1, 1.5
PROGRESS_S = 180
SIGNED_PER_ROUND = 6
# Units that no bid of the driver's has.
SIGNED_UNITS = 100_000
CAUGHT_UP_S = 240
KEEPER_ACCOUNT = 5


@dataclass
class Drill:
    """A market with all its processes, and what was accepted from people so far."""

    services: Services
    folder: Path
    node: Service
    market: Market
    product: Product
    site: int
    store: Store
    running: list[Service] = field(default_factory=list)
    signed: list[bytes] = field(default_factory=list)
    round_signed: int = 0

    def start(self) -> None:
        url, shared = url_of(self.node), f"sqlite:///{self.folder / DATABASE}"
        (self.folder / "phrase").write_text(DEVELOPMENT_MNEMONIC)
        (self.folder / "phrase").chmod(0o600)
        told = {"rpc_url": url, "manifest": self.folder / "deployment.json", "database": shared}
        keys = {"mnemonic_file": self.folder / "phrase", "account": KEEPER_ACCOUNT}
        driver = [sys.executable, "-m", "tests.driver", url, str(self.folder), str(self.product.id), str(self.site)]
        for name, command, settings in (
            ("index", [*PROGRAM, "index", "--follow", "--pause", "0.1"], told),
            ("keeper", [*PROGRAM, "keeper", "--keys", "2", "--read-only-index"], told | keys),
            ("sender", driver, {}),
        ):
            service = Service(name, command, self.folder / f"{name}.log", environment(**settings))
            self.running.append(self.services.start(service))
        self.running.append(self.node)

    def load(self, seconds: float) -> None:
        """People go on signing orders, and whoever fell is started again, for so long and until something was sent."""
        began, before = time.monotonic(), self.accepted()
        while (spent_s := time.monotonic() - began) < seconds or self.accepted() == before:
            assert spent_s < PROGRESS_S, f"nothing is sent any more\n{self.last_words()}"
            for service in self.running:
                if not service.alive:
                    service.start()
            # The node may be away: then nobody's order is accepted, and nothing is promised.
            with suppress(LedgerError):
                self.sign()
            time.sleep(0.1)

    def accepted(self) -> list[int]:
        """The bids that the sender said it has, in that order; it says some again after a kill."""
        path = self.folder / ACCEPTED
        return [int(line) for line in path.read_text().split("\n")[:-1]] if path.exists() else []

    def sign(self) -> None:
        """Some signed bids for the next round, into the keeper's queue, once a round."""
        round_ = self.market.current_round() + 1
        if round_ <= self.round_signed:
            return
        first = SIGNED_UNITS + len(self.signed)
        terms = [
            OrderTerms(SELLER.address, Kind.BID, self.product, 400, first + index, round_, index)
            for index in range(SIGNED_PER_ROUND)
        ]
        desk = RelayDesk(self.market, RelayQueue(self.store))
        queued = desk.accept([self.market.signed(one, SELLER) for one in terms], time.time_ns() // 1_000_000)
        self.round_signed = round_
        self.signed += [one.order.digest for one in queued]

    def relays(self) -> bool:
        """Signs for the next round; whether a round that somebody signed for came into the book."""
        self.sign()
        return RelayQueue(self.store).counts()[Stage.PLACED] > 0

    def until(self, what: str, done: Callable[[], bool], seconds: float = CAUGHT_UP_S) -> None:
        """Waits, and keeps everyone running."""
        deadline = time.monotonic() + seconds
        while True:
            with suppress(LedgerError):
                if done():
                    return
            assert time.monotonic() < deadline, f"{what}: not within {seconds} s\n{self.last_words()}"
            for service in self.running:
                if not service.alive and not (service.name == "sender" and (self.folder / STOP).exists()):
                    service.start()
            time.sleep(0.2)

    def last_words(self) -> str:
        return "\n".join(f"--- {service.name}\n{service.last_words(12)}" for service in self.running)


@pytest.fixture
def drill(tmp_path: Path) -> Iterator[Drill]:
    with Services() as services:
        options = ("--heartbeat", "0.5", "--delay", "20")
        node = start_node(services, tmp_path / "chain", *options, port=free_port())
        chain = connect(url_of(node))
        sender = Sender(chain)
        deployment = deploy(sender, ADMIN, MarketTerms(round_s=ROUND_S, lead_s=ROUND_S))
        deployment.write(tmp_path / "deployment.json")
        market = Market(chain, deployment, sender)
        seed_standard(market, sender, ADMIN)
        money = [
            (call, one)
            for one in (PROVIDER, BUYER, SELLER)
            for call in (market.mint_test_dollars(one.address, 10**9 * FUNDS_MICRO).call, market.approve().call)
        ]
        sender.wait_all(sender.submit_many(money))
        deposits = [(market.deposit(10**8 * FUNDS_MICRO).call, one) for one in (BUYER, SELLER)]
        sender.wait_all(sender.submit_many(deposits))
        site = market.register_site(H100, 10_000, 1, VIRGINIA).send(PROVIDER).value
        until_s = chain.time_s() + 400 * 24 * SECONDS_PER_HOUR
        market.attest(site, 10_000_000, Grade.PREMIUM, b"\x01" * 32, until_s).send(ADMIN)
        hour = chain.time_s() // SECONDS_PER_HOUR + 100
        store = open_store(Secret(f"sqlite:///{tmp_path / DATABASE}"))
        product = Product(1, Tier.METRO, VIRGINIA, Grade.STANDARD, hour, 1)
        yield Drill(services, tmp_path, node, market, product, site, store)
        sender.close()
        store.close()


@pytest.mark.slow
def test_whatever_is_killed_every_accepted_order_has_one_effect(drill: Drill) -> None:
    seed = int(os.environ.get("DRILL_SEED") or int.from_bytes(os.urandom(4)))
    drawn = random.Random(seed)
    drill.start()
    drill.until("the sender's first bid", lambda: bool(drill.market.orders(drill.product)))
    victims = drill.running * KILLS_EACH
    drawn.shuffle(victims)
    for victim in victims:
        drill.load(drawn.uniform(*PAUSE_S))
        kill(victim)
    drill.until("a signed order in the book", drill.relays)
    (drill.folder / STOP).touch()
    sending = next(one for one in drill.running if one.name == "sender")
    drill.until("the sender's end", lambda: not sending.alive)
    drill.until("every round settled", lambda: not drill.market.orders(drill.product, waiting=True))
    drill.until("the index", lambda: caught_up(drill))
    told = f"seed {seed}\n{drill.last_words()}"
    _check_effects(drill, told)
    _check_history(drill, told)


def caught_up(drill: Drill) -> bool:
    """Whether the index has read all that was there when we asked."""
    number, head = drill.market.chain.block().number, queries.head(drill.store)
    return head is not None and head.block >= number - 1


def _check_effects(drill: Drill, told: str) -> None:
    """Each bid that the sender accepted, and each signed order, is in the book once; nothing else is."""
    accepted = set(drill.accepted())
    placed = Counter(
        word["order"] & 0xFFFF_FFFF
        for word in drill.market.history()
        if word.name == "OrderPlaced"
        if word["owner"] == BUYER.address
    )
    assert accepted == set(range(max(accepted) + 1)), told
    assert max(accepted) >= 4 * KILLS_EACH, told
    assert placed == Counter(UNITS_FIRST + number for number in accepted), told
    desk = RelayDesk(drill.market, RelayQueue(drill.store))
    stages = Counter(desk.queue.order(digest).stage for digest in drill.signed)
    assert set(stages) <= {Stage.PLACED, Stage.EXPIRED}, f"{stages}, {told}"
    relayed = [
        word["order"] & 0xFFFF_FFFF
        for word in drill.market.history()
        if word.name == "OrderPlaced"
        if word["owner"] == SELLER.address
    ]
    assert len(relayed) == len(set(relayed)) == stages[Stage.PLACED], f"{stages}, {told}"


def _check_history(drill: Drill, told: str) -> None:
    """The tables are a rebuild's; the audit proves them and the chain."""
    for service in drill.running:
        if service is not drill.node:
            service.stop()
    view = drill.market
    index = Index(view, drill.store)
    list(index.advance())
    scratch = Index(view, open_store(IN_MEMORY))
    list(scratch.advance())
    assert dump(drill.store) == dump(scratch.history.store), told
    scratch.history.store.close()
    stored = Stored(view, drill.store)
    report, _ = run_audit(view, stored.block_to_audit(None), stored=stored)
    assert report.findings == (), told
    assert report.events > 100, told
