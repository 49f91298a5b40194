"""Everything that the contracts have said, newest first."""

from contextlib import nullcontext
from typing import Annotated, Any

from fastapi import Query, Request

from api.auth import Work
from api.errors import plain, problems
from api.limits import address_of
from api.nouns import Noun
from api.reads import CursorText, PageSize, page, start_of
from api.schemas import Address, Page, Shape
from ledger import Event, EventRow, past

router = Noun(prefix="/history", tags=["history"], responses=problems(400, 410, 422, 429, 503))


class EventShape(Shape):
    """One event, with its values by name: numbers above 2^53 as texts, hashes in hex."""

    block: int
    time_s: int | None
    transaction: str
    log_index: int
    contract: str
    event: str
    values: dict[str, Any]


@router.get("", summary="Events of the market's contracts")
def list_events(
    work: Work,
    request: Request,
    contract: Annotated[str | None, Query(max_length=40, examples=["Exchange"])] = None,
    event: Annotated[str | None, Query(max_length=40, examples=["Cleared"])] = None,
    account: Annotated[Address | None, Query(description="named in one of the event's indexed values")] = None,
    cursor: CursorText = None,
    limit: PageSize = 100,
) -> Page[EventShape]:
    # Of a contract or a name: what is rare is looked for through all of the history.
    seeks = contract is not None or event is not None
    with work.searches.turn(address_of(request.scope)) if seeks else nullcontext(), work.view() as view:
        start = start_of(view, cursor, "history", 2)
        before = (start.place[0], start.place[1], 0) if start else None
        rows = past.events(view.store, contract, event, account, before, limit + 1)
        return page(
            view,
            "history",
            rows,
            limit,
            lambda row: event_shape(row, work.decode(row)),
            lambda row: row.place[:2],
            lambda row: row.block,
        )


def event_shape(row: EventRow, event: Event | None) -> EventShape:
    """A kept log, read."""
    return EventShape(
        block=row.block,
        time_s=row.time_s,
        transaction=row.transaction,
        log_index=row.log_index,
        contract=row.contract,
        event=row.name,
        values=plain(event.values) if event else {},
    )
