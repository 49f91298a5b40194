"""Where tables live: a SQLite file by default, PostgreSQL by URL. One way to write, one way to read.

A write is one transaction that owns the database from its first statement on (BEGIN IMMEDIATE), and is on the disk when
it returns (WAL, synchronous FULL). Nothing that waits for a network belongs inside one.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from random import uniform
from threading import RLock
from typing import Any, TypeVar

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    create_engine,
    insert,
    select,
)
from sqlalchemy import event as engine_event
from sqlalchemy.engine import URL, Dialect, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import StaticPool
from sqlalchemy.schema import CreateIndex
from sqlalchemy.types import TypeDecorator, TypeEngine

from ledger.errors import BadStore, StoreUnavailable
from ledger.settings import Secret

SCHEMA = 2
"""Which shape of the tables this program writes; it rises with every change to them."""

BUSY_TIMEOUT_MS = 5_000
TRIES = 6
"""How often a transaction is begun that others get in the way of, before it is given up."""

FIXED = "fixed"
"""In the `info` of a column that never changes once its row is there: it is not written again, nor are its indexes."""

_BEGIN = "how_to_begin"
# What PostgreSQL says of two transactions that cannot both be: serialization failure, deadlock, a row that both made.
_COLLISIONS = frozenset({"40001", "40P01", "23505"})
T = TypeVar("T")
IN_MEMORY = Secret("sqlite://")
"""A database that is gone with its owner: for one process that needs no yesterday."""

metadata = MetaData()
_schema = Table("schema_version", metadata, Column("version", Integer, primary_key=True, autoincrement=False))


class Amount(TypeDecorator[int]):
    """A whole number of up to 256 bits: SQLite's integers have 63, and what others do on a chain may need more.

    SQLite keeps it as decimal digits, so no sum or order is taken of it in SQL.
    """

    impl = String(80)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Numeric(78, 0) if dialect.name == "postgresql" else String(80))

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Any:
        return value if value is None or dialect.name == "postgresql" else str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else int(value)


class Word(TypeDecorator[int]):
    """An id of up to 256 bits (a product), as 32 bytes: in the order of the numbers, and found by an index."""

    impl = LargeBinary(32)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Any:  # noqa: ARG002
        return None if value is None else value.to_bytes(32)

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else int.from_bytes(value)


class Store:
    """One database with all our tables. Open it with `open_store`; close it when done."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        # Threads of one process take turns, so that none sleeps through another's busy time-out.
        self._turn = RLock()

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: all of it is kept when the block ends, none of it when it raises."""
        with self._turn, mapped(), self.engine.begin() as connection:
            yield connection

    def redo(self, work: Callable[[Connection], T]) -> T:
        """What `work` gives, in one transaction, which is begun anew where another got in its way: PostgreSQL lets
        both begin and refuses one of them."""
        for tries_left in reversed(range(TRIES)):
            try:
                with self.write() as connection:
                    return work(connection)
            except StoreUnavailable as error:
                if not tries_left or not collided(error):
                    raise
            time.sleep(uniform(0.0, 0.02) * (TRIES - tries_left))
        raise AssertionError("the last try returns or raises")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view of what was written before."""
        turn = self._turn if isinstance(self.engine.pool, StaticPool) else nullcontext()
        with turn, mapped(), self.engine.connect().execution_options(**{_BEGIN: "BEGIN"}) as connection:
            yield connection

    def upsert(self, connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
        """Writes a row over the one with the same primary key, if there is one."""
        connection.execute(upsert_into(table, self.engine.dialect.name), row)

    def close(self) -> None:
        self.engine.dispose()


def upsert_into(table: Table, dialect: str) -> Any:
    """The statement that writes a row over the one with its primary key."""
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as insert_or_update  # noqa: PLC0415
    else:
        from sqlalchemy.dialects.sqlite import insert as insert_or_update  # type: ignore[assignment]  # noqa: PLC0415
    statement = insert_or_update(table)
    keys = [column.name for column in table.primary_key]
    changing = [column.name for column in table.columns if column.name not in keys and FIXED not in column.info]
    others = {name: statement.excluded[name] for name in changing}
    if not others:
        return statement.on_conflict_do_nothing(index_elements=keys)
    return statement.on_conflict_do_update(index_elements=keys, set_=others)


def open_store(url: Secret) -> Store:
    """The database at `url` (`sqlite:///run/ledger.db`, `postgresql://user:password@host/name`), with its tables made
    where they are missing.

    Raises BadStore for a URL of neither kind and for tables of another version, StoreUnavailable where it cannot be
    opened or written.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        engine = _sqlite(parsed)
    else:
        engine = create_engine(parsed.set(drivername="postgresql+psycopg"), isolation_level="REPEATABLE READ")
    store = Store(engine)
    try:
        with mapped():
            metadata.create_all(engine)
        with store.write() as connection:
            _check_version(connection)
            _add_indexes(connection)
    except BaseException:
        store.close()
        raise
    return store


def _check_version(connection: Connection) -> None:
    version = connection.execute(select(_schema.c.version)).scalar()
    if version is None:
        connection.execute(insert(_schema), {"version": SCHEMA})
    elif version != SCHEMA:
        raise BadStore(f"its tables are of version {version}, this program's of {SCHEMA}")


def _add_indexes(connection: Connection) -> None:
    """Makes the indexes that are missing: a database may be older than they are, and they change none of its rows."""
    for table in metadata.sorted_tables:
        for index in sorted(table.indexes, key=lambda one: str(one.name)):
            connection.execute(CreateIndex(index, if_not_exists=True))


def _parsed(url: Secret) -> URL:
    try:
        parsed = make_url(url.reveal())
    except ArgumentError:
        raise BadStore("its address is none") from None
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise BadStore(f"{parsed.get_backend_name()} is not supported")
    return parsed


def _sqlite(url: URL) -> Engine:
    in_memory = url.database in (None, "", ":memory:")
    options: dict[str, Any] = {"connect_args": {"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000}}
    if in_memory:
        options["poolclass"] = StaticPool
    else:
        folder = Path(str(url.database)).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"the folder {folder} cannot be made ({error.strerror})") from None
        if not str(url.database).startswith("file:"):
            _keep_private(Path(str(url.database)))
    engine = create_engine(url, **options)

    @engine_event.listens_for(engine, "connect")
    def _set_up(connection: Any, _: Any) -> None:
        # The driver's own transactions begin too late: ours begin below.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={BUSY_TIMEOUT_MS}", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @engine_event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN IMMEDIATE"))

    return engine


def _keep_private(path: Path) -> None:
    """Makes a new database its owner's alone: people's documents and results are in it. What SQLite makes beside it has
    the same rights. Where it cannot be made, opening it says why."""
    with suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def collided(error: BaseException) -> bool:
    """Whether a transaction failed because of another one, so that it may succeed if it is begun anew."""
    said = getattr(error.__cause__, "orig", None)
    return isinstance(error, StoreUnavailable) and getattr(said, "sqlstate", None) in _COLLISIONS


@contextmanager
def mapped() -> Iterator[None]:
    """Turns what the database's driver raises into StoreUnavailable."""
    try:
        yield
    except DBAPIError as error:
        raise StoreUnavailable(str(error.orig).strip().splitlines()[0]) from error
    except SQLAlchemyError as error:
        raise StoreUnavailable(type(error).__name__) from error
