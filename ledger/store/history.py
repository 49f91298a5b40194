"""The history as it is written: rows and cursor in one transaction, and the way back from blocks that were replaced.

Whoever turns events into rows works on `History.rows`: a set of rows as they will be. `commit` writes those that
changed. For blocks that are not final, the old row of each that changes is kept beside it, once a block; `undo` puts
them back, which is exact whatever the change was.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, delete, exists, func, insert, select, update

from ledger.errors import BadStore, HistoryBroken, HistoryMoved
from ledger.store import tables as t
from ledger.store.bulk import read_many, write_many
from ledger.store.engine import Store
from ledger.store.records import BlockRow, Head

Row = dict[str, Any]
Key = tuple[Any, ...]

GENERATION = 20_000
"""How many rows of a table are remembered before the least used are let go: memory stays flat as history grows."""

# Rows of owners lie all over their tables: pages that do not fit in SQLite's own 2 MB are written and read again.
_CACHE = "PRAGMA cache_size = -65536"

STATES = {table.name: table for table in t.STATES}
_KEYS = {name: tuple(column.name for column in table.primary_key) for name, table in STATES.items()}
_NEVER_READ = (t.FILLS.name,)
"""Rows that no later event is about: they are not remembered once they are written."""


def _key_of(names: tuple[str, ...]) -> Callable[[Row], Key]:
    if len(names) == 1:
        return lambda row: (row[names[0]],)
    return itemgetter(*names)


_KEY_OF = {name: _key_of(names) for name, names in _KEYS.items()}


class Rows:
    """Rows of the state tables as they will be after the events so far. Read with `get`, change what `change` gives,
    add with `add`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._young: dict[str, dict[Key, Row | None]] = {name: {} for name in STATES}
        self._old: dict[str, dict[Key, Row | None]] = {name: {} for name in STATES}
        self._changed: dict[str, dict[Key, Row]] = {name: {} for name in STATES}
        self._undo: dict[tuple[int, str, Key], str | None] = {}
        self._whole: set[str] = set()
        self._journal: int | None = None
        self._selects = {name: _by_key(name) for name in STATES}

    def begin(self, block: int, final: bool) -> None:
        """What changes from now on changes in this block; unless it is final, old rows are kept."""
        self._journal = None if final else block

    def get(self, table: str, key: Key) -> Row | None:
        """The row with that key, to be read only; None where there is none."""
        young = self._young[table]
        if key in young:
            return young[key]
        old = self._old[table]
        if key in old:
            row = old[key]
        elif table in self._whole:
            row = None
        else:
            row = self._load(table, key)
        young[key] = row
        return row

    def prefetch(self, wanted: Iterable[tuple[str, Key]]) -> None:
        """Reads rows that are about to be needed, many at once: one by one each would cost a round trip."""
        missing: dict[str, set[Key]] = {}
        for table, key in wanted:
            if table not in self._whole and key not in self._young[table] and key not in self._old[table]:
                missing.setdefault(table, set()).add(key)
        if not missing:
            return
        with self._store.read() as connection:
            for table, keys in missing.items():
                young, ordered = self._young[table], sorted(keys)
                young.update(dict.fromkeys(keys))
                key_of = _KEY_OF[table]
                young |= {key_of(row): row for row in read_many(connection, STATES[table], ordered)}

    def change(self, table: str, key: Key, new: Row | None = None) -> Row | None:
        """The row with that key, to be changed in place: `new` where there is none yet, None where that is None."""
        row = self._young[table].get(key) or self.get(table, key)
        if row is None:
            if new is None:
                return None
            self._keep(table, key, None)
            row = self._young[table][key] = new | dict(zip(_KEYS[table], key, strict=True))
        elif self._journal is not None:
            self._keep(table, key, row)
        self._changed[table][key] = row
        return row

    def add(self, table: str, key: Key, row: Row) -> None:
        """A row whose key was never used: it is not looked up."""
        self._keep(table, key, None)
        row.update(zip(_KEYS[table], key, strict=True))
        self._young[table][key] = self._changed[table][key] = row

    def _keep(self, table: str, key: Key, row: Row | None) -> None:
        if self._journal is not None and (self._journal, table, key) not in self._undo:
            self._undo[self._journal, table, key] = None if row is None else json.dumps(row)

    def _load(self, table: str, key: Key) -> Row | None:
        with self._store.read() as connection:
            found = connection.execute(self._selects[table], dict(zip(_KEYS[table], key, strict=True))).first()
        return None if found is None else found._asdict()

    def write(self, connection: Connection) -> None:
        """Writes what changed, and what it was before."""
        for name, rows in self._changed.items():
            write_many(connection, STATES[name], rows.values(), over=True)
        kept = (
            {"block": block, "name": name, "key": json.dumps(key), "row": row}
            for (block, name, key), row in self._undo.items()
        )
        write_many(connection, t.UNDO, kept, over=False)

    def written(self) -> None:
        """What changed is in the database now."""
        self._undo = {}
        for name, rows in self._changed.items():
            if rows:
                self._changed[name] = {}
            if name in _NEVER_READ:
                self._whole.discard(name)
                self._young[name] = {}
            elif len(self._young[name]) > GENERATION:
                if self._old[name]:
                    self._whole.discard(name)
                self._old[name], self._young[name] = self._young[name], {}

    def forget(self, whole: bool = False) -> None:
        """Drops all that is remembered; `whole` says that the tables are empty, so that nothing need be looked up."""
        for part in (self._young, self._old, self._changed):
            for name in part:
                part[name] = {}
        self._undo = {}
        self._whole = set(STATES) if whole else set()


