"""Cursors: what was written is read; what was not is refused; a block that is gone is told."""

import json
from base64 import urlsafe_b64encode
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cursors import Cursor, check_cursor, next_cursor, read_cursor
from api.errors import BadRequest, Gone
from ledger import Snapshot, past
from tests.api.stage import Stage

HASH = "0x" + "ab" * 32


@given(block=st.integers(0, 2**63), place=st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=4))
def test_a_cursor_is_read_as_it_was_written(block: int, place: list[int]) -> None:
    cursor = Cursor("orders", block, HASH, tuple(place))
    assert read_cursor(cursor.text(), "orders", len(place)) == cursor
    with pytest.raises(BadRequest):
        read_cursor(cursor.text(), "leases", len(place))
    with pytest.raises(BadRequest):
        read_cursor(cursor.text(), "orders", len(place) + 1)


@given(token=st.integers(2**63, 2**256 - 1))
def test_only_a_token_id_is_longer_than_the_databases_numbers(token: int) -> None:
    cursor = Cursor("products", 1, HASH, (7, token))
    assert read_cursor(cursor.text(), "products", 2) == cursor
    for name, place in (("products", (token, 7)), ("history", (7, token))):
        with pytest.raises(BadRequest):
            read_cursor(Cursor(name, 1, HASH, place).text(), name, 2)


@given(text=st.text(min_size=1, max_size=600))
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        read_cursor(text, "orders", 1)


@given(
    parts=st.lists(st.none() | st.booleans() | st.floats() | st.integers(-10, 2**300) | st.text(max_size=5), max_size=6)
)
def test_a_forged_cursor_is_read_or_refused(parts: list[object]) -> None:
    text = urlsafe_b64encode(json.dumps(parts).encode()).decode()
    try:
        found = read_cursor(text, "orders", 1)
    except BadRequest:
        return
    assert found is not None
    assert (found.name, len(found.place)) == ("orders", 1)


def test_no_cursor_is_the_first_page() -> None:
    assert read_cursor(None, "orders", 1) is read_cursor("", "orders", 1) is None


def test_check_cursor_tells_what_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past, "hash_of", lambda _view, block: HASH if block == 7 else None)
    view = cast("Snapshot", None)
    check_cursor(Cursor("orders", 7, HASH, (1,)), view, block=9)
    check_cursor(Cursor("orders", 5, HASH, (1,)), view, block=9)
    for gone in (Cursor("orders", 7, "0x" + "cd" * 32, (1,)), Cursor("orders", 10, HASH, (1,))):
        with pytest.raises(Gone):
            check_cursor(gone, view, block=9)
    assert read_cursor(next_cursor("orders", view, 7, "other", (3,)), "orders", 1) == Cursor("orders", 7, HASH, (3,))


def test_pages_over_http_give_every_row_once(stage: Stage) -> None:
    lists = f"/products/{stage.sold.code}/clearings", f"/orders?owner={stage.world.buyer.address}"
    for path in (*lists, "/history?contract=Exchange", "/products", "/sites"):
        every = stage.get(path + ("&" if "?" in path else "?") + "limit=200")["data"]
        assert 2 <= len(every) < 200
        paged: list[object] = []
        cursor: str | None = ""
        while cursor is not None:
            answer = stage.get(path + ("&" if "?" in path else "?") + f"limit=1&cursor={cursor}")
            paged += answer["data"]
            cursor = answer["next"]
        assert paged == every
