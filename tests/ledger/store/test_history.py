"""Rows and cursor stay together, and what is taken back leaves no trace."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from ledger.errors import BadStore, HistoryBroken, HistoryMoved, StoreUnavailable
from ledger.store import bulk
from ledger.store import history as module
from ledger.store import tables as t
from ledger.store.engine import FIXED, IN_MEMORY, Amount, Store, Word, open_store
from ledger.store.history import History
from ledger.store.records import BlockRow

EXCHANGE = "0x" + "E" * 40


def opened(store: Store | None = None) -> History:
    return History(store or open_store(IN_MEMORY), 31_337, EXCHANGE, 1)


def block(number: int) -> BlockRow:
    return BlockRow(number, f"0x{number:064x}", f"0x{number - 1:064x}", 1_000 + number)


def event(number: int) -> dict[str, Any]:
    texts = {"transaction": "0x", "contract": "Exchange", "name": "Cleared"}
    return {"block": number, "log_index": 0, "transaction_index": 0, "topics": b"", "data": b"", **texts}


def commit(history: History, number: int, finalized: int = 0) -> None:
    one = block(number)
    head = replace(history.head, block=number, hash=one.hash, time_s=one.time_s, finalized=finalized)
    history.commit(replace(head, events=head.events + 1), [one], [event(number)])


def everything(store: Store) -> dict[str, Any]:
    with store.read() as connection:
        tables = (*t.STATES, t.EVENTS, t.BLOCKS, t.UNDO, t.HISTORY)
        return {table.name: sorted(map(repr, connection.execute(select(table)))) for table in tables}


def values_of(column: Any, number: int) -> Any:
    """A value that fits the column: large where it may be."""
    if isinstance(column.type, Word | Amount):
        return number << 70
    kind = column.type.python_type
    return str(number) if kind is str else bool(number % 2) if kind is bool else number


def row_of(name: str, key: int, number: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
    table = module.STATES[name]
    others = [column for column in table.columns if not column.primary_key]
    # What is fixed depends on the row alone, not on when it is changed.
    values = {column.name: values_of(column, key if FIXED in column.info else number) for column in others}
    return tuple(values_of(column, key) for column in table.primary_key), values


# A change: which table, which of its keys, and what its other values become.
CHANGES = st.lists(st.tuples(st.sampled_from(sorted(module.STATES)), st.integers(0, 2), st.integers(0, 9)), max_size=8)


@settings(max_examples=40)
@given(st.lists(CHANGES, min_size=1, max_size=6), st.data())
def test_undo_leaves_what_was_before(blocks: Sequence[Any], data: st.DataObject) -> None:
    """undo(do(x)) == x, on every table, also when a row changes in many blocks and many times in one."""
    history = opened()
    states = [everything(history.store)]
    commit(history, 1)
    states.append(everything(history.store))
    for number, changes in enumerate(blocks, 2):
        history.rows.begin(number, final=False)
        for name, key, value in changes:
            place, values = row_of(name, key, value)
            row = history.rows.change(name, place, values)
            assert row is not None
            row |= values
        commit(history, number)
        states.append(everything(history.store))
    ancestor = data.draw(st.integers(1, len(blocks) + 1))
    history.undo(block(ancestor))
    assert everything(history.store) == states[ancestor]
    assert history.head.block == ancestor
    assert opened(history.store).head == history.head


def test_undo_does_not_go_below_what_is_final() -> None:
    history = opened()
    for number in (1, 2, 3):
        history.rows.begin(number, final=False)
        commit(history, number)
    history.finalize(replace(history.head, finalized=2))
    with pytest.raises(HistoryBroken):
        history.undo(block(1))


def test_commit_keeps_nothing_where_an_event_comes_twice() -> None:
    history = opened()
    commit(history, 1)
    before = everything(history.store)
    history.rows.begin(2, final=False)
    place, values = row_of("cash", 1, 5)
    history.rows.add("cash", place, values)
    with pytest.raises(StoreUnavailable):
        history.commit(replace(history.head, block=2), [block(2)], [event(2), event(2)])
    assert everything(history.store) == before
    assert history.rows.get("cash", place) is None, "what was not kept must not be remembered"


def test_commit_refuses_where_another_process_went_on() -> None:
    first = opened()
    commit(first, 1)
    second = opened(first.store)
    commit(first, 2)
    with pytest.raises(HistoryMoved):
        commit(second, 3)
    assert opened(first.store).head.block == 2
    second.reload()
    commit(second, 3)
    assert opened(first.store).head.block == 3


def test_rows_let_go_are_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded: what was let go is read from the database, what never was is not invented."""
    monkeypatch.setattr(module, "GENERATION", 4)
    history = opened()
    for number in range(1, 21):
        history.rows.begin(number, final=True)
        place, values = row_of("cash", number, number)
        history.rows.add("cash", place, values)
        commit(history, number)
    for number in range(1, 21):
        place, values = row_of("cash", number, number)
        found = history.rows.get("cash", place)
        assert found is not None
        assert found | values == found
    assert history.rows.get("cash", ("21",)) is None


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_prefetch_finds_what_get_finds(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, kind: str
) -> None:
    monkeypatch.setattr(bulk, "_AT_ONCE", 2)
    store = open_store(IN_MEMORY if kind == "sqlite" else request.getfixturevalue("postgres_url"))
    history = opened(store)
    history.rows.begin(1, final=True)
    places = {name: [row_of(name, number, number)[0] for number in range(1, 6)] for name in module.STATES}
    for name, keys in places.items():
        for number, place in enumerate(keys[:4], 1):
            history.rows.add(name, place, row_of(name, number, number)[1] | dict.fromkeys(("block", "log_index"), 1))
    commit(history, 1)
    again = opened(store)
    again.rows.prefetch((name, place) for name, keys in places.items() for place in keys)
    # The database is gone: what is known now was read before.
    monkeypatch.setattr(again.rows, "_load", None)
    for name, keys in places.items():
        assert [again.rows.get(name, place) for place in keys] == [history.rows.get(name, place) for place in keys]
        assert again.rows.get(name, keys[4]) is None
    store.close()


def test_finalize_forgets_what_cannot_be_replaced() -> None:
    history = opened()
    for number in range(1, 6):
        history.rows.begin(number, final=False)
        place, values = row_of("cash", 1, number)
        row = history.rows.change("cash", place, values)
        assert row is not None
        row |= values
        commit(history, number)
    history.finalize(replace(history.head, finalized=4))
    assert [one.block for one in history.window()] == [5, 4]
    with history.store.read() as connection:
        assert connection.execute(select(t.UNDO.c.block)).scalars().all() == [5]


def test_history_of_another_market_is_refused() -> None:
    history = opened()
    commit(history, 1)
    with pytest.raises(BadStore, match="holds the history of"):
        History(history.store, 31_337, "0x" + "F" * 40, 1)
    with pytest.raises(BadStore):
        History(history.store, 1, EXCHANGE, 1)


def test_clear_empties_every_table() -> None:
    history = opened()
    empty = everything(history.store)
    history.rows.begin(1, final=False)
    place, values = row_of("leases", 1, 5)
    history.rows.add("leases", place, values)
    commit(history, 1)
    history.clear()
    assert everything(history.store) == empty
    assert history.head.block == 0
