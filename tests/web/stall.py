"""Serves the page with a market on paper behind it, on a loopback port, under the policy that the API sets."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ledger.product import class_name
from tests.web.paper import BAD_TEXT, BLOCK, ME, NOW_S, ROUND_S, Paper, Problem
from tests.web.paper_jobs import Dispatches
from tests.web.paper_sites import maintenance, record

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "ethers.min.js": "ethers/dist/ethers.min.js",
    "uplot.js": "uplot/dist/uPlot.esm.js",
    "uplot.css": "uplot/dist/uPlot.min.css",
}
TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html; charset=utf-8", ".svg": "image/svg+xml"}
PAY_TO = "0x" + "ee" * 20
POLICY = "default-src 'self'"


def answer(paper: Paper, path: str, query: dict[str, str], body: Any) -> Any:
    """The data of one question."""
    words = [unquote(word) for word in path.strip("/").split("/")]
    noun = words[0]
    if noun == "dispatch":
        return paper.dispatches.ask(words[1:], body)
    if noun in ("products", "sites", "accounts", "leases", "audit", "orders", "transactions"):
        found: Callable[..., Any] = globals()[f"_{noun}"]
        return found(paper, words[1:], query, body)
    plain: dict[str, Callable[[], Any]] = {
        "deployment": lambda: {
            "chain_id": 31337,
            "chain_name": "anvil",
            "rpc": "/rpc",
            "faucet": True,
            "terms": {"round_s": ROUND_S, "lead_s": 600},
            "addresses": {},
            "block": 1,
        },
        "standard": lambda: (
            paper.convert(query["text"], query.get("class")) if "convert" in words else paper.whole_standard()
        ),
        "history": lambda: [
            {
                "block": BLOCK - n,
                "time_s": NOW_S - 12 * n,
                "transaction": f"0x{n:064x}",
                "log_index": n,
                "contract": "Capacity",
                "event": "SiteRegistered",
                "values": {"site": n, "uri": BAD_TEXT, "product": str(paper.products[1].id), "bondMicro": "1500000"},
            }
            for n in range(8)
        ],
        "prices": lambda: [
            {"product": each.code, "price": paper.shown(each)["last"]["price"]}
            for each in paper.products
            if query.get("class") in (None, class_name(each.class_id))
        ],
        "keys": lambda: (
            [{"key_id": "1", "address": ME, "withdraw_to": [PAY_TO], "revoked_s": None}]
            if body is None
            else {"key": "cl_test", "key_id": "1", "address": ME}
        ),
    }
    if noun not in plain:
        raise Problem(404, f"There is no {path}.", "Ask for something else.")
    return plain[noun]()


def _products(paper: Paper, words: list[str], query: dict[str, str], body: Any) -> Any:
    if not words:
        return [paper.shown(product) for product in paper.products]
    product = paper.product(words[0])
    if len(words) == 1:
        return paper.shown(product)
    if words[1] == "depth":
        return paper.depth(product, int(query["round"]) if "round" in query else None)
    if words[1] == "sites":
        return [
            {"site": site, "provider": ME, "metro": paper.site(site)["metro"], "owed_units": 3_000 * site}
            | {"free_units": 0, "weight_bp": 9_980 + site, "maintenance_hours": site % 2}
            for site in (2, 3, 4)
        ]
    return paper.clearings(product)


def _sites(paper: Paper, words: list[str], query: dict[str, str], body: Any) -> Any:
    if body is not None:
        return _sent(paper, "/".join(["sites", *words[1:]]), body)
    if words[1:] in (["record"], ["maintenance"]):
        return record(int(words[0])) if words[1] == "record" else maintenance(int(words[0]))
    if len(words) < 2:
        return [paper.site(number) for number in range(1, 7)]
    if words[1] == "calendar":
        first = int(query["start_hour"])
        sold = [16_000 * (hour % 24 in range(7, 7 + hour % 13)) + 16_000 * (hour % 24 > 9) for hour in range(168)]
        return {
            "hours": [
                {"hour": first + n, "committed_units": units, "free_units": 64_000 - units}
                for n, units in enumerate(sold)
            ]
        }
    money = {
        "earned_micro": "1842500000",
        "refunded_micro": "21320000",
        "bonds_micro": "940000000",
        "margins_micro": "12000000",
    }
    return money | {"leases": [paper.lease(1, "ACTIVE")] if words[0] == "1" else []}


def _accounts(paper: Paper, words: list[str], query: dict[str, str], body: Any) -> Any:
    if body is not None:
        return _sent(paper, "/".join(words), body)
    return paper.statement() if len(words) > 1 else paper.account(words[0])


def _leases(paper: Paper, words: list[str], query: dict[str, str], body: Any) -> Any:
    if words[1:] == ["result"]:
        return {"exit_code": 0, "log": f"42\n{BAD_TEXT}\n", "files": {"out/loss.txt": "Mi4zMQo="}, "readings": []}
    if body is not None:
        return _sent(paper, "/".join(["leases", *words[1:]]), body)
    return [paper.lease(1, "ACTIVE"), paper.lease(2, "REPORTED"), paper.lease(3, "RESOLVED")]


def _audit(paper: Paper, words: list[str], query: dict[str, str], body: Any) -> Any:
    if words:
        return paper.proof(paper.product(words[1]), int(words[2]))
    if body is not None:
        names = (
            ("INV-1", "the treasury is solvent"),
            ("INV-2", "no device-hour is sold twice"),
            ("CLR-1", "every price is the rule's"),
        )
        checks = [{"id": name, "what": what, "findings": 0} for name, what in names]
        paper.audit = {
            "state": "clean",
            "block": BLOCK,
            "took_ms": 812,
            "checks": checks,
            "findings": [],
            "root": "0x" + "5e" * 32,
        }
    return paper.audit


def _orders(paper: Paper, words: list[str], query: dict[str, str], body: Any) -> Any:
    if body is None:
        return [order | {"product": paper.products[0].code} for order in paper.placed()]
    return paper.preview(body) if words == ["preview"] else _sent(paper, "orders", body)


def _transactions(paper: Paper, words: list[str], query: dict[str, str], body: Any) -> Any:
    return {"state": "included", "transaction": "0x" + "12" * 32, "block": BLOCK, "reason": None, "result": None}


def _sent(paper: Paper, noun: str, body: Any) -> Any:
    paper.sent.append((noun, body))
    return {"intent": len(paper.sent), "state": "signed", "transaction": "0x" + "12" * 32}


class Handler(BaseHTTPRequestHandler):
    """One request: the page's files, the packages, the stream, or a question."""

    protocol_version = "HTTP/1.1"
    paper: Paper
    over: Event

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Says nothing."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/stream":
            return self._stream()
        file = self._file(parts.path)
        if file is not None:
            return self._send(200, file.read_bytes(), TYPES[file.suffix])
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        return self._ask(parts.path, query, None)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        self._ask(urlsplit(self.path).path, {}, body)

    def _file(self, path: str) -> Path | None:
        if path == "/":
            return ROOT / "api/web/index.html"
        if path.startswith("/packages/"):
            return ROOT / "node_modules" / PACKAGES[path.removeprefix("/packages/")]
        return ROOT / "api" / path[1:] if path.startswith("/web/") and ".." not in path else None

    def _ask(self, path: str, query: dict[str, str], body: Any) -> None:
        try:
            data = answer(self.paper, path, query, body)
        except Problem as problem:
            said = {"title": "Refused", "status": problem.status, "detail": problem.detail, "remedy": problem.remedy}
            self._send(problem.status, json.dumps(said).encode(), "application/problem+json")
            return
        money = {"currency": "USD", "decimals": 6}
        envelope = {
            "block": BLOCK,
            "block_hash": "0x" + "cd" * 32,
            "time_s": NOW_S,
            "money": money,
            "data": data,
            "next": None,
        }
        self._send(200, json.dumps(envelope).encode(), "application/json")

    def _stream(self) -> None:
        self._head(200, "text/event-stream")
        self.end_headers()
        block = {"block": BLOCK, "block_hash": "0x", "time_s": NOW_S, "products": [], "accounts": []}
        try:
            self.wfile.write(f"id: {BLOCK}:0x\nevent: block\ndata: {json.dumps(block)}\n\n".encode())
            while not self.over.wait(0.5):
                self.wfile.write(b": alive\n\n")
        except OSError:
            # The page was closed.
            pass
        self.close_connection = True

    def _head(self, status: int, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Security-Policy", POLICY)

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self._head(status, kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@dataclass(slots=True)
class Stall:
    """A served page: its address and the market behind it."""

    url: str
    paper: Paper = field(default_factory=Paper)


@contextmanager
def open_stall() -> Iterator[Stall]:
    """Serves until the end of the block."""
    paper, over = Paper(), Event()
    paper.dispatches = Dispatches(paper)
    for product in paper.products:
        # Reckoned once, so that the page's speed is what a test measures.
        paper.shown(product)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"paper": paper, "over": over}))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Stall(f"http://127.0.0.1:{server.server_address[1]}", paper)
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()
