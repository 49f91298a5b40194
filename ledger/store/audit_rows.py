"""Tables as an auditor reads them: every value as the text that lies there, whatever it has become.

A reader that turned values into numbers would stumble over the very byte that the audit is to find.
"""

from collections.abc import Generator, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from typing import Any, Protocol

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    String,
    Table,
    case,
    cast,
    func,
    null,
    select,
    text,
)

from ledger.errors import LedgerError
from ledger.store import tables as t
from ledger.store.engine import Store, Word, mapped

Texts = dict[str, str | None]
"""A row: each column's value as `text_of` writes it; on SQLite its kind comes first, as any column may hold any."""


class Readable(Protocol):
    """A database, or a view of it."""

    @property
    def is_sqlite(self) -> bool: ...

    def read(self) -> AbstractContextManager[Connection]: ...


class Snapshot:
    """A database as it was at one moment, whatever is written since."""

    def __init__(self, connection: Connection, is_sqlite: bool) -> None:
        self._connection = connection
        self.is_sqlite = is_sqlite

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """The one view, again and again."""
        with mapped():
            yield self._connection


@contextmanager
def snapshot(store: Store) -> Iterator[Snapshot]:
    """The database as it is now, for as long as the context lasts."""
    with store.read() as connection:
        found = Snapshot(connection, store.is_sqlite)
        # A view begins with its first statement.
        block_of(found)
        yield found


STATES = {table.name: table for table in t.STATES}
EVENTS, BLOCKS, HISTORY, UNDO = t.EVENTS, t.BLOCKS, t.HISTORY, t.UNDO
_AT_ONCE = 1_000


def keys_of(table: str) -> tuple[str, ...]:
    """The names of a table's key columns."""
    return tuple(column.name for column in STATES[table].primary_key)


def stream(store: Readable, table: Table) -> Generator[Texts, None, None]:
    """All rows in the order of their key, a thousand held at a time. Raises StoreUnavailable or BadStore for a file
    that cannot be read."""
    names = [column.name for column in table.columns]
    wanted = select(*(_as_text(store, column) for column in table.columns)).order_by(*table.primary_key)
    with store.read() as connection, connection.execution_options(yield_per=_AT_ONCE).execute(wanted) as rows:
        for row in rows:
            yield dict(zip(names, row, strict=True))


def _as_text(store: Readable, column: Any) -> ColumnElement[Any]:
    if store.is_sqlite:
        kind, digits = func.typeof(column, type_=String), func.hex(column, type_=String)
        return case((column.is_(None), null()), else_=kind + ":" + digits)
    return cast(column, String)


def text_of(store: Readable, table: Table, values: Mapping[str, Any]) -> Texts:
    """A row as it must lie there."""
    return {column.name: _text(store, column.type, values.get(column.name)) for column in table.columns}


def _text(store: Readable, kind: Any, value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(kind, Word):
        value = int(value).to_bytes(32)
    elif isinstance(kind, Boolean):
        value = str(int(bool(value))) if store.is_sqlite else str(bool(value)).lower()
    elif not isinstance(kind, LargeBinary):
        value = str(value)
    if store.is_sqlite:
        stored = "blob" if isinstance(value, bytes) else "integer" if isinstance(kind, Boolean | Integer) else "text"
        return f"{stored}:" + (value if isinstance(value, bytes) else value.encode()).hex().upper()
    return "\\x" + value.hex() if isinstance(value, bytes) else str(value)


def shown(store: Readable, text_: str | None) -> str:
    """A value for people, from its text."""
    if text_ is not None and store.is_sqlite:
        text_ = text_.partition(":")[2]
        with suppress(ValueError):
            return bytes.fromhex(text_).decode()
    return "nothing" if text_ is None else text_


def block_of(store: Readable, column: str = "block") -> int | None:
    """How far the history goes, or (`finalized`) what of it is final; None for an empty one, or one whose head cannot
    be read."""
    with closing(stream(store, HISTORY)) as rows:
        for row in rows:
            with suppress(ValueError):
                return int(shown(store, row[column]))
    return None


def integrity(store: Readable) -> list[str]:
    """What SQLite finds wrong with its file; nothing for PostgreSQL, which has checksums of its own."""
    if not store.is_sqlite:
        return []
    try:
        with store.read() as connection:
            found = [str(row[0]) for row in connection.execute(text("PRAGMA integrity_check"))]
    except LedgerError as error:
        return [error.problem]
    return [] if found == ["ok"] else found
