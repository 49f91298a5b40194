"""What a database is made of: as this program makes it nothing is strange, and whatever is altered by hand is named."""

import sqlite3
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, make_url

from ledger.errors import StoreUnavailable
from ledger.settings import Secret
from ledger.store.catalogue import strange_parts
from ledger.store.engine import Store, open_store

EVIL = "CREATE FUNCTION evil() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; "

ALTERED = {
    "a trigger": (
        EVIL + "CREATE TRIGGER evil BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION evil()",
        {"trigger events.evil", "function evil()"},
    ),
    "a rule": ("CREATE RULE evil AS ON DELETE TO undo DO INSTEAD NOTHING", {"rule undo.evil"}),
    "a view": ("CREATE VIEW peek AS SELECT * FROM sites", {"view peek"}),
    "a table": ("CREATE TABLE other (a int)", {"table other", "column other.a"}),
    "a key that is gone": (
        "ALTER TABLE blocks DROP CONSTRAINT blocks_pkey",
        {"constraint blocks.blocks_pkey", "index blocks_pkey"},
    ),
    "an index of something else": (
        "DROP INDEX fills_owner; CREATE INDEX fills_owner ON fills (units)",
        {"index fills_owner"},
    ),
    "a column of another kind": ("ALTER TABLE cash ALTER epoch TYPE bigint", {"column cash.epoch"}),
    "a column that may be empty": ("ALTER TABLE events ALTER data DROP NOT NULL", {"column events.data"}),
    "a value by itself": ("ALTER TABLE cash ALTER free_micro SET DEFAULT 7", {"column cash.free_micro"}),
    "rows that are hidden": ("ALTER TABLE leases ENABLE ROW LEVEL SECURITY", {"table leases"}),
    "a table that a crash empties": ("ALTER TABLE orders SET UNLOGGED", {"table orders"}),
    "rows from elsewhere": (
        "CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.more () INHERITS (fills)",
        {"child of fills"},
    ),
    "a trigger on whatever happens": (
        "CREATE FUNCTION any_() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; "
        "CREATE EVENT TRIGGER evil ON ddl_command_end EXECUTE FUNCTION any_()",
        {"event trigger evil", "function any_()"},
    ),
}


def altered(url: Secret, *statements: str) -> None:
    with psycopg.connect(url.reveal(), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def strange(url: Secret) -> set[str]:
    store = open_store(url)
    try:
        return {name for name, _, _ in strange_parts(store)}
    finally:
        store.close()


def test_nothing_is_strange_as_this_program_makes_it(postgres_url: Secret, tmp_path: Path) -> None:
    for url in (postgres_url, Secret(f"sqlite:///{tmp_path / 'ledger.db'}")):
        # Made, and opened again.
        assert strange(url) == set()
        assert strange(url) == set()


def test_whatever_is_altered_in_postgresql_is_named(postgres_url: Secret) -> None:
    """All at once: each alteration has parts of its own to be named by."""
    open_store(postgres_url).close()
    altered(postgres_url, *(statement for statement, _ in ALTERED.values()))
    found = strange(postgres_url)
    for what, (_, parts) in ALTERED.items():
        assert parts <= found, what
        found -= parts
    assert found == set(), "and nothing beside"


def test_what_an_extension_brings_is_not_strange(postgres_url: Secret) -> None:
    with psycopg.connect(postgres_url.reveal(), autocommit=True) as connection:
        every = {row[0] for row in connection.execute("SELECT name FROM pg_available_extensions").fetchall()}
        found = sorted(every & {"pg_stat_statements", "pg_trgm", "citext", "pgcrypto", "vector"})
        assert found, every
        connection.execute(f"CREATE EXTENSION {found[0]}".encode())
    assert strange(postgres_url) == set()


def test_whoever_may_not_look_is_told(postgres_url: Secret) -> None:
    """Nothing unseen counts as seen."""
    store = open_store(postgres_url)
    store.close()
    altered(
        postgres_url,
        "CREATE ROLE looker LOGIN",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO looker",
        f"REVOKE TEMP ON DATABASE {make_url(postgres_url.reveal()).database} FROM PUBLIC",
    )
    engine = create_engine(
        postgres_url.reveal().replace("postgresql://postgres@", "postgresql+psycopg://looker@"),
        isolation_level="REPEATABLE READ",
    )
    store = Store(engine)
    with pytest.raises(StoreUnavailable):
        strange_parts(store)
    store.close()


def test_what_is_altered_in_sqlite_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    url = Secret(f"sqlite:///{path}")
    strange(url)
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE VIEW evil AS SELECT 1")
    assert strange(url) == {"view evil"}
