"""What stands in many books at once is what each book says by itself."""

from ledger.store.board import Wanted, products
from ledger.store.queries import book, obligations, orders_in
from ledger.store.standing import last_prices, owed_units, recent_orders
from tests.indexed import tiny_store


def test_each_book_says_the_same_by_itself() -> None:
    store = tiny_store()
    numbers = [product for _, product in products(store, Wanted())]
    assert len(numbers) > 3
    found = recent_orders(store, numbers, 0)
    for number in numbers:
        rounds = sorted({row.round for row in found.get(number, [])})
        assert found.get(number, []) == [row for round_ in rounds for row in orders_in(store, number, round_)]
        row = book(store, number)
        assert row is not None
        assert last_prices(store, numbers)[number] == (row.tick_size_micro, row.min_units, row.last_price_micro)
        owed = {one.site: one.units for one in obligations(store, product=number)}
        assert owed_units(store, numbers).get(number, {}) == owed
    assert sum(len(rows) for rows in found.values()) > 10
    last = max(row.round for rows in found.values() for row in rows)
    assert {row.round for rows in recent_orders(store, numbers, last).values() for row in rows} == {last}


def test_products_that_nobody_named_are_left_out() -> None:
    store = tiny_store()
    assert not any((recent_orders(store, [], 0), owed_units(store, []), last_prices(store, [5])))
