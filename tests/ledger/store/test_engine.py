"""The database: what is written stays whole, large numbers too, and a wrong address says what to name instead."""

import os
import sqlite3
import stat
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, select

from ledger.errors import BadStore, StoreUnavailable
from ledger.settings import Secret
from ledger.store.engine import IN_MEMORY, SCHEMA, Amount, Store, Word, open_store

own = MetaData()
THINGS = Table(
    "things", own, Column("id", Integer, primary_key=True), Column("amount", Amount), Column("product", Word)
)


def opened(url: Secret) -> Store:
    store = open_store(url)
    own.create_all(store.engine)
    return store


def in_file(folder: Path) -> Secret:
    return Secret(f"sqlite:///{folder / 'a' / 'ledger.db'}")


def test_write_keeps_numbers_of_256_bits(tmp_path: Path) -> None:
    row = {"id": 1, "amount": 2**256 - 1, "product": 2**256 - 2}
    with opened(in_file(tmp_path)).write() as connection:
        connection.execute(THINGS.insert(), row)
    with open_store(in_file(tmp_path)).read() as connection:
        assert connection.execute(select(THINGS)).one()._asdict() == row


def test_a_new_database_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        store = opened(in_file(tmp_path))
        with store.write() as connection:
            connection.execute(THINGS.insert(), {"id": 1})
        modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in (tmp_path / "a").iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("ledger.db", "ledger.db-wal", "ledger.db-shm"), 0o600)
    # One that is there already has the rights that its owner gave it.
    (tmp_path / "a" / "ledger.db").chmod(0o640)
    opened(in_file(tmp_path)).close()
    assert stat.S_IMODE((tmp_path / "a" / "ledger.db").stat().st_mode) == 0o640


def test_write_keeps_nothing_when_it_raises(tmp_path: Path) -> None:
    store = opened(in_file(tmp_path))
    with pytest.raises(StoreUnavailable), store.write() as connection:
        connection.execute(THINGS.insert(), [{"id": 1}, {"id": 1}])
    with store.read() as connection:
        assert connection.execute(select(THINGS)).all() == []


def test_upsert_writes_over_the_row_of_the_same_key() -> None:
    store = opened(IN_MEMORY)
    with store.write() as connection:
        for amount in (1, 2):
            store.upsert(connection, THINGS, {"id": 7, "amount": amount, "product": 3})
    with store.read() as connection:
        assert connection.execute(select(THINGS.c.amount)).scalars().all() == [2]


def test_a_file_is_written_through_to_the_disk(tmp_path: Path) -> None:
    with opened(in_file(tmp_path)).read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_write_waits_for_another_and_says_so_when_it_takes_too_long(tmp_path: Path) -> None:
    store, other = opened(in_file(tmp_path)), opened(in_file(tmp_path))
    with other.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=50")
    with store.write(), pytest.raises(StoreUnavailable, match="locked"), other.write():
        pass


@pytest.mark.parametrize("address", ["nonsense", "mysql://a:b@127.0.0.1/c", ""])
def test_open_store_refuses_an_address_that_is_none(address: str) -> None:
    with pytest.raises(BadStore, match="COMPUTE_LEDGER_DATABASE"):
        open_store(Secret(address))


def test_open_store_refuses_tables_of_another_version(tmp_path: Path) -> None:
    open_store(in_file(tmp_path)).close()
    with sqlite3.connect(tmp_path / "a" / "ledger.db") as connection:
        connection.execute("UPDATE schema_version SET version = ?", (SCHEMA + 1,))
    with pytest.raises(BadStore, match="version"):
        open_store(in_file(tmp_path))


def test_open_store_says_when_a_file_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is not a database, it is a text of some length" * 30, encoding="utf-8")
    with pytest.raises(StoreUnavailable, match="not a database"):
        open_store(Secret(f"sqlite:///{tmp_path / 'text'}"))


def test_errors_do_not_show_the_password() -> None:
    with pytest.raises(StoreUnavailable) as caught:
        open_store(Secret("postgresql://someone:hunter2@127.0.0.1:1/none"))
    assert "hunter2" not in str(caught.value)


def test_open_store_adds_the_indexes_that_an_older_database_lacks(tmp_path: Path) -> None:
    open_store(in_file(tmp_path)).close()
    with sqlite3.connect(tmp_path / "a" / "ledger.db") as plain:
        found = "SELECT name FROM sqlite_master WHERE type = 'index' AND name NOT LIKE 'sqlite_%'"
        names = [name for (name,) in plain.execute(found)]
        assert "leases_job" in names
        for name in names:
            plain.execute(f"DROP INDEX {name}")
    open_store(in_file(tmp_path)).close()
    with sqlite3.connect(tmp_path / "a" / "ledger.db") as plain:
        assert sorted(names) == sorted(name for (name,) in plain.execute(found))
