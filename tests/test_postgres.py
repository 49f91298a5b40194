"""The database on PostgreSQL, a real one: the same promises as on SQLite, and what becomes of two who write at once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, select

from ledger.errors import BadStore, StoreUnavailable
from ledger.settings import Secret
from ledger.store.engine import SCHEMA, Amount, Store, Word, open_store
from tests.postgres import Server

own = MetaData()
THINGS = Table(
    "things", own, Column("id", Integer, primary_key=True), Column("amount", Amount), Column("product", Word)
)


@contextmanager
def opened(url: Secret) -> Iterator[Store]:
    store = open_store(url)
    own.create_all(store.engine)
    yield store
    store.close()


@pytest.fixture
def store(postgres_url: Secret) -> Iterator[Store]:
    with opened(postgres_url) as store:
        assert not store.is_sqlite
        yield store


@pytest.fixture
def other(postgres_url: Secret) -> Iterator[Store]:
    """The same database, as another process would open it."""
    with opened(postgres_url) as store:
        yield store


def amounts(store: Store) -> list[int]:
    with store.read() as connection:
        return list(connection.execute(select(THINGS.c.amount).order_by(THINGS.c.id)).scalars())


def test_write_keeps_numbers_of_256_bits(store: Store, other: Store) -> None:
    rows = [{"id": 1, "amount": 2**256 - 1, "product": 2**256 - 2}, {"id": 2, "amount": 0, "product": 0}]
    with store.write() as connection:
        connection.execute(THINGS.insert(), rows)
    with other.read() as connection:
        found = connection.execute(select(THINGS).order_by(THINGS.c.id)).all()
    assert [row._asdict() for row in found] == rows
    assert all(type(row.amount) is int for row in found)


def test_ids_are_found_and_ordered_as_numbers(store: Store) -> None:
    products = [2**248, 255, 256, 2**255 + 1, 1]
    with store.write() as connection:
        connection.execute(THINGS.insert(), [{"id": n, "product": one} for n, one in enumerate(products)])
    with store.read() as connection:
        assert list(connection.execute(select(THINGS.c.product).order_by(THINGS.c.product)).scalars()) == sorted(
            products
        )
        assert connection.execute(select(THINGS.c.id).where(THINGS.c.product == 2**255 + 1)).scalar() == 3


def test_write_keeps_nothing_when_it_raises(store: Store) -> None:
    with pytest.raises(StoreUnavailable, match="duplicate key"), store.write() as connection:
        connection.execute(THINGS.insert(), [{"id": 1}, {"id": 1}])
    assert amounts(store) == []


def test_upsert_writes_over_the_row_of_the_same_key(store: Store) -> None:
    with store.write() as connection:
        for amount in (1, 2):
            store.upsert(connection, THINGS, {"id": 7, "amount": amount, "product": 3})
    assert amounts(store) == [2]


def test_read_is_one_view_whatever_is_written_meanwhile(store: Store, other: Store) -> None:
    with store.read() as connection:
        assert connection.execute(select(THINGS.c.id)).all() == []
        with other.write() as writing:
            writing.execute(THINGS.insert(), {"id": 1})
        assert connection.execute(select(THINGS.c.id)).all() == []
    assert len(amounts(store)) == 1


def test_of_two_who_change_one_row_at_once_the_second_is_told_and_nothing_is_lost(store: Store, other: Store) -> None:
    with store.write() as connection:
        connection.execute(THINGS.insert(), {"id": 1, "amount": 10})

    def raise_by_one(meanwhile: Callable[[], None] = lambda: None) -> None:
        with store.write() as connection:
            before = connection.execute(select(THINGS.c.amount)).scalar_one()
            meanwhile()
            connection.execute(THINGS.update().values(amount=before + 1))

    def overtake() -> None:
        with other.write() as connection:
            connection.execute(THINGS.update().values(amount=20))

    with pytest.raises(StoreUnavailable, match="could not serialize"):
        raise_by_one(overtake)
    assert amounts(store) == [20]
    # The same write, tried again, stands on what the other wrote.
    raise_by_one()
    assert amounts(store) == [21]


def test_open_store_refuses_tables_of_another_version(store: Store, postgres_url: Secret) -> None:
    with store.write() as connection:
        connection.exec_driver_sql(f"UPDATE schema_version SET version = {SCHEMA + 1}")
    with pytest.raises(BadStore, match="version"):
        open_store(postgres_url)


def test_database_that_is_not_there_is_unavailable(postgres_server: Server) -> None:
    with pytest.raises(StoreUnavailable, match="does not exist"):
        open_store(Secret(postgres_server.url("nobodys")))


def test_databases_of_two_tests_are_two(postgres_server: Server) -> None:
    urls = [Secret(postgres_server.fresh()) for _ in range(2)]
    with opened(urls[0]) as one, opened(urls[1]) as two:
        with one.write() as connection:
            connection.execute(THINGS.insert(), {"id": 1})
        assert len(amounts(one)) == 1
        assert amounts(two) == []
