"""The questions, answered after a played day, against what the contracts themselves say."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event

from ledger.model import LeaseState
from ledger.product import Product
from ledger.store import queries
from ledger.store.board import board_rows
from ledger.store.engine import IN_MEMORY, Store, open_store
from ledger.store.records import BookRow
from tests.day import tiny_day
from tests.indexed import tiny_store

MARKET = tiny_day().market
LATE = 2**40


def books() -> list[BookRow]:
    return queries.board(tiny_store(), limit=1_000)


def test_board_lists_books_as_they_are_on_chain() -> None:
    assert books()
    assert [one.start_s for one in books()] == sorted(one.start_s for one in books())
    for one in books():
        book = MARKET.book(Product.from_id(one.product))
        said = (one.first_round, one.slots, one.tick_size_micro, one.min_units, one.escrow_micro)
        assert said == (book.first_round, book.orders, book.tick_size_micro, book.min_units, book.escrow_micro)
        assert queries.book(tiny_store(), one.product) == one
    assert queries.board(tiny_store(), after_s=books()[-1].start_s) == []
    assert queries.board(tiny_store(), class_id=200) == []
    assert queries.book(tiny_store(), 1) is None


def test_prices_are_what_rounds_cleared_at() -> None:
    for one in books():
        product = Product.from_id(one.product)
        found = queries.prices(tiny_store(), one.product)
        assert [row.place for row in found] == sorted((row.place for row in found), reverse=True)
        for row in found:
            price = MARKET.price(product, row.round)
            assert price is not None
            assert (row.units, row.price_tick, row.price_micro) == (price.units, price.tick, price.price_micro)
            assert queries.clearing(tiny_store(), one.product, row.round) == row
        assert one.traded_units == sum(row.units for row in found)
        traded = [row for row in found if row.units]
        assert one.last_price_micro == (traded[0].price_micro if traded else None)
    assert any(one.traded_units for one in books())


def test_depth_is_what_the_contract_gives() -> None:
    for one in books():
        for row in queries.prices(tiny_store(), one.product):
            on_chain = MARKET.depth(Product.from_id(one.product), row.round)
            levels = queries.depth(tiny_store(), one.product, row.round)
            assert (levels.bids, levels.asks) == (on_chain.bids, on_chain.asks)
            assert levels.bids or levels.asks


def test_pages_meet_without_hole_or_double() -> None:
    store = tiny_store()
    whole = queries.fills(store, limit=1_000)
    assert len(whole) > 7
    paged = queries.fills(store, limit=3)
    while page := queries.fills(store, before=paged[-1].place, limit=3):
        paged += page
    assert paged == whole
    owner = max(whole, key=lambda fill: fill.units).owner
    mine = queries.orders_of(store, owner, limit=1_000)
    paged_orders = queries.orders_of(store, owner, limit=2)
    while more := queries.orders_of(store, owner, before=paged_orders[-1].place, limit=2):
        paged_orders += more
    assert paged_orders == mine
    assert {one.owner for one in mine} == {owner}
    assert queries.fills(store, owner=owner) == [fill for fill in whole if fill.owner == owner]


def test_fills_add_up_to_what_was_cleared() -> None:
    for one in books():
        fills = queries.fills(tiny_store(), product=one.product, limit=1_000)
        bought = sum(fill.units for fill in fills if not fill.kind.sells)
        assert bought == one.traded_units == sum(fill.units for fill in fills) - bought


def test_orders_in_a_round_are_those_of_the_contract() -> None:
    store = tiny_store()
    for one in books():
        product = Product.from_id(one.product)
        # A slot that was used again holds its last order on chain; the history keeps both.
        for order in MARKET.orders(product):
            row = next(row for row in queries.orders_in(store, one.product, order.round) if row.slot == order.index)
            assert (row.kind, row.tick, row.units, row.prefix) == (order.kind, order.tick, order.units, order.prefix)
            assert row.settled
            assert row.site == order.site
        assert queries.free_slots(store, one.product, limit=1_000) == MARKET.free_slots(product)
        assert len(queries.free_slots(store, one.product, limit=1)) == 1
    assert queries.waiting_rounds(store, LATE) == []
    assert queries.uncleared_rounds(store, LATE, 0) == []


@pytest.mark.parametrize("ask", [queries.free_slots, lambda store, product: board_rows(store, [product], 0)])
def test_orders_that_wait_are_found_without_a_walk_over_those_that_do_not(ask: Callable[[Store, int], object]) -> None:
    """The keeper asks at every tick: SQLite must take the index of what waits, and not the product's whole history."""
    store = open_store(IN_MEMORY)
    plans: list[str] = []

    def explain(connection: Any, _: Any, statement: str, values: Any, *__: Any) -> None:
        if " orders" in statement and statement.startswith("SELECT"):
            cursor = connection.connection.driver_connection.cursor()
            plans.extend(row[-1] for row in cursor.execute(f"EXPLAIN QUERY PLAN {statement}", values))

    event.listen(store.engine, "before_cursor_execute", explain)
    ask(store, books()[0].product)
    assert plans
    assert all("COVERING INDEX orders_waiting (settled=? AND product=?)" in one for one in plans), plans


def test_leases_are_found_by_whom_where_and_when() -> None:
    store = tiny_store()
    every = queries.leases(store, limit=1_000)
    assert [one.lease for one in every] == list(range(MARKET.lease_count(), 0, -1))
    assert queries.leases(store, before=every[0].lease, limit=1_000) == every[1:]
    holder, site = every[0].holder, every[0].site
    assert queries.leases(store, holder=holder) == [one for one in every if one.holder == holder]
    assert queries.leases(store, site=site) == [one for one in every if one.site == site]
    ended = queries.leases(store, state=LeaseState.RESOLVED)
    assert ended == [one for one in every if one.state is LeaseState.RESOLVED]
    assert queries.lease(store, every[0].lease) == every[0]
    assert queries.lease(store, 10**6) is None
    assert queries.leases_due(store, LATE) == []


def test_obligations_are_gone_when_the_day_is_over() -> None:
    assert queries.obligations(tiny_store()) == []
    assert queries.obligations(tiny_store(), site=1) == []
    assert queries.obligations_due(tiny_store(), LATE) == []


def test_sites_have_their_records() -> None:
    found = queries.sites(tiny_store())
    assert [one.site for one in found] == list(range(1, MARKET.site_count() + 1))
    for one in found:
        assert MARKET.record(one.site) == (one.delivered_milli_hours, one.failed_milli_hours)
        assert MARKET.site(one.site).provider == one.provider
    assert queries.sites(tiny_store(), found[0].provider)[0] == found[0]


def test_an_owner_has_units_and_cash() -> None:
    for owner in {fill.owner for fill in queries.fills(tiny_store(), limit=1_000)}:
        for one in queries.balances(tiny_store(), owner):
            assert one.units == MARKET.units(owner, Product.from_id(one.product))
        assert queries.cash(tiny_store(), owner).free_micro == MARKET.cash_micro(owner)
    stranger = "0x" + "9" * 40
    assert queries.cash(tiny_store(), stranger).free_micro == 0
    assert queries.balances(tiny_store(), stranger) == []


def test_head_says_how_far_it_goes() -> None:
    head = queries.head(tiny_store())
    assert head is not None
    assert head.block == head.head == MARKET.chain.block().number
    assert head.hash == MARKET.chain.block().hash
    assert head.lag == 0
    assert queries.head(open_store(IN_MEMORY)) is None
