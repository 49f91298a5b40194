"""What is written beside the work: the same as one after the other, and nothing of what follows a failure."""

from dataclasses import replace
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Connection

from ledger.errors import HistoryMoved, StoreUnavailable
from ledger.history.writer import EVENTS_AT_ONCE, Batch, Block, Writer
from ledger.store.engine import IN_MEMORY, Store, open_store
from ledger.store.history import History
from tests.ledger.store.test_history import block, event, everything, opened, row_of


def batch(history: History, number: int, value: int = 0) -> Batch:
    """A block with an event, in which an account's cash changes."""
    history.rows.begin(number, final=True)
    place, values = row_of("cash", 1, value or number)
    row = history.rows.change("cash", place, values)
    assert row is not None
    row.update(values)
    one = block(number)
    return Batch([one], [one], [event(number)], [Block(number, one.hash, one.time_s, 1)])


def test_batches_are_kept_one_after_the_other_and_told_when_they_are() -> None:
    history = opened()
    with Writer(history) as writer:
        told = [list(writer.begin(batch(history, number))) for number in (1, 2, 3)]
        assert [[one.number for one in some] for some in told] == [[], [1], [2]]
        assert [one.number for one in writer.end()] == [3]
        assert writer.end() == ()
    assert (history.head.block, history.head.finalized, history.head.events) == (3, 3, 3)
    plain = opened()
    for number in (1, 2, 3):
        made = batch(plain, number)
        head = replace(plain.head, block=number, hash=made.ends[0].hash, time_s=made.ends[0].time_s, finalized=number)
        plain.commit(replace(head, events=number), made.blocks, made.events)
    assert everything(history.store) == everything(plain.store)


def test_what_changes_while_a_batch_is_written_is_not_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that the next batch changes too is written as it was when the first was begun."""
    history, may, begun = opened(), Event(), Event()
    move = History._move

    def held_up(self: History, connection: Connection, head: Any) -> None:
        begun.set()
        assert may.wait(60)
        move(self, connection, head)

    monkeypatch.setattr(History, "_move", held_up)
    with Writer(history) as writer:
        writer.begin(batch(history, 1))
        assert begun.wait(60)
        following = batch(history, 2)
        may.set()
        assert [one.number for one in writer.end()] == [1]
        assert cash(history.store) == row_of("cash", 1, 1)[1]["free_micro"]
        writer.begin(following)
    assert cash(history.store) == row_of("cash", 1, 2)[1]["free_micro"]


def cash(store: Store) -> int:
    with store.read() as connection:
        return int(connection.exec_driver_sql("SELECT free_micro FROM cash").scalar_one())


def test_nothing_is_remembered_of_what_could_not_be_written() -> None:
    history = opened()
    history.commit(replace(history.head, block=1, hash=block(1).hash, events=1), [block(1)], [event(1)])
    with Writer(history) as writer:
        bad = batch(history, 2)
        bad.events.append(event(2))
        writer.begin(bad)
        batch(history, 3)
        with pytest.raises(StoreUnavailable):
            writer.end()
    assert (history.head.block, history.head.events) == (1, 1)
    assert history.rows.get("cash", row_of("cash", 1, 0)[0]) is None


def test_where_another_went_on_nothing_is_written() -> None:
    store = open_store(IN_MEMORY)
    history, other = opened(store), opened(store)
    other.commit(replace(other.head, block=1, hash=block(1).hash, events=1), [block(1)], [event(1)])
    before = everything(store)
    with Writer(history) as writer:
        writer.begin(batch(history, 1))
        with pytest.raises(HistoryMoved):
            writer.end()
    assert everything(store) == before


def test_whoever_leaves_early_leaves_nothing_half_done() -> None:
    history = opened()
    with Writer(history) as writer:
        writer.begin(batch(history, 1))
    assert history.head.block == 1
    assert opened(history.store).head == history.head


def test_batch_is_due_when_it_is_full_or_old() -> None:
    assert not Batch().is_due
    assert Batch(events=[{}] * EVENTS_AT_ONCE).is_due
    assert Batch(began_s=0.0).is_due
