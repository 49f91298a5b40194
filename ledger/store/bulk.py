"""Many rows of one table at once. SQLite gets them past SQLAlchemy's work on every row, which takes longer than the
database itself; each value is made what the column's own type would make of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Boolean, Connection, Select, Table, bindparam, insert, select, tuple_
from sqlalchemy.engine import Dialect

from ledger.store.engine import Amount, Word, upsert_into

_AT_ONCE = 500


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
