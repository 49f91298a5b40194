"""Requests whose head has no end, or that never come to their own, are ended, and answers that nobody takes; those that
only wait for the next are not."""

import asyncio
import socket
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

from api.wire import HEAD_BYTES_MAX, TAKEN_BYTES_MIN, Http

MUCH = 32 * 2**20
HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"


class Hasty(Http):
    """A second is a long time in a test."""

    request_s = 0.4


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(await request.body())


async def much(_: Request) -> PlainTextResponse:
    return PlainTextResponse("m" * MUCH)


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[int, uvicorn.Server]]:
    app = Starlette(routes=[Route("/", echo, methods=["POST"]), Route("/much", much)])
    config = uvicorn.Config(app, port=0, http=Hasty, log_config=None, lifespan="off", timeout_keep_alive=1)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1], server
    server.should_exit = True
    await task


def served(talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with serving() as (port, _):
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


def test_who_takes_nothing_of_an_answer_is_left() -> None:
    async def run() -> None:
        async with serving() as (port, server):
            with socket.socket() as caller:
                # As little room on this side as there can be: what is not taken waits on the other.
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
                caller.setblocking(False)
                loop = asyncio.get_running_loop()
                await loop.sock_connect(caller, ("127.0.0.1", port))
                await loop.sock_sendall(caller, b"GET /much HTTP/1.1\r\nHost: a\r\n\r\n")
                assert await asyncio.wait_for(loop.sock_recv(caller, 1), 60) == b"H"
                deadline_s = monotonic() + 60
                while server.server_state.connections:
                    assert monotonic() < deadline_s, "it is held for ever"
                    await asyncio.sleep(0.02)

    asyncio.run(run())


class Paper:
    """A connection and a loop on paper: what waits to be taken, and what is called when its time has come."""

    def __init__(self, *waits: int) -> None:
        self._waits = list(waits)
        self.due: list[Callable[[], None]] = []
        self.aborted = False

    def get_write_buffer_size(self) -> int:
        return self._waits[0]

    def call_later(self, delay_s: float, call: Callable[[], None]) -> "Paper":
        assert delay_s == Http.request_s
        self.due.append(call)
        return self

    def cancel(self) -> None:
        """A timer that is due no more."""

    def abort(self) -> None:
        self.aborted = True

    def goes_on(self) -> None:
        del self._waits[0]
        self.due.pop()()


@pytest.mark.parametrize(
    ("waits", "ends"),
    [
        ((10**6, 10**6 - TAKEN_BYTES_MIN, 10**6 - 2 * TAKEN_BYTES_MIN), False),
        ((10**6, 10**6 - TAKEN_BYTES_MIN, 10**6 - 2 * TAKEN_BYTES_MIN + 1), True),
        ((10**6, 10**6), True),
        ((1_000, 0, 0), False),
        ((1_000, 1), True),
    ],
)
def test_an_answer_is_sent_for_as_long_as_some_of_it_is_taken(waits: tuple[int, ...], ends: bool) -> None:
    connection, paper = Http.__new__(Http), Paper(*waits)
    connection.loop = connection.transport = paper  # type: ignore[assignment]
    connection._watch()
    for _ in waits[1:]:
        assert not paper.aborted
        paper.goes_on()
    assert paper.aborted is ends
