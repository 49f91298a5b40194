"""How every read is answered: one view of the history, an envelope that names its block, and pages."""

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from fastapi import Query

from api.cursors import Cursor, check_cursor, next_cursor, read_cursor
from api.schemas import Answer, Page
from api.services import View

T = TypeVar("T")
Row = TypeVar("Row")

CursorText = Annotated[
    str | None, Query(max_length=512, description="`next` of the last answer; none for the first page.")
]
PageSize = Annotated[int, Query(alias="limit", ge=1, le=200, description="how many at most")]


def answer(view: View, data: T) -> Answer[T]:
    """What was read, and the block of which it is true."""
    head = view.head
    return Answer[T](block=head.block, block_hash=view.block_hash, time_s=head.time_s, data=data)


def start_of(view: View, text: str | None, name: str, length: int) -> Cursor | None:
    """Where a page starts. Raises BadRequest, or Gone where the chain has another block there now."""
    cursor = read_cursor(text, name, length)
    if cursor is not None:
        check_cursor(cursor, view.store, view.head.block)
    return cursor


def page(
    view: View,
    name: str,
    rows: Sequence[Row],
    limit: int,
    shape: Callable[[Row], T],
    place: Callable[[Row], tuple[int, ...]],
    block: Callable[[Row], int] | None = None,
) -> Page[T]:
    """A page of `rows`, of which one more than `limit` was read where there are more. `place` is what a cursor names;
    `block` the one in which a row stands, by default the last."""
    shown = rows[:limit]
    text = None
    if len(rows) > limit:
        last = shown[-1]
        at = block(last) if block else view.head.block
        text = next_cursor(name, view.store, at, view.block_hash, place(last))
    head = view.head
    return Page[T](
        block=head.block, block_hash=view.block_hash, time_s=head.time_s, data=[shape(one) for one in shown], next=text
    )
