"""What is new, as server-sent events: `block`, `reorg`, `finalized`; resumed by Last-Event-ID."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.auth import Work
from api.errors import TooMany, problems
from api.feed import Listener, News
from api.limits import address_of
from api.nouns import Noun

router = Noun(prefix="/stream", tags=["stream"], responses=problems(422, 429, 503))

LISTENERS_MAX, OF_ONE_MAX = 1_000, 100
"""How many may listen, and how many from one address: whoever takes every place silences everybody else's page."""

_PLACE = re.compile(r"([0-9]{1,18}):(0x[0-9a-f]{64})")


# Before the answer begins: once it has, there is no other status. And it ends with the request: a stream that is left
# between two words is only ended when somebody collects it, and would keep its place until then.
async def listening(work: Work, request: Request) -> AsyncIterator[Listener]:
    """The caller's place among those who listen. Raises TooMany."""
    address = address_of(request.scope)
    if work.feed.listeners >= LISTENERS_MAX or work.feed.listeners_at(address) >= OF_ONE_MAX:
        raise TooMany("Too many listen already.", "Ask for /products now and then instead.", {"Retry-After": "30"})
    listener = Listener(asyncio.get_running_loop(), address)
    work.feed.listen(listener)
    try:
        yield listener
    finally:
        work.feed.leave(listener)


# A thread for each listener would be one too many: this is the one route that runs on the event loop.
@router.get("", response_class=EventSourceResponse, summary="Blocks as they come")
async def stream(
    work: Work,
    listener: Annotated[Listener, Depends(listening)],
    last_event_id: Annotated[str | None, Header(max_length=200)] = None,
) -> AsyncIterator[ServerSentEvent]:
    seen = _PLACE.fullmatch(last_event_id or "")
    head = work.feed.head
    if seen and head:
        for news in await asyncio.to_thread(work.feed.since, int(seen[1]), seen[2], head):
            yield _event(news)
    async for news in listener:
        yield _event(news)


def _event(news: News) -> ServerSentEvent:
    return ServerSentEvent(event=news.name, raw_data=news.data, id=news.place)
