"""Drill 7: all keepers are dead, and everybody else is asleep. Every kind of user gets out alone: nothing of theirs
needs another's transaction, and nothing of theirs stays in the treasury.

The chain goes on, and its clock with it; there is no index, no queue and no keeper, only the contracts and one key.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from ledger import Delivery, Grade, LeaseState, Market, Product, Reason, Sender, Signer, cost_micro
from ledger.units import SECONDS_PER_HOUR
from tests.world import TERMS, World, world_on

UNITS = 100
TICK = 400
HOURS = 2


@dataclass(frozen=True)
class Alone:
    """Somebody with one key, who had `wealth_micro` before anything began, in the market and beside it."""

    world: World
    who: Signer
    wealth_micro: int

    @property
    def market(self) -> Market:
        return self.world.market

    @property
    def delivery(self) -> Delivery:
        return self.world.delivery

    def wait_until(self, time_s: int) -> None:
        """Time passes. Nobody does anything."""
        if self.world.chain.time_s() < time_s:
            self.world.clock.go_to(time_s)

    def wait_for_round(self, round_: int) -> None:
        self.wait_until(self.market.round_end_s(round_))

    def clear_and_settle(self, product: Product, round_: int, slot: int) -> int:
        """Clears the round itself, and settles its own order and no other; gives what of it traded."""
        self.wait_for_round(round_)
        if self.market.price(product, round_) is None:
            self.market.clear(product, round_).send(self.who)
        return self.market.settle(product, round_, [slot]).send(self.who).value[slot]

    def leave(self) -> int:
        """Takes all free cash out; gives what it has gained since the beginning."""
        cash_micro = self.market.cash_micro(self.who.address)
        if cash_micro:
            self.market.withdraw(cash_micro, self.who.address).send(self.who)
        assert self.market.cash_micro(self.who.address) == 0
        return self.market.wallet_micro(self.who.address) - self.wealth_micro


@pytest.fixture(scope="module")
def anvil() -> Iterator[World]:
    with world_on("anvil") as world:
        yield world


@pytest.fixture
def world(anvil: World) -> Iterator[World]:
    """Each drill on the same chain as it was in the beginning."""
    chain, deployment = anvil.chain, anvil.market.deployment
    snapshot = chain.request("evm_snapshot")
    sender = Sender(chain)
    yield replace(anvil, market=Market(chain, deployment, sender), delivery=Delivery(chain, deployment, sender))
    sender.close()
    chain.request("evm_revert", snapshot)


def alone(world: World, who: Signer) -> Alone:
    market = world.market
    return Alone(world, who, market.cash_micro(who.address) + market.wallet_micro(who.address))


@dataclass(frozen=True)
class Sold:
    """A round that stands and that nobody has cleared: the provider offered, the buyer bid for all of it."""

    product: Product
    round: int
    site: int
    offer: int
    bid: int
    cost_micro: int


def standing(world: World) -> Sold:
    market, site, product = world.market, world.site(), world.product(HOURS, Grade.STANDARD)
    round_ = world.new_round()
    offer = market.offer(site, product, UNITS, tick=TICK).send(world.provider).value
    bid = market.bid(product, UNITS, tick=TICK).send(world.buyer).value
    paid_micro = cost_micro(UNITS, HOURS, market.price_micro(product, TICK))
    return Sold(product, round_, site, offer, bid, paid_micro)


def test_bidder_whose_round_nobody_cleared_in_time_gets_everything_back(world: World) -> None:
    user = alone(world, world.buyer)
    sold = standing(world)
    user.wait_until(sold.product.start_s)
    assert user.market.settle(sold.product, sold.round, [sold.bid]).send(user.who).value == {sold.bid: 0}
    assert user.leave() == 0


def test_bidder_who_is_not_served_gets_everything_back(world: World) -> None:
    user = alone(world, world.seller)
    product = world.product(HOURS)
    round_ = world.new_round()
    slot = user.market.bid(product, UNITS, tick=TICK).send(user.who).value
    assert user.clear_and_settle(product, round_, slot) == 0
    assert user.leave() == 0


def test_bidder_who_is_served_redeems_and_is_refunded_by_a_provider_who_never_comes(world: World) -> None:
    user = alone(world, world.buyer)
    sold = standing(world)
    assert user.clear_and_settle(sold.product, sold.round, sold.bid) == UNITS
    # An obligation comes into being when the offer settles: whoever wants to redeem against it settles it.
    user.clear_and_settle(sold.product, sold.round, sold.offer)
    lease = user.delivery.redeem(sold.product, sold.site, UNITS).send(user.who).value
    end_s = sold.product.end_s
    user.wait_until(end_s + TERMS.report_period_s + 1)
    resolution = user.delivery.resolve(lease).send(user.who).value
    assert resolution.reason is Reason.UNREPORTED
    # All of the bond is the holder's: the price that was paid, and the provider's margin.
    assert user.leave() == resolution.to_holder_micro - sold.cost_micro > 0


def test_holder_whose_report_nobody_ruled_on_ends_the_dispute_alone(world: World) -> None:
    user = alone(world, world.buyer)
    sold = standing(world)
    world.finish(sold.product, sold.round)
    lease = user.delivery.redeem(sold.product, sold.site, UNITS).send(user.who).value
    start_s = sold.product.start_s
    world.clock.go_to(start_s)
    world.delivery.report(lease, UNITS * 1_000).send(world.provider)
    user.delivery.dispute(lease, b"\x07" * 32).send(user.who)
    user.wait_until(world.chain.time_s() + TERMS.ruling_period_s + 1)
    resolution = user.delivery.resolve(lease).send(user.who).value
    assert resolution.reason is Reason.UNRULED
    assert user.leave() == resolution.to_holder_micro - sold.cost_micro


def test_asker_sells_or_takes_back_and_leaves(world: World) -> None:
    user = alone(world, world.buyer)
    sold = standing(world)
    world.finish(sold.product, sold.round)
    round_ = world.new_round()
    slot = user.market.ask(sold.product, UNITS, tick=TICK).send(user.who).value
    world.market.bid(sold.product, 40, tick=TICK + 50).send(world.seller)
    assert user.clear_and_settle(sold.product, round_, slot) == 40
    price = user.market.price(sold.product, round_)
    assert price is not None
    assert price.price_micro is not None
    assert user.market.units(user.who.address, sold.product) == UNITS - 40
    # What was not sold is redeemed, and nobody delivers it.
    lease = user.delivery.redeem(sold.product, sold.site, UNITS - 40).send(user.who).value
    user.wait_until(sold.product.end_s + TERMS.report_period_s + 1)
    refund_micro = user.delivery.resolve(lease).send(user.who).value.to_holder_micro
    assert user.leave() == cost_micro(40, HOURS, price.price_micro) + refund_micro - sold.cost_micro


def test_offerer_whose_buyers_sleep_is_paid_when_its_window_is_over(world: World) -> None:
    user = alone(world, world.provider)
    sold = standing(world)
    assert user.clear_and_settle(sold.product, sold.round, sold.offer) == UNITS
    assert user.delivery.obligation(sold.product, sold.site).units == UNITS
    user.wait_until(sold.product.end_s + TERMS.grace_s + 1)
    user.delivery.expire(sold.product, sold.site).send(user.who)
    assert user.leave() == sold.cost_micro


def test_offerer_whom_nobody_wants_gets_its_margin_and_hours_back(world: World) -> None:
    user = alone(world, world.provider)
    site, product = world.site(), world.product(HOURS)
    free_units = user.market.available_units(site, product)
    round_ = world.new_round()
    slot = user.market.offer(site, product, UNITS, tick=TICK).send(user.who).value
    assert user.clear_and_settle(product, round_, slot) == 0
    assert user.market.available_units(site, product) == free_units
    assert user.leave() == 0


def test_provider_with_a_bond_and_a_lease_whose_holder_sleeps_is_paid_as_reported(world: World) -> None:
    user = alone(world, world.provider)
    sold = standing(world)
    world.finish(sold.product, sold.round)
    lease = world.delivery.redeem(sold.product, sold.site, UNITS).send(world.buyer).value
    end_s = sold.product.end_s
    user.wait_until(end_s)
    user.delivery.report(lease, UNITS * 1_000).send(user.who)
    user.wait_until(end_s + TERMS.dispute_period_s + SECONDS_PER_HOUR)
    assert user.delivery.resolve(lease).send(user.who).value.reason is Reason.UNDISPUTED
    assert user.delivery.lease(lease).state is LeaseState.RESOLVED
    assert user.leave() == sold.cost_micro


def test_provider_who_minted_retires_what_it_holds(world: World) -> None:
    user = alone(world, world.provider)
    site, product = world.site(), world.product(HOURS)
    user.market.mint(site, product, UNITS).send(user.who)
    user.market.retire(site, product, UNITS).send(user.who)
    assert user.leave() == 0


Exit = Callable[[Alone, Sold], None]


def _buyer_leaves(user: Alone, sold: Sold) -> None:
    user.clear_and_settle(sold.product, sold.round, sold.bid)
    user.leave()


def _provider_leaves(user: Alone, sold: Sold) -> None:
    user.clear_and_settle(sold.product, sold.round, sold.offer)
    user.wait_until(sold.product.end_s + TERMS.grace_s + 1)
    user.delivery.expire(sold.product, sold.site).send(user.who)
    user.leave()


@pytest.mark.parametrize("buyer_first", [True, False])
def test_treasury_is_empty_when_the_last_has_left(world: World, buyer_first: bool) -> None:
    sold = standing(world)
    leaving: list[tuple[Signer, Exit]] = [(world.buyer, _buyer_leaves), (world.provider, _provider_leaves)]
    for who, leave in leaving if buyer_first else reversed(leaving):
        leave(alone(world, who), sold)
    alone(world, world.seller).leave()
    treasury = world.market.address("Treasury")
    assert world.market.wallet_micro(treasury) == 0
