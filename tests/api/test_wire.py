"""Requests whose head has no end, or that never come to their own, are ended; those that only wait for the next are
not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from api.wire import HEAD_BYTES_MAX, Http

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"


class Hasty(Http):
    """A second is a long time in a test."""

    request_s = 0.4


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(await request.body())


@asynccontextmanager
async def serving() -> AsyncIterator[int]:
    app = Starlette(routes=[Route("/", echo, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, http=Hasty, log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await task


def served(talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with serving() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                return await talk(reader, writer)
            finally:
                writer.close()

    return asyncio.run(run())


def test_a_head_without_end_is_refused() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(HEAD)
        answer = asyncio.ensure_future(reader.readline())
        for number in range(4 * HEAD_BYTES_MAX // 1_000):
            if answer.done():
                break
            writer.write(b"X-%d: %s\r\n" % (number, b"a" * 1_000))
            await asyncio.sleep(0.001)
        return await asyncio.wait_for(answer, 5)

    assert b"400" in served(talk)


@pytest.mark.parametrize("said", [b"", HEAD, HEAD + b"\r\nab"])
def test_a_request_that_never_comes_to_its_end_is_ended(said: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[bytes, float]:
        began = monotonic()
        writer.write(said)
        return await asyncio.wait_for(reader.read(), 5), monotonic() - began

    answer, took_s = served(talk)
    assert answer == b""
    assert took_s >= Hasty.request_s * 0.9


def test_a_connection_may_wait_between_two_requests() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> list[bytes]:
        answers = []
        for _ in range(2):
            writer.write(HEAD + b"\r\nabcd")
            answers.append(await asyncio.wait_for(reader.readuntil(b"abcd"), 5))
            await asyncio.sleep(2 * Hasty.request_s)
        return answers

    assert all(one.startswith(b"HTTP/1.1 200") for one in served(talk))
