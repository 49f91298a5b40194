"""Requests that nobody who means well would send: described ones, bent; and bytes that are no request at all."""

import json
import string
from collections.abc import Callable, Mapping
from random import Random
from typing import Any
from urllib.parse import quote

SCRIPT = "<script>alert(1)</script>"
# What has broken parsers, databases, logs and pages elsewhere.
TEXTS = (
    "", " ", "\x00", "\ud800", "\uffff", "٣", "a" * 5_000, SCRIPT, "'; DROP TABLE events; --", "%s%n{0}${jndi:x}",
    "../../etc/passwd", "\r\nX-Injected: 1", "NaN", "Infinity", "-0", "1e999", "0x" + "f" * 40, "0x" + "0" * 64,
    "9" * 400, "1" * 5_000, "null", "true", "\u202e", "０", "2026-13-45", "1e5 USD", "-1 USD", "0.0000001 USD",
    "AI_LARGE.METRO.257.STANDARD.9999-12-31T23.168h", "AI_LARGE.METRO.65536.STANDARD.2026-01-21T14.24h",
)  # fmt: skip
NUMBERS = (0, -1, 1, 2**31, 2**32, 2**53, 2**63, 2**64, 2**256, -(2**63), 10**400, 0.1, 1e308, -1e-308)
# JSON as some parsers take it, and some do not.
LITERALS = ("NaN", "Infinity", "-Infinity", "1e999", "01", "+1", "'a'", "undefined", "9" * 5_000, "1." + "0" * 5_000)
METHODS = (
    "GET",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "HEAD",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "PROPFIND",
    "get",
    "GE T",
    "",
)
TYPES = (
    "application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
    "application/json; charset=utf-16", "application/xml", "", "*/*", "application/json" + "x" * 2_000,
)  # fmt: skip
NAMES = (
    "Authorization", "Idempotency-Key", "Last-Event-ID", "X-Request-ID", "X-Forwarded-Host", "X-Forwarded-For",
    "X-HTTP-Method-Override", "Range", "If-None-Match", "Accept", "Accept-Encoding", "Cookie", "Origin", "Expect",
    "Sec-Fetch-Site", "Content-Encoding", "Transfer-Encoding", "Upgrade", "Host", "Content-Length", "X\x00Y", "X Y",
)  # fmt: skip
# These would work, and cost a second each: they are no nonsense.
_COSTLY = {("POST", "/keys"), ("POST", "/audit"), ("GET", "/stream")}


