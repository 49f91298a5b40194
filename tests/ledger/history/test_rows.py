"""Each table after a played day, and in its middle, against what the contracts say."""

import inspect

import pytest

from ledger.artifacts import MarketTerms
from ledger.errors import HistoryBroken
from ledger.history.index import Index
from ledger.history.logs import Said
from ledger.history.rows import Fold
from ledger.product import Product
from ledger.store import queries
from ledger.store.engine import IN_MEMORY, Store, open_store
from ledger.store.history import Rows
from tests.day import tiny_day
from tests.indexed import dump
from tests.world import World

MARKET = tiny_day().market


@pytest.fixture
def store(anvil_world: World) -> Store:
    return open_store(IN_MEMORY)


def indexed(world: World, store: Store) -> None:
    list(Index(world.market, store).advance())


def fold() -> Fold:
    return Fold(Rows(open_store(IN_MEMORY)), MarketTerms())


def test_rules_take_what_events_say() -> None:
    """One parameter for each value, for an event that some contract declares."""
    declared = {
        entry["name"]: len(entry["inputs"])
        for name in ("Standard", "Capacity", "Treasury", "Exchange", "Delivery")
        for entry in MARKET.chain.artifact(name).abi
        if entry["type"] == "event"
    }
    for name, rule in fold().rules.items():
        assert len(inspect.signature(rule).parameters) == declared[name], name


def test_cash_and_units_are_those_of_the_contracts() -> None:
    store = open_store(IN_MEMORY)
    list(Index(MARKET, store).advance())
    rows = dump(store)
    assert len(rows["cash"]) > 5
    for owner, free_micro, *_ in rows["cash"]:
        assert MARKET.cash_micro(owner) == free_micro
    for owner, product, units, *_ in rows["balances"]:
        assert MARKET.units(owner, Product.from_id(product)) == units


def test_orders_wait_with_their_escrow_until_they_are_settled(anvil_world: World, store: Store) -> None:
    world = anvil_world
    site, product = world.site(), world.product()
    round_ = world.new_round()
    world.market.offer(site, product, 60, tick=400).send(world.provider)
    world.market.bid(product, 50, tick=410).send(world.buyer)
    indexed(world, store)
    offer, bid = queries.orders_in(store, product.id, round_, waiting=True)
    reserved, _, margin_micro, _ = world.market.read("Delivery", "reservedOf", product.id, site)
    owed = queries.obligation(store, product.id, site)
    assert owed is not None
    assert (owed.reserved_units, owed.margin_micro, offer.escrow_micro) == (
        reserved,
        margin_micro * 60,
        margin_micro * 60,
    )
    assert offer.owner == world.provider.address
    assert bid.escrow_micro == world.market.book(product).escrow_micro
    assert [one.round for one in queries.uncleared_rounds(store, round_ + 1, 0) if one.product == product.id] == [
        round_
    ]
    assert [one for one in queries.waiting_rounds(store, round_) if one.product == product.id] == []
    world.finish(product, round_)
    indexed(world, store)
    assert queries.orders_in(store, product.id, round_, waiting=True) == []
    after = queries.obligation(store, product.id, site)
    on_chain = world.market.obligation(product, site)
    assert after is not None
    assert (after.units, after.bond_micro) == (on_chain.units, on_chain.bond_micro)
    assert (after.reserved_units, after.margin_micro) == (0, 0)
    for owner in (world.provider.address, world.buyer.address):
        assert queries.cash(store, owner).free_micro == world.market.cash_micro(owner)


def test_an_event_that_speaks_of_nothing_known_stops() -> None:
    said = Said("Exchange", "Settled", (1, 2, (3 << 32 | 4,)), 7, 0, "0x", 0)
    with pytest.raises(HistoryBroken, match="at block 7"):
        fold().apply(said, 1)


def test_an_event_without_a_rule_changes_nothing() -> None:
    fold().apply(Said("Capacity", "URI", ("", 1), 7, 0, "0x", 0), 1)
