"""A caller that sends any bytes, and reads what comes back."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

_PATIENCE_S, _WAIT_S = 1.0, 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; status 0 where the connection ended without a word."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


async def ask(host: tuple[str, int], request: bytes) -> Answer:
    """The answer to one request, on a connection of its own."""
    reader, writer = await asyncio.open_connection(*host)
    try:
        writer.write(request)
        # Who refuses early may close before all of it is sent.
        with suppress(ConnectionError):
            await writer.drain()
        answering = asyncio.ensure_future(_answer(reader))
        done, _ = await asyncio.wait([answering], timeout=_PATIENCE_S)
        if not done and writer.can_write_eof():
            # The server waits for the rest of a request that has none.
            with suppress(OSError):
                writer.write_eof()
        return await asyncio.wait_for(answering, _WAIT_S)
    except (ConnectionError, asyncio.IncompleteReadError):
        return Answer(0)
    finally:
        writer.close()


async def ask_all(host: tuple[str, int], requests: Sequence[bytes], callers: int) -> list[Answer]:
    """The answers to all, asked by so many at once."""
    answers = [Answer(0)] * len(requests)
    waiting = iter(range(len(requests)))

    async def caller() -> None:
        for place in waiting:
            answers[place] = await ask(host, requests[place])

    await asyncio.gather(*(caller() for _ in range(callers)))
    return answers


async def _answer(reader: asyncio.StreamReader) -> Answer:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").rstrip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    status = int(first.split(" ")[1])
    if "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    else:
        body = b""
    return Answer(status, headers, body)
