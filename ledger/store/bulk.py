"""Many rows of one table at once. SQLite gets them past SQLAlchemy's work on every row, which takes longer than the
database itself; each value is made what the column's own type would make of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert
from sqlalchemy.engine import Dialect

from ledger.store.engine import Amount, Word, upsert_into


def write_many(connection: Connection, table: Table, rows: Iterable[Mapping[str, Any]], over: bool) -> None:
    """Adds rows that have a value for every column; `over` those with the same primary key, where there are any."""
    found = list(rows)
    if not found:
        return
    dialect = connection.dialect
    if dialect.name != "sqlite":
        connection.execute(upsert_into(table, dialect.name) if over else insert(table), found)
        return
    text, plain = _prepared(table, dialect, over)
    connection.exec_driver_sql(text, [plain(row) for row in found])


@cache
def _prepared(table: Table, dialect: Dialect, over: bool) -> tuple[str, Callable[[Mapping[str, Any]], Any]]:
    """The statement, and what makes of a row the values that it takes, in their order."""
    statement = upsert_into(table, dialect.name) if over else insert(table)
    compiled = statement.values({one.name: bindparam(one.name) for one in table.columns}).compile(dialect=dialect)
    names = tuple(compiled.positiontup or ())
    kinds = [table.c[name].type for name in names]
    words = [place for place, kind in enumerate(kinds) if isinstance(kind, Word)]
    amounts = [place for place, kind in enumerate(kinds) if isinstance(kind, Amount)]
    return str(compiled), _plain(names, words, amounts)


def _plain(names: Sequence[str], words: Sequence[int], amounts: Sequence[int]) -> Callable[[Mapping[str, Any]], Any]:
    values_of = itemgetter(*names)
    if not words and not amounts:
        return values_of

    def plain(row: Mapping[str, Any]) -> tuple[Any, ...]:
        values = list(values_of(row))
        for place in words:
            values[place] = values[place].to_bytes(32)
        for place in amounts:
            if values[place] is not None:
                values[place] = str(values[place])
        return tuple(values)

    return plain
