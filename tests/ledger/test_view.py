"""What is read is what the contracts hold."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import Grade, InputError, Kind, Product, Tier, errors
from ledger.prices import grid_price
from ledger.view import checksummed, device_hash, read_order
from tests.world import H100, TERMS, VIRGINIA, World

PRODUCT = Product(1, Tier.METRO, VIRGINIA, Grade.BASIC, 500_000, 1)


@given(
    st.integers(1, 2**160 - 1),
    st.sampled_from((0, 1, 2, 3)),
    st.integers(1, 1_023),
    st.integers(0, 2**20 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(1, 2**32 - 1),
)
def test_read_order_undoes_the_packing(
    principal: int, kind: int, tick: int, round_: int, prefix: int, units: int
) -> None:
    word = principal << 96 | kind << 94 | tick << 84 | round_ << 64 | prefix << 32 | units
    order = read_order(word, PRODUCT, 1_000, 7)
    assert order.kind is (Kind.BID if kind < 2 else Kind(kind))
    assert (order.tick, order.prefix, order.units) == (tick, prefix, units)
    assert (order.round, order.product, order.index) == (1_000 + round_, PRODUCT.id, 7)
    if order.kind is Kind.OFFER:
        assert (order.site, order.owner) == (principal, "")
    else:
        assert (order.site, int(order.owner, 16)) == (0, principal)


def test_read_order_refuses_an_empty_slot() -> None:
    with pytest.raises(InputError, match=r"Slot 3 of .* holds no order"):
        read_order(0, PRODUCT, 0, 3)


def test_site_is_read_with_its_devices_name_and_its_attestation(world: World) -> None:
    site = world.site(units=2_000)
    found = world.market.site(site)
    assert (found.site, found.provider, found.device) == (site, world.provider.address, H100)
    assert (found.devices, found.class_id, found.metro) == (2, 1, VIRGINIA)
    assert (found.attested_units, found.grade) == (2_000, Grade.PREMIUM)
    assert world.market.site_count() >= site
    with pytest.raises(errors.Capacity_UnknownSite):
        world.market.site(1_000_000)


def test_device_unknown_to_the_package_is_shown_by_its_hash(tester_world: World) -> None:
    market = tester_world.market
    rate = market.call("Standard", "rate", "Abacus", 1, 1_000_000, 2, bytes(32))
    tester_world.market.sender.send(rate, tester_world.admin)
    site = market.register_site("Abacus", 1, 1, VIRGINIA).send(tester_world.provider).value
    assert market.site(site).device == "0x" + device_hash("Abacus").hex()


def test_available_units_are_what_is_not_committed(world: World) -> None:
    site, product = world.site(units=3_000), world.product()
    world.market.mint(site, product, 1_200).send(world.provider)
    assert world.market.available_units(site, product) == 1_800
    assert world.market.available_units(site, replace(product, start_hour=product.end_hour)) == 3_000


def test_price_is_none_until_the_round_is_cleared_and_empty_without_a_trade(world: World) -> None:
    product, round_ = world.product(), world.new_round()
    assert not world.market.book(product).is_open
    world.market.bid(product, 100, tick=400).send(world.buyer)
    assert world.market.book(product).is_open
    assert world.market.price(product, round_) is None
    world.finish(product, round_)
    price = world.market.price(product, round_)
    assert price is not None
    assert (price.units, price.tick, price.price_micro) == (0, None, None)


def test_limits_round_to_the_side_of_who_names_them(tester_world: World) -> None:
    market, product = tester_world.market, tester_world.product()
    tick_size_micro = market.tick_size_micro(product)
    between = grid_price(400) * tick_size_micro + 1
    assert market.tick(product, Kind.BID, between) == 400
    assert market.tick(product, Kind.ASK, between) == market.tick(product, Kind.OFFER, between) == 401
    assert market.price_micro(product, 400) == between - 1


def test_rounds_follow_the_clock(world: World) -> None:
    round_ = world.new_round()
    assert world.market.current_round() == round_ == world.market.read("Exchange", "currentRound")
    assert world.market.round_end_s(round_) == (round_ + 1) * TERMS.round_s
    assert world.market.current_round(world.market.round_end_s(round_)) == round_ + 1


def test_account_of_a_stranger_is_empty(world: World) -> None:
    # Nobody has its key: no other test of this world can have acted for it.
    account = world.market.account("0x000000000000000000000000000000000000dEaD")
    assert (account.cash_micro, account.epoch, account.round, account.used) == (0, 0, 0, frozenset())


def test_orders_of_one_round_leave_out_the_others(world: World) -> None:
    product, first = world.product(), world.new_round()
    world.market.bid(product, 100, tick=400).send(world.buyer)
    second = world.new_round()
    world.market.bid(product, 200, tick=401).send(world.buyer)
    assert [order.units for order in world.market.orders(product, first)] == [100]
    assert [order.units for order in world.market.orders(product, second)] == [200]
    assert [order.units for order in world.market.orders(product)] == [100, 200]


def test_checksummed_is_the_address_of_a_number() -> None:
    assert checksummed(0xF39FD6E51AAD88F6F4CE6AB8827279CFFFB92266) == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
