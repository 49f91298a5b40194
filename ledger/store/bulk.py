"""Many rows of one table at once. SQLite gets them past SQLAlchemy's work on every row, which takes longer than the
database itself; each value is made what the column's own type would make of it."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import Any

from sqlalchemy import Boolean, Connection, Select, Table, bindparam, insert, select, tuple_
from sqlalchemy.engine import Dialect

from ledger.errors import StoreUnavailable
from ledger.store.engine import FIXED, Amount, Word, upsert_into

_Plain = Callable[[Mapping[str, Any]], Any]
"""Makes of a row the values that a statement takes."""

_AT_ONCE = 500
_COPIED_MIN = 200
"""How many rows are copied into PostgreSQL rather than inserted."""

_VALUES_MAX = 8_000
"""How many values one statement takes in SQLite, where there are so many; it would take 32,766."""


def read_many(connection: Connection, table: Table, keys: Sequence[tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    """The rows with these primary keys, as mappings, in any order; none for a key without a row."""
    for start in range(0, len(keys), _AT_ONCE):
        part = keys[start : start + _AT_ONCE]
        if connection.dialect.name == "sqlite":
            yield from _read_plain(connection, table, part)
        else:
            bound = part if len(part[0]) > 1 else [key[0] for key in part]
            yield from (row._asdict() for row in connection.execute(_by_keys(table), {"keys": bound}))


@cache
def _by_keys(table: Table) -> Select[Any]:
    first, *others = table.primary_key.columns
    found = tuple_(first, *others) if others else first
    return select(table).where(found.in_(bindparam("keys", expanding=True)))


def _read_plain(connection: Connection, table: Table, keys: Sequence[tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    words = [isinstance(column.type, Word) for column in table.primary_key]
    bound = tuple(value.to_bytes(32) if word else value for key in keys for word, value in zip(words, key, strict=True))
    names, made = _made(table)
    for row in connection.exec_driver_sql(_text_of(table, len(keys)), bound):
        found = dict(zip(names, row, strict=True))
        for name, make in made:
            if found[name] is not None:
                found[name] = make(found[name])
        yield found


@cache
def _text_of(table: Table, count: int) -> str:
    columns, keys = ", ".join(f'"{one.name}"' for one in table.columns), [one.name for one in table.primary_key]
    values = ", ".join([f"({', '.join('?' * len(keys))})"] * count)
    named = ", ".join(f'"{one}"' for one in keys)
    return f'SELECT {columns} FROM "{table.name}" WHERE ({named}) IN (VALUES {values})'


@cache
def _made(table: Table) -> tuple[tuple[str, ...], tuple[tuple[str, Callable[[Any], Any]], ...]]:
    """A table's columns, and what makes of the values in some of them what the column's own type would."""
    kinds: list[tuple[type[Any], Callable[[Any], Any]]] = [(Word, int.from_bytes), (Amount, int), (Boolean, bool)]
    names = tuple(one.name for one in table.columns)
    made = ((one.name, make) for one in table.columns for kind, make in kinds if isinstance(one.type, kind))
    return names, tuple(made)


def write_many(connection: Connection, table: Table, rows: Iterable[Mapping[str, Any]], over: bool) -> None:
    """Adds rows that have a value for every column; `over` those with the same primary key, where there are any."""
    found = list(rows)
    if not found:
        return
    dialect = connection.dialect
    if dialect.name == "sqlite":
        _write_plain(connection, _prepared(table, dialect, over), found, len(table.columns))
    elif len(found) < _COPIED_MIN:
        connection.execute(upsert_into(table, dialect.name) if over else insert(table), found)
    else:
        _copy(connection, table, found, over)


# ---- SQLite


def _write_plain(
    connection: Connection, prepared: tuple[str, _Plain], rows: Sequence[Mapping[str, Any]], columns: int
) -> None:
    text, plain = prepared
    at_once = _VALUES_MAX // columns
    rest = len(rows) - len(rows) % at_once
    for start in range(0, rest, at_once):
        # One statement of many rows takes less than many of one: three quarters of the time.
        values = tuple(chain.from_iterable(map(plain, rows[start : start + at_once])))
        connection.exec_driver_sql(_many(text, at_once), values)
    if rest < len(rows):
        connection.exec_driver_sql(text, [plain(row) for row in rows[rest:]])


@cache
def _many(text: str, count: int) -> str:
    """The statement for so many rows."""
    head, values, tail = re.split(r"(?<=VALUES )(\([?, ]+\))", text)
    return head + ", ".join([values] * count) + tail


@cache
def _prepared(table: Table, dialect: Dialect, over: bool) -> tuple[str, _Plain]:
    """The statement, and what makes of a row the values that it takes, in their order."""
    statement = upsert_into(table, dialect.name) if over else insert(table)
    compiled = statement.values({one.name: bindparam(one.name) for one in table.columns}).compile(dialect=dialect)
    names = tuple(compiled.positiontup or ())
    kinds = [table.c[name].type for name in names]
    words = [place for place, kind in enumerate(kinds) if isinstance(kind, Word)]
    amounts = [place for place, kind in enumerate(kinds) if isinstance(kind, Amount)]
    return str(compiled), _plain(names, words, amounts)


def _plain(names: Sequence[str], words: Sequence[int], amounts: Sequence[int]) -> _Plain:
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


# ---- PostgreSQL


def _copy(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], over: bool) -> None:
    """By COPY, which takes a fifth of the time of as many statements; over rows that are there, by way of a table of
    this call's own."""
    from psycopg import Error  # noqa: PLC0415 - only where PostgreSQL is used

    name, columns = table.name, ", ".join(f'"{one.name}"' for one in table.columns)
    into = f"bulk_{name}" if over else name
    if over:
        connection.exec_driver_sql(f'CREATE TEMPORARY TABLE "{into}" (LIKE "{name}")')
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(f'COPY "{into}" ({columns}) FROM STDIN') as copy:
            for row in map(_copied(table), rows):
                copy.write_row(row)
    except Error as error:
        raise StoreUnavailable(str(error).strip().splitlines()[0]) from error
    if over:
        connection.exec_driver_sql(_from(table, into, columns))
        # The same transaction may write more of this table.
        connection.exec_driver_sql(f'DROP TABLE "{into}"')


@cache
def _from(table: Table, source: str, columns: str) -> str:
    """The statement that writes all of `source` over what is there."""
    keys = ", ".join(f'"{one.name}"' for one in table.primary_key)
    changing = [one.name for one in table.columns if not one.primary_key and FIXED not in one.info]
    then = "UPDATE SET " + ", ".join(f'"{one}" = excluded."{one}"' for one in changing) if changing else "NOTHING"
    return f'INSERT INTO "{table.name}" ({columns}) SELECT {columns} FROM "{source}" ON CONFLICT ({keys}) DO {then}'


@cache
def _copied(table: Table) -> _Plain:
    kinds = [one.type for one in table.columns]
    words = [place for place, kind in enumerate(kinds) if isinstance(kind, Word)]
    return _plain([one.name for one in table.columns], words, [])
