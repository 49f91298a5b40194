"""Counts and times of requests by route template, never by path: strangers choose paths; and one log line a request."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from asgi_correlation_id import correlation_id
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

access = logging.getLogger("api.access")

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """ASGI middleware, and the text that Prometheus reads. `gauges` names what is measured when it is asked."""

    def __init__(self, gauges: Callable[[], dict[str, float]] = dict) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._requests = Counter("api_requests", "Requests answered", labels, registry=self.registry)
        self._seconds = Histogram(
            "api_request_seconds", "Time to the end of the answer", ("route",), buckets=_BUCKETS, registry=self.registry
        )
        self.registry.register(_Gauges(gauges))

    def text(self) -> bytes:
        """In Prometheus's text format."""
        return generate_latest(self.registry)

    def around(self, app: ASGIApp) -> ASGIApp:
        """The app, measured."""

        async def measured(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            status, started = 500, time.perf_counter()

            async def noting(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            try:
                await app(scope, receive, noting)
            finally:
                self._note(scope, status, time.perf_counter() - started)

        return measured

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = scope.get("template") or getattr(scope.get("route"), "path", None) or "none"
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
        if access.isEnabledFor(logging.INFO):
            access.info("request", extra={"method": method, "route": route, "status": status, "ms": int(seconds * 1e3)})


class _Gauges(Collector):
    def __init__(self, read: Callable[[], dict[str, float]]) -> None:
        self._read = read

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, value in self._read().items():
            yield GaugeMetricFamily(f"compute_ledger_{name}", name.replace("_", " "), value=value)


class JsonLines(logging.Formatter):
    """Log records as JSON, one a line, with the request id. Only what was named is written: no header, no body, no
    query, so that no secret is either."""

    _NAMED = ("method", "route", "status", "ms")

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": correlation_id.get(),
        }
        line |= {name: getattr(record, name) for name in self._NAMED if hasattr(record, name)}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def log_as_json(level: int = logging.INFO) -> None:
    """Has the whole process log in JSON lines, on standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # It would tell the node's address with each request, and in that there may be a key.
    logging.getLogger("httpx").setLevel(logging.WARNING)
