"""What holds for every request, before any route: whose name it came under, from which page, how long it is; and what
every answer tells the browser."""

from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import BadRequest, NotAllowed, Refused, TooLarge, refuse
from api.limits import READS
from ledger import DOCUMENT_BYTES_MAX, RESULT_BYTES_MAX

HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        b"frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)


class Guard:
    """ASGI middleware. A page of another site can make a browser send requests here: those that write are refused
    unless its origin is allowed, and so is every request under a host name that is not ours (DNS rebinding)."""

    def __init__(self, app: ASGIApp, names: frozenset[str], origins: frozenset[str], body_bytes_max: int) -> None:
        self._app = app
        self._names = names
        self._origins = origins
        self._body_bytes_max = body_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message.setdefault("headers", [])
                message["headers"].extend(HEADERS)
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            await refuse(refusal)(scope, receive, send_with_headers)
            return
        body = _Body(receive, *self._bounds(scope))

        async def send_unless_refused(message: Message) -> None:
            # Whoever reads the body makes of its refusal a complaint of its own: ours says what to do.
            if body.refusal is None:
                await send_with_headers(message)
            elif message["type"] == "http.response.start":
                await refuse(body.refusal)(scope, receive, send_with_headers)

        await self._app(scope, body, send_unless_refused)

    def _bounds(self, scope: Scope) -> tuple[int, int]:
        """How many bytes a body may have, and how many lists and objects it may open."""
        if scope["method"] == "PUT" and scope["path"].startswith("/jobs/"):
            return DOCUMENT_BYTES_MAX, OPENINGS_MAX
        if scope["method"] == "PUT" and scope["path"].endswith("/result"):
            # A log may be full of brackets; its reader goes only so deep.
            return RESULT_BYTES_MAX, RESULT_BYTES_MAX
        return self._body_bytes_max, OPENINGS_MAX

    def _refusal(self, scope: Scope) -> Refused | None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        # Of two, one would be looked at here, and the other where a wallet's sign-in is held against it.
        twice = sum(name == b"host" for name, _ in scope["headers"]) > 1
        if twice or _name_of(host) not in self._names:
            return BadRequest("The host name is not one of this API's.", "Name it in COMPUTE_LEDGER_API_NAMES.")
        if scope["method"] not in READS:
            origin = headers.get(b"origin", "")
            strange = origin and origin not in self._origins and _place_of(origin) != host
            if strange or (not origin and headers.get(b"sec-fetch-site") == "cross-site"):
                return NotAllowed("Pages of other sites may not write here.", "Allow it in COMPUTE_LEDGER_API_ORIGINS.")
        length = headers.get(b"content-length", "0")
        bytes_max, _ = self._bounds(scope)
        if not length.isascii() or not length.isdigit() or int(length[:20]) > bytes_max:
            return _too_large(bytes_max)
        return None


def _name_of(host: str) -> str:
    """A host without its port; an IPv6 address keeps its brackets."""
    name, _, port = host.rpartition(":")
    return name if name and port.isdigit() else host


def _place_of(origin: str) -> str:
    """The host and port of an origin; none of what is no address."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


OPENINGS_MAX = 10_000
"""How many lists and objects a body may open. The parser goes as deep as it is told to, and py-evm has raised Python's
own limit so far that a body of brackets alone would end the process."""


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is longer than {limit} bytes.", "Send less at once.")


class _Body:
    """Hands a body on as it comes, up to the limit: what it says of its length may be wrong or missing."""

    def __init__(self, receive: Receive, limit: int, openings_max: int) -> None:
        self._receive = receive
        self._limit = limit
        self._openings_max = openings_max
        self._seen = 0
        self._opened = 0
        self.refusal: TooLarge | None = None

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            part = message.get("body", b"")
            self._seen += len(part)
            self._opened += part.count(b"[") + part.count(b"{")
            if self._seen > self._limit:
                self.refusal = _too_large(self._limit)
            elif self._opened > self._openings_max:
                text = f"The body opens more than {self._openings_max} lists and objects."
                self.refusal = TooLarge(text, "Send less at once.")
            if self.refusal is not None:
                raise self.refusal
        return message
