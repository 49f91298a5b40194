"""Callers who mean no good: whatever they send, it is refused in words, nobody else's things are touched, and nothing
that is secret is written down."""

import asyncio
import json
import logging
import os
import time
from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest

from api.metrics import JsonLines
from tests.api.stage import Stage, new_key
from tests.clients.forgery import Forger
from tests.clients.raw import Answer, ask, ask_all

REQUESTS = int(os.environ.get("COMPUTE_LEDGER_HOSTILE_REQUESTS", "10000"))
SEED = 20_261_122


class Log(logging.Handler):
    """All that the API writes, as it would stand in its file."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(JsonLines())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def log() -> Iterator[Log]:
    """What is logged at the level that the API runs with."""
    handler, root = Log(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    # This side's client is no part of the API.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    yield handler
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.fixture
def host(stage: Stage) -> tuple[str, int]:
    return stage.client.base_url.host, stage.client.base_url.port or 0


# ---- anything at all


@pytest.mark.slow
def test_ten_thousand_requests_of_nonsense_break_nothing(stage: Stage, host: tuple[str, int], log: Log) -> None:
    people = (stage.world.buyer, stage.world.seller, stage.world.provider)
    mine = new_key(stage, "buyer", "provider", "read", cash="50")
    before = [stage.world.market.cash_micro(one.address) for one in people]
    forger = Forger(Random(SEED), stage.get("/openapi.json"), mine["key"], host)
    requests = [forger.request() for _ in range(REQUESTS)]
    answers = asyncio.run(ask_all(host, requests, callers=48))
    seen: Counter[int] = Counter()
    for request, answer in zip(requests, answers, strict=True):
        seen[answer.status] += 1
        shown = f"seed {SEED}: {request[:2_000]!r} -> {answer!r}"
        assert answer.status < 500, shown
        assert "x-injected" not in answer.headers, shown
        assert b"Traceback" not in answer.body, shown
        if answer.status >= 400 and answer.headers:
            assert_told(answer, shown)
    # 0: closed without an answer, which only what is no HTTP deserves.
    assert seen[0] < REQUESTS / 10, seen
    assert len(seen) > 8, seen
    assert [stage.world.market.cash_micro(one.address) for one in people] == before
    assert stage.get("/health/ready")["ok"]
    assert_silent(log, [mine["key"], *forger.secrets])


def assert_told(answer: Answer, shown: str) -> None:
    """A refusal says what is wrong and what to do; of what is no HTTP the server says only that."""
    if answer.headers.get("content-type", "").startswith("text/plain"):
        assert answer.status == 400, shown
        return
    assert answer.headers["content-type"] == "application/problem+json", shown
    problem = json.loads(answer.body)
    assert problem["status"] == answer.status, shown
    assert problem["detail"], shown
    assert problem["remedy"], shown


def assert_silent(log: Log, secrets: list[str]) -> None:
    text = "\n".join(log.lines)
    assert log.lines
    for line in log.lines:
        said = json.loads(line)
        assert said["level"] in {"INFO", "WARNING"}, line
        assert "traceback" not in said, line
    for secret in secrets:
        assert secret not in text


@pytest.mark.parametrize(
    ("line", "route"),
    [("PUT /jobs/0x" + "ab" * 32, "/jobs/{hash}"), ("POST /rpc", "/rpc"), ("POST /orders", "/orders")],
)
def test_who_leaves_in_the_middle_of_a_request_is_no_fault_of_ours(
    stage: Stage, host: tuple[str, int], log: Log, line: str, route: str
) -> None:
    mine = new_key(stage)
    half = f"{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {mine['key']}\r\nContent-Length: 9\r\n\r\n{{"

    async def leave() -> None:
        _, writer = await asyncio.open_connection(*host)
        writer.write(half.encode())
        await writer.drain()
        await asyncio.sleep(0.2)
        writer.close()
        await writer.wait_closed()

    asyncio.run(leave())
    deadline_s = time.monotonic() + 30
    while not (told := [one for one in map(json.loads, list(log.lines)) if one.get("route") == route]):
        assert time.monotonic() < deadline_s, log.lines
        time.sleep(0.02)
    assert told[0]["status"] == 400, told
    assert_silent(log, [mine["key"]])


# ---- too much, too slow


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 300000\r\n\r\n" + b" " * 300_000,
        b"POST /orders HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"fffff\r\n"
        + b" " * 0xFFFFF,
        b"POST /orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: " + b"9" * 19 + b"\r\n\r\n{}",
        b"POST /orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 200000\r\n\r\n" + b"[" * 200_000,
        b"POST /orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 200000\r\n\r\n" + b'{"a":' * 40_000,
        b"POST /rpc HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 200000\r\n\r\n" + b"[" * 200_000,
    ],
)
def test_too_much_is_refused(host: tuple[str, int], request_: bytes) -> None:
    answer = asyncio.run(ask(host, request_))
    assert answer.status == 413
    assert answer.headers["content-type"] == "application/problem+json"


def test_those_who_send_a_byte_at_a_time_hold_nobody_up(stage: Stage, host: tuple[str, int]) -> None:
    async def slow(stop: asyncio.Event) -> None:
        _, writer = await asyncio.open_connection(*host)
        for byte in b"POST /orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4000\r\n\r\n" + b"{" * 1_000:
            if stop.is_set():
                break
            writer.write(bytes([byte]))
            await asyncio.sleep(0.02)
        writer.close()

    async def run() -> list[Answer]:
        stop = asyncio.Event()
        crawlers = [asyncio.create_task(slow(stop)) for _ in range(200)]
        await asyncio.sleep(1.5)
        request = b"GET /prices HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        answers = [await asyncio.wait_for(ask(host, request), 5) for _ in range(30)]
        stop.set()
        await asyncio.gather(*crawlers)
        return answers

    assert {one.status for one in asyncio.run(run())} == {200}
    assert stage.get("/health/ready")["ok"]
