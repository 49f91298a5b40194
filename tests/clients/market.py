"""A market that strangers' programs trade on: a chain whose time passes, one provider and rivals who come back every
round, and the API in a process of its own with index, keeper and sender."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import httpx

from ledger import (
    Chain,
    Grade,
    Market,
    MarketTerms,
    Product,
    Reverted,
    Sender,
    Tier,
    connect,
    deploy,
    local_node,
    seed_standard,
)
from ledger.services import Service, Services
from tests.ports import free_port
from tests.running import environment
from tests.world import ADMIN, BUYER, FUNDS_MICRO, H100, PROVIDER, SELLER, VIRGINIA

ROUND_S = 8
HOURS = 4
OFFERED_UNITS, OFFER_TICK = 1_500, 400
# What rivals bid each round, so that the last tick is shared: buyer, tick, units.
RIVALS = ((BUYER, 420, 600), (SELLER, 405, 500))


@dataclass(frozen=True)
class Clients:
    """What a stranger is given, and what the test knows beside it."""

    url: str
    node: str
    market: Market
    product: Product
    site: int
    log: Path


@contextmanager
def open_market(folder: Path) -> Iterator[Clients]:
    """The market until the context ends."""
    with local_node() as node, Services() as services:
        chain = connect(node.url)
        market, product, site = _founded(chain)
        manifest, port, log = folder / "deployment.json", free_port(), folder / "api.log"
        market.deployment.write(manifest)
        said = environment(
            rpc_url=node.url,
            manifest=manifest,
            database=f"sqlite:///{folder / 'ledger.db'}",
            api_port=port,
            api_keystores=folder / "keystores",
        )
        url, stop = f"http://127.0.0.1:{port}", Event()
        threads = [Thread(target=work, daemon=True) for work in (lambda: _pass_time(chain, stop),)]
        threads.append(Thread(target=lambda: _trade(market, product, site, stop), daemon=True))
        for thread in threads:
            thread.start()
        try:
            services.start(Service("api", [sys.executable, "-m", "api"], log, said), lambda: _ready(url), 60)
            yield Clients(url, node.url, market, product, site, log)
        finally:
            stop.set()
            for thread in threads:
                thread.join(10)


def _founded(chain: Chain) -> tuple[Market, Product, int]:
    sender = Sender(chain)
    market = Market(chain, deploy(sender, ADMIN, MarketTerms(round_s=ROUND_S, lead_s=60)), sender)
    seed_standard(market, sender, ADMIN)
    for one in (PROVIDER, BUYER, SELLER):
        market.mint_test_dollars(one.address, 2 * FUNDS_MICRO).send(one)
        market.fund(FUNDS_MICRO, one)
    site = market.register_site(H100, 1_000, 1, VIRGINIA).send(PROVIDER).value
    market.attest(site, 1_000_000, Grade.PREMIUM, b"\x01" * 32, chain.time_s() + 400 * 86_400).send(ADMIN)
    return market, Product(1, Tier.METRO, VIRGINIA, Grade.STANDARD, chain.time_s() // 3_600 + 48, HOURS), site


def _pass_time(chain: Chain, stop: Event) -> None:
    """A block a half second, beside those that transactions make."""
    while not stop.wait(0.5):
        chain.request("evm_mine")


def _trade(market: Market, product: Product, site: int, stop: Event) -> None:
    """Provider and rivals stand in the book of every round."""
    seen = 0
    while not stop.wait(0.2):
        round_ = market.current_round()
        if round_ == seen:
            continue
        # Until somebody has settled its last offer, a site makes no other; and the round may end before the order.
        with suppress(Reverted):
            market.offer(site, product, OFFERED_UNITS, tick=OFFER_TICK).send(PROVIDER)
            seen = round_
            for who, tick, units in RIVALS:
                market.bid(product, units, tick=tick).send(who)


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        time.sleep(0.05)
        return False
