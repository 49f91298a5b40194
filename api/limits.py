"""How much one caller may ask in a minute, told in every answer (RateLimit headers, draft-ietf-httpapi-ratelimit)."""

import hashlib
import time
from ipaddress import IPv4Address, IPv6Network, ip_address
from math import ceil

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import TooMany, refuse

READS = frozenset({"GET", "HEAD", "OPTIONS"})
# Whoever watches the service must not be told to come later.
_FREE = ("/health", "/metrics", "/web/", "/packages/")

_KEYS_PER_ADDRESS = 10
# To make a key takes a second of a processor by design (api/vault.py), and needs none.
_KEYS_MADE_PER_MINUTE = 10


class Limits:
    """ASGI middleware: one window a minute for reads and one for writes, for each key or else each address."""

    def __init__(self, app: ASGIApp, reads_per_minute: int, writes_per_minute: int) -> None:
        self._app = app
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._items = {
            "reads": RateLimitItemPerMinute(reads_per_minute) if reads_per_minute else None,
            "writes": RateLimitItemPerMinute(writes_per_minute) if writes_per_minute else None,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_FREE):
            await self._app(scope, receive, send)
            return
        name = "reads" if scope["method"] in READS else "writes"
        item = self._items[name]
        if item is None:
            await self._app(scope, receive, send)
            return
        caller, address = _caller(scope), address_of(scope)
        passed = self._limiter.hit(item, name, caller)
        if passed and caller != address:
            # Keys may be made up, each with a window of its own: their address has one for all of them.
            passed = self._limiter.hit(RateLimitItemPerMinute(item.amount * _KEYS_PER_ADDRESS), name, "keys", address)
        if passed and scope["method"] == "POST" and scope["path"].rstrip("/") == "/keys":
            name, caller = "keys made", address
            item = RateLimitItemPerMinute(min(_KEYS_MADE_PER_MINUTE, item.amount))
            passed = self._limiter.hit(item, name, caller)
        headers, wait_s = self._headers(name, item, caller)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"].extend(headers)
            await send(message)

        if passed:
            await self._app(scope, receive, send_with_headers)
            return
        refusal = TooMany(
            f"This caller may make {item.amount} {name} a minute, and has made them.",
            f"Wait {wait_s} s.",
            {"Retry-After": str(wait_s)},
        )
        await refuse(refusal)(scope, receive, send_with_headers)

    def _headers(self, name: str, item: RateLimitItem, caller: str) -> tuple[list[tuple[bytes, bytes]], int]:
        window = self._limiter.get_window_stats(item, name, caller)
        wait_s = max(1, ceil(window.reset_time - time.time()))
        policy = f'"{name}";q={item.amount};w=60'
        left = f'"{name}";r={max(0, window.remaining)};t={wait_s}'
        return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", left.encode())], wait_s


def _caller(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization":
            return hashlib.sha256(value).hexdigest()[:16] + "@" + address_of(scope)
    return address_of(scope)


def address_of(scope: Scope) -> str:
    """Where a request came from; of IPv6 the first half, as one customer has all the addresses below it."""
    host = str(scope["client"][0]) if scope.get("client") else "unknown"
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv4Address) or address.ipv4_mapped is not None:
        return host
    return str(IPv6Network((int(address), 64), strict=False))