class Forger:
    """Makes requests from what the API says of itself. `secrets` is what it put into them that no log may show."""

    def __init__(self, random: Random, described: Mapping[str, Any], key: str, host: tuple[str, int]) -> None:
        self._random = random
        self._key = key
        self._host = f"{host[0]}:{host[1]}"
        self._schemas = described["components"]["schemas"]
        self._operations = [
            (method.upper(), path, what)
            for path, methods in described["paths"].items()
            for method, what in methods.items()
            if (method.upper(), path) not in _COSTLY
        ]
        self.secrets = ["cl_" + "".join(random.choices(string.ascii_letters, k=43)) for _ in range(5)]
        self.secrets += ["0x" + random.randbytes(65).hex() for _ in range(5)]

    def request(self) -> bytes:
        """The next one."""
        kinds: tuple[tuple[Callable[[], bytes], int], ...] = (
            (self._bent, 70), (self._strange_line, 15), (self._split, 5), (self._noise, 2), (self._nested, 8),
        )  # fmt: skip
        made = self._random.choices([one for one, _ in kinds], [weight for _, weight in kinds])[0]
        return made()

    # ---- kinds

    def _bent(self) -> bytes:
        method, path, what = self._random.choice(self._operations)
        if self._random.random() < 0.1:
            method = self._random.choice(METHODS)
        body = self._body(what) if method != "GET" or self._random.random() < 0.1 else b""
        return self._built(f"{method} {self._path(path, what)} HTTP/1.1", body)

    def _strange_line(self) -> bytes:
        path = self._random.choice(
            (
                "/web/../app.py", "/web/%2e%2e/app.py", "/web/..%2fapp.py", "/web/..%5capp.py", "/web//etc/passwd",
                "/web/%00", "/packages/..%2f..%2fpackage.json", "/packages/ethers.min.js%00", "//evil.example/", "*",
                "http://evil.example/products", "/products?" + "a=1&" * 2_000, "/products?cursor=%ff%fe", "/%zz",
                "/products;x=1", "/products/%2e%2e/keys", "/" + "a/" * 500, "/\u00e9",
                "/login/nonce?address=%0d%0aX-Injected:1",
                "/products?limit=-1&limit=1", "/history?cursor=" + quote(self._text()), "?", "",
            )
        )  # fmt: skip
        version = self._random.choice(("HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/0.9", "HTTP/3.7", "HTTP", ""))
        return self._built(f"{self._random.choice(METHODS)} {path} {version}", b"")

    def _split(self) -> bytes:
        """Two lengths, or a length and chunks: what lets one request hide in another."""
        inner = f"DELETE /keys/0000000000000000 HTTP/1.1\r\nHost: {self._host}\r\n\r\n"
        framing = self._random.choice(
            (
                f"Content-Length: 0\r\nContent-Length: {len(inner)}",
                "Transfer-Encoding: chunked\r\nContent-Length: 3",
                "Transfer-Encoding: xchunked",
                "Transfer-Encoding: chunked, identity",
                "Content-Length: +5",
                "Content-Length: 5, 5",
                "Content-Length: -1",
                "Content-Length: 0x10",
                "Content-Length: 5\x00",
            )
        )
        chunk = self._random.choice(("0\r\n\r\n", "zz\r\n", "-1\r\n", "5;" + "x" * 900 + "\r\nhello\r\n0\r\n\r\n"))
        return f"POST /transactions HTTP/1.1\r\nHost: {self._host}\r\n{framing}\r\n\r\n{chunk}{inner}".encode("latin-1")

    def _noise(self) -> bytes:
        return self._random.randbytes(self._random.randrange(1, 400)) + b"\r\n\r\n"

    def _nested(self) -> bytes:
        method, path, what = self._random.choice([one for one in self._operations if "requestBody" in one[2]])
        depth = self._random.choice((50, 500, 4_000, 9_999, 20_000))
        opening, closing = self._random.choice((("[", "]"), ('{"a":', "}"), ('{"product":', "}")))
        close = closing * depth if self._random.random() < 0.5 else ""
        return self._built(f"{method} {self._path(path, what)} HTTP/1.1", (opening * depth + "1" + close).encode())

    # ---- parts

    def _built(self, line: str, body: bytes) -> bytes:
        lines = [line, f"Host: {self._host}", "Connection: close"]
        if body:
            typed = "application/json" if self._random.random() < 0.85 else self._random.choice(TYPES)
            lines += [f"Content-Type: {typed}", f"Content-Length: {len(body)}"]
        if self._random.random() < 0.6:
            lines.append(f"Authorization: {self._credentials()}")
        if self._random.random() < 0.6:
            lines.append(f"Idempotency-Key: {self._random.randrange(10**9)}")
        for _ in range(self._random.choice((0, 0, 0, 1, 2))):
            value = (
                self._random.choice((*self.secrets, *TEXTS[:24], SCRIPT)).replace("\r\n", " ").replace("\ud800", "?")
            )
            lines.append(f"{self._random.choice(NAMES)}: {value}")
        return "\r\n".join(lines).encode("utf-8", "replace") + b"\r\n\r\n" + body

    def _credentials(self) -> str:
        good = f"Bearer {self._key}"
        forged = f"Bearer {self._random.choice(self.secrets)}"
        return self._random.choice(
            (
                good,
                good,
                good,
                forged,
                f"Basic {self._key}",
                "Bearer",
                "Bearer  ",
                good + ", " + good,
                "Bearer cs_" + "a" * 43,
            )
        )

    def _path(self, template: str, what: Mapping[str, Any]) -> str:
        query = []
        for parameter in what.get("parameters", ()):
            if parameter["in"] == "query" and self._random.random() < 0.4:
                query.append(f"{parameter['name']}={quote(self._value(parameter['schema']), safe='')}")
            elif parameter["in"] == "path":
                example = parameter.get("example", parameter["schema"].get("examples", ["1"])[0])
                value = self._value(parameter["schema"]) if self._random.random() < 0.6 else str(example)
                template = template.replace("{" + parameter["name"] + "}", quote(value, safe=""))
        return template + ("?" + "&".join(query) if query else "")

    def _value(self, schema: Mapping[str, Any]) -> str:
        if self._random.random() < 0.3 and "examples" in schema:
            return str(schema["examples"][0])
        return str(self._random.choice(NUMBERS)) if self._random.random() < 0.4 else self._text()

    def _text(self) -> str:
        return self._random.choice(TEXTS).encode("utf-8", "replace").decode()

    def _body(self, what: Mapping[str, Any]) -> bytes:
        content = what.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        value = self._example(content)
        if isinstance(value, dict):
            for _ in range(self._random.choice((0, 1, 1, 2, 3))):
                self._bend(value)
        text = json.dumps(value)
        if self._random.random() < 0.2:
            text = text.replace("null", self._random.choice(LITERALS), 1)
        if self._random.random() < 0.1 and text.startswith("{") and isinstance(value, dict) and value:
            name = self._random.choice(list(value))
            text = "{" + f"{json.dumps(name)}: {json.dumps(self._anything())}, " + text[1:]
        if self._random.random() < 0.1:
            text = text[: self._random.randrange(len(text) + 1)]
        made = text.encode("utf-8", "replace")
        return made if self._random.random() < 0.95 else b"\xff\xfe" + made

    def _bend(self, value: dict[str, Any]) -> None:
        name = self._random.choice([*value, "owner", "__proto__", "more"])
        if self._random.random() < 0.2:
            value.pop(name, None)
        else:
            value[name] = self._anything()

    def _anything(self) -> Any:
        return self._random.choice(
            (
                self._random.choice(TEXTS), self._random.choice(NUMBERS), self._random.choice(self.secrets), None, True,
                [], {}, [None] * 200, {"a": {"b": [1]}}, [self._random.choice(TEXTS)],
            )
        )  # fmt: skip

    def _example(self, schema: Mapping[str, Any]) -> Any:
        """A value that the schema describes, by its examples."""
        if "$ref" in schema:
            return self._example(self._schemas[schema["$ref"].rpartition("/")[2]])
        if "anyOf" in schema:
            return self._example(self._random.choice(schema["anyOf"]))
        choices = schema.get("examples", schema.get("enum"))
        if choices:
            return self._random.choice(choices)
        if schema.get("type") == "object":
            return {name: self._example(one) for name, one in schema.get("properties", {}).items()}
        if schema.get("type") == "array":
            return [self._example(schema.get("items", {}))]
        return {"integer": schema.get("minimum", 1), "string": "x", "boolean": True}.get(str(schema.get("type")))
