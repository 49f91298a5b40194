"""What is kept is given again until the next block, and nothing else is kept."""

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from api.cache import Cache


@dataclass
class App:
    """Counts what it answers."""

    status: int = 200
    parts: tuple[bytes, ...] = (b"one", b"two")
    headers: tuple[tuple[bytes, bytes], ...] = ((b"a", b"b"),)
    asked: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        self.asked.append(scope["path"])
        scope["route"] = SimpleNamespace(path="/products/{code}")
        await send({"type": "http.response.start", "status": self.status, "headers": list(self.headers)})
        for place, part in enumerate(self.parts):
            await send({"type": "http.response.body", "body": part, "more_body": place + 1 < len(self.parts)})


@dataclass
class Head:
    generation: int = 1


async def receive() -> Message:
    return {"type": "http.request"}


def ask(cache: Cache, path: str = "/products", query: bytes = b"", method: str = "GET") -> tuple[bytes, Scope]:
    """The body of an answer, to which somebody around the cache adds a header."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"].append((b"x-request-id", b"1"))
            assert len(message["headers"]) == 2
        sent.append(message)

    scope: dict[str, Any] = {"type": "http", "method": method, "path": path, "raw_path": path.encode()}
    scope["query_string"] = query
    asyncio.run(cache(scope, receive, send))
    return b"".join(message.get("body", b"") for message in sent), scope


@pytest.mark.parametrize("query", [b"", b"limit=1"])
def test_an_answer_is_kept_until_the_head_moves(query: bytes) -> None:
    app, head = App(), Head()
    cache = Cache(app, lambda: head)
    assert [ask(cache, query=query)[0] for _ in range(3)] == [b"onetwo"] * 3
    assert len(app.asked) == 1
    assert ask(cache, query=query)[1]["template"] == "/products/{code}"
    head.generation += 1
    ask(cache, query=query)
    assert len(app.asked) == 2


def test_another_question_is_another_answer() -> None:
    app = App()
    cache = Cache(app, Head)
    for path, query in (("/products", b""), ("/products", b"a=1"), ("/products/x", b"")):
        ask(cache, path, query)
    assert len(app.asked) == 3


@pytest.mark.parametrize(("path", "method"), [("/keys", "GET"), ("/products", "POST"), ("/health/ready", "GET")])
def test_what_is_no_public_read_is_not_kept(path: str, method: str) -> None:
    app = App()
    cache = Cache(app, Head)
    ask(cache, path, method=method)
    ask(cache, path, method=method)
    assert len(app.asked) == 2


@pytest.mark.parametrize(
    "app", [App(status=404), App(parts=(b"x" * 2**20, b"x")), App(headers=((b"cache-control", b"private, no-store"),))]
)
def test_what_failed_or_is_long_or_private_is_not_kept(app: App) -> None:
    cache = Cache(app, Head)
    ask(cache)
    ask(cache)
    assert len(app.asked) == 2


def test_nothing_is_kept_before_the_first_block() -> None:
    app = App()
    for clock in (lambda: None, lambda: Head(0)):
        cache = Cache(app, clock)
        ask(cache)
        ask(cache)
    assert len(app.asked) == 4


def test_what_was_read_while_the_head_moved_is_not_kept() -> None:
    head = Head()

    class Moving(App):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await super().__call__(scope, receive, send)
            head.generation += 1
            await receive()

    app = Moving()
    cache = Cache(app, lambda: head)
    ask(cache)
    ask(cache)
    assert len(app.asked) == 2
