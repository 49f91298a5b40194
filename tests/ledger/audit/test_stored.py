"""The index's database beside a played day: equal as it is; any flipped byte of any row is found and located."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ledger.audit.books import Finding
from ledger.audit.run import run_audit
from ledger.audit.stored import Stored
from ledger.errors import InputError
from ledger.history.index import Index, Reorg
from ledger.history.logs import Said
from ledger.history.rows import Fold
from ledger.market import Market
from ledger.sending.sender import Sender
from ledger.settings import Secret
from ledger.store.audit_rows import BLOCKS, EVENTS, STATES
from ledger.store.engine import open_store
from tests.day import tiny_day
from tests.world import world_on


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the day's history, closed."""
    path = tmp_path_factory.mktemp("stored") / "history.db"
    store = open_store(Secret(f"sqlite:///{path}"))
    # Most of it is final, and some can be replaced.
    for _ in Index(tiny_day().market, store, window=20).advance():
        pass
    with store.write() as connection:
        connection.exec_driver_sql("SELECT 1")
    store.close()
    return path


@pytest.fixture
def database(kept: Path, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A copy of it, to spoil."""
    with sqlite3.connect(kept) as source, sqlite3.connect(tmp_path / "copy.db") as copy:
        source.backup(copy)
        yield copy


def audited(path: Path) -> list[Finding]:
    store = open_store(Secret(f"sqlite:///{path}"))
    try:
        stored = Stored(tiny_day().market, store)
        report, _ = run_audit(tiny_day().market, stored.block_to_audit(None), stored=stored)
        return list(report.findings)
    finally:
        store.close()


def path_of(database: sqlite3.Connection) -> Path:
    database.commit()
    return Path(database.execute("PRAGMA database_list").fetchone()[2])


def test_stored_is_equal_as_the_index_made_it(kept: Path) -> None:
    assert audited(kept) == []


def test_stored_is_equal_however_it_was_read(tmp_path: Path) -> None:
    """A few blocks at a time, so that each was one that could be replaced and became final later."""
    path = tmp_path / "slow.db"
    store = open_store(Secret(f"sqlite:///{path}"))
    index = Index(tiny_day().market, store, window=20)
    while index.head.lag or not index.head.events:
        for _ in index.advance(7):
            pass
    store.close()
    assert audited(path) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_stored_is_equal_after_blocks_were_replaced(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """The old rows of what can still be replaced are those of the blocks that stand; a wrong one is found there too."""
    file = Secret(f"sqlite:///{tmp_path / 'replaced.db'}")
    store = open_store(file if kind == "sqlite" else request.getfixturevalue("postgres_url"))
    with world_on("anvil") as world:
        index = Index(world.market, store)
        product = world.product()
        world.sell(world.site(), product, 50)
        list(index.advance())
        world.market.transfer(product, 12, world.buyer.address, world.seller.address).send(world.buyer)
        world.market.bid(product, 30, tick=100).send(world.buyer)
        list(index.advance())
        world.chain.request("anvil_reorg", 2, [])
        assert any(isinstance(one, Reorg) for one in index.advance())
        market = Market(world.chain, world.market.deployment, Sender(world.chain))
        market.bid(product, 40, tick=200).send(world.buyer)
        list(index.advance())

        def found() -> list[Finding]:
            stored = Stored(market, store)
            return list(run_audit(market, stored.block_to_audit(None), stored=stored)[0].findings)

        assert found() == []
        with store.write() as connection:
            last = "SELECT max(block) FROM undo WHERE name = 'books' AND row IS NOT NULL"
            spoilt = f"UPDATE undo SET row = replace(row, '\"slots\": ', '\"slots\": 9') WHERE block = ({last})"
            assert connection.exec_driver_sql(f"{spoilt} AND name = 'books'").rowcount == 1
        assert [(one.rule, one.where.partition(" ")[0]) for one in found()] == [("STORED", "undo:")]
    store.close()


TABLES = [table.name for table in (EVENTS, BLOCKS, *STATES.values())]


@pytest.mark.parametrize("table", TABLES)
def test_stored_finds_a_flipped_byte_in_each_column(table: str, database: sqlite3.Connection) -> None:
    """One byte of one row, a column after the other; the finding names the table and the column or the row."""
    random = Random(table)
    columns = database.execute(f"PRAGMA table_info({table})").fetchall()
    names, keys = [one[1] for one in columns], [one[0] for one in columns if one[5]]
    same = " AND ".join(f'"{names[key]}" = ?' for key in keys)
    rows = database.execute(f"SELECT * FROM {table}").fetchall()
    if not rows:
        assert table in {"pauses"}
        return
    spoilt = 0
    for place, name in enumerate(names):
        filled = [row for row in rows if row[place] not in (None, "", b"")]
        if not filled or (table, name) == ("blocks", "parent"):
            continue
        row = random.choice(filled)
        at = [row[key] for key in keys]
        database.execute(f'UPDATE {table} SET "{name}" = ? WHERE {same}', [flip(row[place], random), *at])
        rows.remove(row)
        spoilt += 1
        if not rows:
            break
    findings = [one for one in audited(path_of(database)) if one.rule == "STORED" and one.where.startswith(table)]
    assert len(findings) >= spoilt > 0


def flip(value: object, random: Random) -> object:
    if isinstance(value, bytes):
        at = random.randrange(len(value))
        return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]
    if isinstance(value, int):
        return value ^ 1 << (random.randrange(30) if value > 1 else 0)
    text = str(value)
    at = random.randrange(len(text))
    return text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]


@pytest.mark.parametrize("table", ["events", "fills", "leases"])
def test_stored_finds_a_row_that_is_gone_and_one_too_many(table: str, database: sqlite3.Connection) -> None:
    key = {"events": "log_index", "fills": "slot", "leases": "lease"}[table]
    database.execute(f"DELETE FROM {table} WHERE {key} = (SELECT min({key}) FROM {table})")
    (finding, *_) = [one for one in audited(path_of(database)) if one.rule == "STORED" and one.where.startswith(table)]
    assert (finding.expected, finding.actual) == ("there", "missing")
    assert finding.block


ALTERED = {
    "a text as bytes": ("UPDATE events SET name = CAST(name AS BLOB)", "events: name"),
    "a number as bytes": ("UPDATE sites SET devices = CAST(CAST(devices AS TEXT) AS BLOB)", "sites: devices"),
    "money as bytes": (
        "UPDATE classes SET bond_price_micro = CAST(bond_price_micro AS BLOB)",
        "classes: bond_price_micro",
    ),
    "the head's hash": ("UPDATE history SET hash = '0x' || hex(zeroblob(32))", "history: hash"),
    "the head's time": ("UPDATE history SET time_s = time_s + 1", "history: time_s"),
    "the head's chain": ("UPDATE history SET chain_id = chain_id + 1", "history: chain_id"),
    "final beyond the head": ("UPDATE history SET finalized = block + 1", "history: finalized"),
    "a node behind us": ("UPDATE history SET head = block - 1", "history: head"),
    "a parent left out": ("UPDATE blocks SET parent = NULL", "blocks: parent"),
    "blocks that are gone": ("DELETE FROM blocks WHERE block NOT IN (SELECT block FROM events)", "blocks: a row"),
    "less that is final": ("UPDATE history SET finalized = 1", "blocks: a row"),
    "more that is final": ("UPDATE history SET finalized = block", "undo: "),
    "an old row planted": (
        "INSERT INTO undo SELECT block, 'classes', '[1]', '{\"class_id\": 1, \"name\": \"evil\"}' FROM history",
        "undo: ",
    ),
    "an old row of no table": ("INSERT INTO undo SELECT block, 'nothing', '[1]', NULL FROM history", "undo: "),
    "an old row altered": ("UPDATE undo SET row = replace(row, ':', ': 1')", "undo: "),
    "an old row as bytes": ("UPDATE undo SET row = CAST(row AS BLOB)", "undo: "),
    "an old row gone": ("DELETE FROM undo", "undo: "),
    "a trigger": (
        "CREATE TRIGGER evil AFTER INSERT ON events BEGIN UPDATE cash SET free_micro = 0; END",
        "the database's trigger evil",
    ),
    "a table": ("CREATE TABLE other (a)", "the database's table other"),
    # One that is gone is made anew when the database is opened.
    "an index of something else": (
        "DROP INDEX fills_owner; CREATE INDEX fills_owner ON fills (units)",
        "the database's index fills_owner",
    ),
}


@pytest.mark.parametrize("what", ALTERED)
def test_stored_finds_what_is_altered_beside_the_values(what: str, database: sqlite3.Connection) -> None:
    """The kinds of values, the head, the blocks and old rows of what can be replaced, and parts that nobody made."""
    statement, where = ALTERED[what]
    if "undo" in statement:
        assert database.execute("SELECT count(*) FROM undo WHERE row IS NOT NULL").fetchone() != (0,)
    database.executescript(statement)
    assert any(one.where.startswith(where) for one in audited(path_of(database)))


def test_stored_finds_text_that_is_none(database: sqlite3.Connection) -> None:
    database.execute("UPDATE sites SET uri = CAST(X'FFFE' AS TEXT) WHERE site = 1")
    assert any(one.where == "sites: uri" for one in audited(path_of(database)))


def test_stored_finds_a_torn_file(kept: Path, tmp_path: Path) -> None:
    """A byte of the file itself, in a page of rows: SQLite's own check or the rows say so."""
    whole = bytearray(kept.read_bytes())
    random = Random(1)
    found = 0
    for _ in range(4):
        torn = bytearray(whole)
        page = random.randrange(2, len(whole) // 4096 - 1) * 4096
        torn[page : page + 8] = b"\xff" * 8
        path = tmp_path / "torn.db"
        path.write_bytes(torn)
        try:
            found += bool(audited(path))
        except Exception as error:
            assert hasattr(error, "remedy")
            found += 1
    assert found == 4


def test_block_to_audit_is_the_databases(kept: Path, tmp_path: Path) -> None:
    store = open_store(Secret(f"sqlite:///{kept}"))
    stored = Stored(tiny_day().market, store)
    block = stored.block_to_audit(None)
    assert stored.block_to_audit(block) == block == tiny_day().chain.block().number
    with pytest.raises(InputError):
        stored.block_to_audit(block - 1)
    store.close()
    empty = open_store(Secret(f"sqlite:///{tmp_path / 'empty.db'}"))
    with pytest.raises(InputError):
        Stored(tiny_day().market, empty).block_to_audit(None)
    empty.close()


Keys = Callable[[tuple[Any, ...]], tuple[Any, ...]]

SHARED: dict[str, tuple[str, Keys, str, str]] = {
    "cash": ("Deposited", lambda values: values[:1], "free_micro", "INV-1"),
    "balances": ("TransferSingle", lambda values: values[2:4], "units", "INV-16"),
    "clearings": ("Cleared", lambda values: values[:2], "units", "INV-6"),
    "books": ("BookOpened", lambda values: values[:1], "min_units", "INV-5"),
    "obligations": ("Obliged", lambda values: values[:2], "bond_micro", "INV-8"),
    "sites": ("RecordUpdated", lambda values: values[:1], "delivered_milli_hours", "INV-15"),
    "leases": ("Resolved", lambda values: values[:1], "to_holder_micro", "INV-8"),
}


@pytest.mark.parametrize("table", SHARED)
def test_stored_finds_a_mistake_that_the_index_and_its_rows_share(
    table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule of the index that is wrong makes the same rows here and there: the independent model knows better."""
    event, key_of, column, rule = SHARED[table]
    apply = Fold.apply

    def wrong(self: Fold, said: Said, time_s: int) -> None:
        apply(self, said, time_s)
        if said.name == event:
            row = self._to.rows.change(table, key_of(said.values))
            if row is not None:
                row[column] += 1

    monkeypatch.setattr(Fold, "apply", wrong)
    path = tmp_path / "wrong.db"
    store = open_store(Secret(f"sqlite:///{path}"))
    for _ in Index(tiny_day().market, store, window=20).advance():
        pass
    store.close()
    found = audited(path)
    assert found
    assert {one.rule for one in found} == {rule}, "the rows are equal: only the model can say so"
    assert all(one.where.startswith("index: ") and one.block for one in found)
