"""Envelopes and pages."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cursors import read_cursor
from api.reads import answer, page, start_of
from api.services import View
from ledger import past

_HEAD = SimpleNamespace(block=9, time_s=5)
VIEW = cast("View", SimpleNamespace(head=_HEAD, block_hash="0xhead", store=cast("Any", None)))


@pytest.fixture(autouse=True, scope="module")
def _nothing_kept() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(past, "hash_of", lambda _view, _block: None)
        yield


def test_an_answer_names_its_block() -> None:
    found = answer(VIEW, [1])
    assert (found.block, found.block_hash, found.time_s, found.data) == (9, "0xhead", 5, [1])


@given(rows=st.integers(0, 12), limit=st.integers(1, 5))
def test_pages_give_every_row_once(rows: int, limit: int) -> None:
    seen: list[int] = []
    text = None
    for _ in range(20):
        cursor = start_of(VIEW, text, "numbers", 1)
        first = cursor.place[0] + 1 if cursor else 0
        found = page(VIEW, "numbers", list(range(first, min(first + limit + 1, rows))), limit, int, lambda row: (row,))
        seen += found.data
        text = found.next
        if text is None:
            break
    assert seen == list(range(rows))


def test_a_cursor_stands_on_its_rows_block() -> None:
    found = page(VIEW, "numbers", [1, 2], 1, int, lambda row: (row,), lambda row: row + 3)
    cursor = read_cursor(found.next, "numbers", 1)
    assert cursor is not None
    assert (cursor.block, cursor.place) == (4, (1,))
