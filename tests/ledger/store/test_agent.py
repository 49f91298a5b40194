"""The agent's rows: what is noted stays, what the chain forgets goes, whatever order it comes in."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.settings import Secret
from ledger.store.agent import ENDS, AgentBook, Beat, Job, LeaseWork, ReadingRow, Stage
from ledger.store.engine import IN_MEMORY, open_store

SITE = 4


def work(lease: int, block: int, **facts: object) -> LeaseWork:
    plain = LeaseWork(lease, bytes([lease % 256]) * 32, SITE, 2**80 + lease, "0x" + "0" * 40, 10, block, 100, 100)
    return replace(plain, **facts)  # type: ignore[arg-type]


@pytest.fixture
def book() -> Iterator[AgentBook]:
    store = open_store(IN_MEMORY)
    yield AgentBook(store)
    store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_book(request: pytest.FixtureRequest) -> Iterator[AgentBook]:
    url: Secret = IN_MEMORY if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    store = open_store(url)
    yield AgentBook(store)
    store.close()


def test_what_is_kept_is_read_back_whole(any_book: AgentBook) -> None:
    one = work(
        1,
        5,
        stage=Stage.SEALED,
        job=Job.LOST,
        why="it was lost",
        handle="h",
        started_s=0,
        exit_code=-9,
        ready=False,
        number=2,
        ready_s=7,
        delivered_milli=2**40,
        root=b"\x02" * 32,
        uploaded=True,
        ended_early=True,
    )
    rows = [ReadingRow(1, number, 100, 200, 5, 1, 2, 3, b"\x01" * 65) for number in range(2)]
    for row in rows:
        any_book.save(one, row)
        any_book.save(one, row)
    assert any_book.find(1) == any_book.works(SITE) == [one]
    assert any_book.readings(one) == rows
    assert any_book.works(SITE + 1) == []


def test_what_begun_is_forgotten_and_what_had_not_is_removed(book: AgentBook) -> None:
    first, second = work(1, 5), work(2, 6, started_s=50, handle="h")
    assert book.follow(SITE, [first], 4) == []
    book.save(second)
    assert {one.lease for one in book.follow(SITE, [], 4)} == {1, 2}
    assert book.find(1) == []
    assert book.find(2)[0].stage is Stage.FORGOTTEN
    # It comes again, in another block: it begins anew.
    book.follow(SITE, [replace(second, block=8, started_s=None, handle="")], 4)
    assert (book.find(2)[0].stage, book.find(2)[0].block) == (Stage.OPEN, 8)


def test_a_lease_that_moved_to_another_block_goes_on(book: AgentBook) -> None:
    book.follow(SITE, [work(1, 5)], 4)
    book.save(work(1, 5, handle="h", started_s=1, job=Job.STARTED))
    assert book.follow(SITE, [work(1, 9)], 6) == []
    [found] = book.find(1)
    assert (found.block, found.handle, found.job) == (9, "h", Job.STARTED)
    assert book.follow(SITE, [work(1, 10)], 9) == []
    assert book.find(1)[0].block == 10


@pytest.mark.parametrize("stage", [Stage.DONE, Stage.GONE])
def test_what_has_ended_does_not_begin_again(book: AgentBook, stage: Stage) -> None:
    book.save(work(1, 5, stage=stage))
    assert book.follow(SITE, [work(1, 5)], 0) == []
    assert book.find(1)[0].stage is stage
    assert book.works(SITE) == []


def test_what_is_final_is_never_forgotten(book: AgentBook) -> None:
    book.follow(SITE, [work(1, 5)], 7)
    assert book.follow(SITE, [], 7) == []
    assert book.works(SITE) == [work(1, 5)]
    assert book.cursor(SITE) == 7


def test_the_beat_and_the_cursor_do_not_disturb_each_other(book: AgentBook) -> None:
    assert (book.cursor(SITE), book.beat(SITE)) == (None, None)
    book.note_beat(SITE, Beat(100, 1.5))
    assert book.beat(SITE) == Beat(100, 1.5)
    book.follow(SITE, [], 9)
    assert (book.cursor(SITE), book.beat(SITE)) == (9, Beat(100, 1.5))
    assert (book.cursor(SITE + 1), book.beat(SITE + 1)) == (None, None)


@settings(max_examples=15)
@given(st.lists(st.tuples(st.sets(st.integers(1, 6), max_size=4), st.integers(0, 3)), max_size=12))
def test_what_is_open_is_what_the_chain_has(looks: list[tuple[set[int], int]]) -> None:
    """Leases above the cursor come and go as they will; those below it stay."""
    store = open_store(IN_MEMORY)
    book, cursor, final = AgentBook(store), 0, set[int]()
    for leases, step in looks:
        there = {one for one in leases if 10 * one > cursor}
        cursor += 10 * step
        book.follow(SITE, [work(one, 10 * one) for one in there], cursor)
        final |= {one for one in there if 10 * one <= cursor}
        assert {one.lease for one in book.works(SITE, ENDS)} == there | final
    store.close()
