"""A proxy in front of a node that lies, loses and delays as it is told: what the drills put between us and the chain.

`with faulty(node.url, seed=7) as proxy:` gives `proxy.url` and its knobs, which may be turned at any moment. The same
seed and the same requests in the same order meet the same faults; a log that is dropped once is dropped always.
"""

import asyncio
import random
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import httpx
import orjson
import uvicorn
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

START_SECONDS_MAX = 10
HTML = b"<html><title>Gateway</title></html>"
ALREADY_KNOWN = {"code": -32_000, "message": "already known"}
NO_HEADER = {"code": -32_000, "message": "header not found"}


class Fault(StrEnum):
    """What may happen to one HTTP request, which may be a batch."""

    LOSE_REQUEST = "the connection closes before the node has seen the request"
    LOSE_REPLY = "the node does what it was asked, and the connection closes before anyone hears of it"
    TOO_MANY = "429"
    BROKEN = "500"
    GARBAGE = "200, and bytes that are no JSON"
    PAGE = "200, and a page in HTML"
    ALREADY_KNOWN = "the node takes a transaction, and says that it had it already"
    NONE = "nothing: leaves a request alone, in a plan"


PAGES: Mapping[Fault, tuple[int, bytes]] = {
    Fault.TOO_MANY: (429, b"too many requests"),
    Fault.BROKEN: (500, b"internal error"),
    Fault.GARBAGE: (200, b'{"jsonrpc": "2.0", "id": 1, "res\x00\xff'),
    Fault.PAGE: (200, HTML),
}

# Which parameter of a method names the block it is asked at.
BLOCK_PARAMETER: Mapping[str, int] = {
    "eth_call": 1,
    "eth_estimateGas": 1,
    "eth_getBalance": 1,
    "eth_getCode": 1,
    "eth_getTransactionCount": 1,
    "eth_getStorageAt": 2,
    "eth_getProof": 2,
    "eth_getBlockByNumber": 0,
    "eth_getBlockReceipts": 0,
}
NEWEST = {"latest", "pending", "safe", "finalized"}
NULL_WHEN_AHEAD = {"eth_getBlockByNumber", "eth_getBlockReceipts"}


@dataclass
class Proxy:
    """The knobs. Shares are of HTTP requests, from 0 to 1; all start harmless."""

    url: str
    seed: int
    shares: dict[Fault, float] = field(default_factory=dict)
    """How often each fault happens."""
    methods: frozenset[str] = frozenset()
    """The faults of `shares` and `plan` concern only requests with one of these methods; all requests where empty."""
    plan: deque[Fault] = field(default_factory=deque)
    """What happens to the next requests, one each, before `shares` count: for drills that enumerate."""
    drop_logs: float = 0.0
    """The share of logs that are missing from eth_getLogs, and from receipts."""
    stale_blocks: int = 0
    """How many blocks behind the head everything is read."""
    delay_s: float = 0.0
    chain_id: int | None = None
    """Another chain's number, to say in place of the node's."""
    seen: list[str] = field(default_factory=list)
    """The methods that were asked for, in order, whatever became of them."""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def fault(self, methods: list[str]) -> Fault:
        """What happens to a request with these methods."""
        if self.methods and not self.methods & set(methods):
            return Fault.NONE
        if self.plan:
            return self.plan.popleft()
        for fault, share in self.shares.items():
            if share and self._random.random() < share:
                return fault
        return Fault.NONE

    def drops(self, log: Mapping[str, Any]) -> bool:
        """Whether this log is among those that the node is to deny."""
        if not self.drop_logs:
            return False
        name = f"{self.seed}:{log['transactionHash']}:{log['logIndex']}"
        return random.Random(name).random() < self.drop_logs

    def heal(self) -> None:
        """Turns every knob back."""
        self.shares.clear()
        self.plan.clear()
        self.methods = frozenset()
        self.drop_logs, self.stale_blocks, self.delay_s, self.chain_id = 0.0, 0, 0.0, None


