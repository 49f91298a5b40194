"""The board's rows against the rows they are made from, and one view for all of them."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert

from ledger.model import Kind
from ledger.product import Grade, Product, Tier
from ledger.settings import Secret
from ledger.store import board
from ledger.store import tables as t
from ledger.store.board import DAY_S, SPARKS, Wanted, board_rows, snapshot
from ledger.store.engine import IN_MEMORY, Store, open_store

FIRST = Product(1, Tier.METRO, 257, Grade.STANDARD, 500_000, 24)
SECOND = Product(2, Tier.WIDE, 0, Grade.BASIC, 500_000, 1)
LATER = Product(1, Tier.HUB, 256, Grade.STANDARD, 500_100, 24)
OWNER, OTHER = "0x" + "a" * 40, "0x" + "b" * 40


@pytest.fixture
def store() -> Iterator[Store]:
    found = open_store(IN_MEMORY)
    for product in (FIRST, SECOND, LATER):
        add_book(found, product)
    yield found
    found.close()


def add(store: Store, table: object, **row: object) -> None:
    with store.write() as connection:
        connection.execute(insert(table), row)  # type: ignore[arg-type]


def add_book(store: Store, product: Product) -> None:
    facts = {"class_id": product.class_id, "start_s": product.start_s, "end_s": product.end_s, "first_round": 1}
    zeros = dict.fromkeys(("slots", "escrow_micro", "traded_units", "block", "log_index"), 0)
    add(store, t.BOOKS, product=product.id, tick_size_micro=2, min_units=10, **facts, **zeros)


def add_clearing(store: Store, product: Product, round_: int, units: int, time_s: int) -> None:
    price = 1_000 + round_ if units else None
    add(
        store,
        t.CLEARINGS,
        product=product.id,
        round=round_,
        units=units,
        price_micro=price,
        time_s=time_s,
        block=round_,
        log_index=0,
    )


def add_order(store: Store, slot: int, owner: str = OWNER, settled: bool = False, round_: int = 5) -> None:
    zeros = dict.fromkeys(("site", "prefix", "escrow_micro", "filled", "placed_log", "log_index"), 0)
    said = {"product": FIRST.id, "round": round_, "slot": slot, "kind": Kind.BID.value, "owner": owner}
    facts = {"tick": 3, "price_micro": 9, "units": 10, "settled": settled, "placed_s": 1, "transaction": "0x"}
    add(store, t.ORDERS, **said, **facts, **zeros, placed_block=slot, block=slot)


def test_products_come_by_start_and_id_in_pages(store: Store) -> None:
    every = board.products(store, Wanted())
    assert [one for _, one in every] == [FIRST.id, SECOND.id, LATER.id]
    paged, after = [], None
    while page := board.products(store, Wanted(), after, limit=1):
        paged += page
        after = page[-1]
    assert paged == every


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(class_id=1), [FIRST, LATER]),
        (Wanted(tier=3), [SECOND]),
        (Wanted(area=256), [LATER]),
        (Wanted(grade=1), [SECOND]),
        (Wanted(class_id=1, tier=1, area=257, grade=2), [FIRST]),
        (Wanted(class_id=2, tier=1), []),
        (Wanted().after(FIRST.start_s), [LATER]),
    ],
)
def test_products_are_those_that_are_wanted(store: Store, wanted: Wanted, found: list[Product]) -> None:
    assert [one for _, one in board.products(store, wanted)] == [one.id for one in found]


@given(rounds=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2 * DAY_S)), max_size=50))
def test_board_rows_are_what_the_rounds_came_to(rounds: list[tuple[int, int]]) -> None:
    store = open_store(IN_MEMORY)
    add_book(store, FIRST)
    for round_, (units, time_s) in enumerate(rounds):
        add_clearing(store, FIRST, round_, units, time_s)
    [row] = board_rows(store, [FIRST.id], 2 * DAY_S)
    traded = [(round_, units) for round_, (units, _) in enumerate(rounds) if units][::-1]
    assert [(trade.round, trade.units) for trade in row.trades] == traded[:SPARKS]
    assert row.day_units == sum(units for units, time_s in rounds if time_s > DAY_S)
    assert (row.last is not None, row.previous is not None) == (len(traded) > 0, len(traded) > 1)
    store.close()


def test_board_row_of_a_product_that_nobody_traded_is_empty(store: Store) -> None:
    [row] = board_rows(store, [FIRST.id + 1], 0)
    assert (row.book, row.last, row.previous, row.orders_open, row.day_units) == (None, None, None, 0, 0)


def test_orders_are_of_their_round_and_owner(store: Store) -> None:
    for slot, (owner, settled, round_) in enumerate(
        [(OWNER, False, 5), (OTHER, False, 5), (OWNER, True, 5), (OWNER, False, 6)]
    ):
        add_order(store, slot, owner, settled, round_)
    assert [one.slot for one in board.orders_in(store, FIRST.id, 5)] == [0, 1, 2]
    assert [one.slot for one in board.orders_in(store, FIRST.id, 5, OWNER, after_slot=0)] == [2]
    assert [one.slot for one in board.orders_in(store, FIRST.id, 5, limit=1)] == [0]
    assert [one.slot for one in board.open_orders(store, OWNER)] == [3, 0]
    assert board.order_counts(store, FIRST.id, [5, 6, 7]) == {5: 3, 6: 1}
    [row] = board_rows(store, [FIRST.id], 0)
    assert row.orders_open == 3


def test_a_snapshot_stays_as_it_was(tmp_path: object) -> None:
    store = open_store(Secret(f"sqlite:///{tmp_path}/board.db"))
    add_book(store, FIRST)
    with snapshot(store) as view:
        before = board.products(view, Wanted())
        add_book(store, SECOND)
        assert board.products(view, Wanted()) == before
    assert len(board.products(store, Wanted())) == 2
    store.close()


def test_nothing_is_known_of_what_never_was(store: Store) -> None:
    assert board.signed_numbers(store, OWNER, 5) == frozenset()
    assert board.intent_of(store, "0x" + "1" * 64) is None
