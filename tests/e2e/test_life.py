"""One market's whole life in this process: what everybody holds at each step is what the independent rule says."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import pytest

from ledger import (
    Kind,
    LeaseState,
    Order,
    OrderTerms,
    Product,
    Reason,
    Signer,
    clearing_of,
    cost_micro,
    fill_of,
    share_up,
    with_prefixes,
)
from tests.world import TERMS, World, world_on

HOURS = 4
OFFERED = ((2_000, 395), (1_500, 400), (3_000, 401))
BIDS_EACH = 7


@dataclass
class Life:
    """A product's only round: its orders in the order of their arrival, and the free cash that each person must have by
    what happened so far."""

    world: World
    product: Product
    sites: list[int]
    orders: list[Order]
    cash_micro: Counter[str]
    tick_size_micro: int
    margin_micro: int

    def check_cash(self) -> None:
        for owner, cash_micro in self.cash_micro.items():
            assert self.world.market.cash_micro(owner) == cash_micro

    def owed_micro(self) -> int:
        """The bonds behind what the sites owe."""
        return sum(self.world.market.obligation(self.product, site).bond_micro for site in self.sites)


@pytest.fixture(params=[1, 2, 3])
def life(request: pytest.FixtureRequest) -> Iterator[Life]:
    with world_on("tester") as world:
        yield placed(world, Random(request.param))


def placed(world: World, random: Random) -> Life:
    """Offers of three attested sites and many signed bids, relayed by a stranger in one transaction."""
    market, product = world.market, world.product(HOURS)
    sites = [world.site() for _ in OFFERED]
    people = (world.buyer, world.seller, world.provider)
    cash_micro = Counter({one.address: market.cash_micro(one.address) for one in people})
    round_ = world.new_round()
    for site, (units, tick) in zip(sites, OFFERED, strict=True):
        market.offer(site, product, units, tick=tick).send(world.provider)
    bids = [(bid(random, product, round_, owner, index), owner) for owner in people for index in range(BIDS_EACH)]
    random.shuffle(bids)
    placement = market.place_signed([market.signed(*one) for one in bids]).send(world.stranger).value
    assert (len(placement.indices), placement.skipped) == (len(bids), ())
    sent = [Order(Kind.OFFER, tick, units, site=site) for site, (units, tick) in zip(sites, OFFERED, strict=True)]
    sent += [Order(Kind.BID, terms.tick, terms.units, owner=terms.owner) for terms, _ in bids]
    check_book(market.orders(product, round_), with_prefixes(sent))
    margin_micro = share_up(market.terms_of(1).bond_price_micro * HOURS, TERMS.penalty_margin_bp)
    orders = market.orders(product, round_)
    return Life(world, product, sites, orders, cash_micro, market.tick_size_micro(product), margin_micro)


def bid(random: Random, product: Product, round_: int, owner: Signer, index: int) -> OrderTerms:
    """A bid near the prices that are asked."""
    return OrderTerms(
        owner.address, Kind.BID, product, random.randint(393, 408), random.randint(10, 900), round_, index
    )


def check_book(found: list[Order], sent: list[Order]) -> None:
    assert [(one.kind, one.tick, one.units, one.prefix, one.owner, one.site) for one in found] == [
        (one.kind, one.tick, one.units, one.prefix, one.owner, one.site) for one in sent
    ]


def escrowed(life: Life) -> None:
    """Each bid's limit is in escrow, and each offer's margin."""
    market = life.world.market
    for order in life.orders:
        if order.kind is Kind.BID:
            price_micro = market.price_micro(life.product, order.tick)
            life.cash_micro[order.owner] -= cost_micro(order.units, HOURS, price_micro)
        else:
            life.cash_micro[life.world.provider.address] -= order.units * life.margin_micro
    life.check_cash()


def settled(life: Life) -> Counter[str]:
    """Cleared and settled by somebody else: fills, cash, units and bonds are the rule's. Gives what each bought."""
    market, provider = life.world.market, life.world.provider.address
    clearing = life.world.finish(life.product, life.orders[0].round)
    assert clearing == clearing_of(life.orders)
    bought = Counter[str]()
    for order in life.orders:
        fill = fill_of(order, clearing, HOURS, life.tick_size_micro)
        if order.kind is Kind.BID:
            life.cash_micro[order.owner] += fill.cash_micro
            bought[order.owner] += fill.units
        else:
            life.cash_micro[provider] += fill.returned_units * life.margin_micro
            owed = market.obligation(life.product, order.site)
            assert (owed.units, owed.bond_micro) == (fill.units, fill.cash_micro + fill.units * life.margin_micro)
    life.check_cash()
    assert {owner: market.units(owner, life.product) for owner in bought} == bought
    assert bought.total() == market.supply_units(life.product) == clearing.units > 0
    assert market.book(life.product).escrow_micro == 0
    return bought


def delivered(life: Life, holder: Signer, units: int) -> None:
    """Redeemed, delivered but for a fifth, accepted: the bond is paid out whole, as much as was delivered."""
    world, delivery = life.world, life.world.delivery
    lease = delivery.redeem(life.product, life.sites[0], units, b"job").send(holder).value
    bond_micro = delivery.lease(lease).bond_micro
    world.clock.go_to(life.product.end_s)
    delivered_milli = units * 1_000 * 4 // 5
    delivery.report(lease, delivered_milli).send(world.provider)
    ended = delivery.accept(lease).send(holder).value
    assert (ended.reason, ended.delivered_milli) == (Reason.ACCEPTED, delivered_milli)
    assert ended.to_provider_micro == bond_micro * delivered_milli // (units * 1_000)
    assert ended.to_provider_micro + ended.to_holder_micro == bond_micro
    assert delivery.lease(lease).state is LeaseState.RESOLVED
    life.cash_micro[world.provider.address] += ended.to_provider_micro
    life.cash_micro[holder.address] += ended.to_holder_micro
    life.check_cash()


def test_market_life_is_as_the_rule_says_order_by_order_and_micro_by_micro(life: Life) -> None:
    market = life.world.market
    escrowed(life)
    bought = settled(life)
    holder = max((life.world.buyer, life.world.seller), key=lambda person: bought[person.address])
    owed = market.obligation(life.product, life.sites[0])
    delivered(life, holder, min(bought[holder.address], owed.units))
    # Not one micro more or less than came in: the treasury holds what it owes.
    assert market.wallet_micro(market.address("Treasury")) == life.cash_micro.total() + life.owed_micro()
    # What nobody redeemed expires to the provider, and then nothing is left but free cash.
    life.world.clock.go_to(life.product.end_s + TERMS.grace_s + 1)
    for site in life.sites:
        if market.obligation(life.product, site).units:
            bond_micro = life.world.delivery.expire(life.product, site).send(life.world.stranger).value
            life.cash_micro[life.world.provider.address] += bond_micro
    life.check_cash()
    assert market.wallet_micro(market.address("Treasury")) == life.cash_micro.total()
