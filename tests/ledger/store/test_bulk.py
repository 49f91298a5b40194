"""Many rows at once are the same rows as one by one, in every table."""

import pytest
from sqlalchemy import Table, insert, select

from ledger.errors import StoreUnavailable
from ledger.store import tables as t
from ledger.store.bulk import write_many
from ledger.store.engine import IN_MEMORY, Store, open_store
from tests.ledger.store.test_history import values_of

TABLES = (*t.STATES, t.EVENTS, t.BLOCKS, t.UNDO)


def rows_of(table: Table, shift: int) -> list[dict[str, object]]:
    return [
        {one.name: value(one, number if one.primary_key else number + shift) for one in table.columns}
        for number in range(1, 4)
    ]


def value(column: object, number: int) -> object:
    name = getattr(column, "name", "")
    return bytes([number]) if name in ("topics", "data") else values_of(column, number)


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
    with pytest.raises(StoreUnavailable), many.write() as connection:
        write_many(connection, table, rows_of(table, 0), over=False)
    assert found(many, table) == rows_of(table, 5)