class History:
    """The history of one market in one database. One process at a time writes it."""

    def __init__(self, store: Store, chain_id: int, exchange: str, first_block: int) -> None:
        """`first_block` is where the market begins. Raises BadStore for a database with the history of another."""
        self.store = store
        self.rows = Rows(store)
        self.head = self._read_head() or Head(chain_id, exchange, first_block - 1, None, 0, first_block - 1, 0, 0)
        if (self.head.chain_id, self.head.exchange) != (chain_id, exchange):
            raise BadStore(f"it holds the history of the market {self.head.exchange} on chain {self.head.chain_id}")
        self._empty = Head(chain_id, exchange, first_block - 1, None, 0, first_block - 1, 0, 0)
        self.rows.forget(whole=self.head == self._empty)

    def _read_head(self) -> Head | None:
        names = [column for column in t.HISTORY.columns if column.name != "id"]
        with self.store.read() as connection:
            found = connection.execute(select(*names)).first()
        return None if found is None else Head(**found._asdict())

    def reload(self) -> None:
        """Goes on from where the database is, where another process went on in the meantime."""
        found = self._read_head() or self._empty
        if (found.block, found.hash) != (self.head.block, self.head.hash):
            self.head = found
            self.rows.forget(whole=found == self._empty)

    def commit(self, head: Head, blocks: Iterable[BlockRow], events: Sequence[Mapping[str, Any]]) -> None:
        """Keeps these events, these blocks, the rows that changed, and how far that is: all of it, or none.

        Raises HistoryMoved where another process went on in the meantime."""
        try:
            with self.store.write() as connection:
                self._require_ours(connection)
                if self.store.is_sqlite:
                    connection.exec_driver_sql(_CACHE)
                write_many(connection, t.EVENTS, events, over=False)
                self._add_blocks(connection, blocks)
                self.rows.write(connection)
                self._move(connection, head)
        except BaseException:
            self.rows.forget()
            raise
        self.rows.written()
        self.head = head

    def finalize(self, head: Head) -> None:
        """Forgets how to undo what is final now."""
        old, new = self.head.finalized, head.finalized
        heard = exists().where(t.EVENTS.c.block == t.BLOCKS.c.block)
        with self.store.write() as connection:
            self._require_ours(connection)
            connection.execute(delete(t.UNDO).where(t.UNDO.c.block <= new))
            passed = and_(t.BLOCKS.c.block >= old, t.BLOCKS.c.block < new)
            connection.execute(delete(t.BLOCKS).where(passed, ~heard))
            self._move(connection, head)
        self.head = head

    def undo(self, ancestor: BlockRow) -> None:
        """Takes back all blocks after `ancestor`, the newest that still stands. Raises HistoryBroken below what is
        final."""
        if ancestor.block < self.head.finalized:
            raise HistoryBroken(self.head.finalized, f"block {ancestor.block} is older than what is final")
        with self.store.write() as connection:
            self._require_ours(connection)
            kept = select(t.UNDO).where(t.UNDO.c.block > ancestor.block).order_by(t.UNDO.c.block)
            before: dict[tuple[str, str], str | None] = {}
            for one in connection.execute(kept):
                # The first block that changed a row has it as it was before all of them.
                before.setdefault((one.name, one.key), one.row)
            for name, table in STATES.items():
                of_table = {key: row for (owner, key), row in before.items() if owner == name}
                restored = [json.loads(row) for row in of_table.values() if row is not None]
                added = [json.loads(key) for key, row in of_table.items() if row is None]
                write_many(connection, table, restored, over=True)
                if added:
                    match = [column == bindparam(f"key_{column.name}") for column in table.primary_key]
                    keys = [{f"key_{part}": one for part, one in zip(_KEYS[name], key, strict=True)} for key in added]
                    connection.execute(delete(table).where(*match), keys)
            gone = t.EVENTS.c.block > ancestor.block
            dropped = connection.execute(select(func.count()).select_from(t.EVENTS).where(gone)).scalar_one()
            for table in (t.EVENTS, t.BLOCKS, t.UNDO):
                connection.execute(delete(table).where(table.c.block > ancestor.block))
            head = Head(
                chain_id=self.head.chain_id,
                exchange=self.head.exchange,
                block=ancestor.block,
                hash=ancestor.hash,
                time_s=ancestor.time_s,
                finalized=self.head.finalized,
                head=self.head.head,
                events=self.head.events - dropped,
            )
            self._move(connection, head)
        self.rows.forget()
        self.head = head

    def window(self) -> list[BlockRow]:
        """The blocks that can still be replaced and the last final one, the newest first."""
        wanted = select(t.BLOCKS).where(t.BLOCKS.c.block >= self.head.finalized).order_by(t.BLOCKS.c.block.desc())
        with self.store.read() as connection:
            return [BlockRow(**one._asdict()) for one in connection.execute(wanted)]

    def oldest(self) -> BlockRow | None:
        """The first block that is kept, final for longest: it tells chains apart that share an id."""
        with self.store.read() as connection:
            found = connection.execute(select(t.BLOCKS).order_by(t.BLOCKS.c.block).limit(1)).first()
        return None if found is None else BlockRow(**found._asdict())

    def clear(self) -> None:
        """Empties every table of the history."""
        with self.store.write() as connection:
            for table in (*t.STATES, t.EVENTS, t.BLOCKS, t.UNDO, t.HISTORY):
                connection.execute(delete(table))
        self.head = self._empty
        self.rows.forget(whole=True)

    def _add_blocks(self, connection: Connection, blocks: Iterable[BlockRow]) -> None:
        found = [{"block": one.block, "hash": one.hash, "parent": one.parent, "time_s": one.time_s} for one in blocks]
        write_many(connection, t.BLOCKS, found, over=True)

    def _move(self, connection: Connection, head: Head) -> None:
        values = {column.name: getattr(head, column.name) for column in t.HISTORY.columns if column.name != "id"}
        ours = and_(t.HISTORY.c.id == 1, t.HISTORY.c.block == self.head.block)
        if connection.execute(update(t.HISTORY).where(ours), values).rowcount:
            return
        if connection.execute(select(t.HISTORY.c.id)).first() is not None:
            raise HistoryMoved(self.head.block)
        connection.execute(insert(t.HISTORY), values | {"id": 1})

    def _require_ours(self, connection: Connection) -> None:
        """Raises HistoryMoved before anything is written where the database is not where we left it."""
        found = connection.execute(select(t.HISTORY.c.block, t.HISTORY.c.hash)).first()
        there = (self._empty.block, None) if found is None else tuple(found)
        if there != (self.head.block, self.head.hash):
            raise HistoryMoved(self.head.block)


def _by_key(name: str) -> Select[Any]:
    table = STATES[name]
    return select(table).where(*(column == bindparam(column.name) for column in table.primary_key))
