"""A market with its people, on a chain of its own: what the tests that need a chain stand on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count

from ledger import (
    DEVELOPMENT_MNEMONIC,
    Call,
    Chain,
    Clearing,
    Delivery,
    Grade,
    LocalClock,
    Market,
    MarketTerms,
    Product,
    Secret,
    Sender,
    Signer,
    Tier,
    connect,
    deploy,
    in_process_chain,
    local_node,
    seed_standard,
    signer_from_mnemonic,
)
from ledger.units import MICRO_PER_USD, SECONDS_PER_HOUR

H100 = "H100 SXM5 80GB"
VIRGINIA, US_EAST = 257, 256
FUNDS_MICRO = 1_000_000 * MICRO_PER_USD
# Rounds of a minute, and a lead of two: short enough to walk through, long enough that no test runs out of one.
TERMS = MarketTerms(round_s=60, lead_s=120)
# 2026-01-01 00:00 UTC, as in foundry.toml.
START_S = 1_767_225_600


# Development accounts: everybody knows their keys.
ADMIN, PROVIDER, BUYER, SELLER, STRANGER, BANK = (
    signer_from_mnemonic(Secret(DEVELOPMENT_MNEMONIC), index) for index in range(6)
)


@dataclass(frozen=True)
class World:
    """A deployed, seeded market. `admin` has every role; the others have cash in the market and money beside it."""

    chain: Chain
    clock: LocalClock
    market: Market
    delivery: Delivery
    hours: Iterator[int]
    url: str = ""
    admin: Signer = ADMIN
    provider: Signer = PROVIDER
    buyer: Signer = BUYER
    seller: Signer = SELLER
    stranger: Signer = STRANGER

    def product(self, hours: int = 24, grade: Grade = Grade.STANDARD) -> Product:
        """A product that nobody has traded, at least two days away."""
        start_hour = self.chain.time_s() // SECONDS_PER_HOUR + 48 + next(self.hours)
        return Product(1, Tier.METRO, VIRGINIA, grade, start_hour, hours)

    def site(self, units: int = 8_000, owner: Signer | None = None) -> int:
        """A new site of the provider's, attested for so many units until far away."""
        devices = -(-units // 1_000)
        site = self.market.register_site(H100, devices, 1, VIRGINIA).send(owner or self.provider).value
        valid_until_s = self.chain.time_s() + 400 * 24 * SECONDS_PER_HOUR
        self.market.attest(site, units, Grade.PREMIUM, b"\x01" * 32, valid_until_s).send(self.admin)
        return site

    def newcomer(self) -> Signer:
        """Somebody whom this market has not seen: with gas money, and without cash."""
        sender = self.market.sender
        signer = signer_from_mnemonic(Secret(DEVELOPMENT_MNEMONIC), 1_000 + next(self.hours))
        unsigned = replace(sender.build(Call("", signer.address, b""), BANK.address), value_wei=10**18)
        sender.wait(sender.relay(BANK.sign_transaction(unsigned.fields()).raw))
        return signer

    def new_round(self) -> int:
        """Goes to the start of a round, so that what follows stands in it whole."""
        round_ = self.market.current_round() + 1
        self.clock.go_to(round_ * TERMS.round_s)
        return round_

    def finish(self, product: Product, round_: int) -> Clearing:
        """Ends the round, clears it, settles all of it."""
        self.clock.go_to(self.market.round_end_s(round_))
        clearing = self.market.clear(product, round_).send(self.stranger).value
        for part in self.market.settlements(product, round_):
            part.send(self.stranger)
        return clearing

    def sell(self, site: int, product: Product, units: int) -> None:
        """The buyer buys units of the site in a round of their own."""
        round_ = self.new_round()
        self.market.offer(site, product, units, tick=400).send(self.provider)
        self.market.bid(product, units, tick=400).send(self.buyer)
        self.finish(product, round_)

    def lease(self, units: int = 100, hours: int = 1) -> tuple[int, Product]:
        """A lease of the buyer's at a site of its own."""
        site, product = self.site(), self.product(hours)
        self.sell(site, product, units)
        return self.delivery.redeem(product, site, units, b"job").send(self.buyer).value, product


def found(chain: Chain, url: str = "") -> World:
    """Deploys and seeds a market on a fresh local chain."""
    assert chain.clock is not None
    sender = Sender(chain)
    deployment = deploy(sender, World.admin, TERMS)
    market = Market(chain, deployment, sender)
    seed_standard(market, sender, World.admin)
    for one in (World.provider, World.buyer, World.seller):
        market.mint_test_dollars(one.address, 2 * FUNDS_MICRO).send(one)
        market.fund(FUNDS_MICRO, one)
    return World(chain, chain.clock, market, Delivery(chain, deployment, sender), count(), url)


@contextmanager
def world_on(kind: str) -> Iterator[World]:
    """A world on a chain of that kind: `anvil`, or `tester` in this process."""
    if kind == "tester":
        yield found(in_process_chain(start_s=START_S))
        return
    with local_node(start_s=START_S) as node:
        yield found(connect(node.url), node.url)