class _Application:
    """The ASGI side of a proxy."""

    def __init__(self, proxy: Proxy, node_url: str) -> None:
        self._proxy = proxy
        self._node_url = node_url
        self._client: httpx.AsyncClient | None = None

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(orjson.loads(await _body(receive)), send)

    async def _live(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        async with httpx.AsyncClient(timeout=60, trust_env=False) as self._client:
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, asked: Any, send: ASGISendCallable) -> None:
        wanted = asked if isinstance(asked, list) else [asked]
        methods = [str(one["method"]) for one in wanted]
        self._proxy.seen += methods
        fault = self._proxy.fault(methods)
        await asyncio.sleep(self._proxy.delay_s)
        if fault is Fault.LOSE_REQUEST:
            await _hang_up(send)
            return
        if fault in PAGES:
            await _answer(send, *PAGES[fault])
            return
        answers = await self._ask(wanted)
        if fault is Fault.LOSE_REPLY:
            await _hang_up(send)
            return
        for one, answer in zip(wanted, answers, strict=True):
            self._falsify(one["method"], answer, fault)
        await _answer(send, 200, orjson.dumps(answers if isinstance(asked, list) else answers[0]))

    async def _ask(self, wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The node's answers, as of the head that the proxy pretends."""
        if not self._proxy.stale_blocks:
            return await self._forward(wanted)
        [number] = await self._forward([{"jsonrpc": "2.0", "id": 0, "method": "eth_blockNumber", "params": []}])
        head = max(0, int(number["result"], 16) - self._proxy.stale_blocks)
        answers = await self._forward([_at_most(head, one) for one in wanted])
        for one, answer in zip(wanted, answers, strict=True):
            _forget_after(head, one, answer)
        return answers

    async def _forward(self, wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
        assert self._client is not None
        answer = await self._client.post(
            self._node_url, content=orjson.dumps(wanted), headers={"Content-Type": "application/json"}
        )
        found = {str(one["id"]): one for one in orjson.loads(answer.content)}
        return [found[str(one["id"])] for one in wanted]

    def _falsify(self, method: str, answer: dict[str, Any], fault: Fault) -> None:
        chain_id = self._proxy.chain_id
        if chain_id is not None and method in ("eth_chainId", "net_version"):
            answer["result"] = hex(chain_id) if method == "eth_chainId" else str(chain_id)
        if fault is Fault.ALREADY_KNOWN and method == "eth_sendRawTransaction" and "result" in answer:
            del answer["result"]
            answer["error"] = ALREADY_KNOWN
        for holder, key in _log_lists(method, answer):
            holder[key] = [log for log in holder[key] if not self._proxy.drops(log)]


def _log_lists(method: str, answer: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    result = answer.get("result")
    if not result:
        return []
    if method == "eth_getLogs":
        return [(answer, "result")]
    if method == "eth_getTransactionReceipt":
        return [(result, "logs")]
    return [(receipt, "logs") for receipt in result] if method == "eth_getBlockReceipts" else []


def _at_most(head: int, asked: dict[str, Any]) -> dict[str, Any]:
    """The same request, with names of the newest blocks replaced by the number of the pretended head."""
    method, params = asked["method"], list(asked.get("params") or [])
    if method == "eth_getLogs" and params[0].get("fromBlock") in NEWEST:
        params[0] = params[0] | {"fromBlock": hex(head)}
    place = BLOCK_PARAMETER.get(method)
    if place is not None and place < len(params) and params[place] in NEWEST:
        params[place] = hex(head)
    return asked | {"params": params}


def _forget_after(head: int, asked: dict[str, Any], answer: dict[str, Any]) -> None:
    """Takes back what a node that stands at the pretended head would not know."""
    method, result = asked["method"], answer.get("result")
    if method == "eth_blockNumber":
        answer["result"] = hex(head)
    elif method == "eth_getLogs" and result:
        answer["result"] = [log for log in result if int(log["blockNumber"], 16) <= head]
    elif _asks_beyond(head, asked):
        answer.pop("result", None)
        answer |= {"result": None} if method in NULL_WHEN_AHEAD else {"error": NO_HEADER}
    elif isinstance(result, dict) and int(result.get("blockNumber") or result.get("number") or "0x0", 16) > head:
        answer["result"] = None


def _asks_beyond(head: int, asked: dict[str, Any]) -> bool:
    place, params = BLOCK_PARAMETER.get(asked["method"]), asked.get("params") or []
    if place is None or place >= len(params):
        return False
    tag = params[place]
    return isinstance(tag, str) and tag.startswith("0x") and len(tag) < 66 and int(tag, 16) > head


async def _body(receive: ASGIReceiveCallable) -> bytes:
    parts = []
    while True:
        message: Any = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def _answer(send: ASGISendCallable, status: int, content: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": content, "more_body": False})


async def _hang_up(send: ASGISendCallable) -> None:
    """Promises a body and returns without it: the server then closes the connection."""
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")], "trailers": False}
    )


@contextmanager
def faulty(node_url: str, seed: int = 0) -> Iterator[Proxy]:
    """A proxy in front of the node at `node_url`, on a free port of the loopback interface, until the context ends."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        proxy = Proxy(f"http://127.0.0.1:{listening.getsockname()[1]}", seed)
        config = uvicorn.Config(
            _Application(proxy, node_url), ws="none", log_level="critical", lifespan="on", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],), name="faulty")
        thread.start()
        try:
            deadline = time.monotonic() + START_SECONDS_MAX
            while not server.started:
                assert thread.is_alive(), "the proxy did not start"
                assert time.monotonic() < deadline, "the proxy did not start in time"
                time.sleep(0.005)
            yield proxy
        finally:
            server.should_exit = True
            thread.join()
