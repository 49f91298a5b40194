"""Many rows at once are the same rows as one by one, in every table."""

from typing import Any

import pytest
from sqlalchemy import Column, Table, insert, select

from ledger.errors import StoreUnavailable
from ledger.settings import Secret
from ledger.store import bulk
from ledger.store import tables as t
from ledger.store.bulk import read_many, write_many
from ledger.store.engine import FIXED, IN_MEMORY, Store, open_store
from tests.ledger.store.test_history import values_of

TABLES = (*t.STATES, t.EVENTS, t.BLOCKS, t.UNDO)


def rows_of(table: Table, shift: int, count: int = 3) -> list[dict[str, object]]:
    return [
        {one.name: value(one, number if is_settled(one) else number + shift) for one in table.columns}
        for number in range(1, 1 + count)
    ]


def is_settled(column: Column[Any]) -> bool:
    """Whether a row keeps what it has there for ever."""
    return column.primary_key or FIXED in column.info


def value(column: object, number: int) -> object:
    name = getattr(column, "name", "")
    return number.to_bytes(4) if name in ("topics", "data") else values_of(column, number)


def found(store: Store, table: Table) -> list[dict[str, object]]:
    with store.read() as connection:
        ordered = select(table).order_by(*table.primary_key)
        return [dict(one._mapping) for one in connection.execute(ordered)]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_write_many_writes_what_one_by_one_would(table: Table) -> None:
    many, single = open_store(IN_MEMORY), open_store(IN_MEMORY)
    with many.write() as connection:
        write_many(connection, table, rows_of(table, 0), over=False)
        write_many(connection, table, rows_of(table, 5), over=True)
        write_many(connection, table, [], over=True)
    with single.write() as connection:
        for row in rows_of(table, 5):
            connection.execute(insert(table), row)
    assert found(many, table) == found(single, table) == rows_of(table, 5)
    with many.read() as connection:
        keys = [tuple(row[one.name] for one in table.primary_key) for row in rows_of(table, 5)]
        missing = tuple(value(one, 9) for one in table.primary_key)
        assert list(read_many(connection, table, [*keys[:2], missing])) == rows_of(table, 5)[:2]
        assert list(read_many(connection, table, [])) == []
    with pytest.raises(StoreUnavailable), many.write() as connection:
        write_many(connection, table, rows_of(table, 0), over=False)
    assert found(many, table) == rows_of(table, 5)


def by_key(table: Table, rows: list[dict[str, object]]) -> list[dict[str, object]]:
    names = [one.name for one in table.primary_key]
    return sorted(rows, key=lambda row: [str(row[name]) for name in names])


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_write_many_writes_very_many_alike(table: Table) -> None:
    """So many that they go in statements of many rows, and a few in one of their own."""
    count = bulk._VALUES_MAX // len(table.columns) + 3
    store = open_store(IN_MEMORY)
    with store.write() as connection:
        write_many(connection, table, rows_of(table, 0, count), over=False)
        write_many(connection, table, rows_of(table, 5, count), over=True)
    assert by_key(table, found(store, table)) == by_key(table, rows_of(table, 5, count))


def test_write_many_copies_very_many_into_postgresql(postgres_url: Secret) -> None:
    """Over rows that are there, and beside them; what comes twice is refused, and none of it kept."""
    store, count = open_store(postgres_url), bulk._COPIED_MIN + 3
    for table in TABLES:
        with store.write() as connection:
            write_many(connection, table, rows_of(table, 0, count - 2), over=False)
            write_many(connection, table, rows_of(table, 2, count), over=True)
            write_many(connection, table, rows_of(table, 5, count), over=True)
        assert by_key(table, found(store, table)) == by_key(table, rows_of(table, 5, count)), table.name
        with pytest.raises(StoreUnavailable), store.write() as connection:
            write_many(connection, table, rows_of(table, 9, count), over=False)
        assert len(found(store, table)) == count
    store.close()
