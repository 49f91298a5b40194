"""Values as text: the same for what was written and what must be there, and nothing that a reader stumbles over."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from ledger.settings import Secret
from ledger.store import audit_rows
from ledger.store.engine import Store, open_store

ROW = {"owner": "0x" + "ab" * 20, "product": 7, "units": 5, "held_units": 0, "block": 3, "log_index": 1}
BALANCES = audit_rows.STATES["balances"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(Secret(f"sqlite:///{tmp_path / 'rows.db'}"))
    yield opened
    opened.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**256 - 1), st.integers(0, 2**256 - 1), st.integers(0, 2**40))
def test_stream_gives_what_text_of_says(store: Store, product: int, units: int, block: int) -> None:
    row = {**ROW, "product": product, "units": units, "block": block}
    with store.write() as connection:
        connection.exec_driver_sql("DELETE FROM balances")
        connection.execute(insert(BALANCES), row)
    assert list(audit_rows.stream(store, BALANCES)) == [audit_rows.text_of(store, BALANCES, row)]


def test_stream_gives_bytes_that_are_no_text(store: Store) -> None:
    with store.write() as connection:
        connection.execute(insert(BALANCES), ROW)
        connection.exec_driver_sql("UPDATE balances SET units = CAST(X'FF' AS TEXT)")
    (row,) = audit_rows.stream(store, BALANCES)
    assert row["units"] == "text:FF"
    assert audit_rows.shown(store, row["units"]) == "FF"
    assert audit_rows.shown(store, row["block"]) == "3"


def test_block_of_an_empty_database_is_none(store: Store) -> None:
    assert audit_rows.block_of(store) is None
    assert audit_rows.integrity(store) == []
    assert audit_rows.keys_of("balances") == ("owner", "product")


def test_snapshot_shows_one_moment(store: Store) -> None:
    with audit_rows.snapshot(store) as seen:
        with store.write() as connection:
            connection.execute(insert(BALANCES), ROW)
        assert list(audit_rows.stream(seen, BALANCES)) == []
        assert len(list(audit_rows.stream(store, BALANCES))) == 1
