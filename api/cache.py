"""Answers of public reads, kept until the next block: each is a function of the request and the block alone."""

from collections.abc import Callable
from typing import Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ENTRIES_MAX = 2_000
_BYTES_MAX = 64 * 2**20
_BODY_BYTES_MAX = 2**20
CACHED = ("/products", "/prices", "/sites", "/standard", "/leases", "/history", "/accounts", "/audit/clearings")


class Clock(Protocol):
    """Says when everything that was kept is out of date: its `generation` rises."""

    @property
    def generation(self) -> int: ...


class Cache:
    """ASGI middleware. Only whole answers with status 200 to GET are kept, none that came without a known
    block, and none that says `no-store`: it is for one caller alone."""

    def __init__(self, app: ASGIApp, clock: Callable[[], Clock | None]) -> None:
        self._app = app
        self._clock = clock
        self._generation = -1
        self._bytes = 0
        self._kept: dict[bytes, tuple[Message, Message, str]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith(CACHED):
            await self._app(scope, receive, send)
            return
        clock = self._clock()
        generation = clock.generation if clock else 0
        if generation != self._generation:
            self._kept.clear()
            self._bytes, self._generation = 0, generation
        # The path as it was sent: what decodes to the same may yet be another question.
        key = scope["raw_path"] + b"?" + scope["query_string"]
        kept = self._kept.get(key)
        if kept is not None:
            start, body, template = kept
            scope["template"] = template
            # Middlewares around this one add headers to the list: each request gets its own.
            await send({**start, "headers": list(start["headers"])})
            await send(body)
            return
        recorder = Recorder(send)
        await self._app(scope, receive, recorder)
        if generation and generation == self._generation and recorder.is_whole:
            self._keep(key, recorder, str(getattr(scope.get("route"), "path", "")))

    def _keep(self, key: bytes, recorder: "Recorder", template: str) -> None:
        if len(self._kept) >= _ENTRIES_MAX or self._bytes >= _BYTES_MAX:
            return
        assert recorder.start is not None
        self._bytes += len(recorder.body)
        self._kept[key] = recorder.start, {"type": "http.response.body", "body": recorder.body}, template


class Recorder:
    """Passes an answer on, and remembers it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._parts: list[bytes] = []
        self._bytes = 0
        self.start: Message | None = None
        self._ended = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = {**message, "headers": list(message["headers"])}
        elif message["type"] == "http.response.body":
            self._bytes += len(message.get("body", b""))
            if self._bytes <= _BODY_BYTES_MAX:
                self._parts.append(message.get("body", b""))
            self._ended = not message.get("more_body", False)
        await self._send(message)

    @property
    def body(self) -> bytes:
        return b"".join(self._parts)

    @property
    def is_whole(self) -> bool:
        """Whether all of a good answer was seen, and it is short enough to keep."""
        good = self.start is not None and self.start["status"] == 200
        return good and self._ended and self._bytes <= _BODY_BYTES_MAX and not self._is_private

    @property
    def _is_private(self) -> bool:
        headers = self.start["headers"] if self.start else ()
        return any(name == b"cache-control" and b"no-store" in value for name, value in headers)
