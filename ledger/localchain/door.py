"""A local chain that survives: anvil behind a door, by JSON-RPC over HTTP on the loopback interface.

A transaction is answered when anvil has taken it and the journal has it on the disk; a block is in the journal before
anvil makes it. So whatever is killed, and whenever: after the next start every transaction whose acceptance a client
has seen is there, with the same hash, in the same block. What would make the chain another one than its journal says is
refused. Reads go to anvil in the bytes in which they came, and wait while it is being brought back.
"""

import asyncio
import json
import os
import re
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
import uvicorn
import uvloop

from ledger.errors import InputError, OutOfRange, Unavailable, Unreachable
from ledger.localchain.callers import why_not
from ledger.localchain.journal import Journal, Kind, Record, open_journal
from ledger.localchain.keptnode import ChainTerms, KeptNode, Progress
from ledger.localchain.pipe import Pipe, open_pipe
from ledger.localchain.scribe import AUTOMATIC, Pace, Scribe, refusal
from ledger.localchain.wishes import CHANGES

DEFAULTS: Mapping[str, int] = {"chain_id": 31_337, "accounts": 10, "balance": 10_000, "gas_limit": 2**26}
"""How a new chain begins where nothing is said: `balance` in coins for each account of DEVELOPMENT_MNEMONIC."""

LIMITS: Mapping[str, tuple[int, int]] = {
    "start_s": (0, 4_102_444_800),
    "chain_id": (1, 2**53 - 1),
    "accounts": (1, 1_000),
    "balance": (0, 10**9),
    "gas_limit": (2**20, 2**40),
}
"""What a new chain may begin with, both ends included: times up to the year 2100, balances up to a billion coins. What
anvil does not begin with must not be the first word of a journal, or nobody could ever start it."""

BODY_BYTES_MAX = 16 * 2**20
READY_SECONDS_MAX = 60
_IDLE_PIPES_MAX = 16
_PARSE, _INVALID, _UNSUPPORTED, _UNAVAILABLE = -32700, -32600, -32004, -32010

_READS = re.compile(
    r"(?:net|web3|txpool|trace|ots|erigon)_\w+"
    r"|debug_(?:trace|get)\w+"
    r"|anvil_(?:nodeInfo|metadata|getAutomine)"
    r"|eth_(?!send|sign|submit|mining|resend|subscribe)\w+"
)


@dataclass(frozen=True, slots=True)
class LocalChain:
    """A chain that runs: where it answers, what it is kept in, and what was passed over at its start, in sentences."""

    url: str
    folder: Path
    notices: tuple[str, ...]


class Door:
    """The ASGI application: answers JSON-RPC by POST, one request or a batch."""

    def __init__(self, scribe: Scribe, unsafe: bool) -> None:
        self._scribe = scribe
        self._unsafe = unsafe
        self._idle: list[tuple[int, Pipe]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        status, body = 405, b""
        refused = why_not(scope["headers"])
        if refused is not None:
            status, body = refused[0], _without_id(refusal(_INVALID, refused[1]))
        elif scope["method"] == "POST":
            status, body = 200, await self._answer(await _body(receive))
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, body: bytes | None) -> bytes:
        try:
            asked = orjson.loads(body or b"")
        except orjson.JSONDecodeError:
            return _without_id(refusal(_PARSE, f"A request is JSON of at most {BODY_BYTES_MAX} bytes."))
        many = asked if isinstance(asked, list) else [asked]
        if many and all(self._reads(one) for one in many):
            return await self._read(body or b"", many[0])
        answers = await asyncio.gather(*map(self._one, many))
        return b"[" + b",".join(answers) + b"]" if isinstance(asked, list) else answers[0]

    def _reads(self, one: Any) -> bool:
        method = one.get("method") if isinstance(one, dict) else None
        if not isinstance(method, str) or method in CHANGES:
            return False
        return self._unsafe or _READS.fullmatch(method) is not None

    async def _one(self, one: Any) -> bytes:
        try:
            asked = orjson.dumps(one)
        except TypeError:
            return _without_id(refusal(_INVALID, "A request is not nested so deep."))
        if self._reads(one):
            return await self._read(asked, one)
        identity = one.get("id") if isinstance(one, dict) else None
        return orjson.dumps({"jsonrpc": "2.0", "id": identity} | await self._change(one))

    async def _change(self, one: Any) -> dict[str, Any]:
        if not isinstance(one, dict) or not isinstance(one.get("method"), str):
            return dict(refusal(_INVALID, "A request is an object with a method."))
        method, params = one["method"], one.get("params") or []
        if method not in CHANGES or not isinstance(params, list):
            return dict(refusal(_UNSUPPORTED, f"{method} is not for this chain: its journal could not repeat it."))
        return dict(await self._scribe.wish(method, params))

    async def _read(self, body: bytes, first: Any) -> bytes:
        deadline = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < deadline:
            try:
                async with asyncio.timeout_at(asyncio.get_running_loop().time() + deadline - time.monotonic()):
                    await self._scribe.ready.wait()
                return await self._ask(body)
            except Unreachable:
                # It may be gone: the scribe looks, and brings it back.
                self._scribe.suspect()
                await asyncio.sleep(0.05)
            except TimeoutError:
                break
        said = refusal(_UNAVAILABLE, "The node is being brought back: ask again.")
        return orjson.dumps({"jsonrpc": "2.0", "id": first.get("id"), **said})

    def close(self) -> None:
        """Lets go of its connections to the node."""
        while self._idle:
            self._idle.pop()[1].close()

    async def _ask(self, body: bytes) -> bytes:
        generation = self._scribe.node.generation
        while self._idle and self._idle[-1][0] != generation:
            self._idle.pop()[1].close()
        pipe = self._idle.pop()[1] if self._idle else await open_pipe(self._scribe.node.url)
        try:
            [answer] = await pipe.ask([body])
        except asyncio.CancelledError:
            pipe.close()
            raise
        if len(self._idle) < _IDLE_PIPES_MAX:
            self._idle.append((generation, pipe))
        else:
            pipe.close()
        return answer


def _without_id(said: Mapping[str, Any]) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "id": None, **said})


async def _body(receive: Callable[[], Awaitable[Mapping[str, Any]]]) -> bytes | None:
    """What was sent; None where it is too long."""
    parts: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        part = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(part)
        if size <= BODY_BYTES_MAX:
            parts.append(part)
    return b"".join(parts) if size <= BODY_BYTES_MAX else None


# ---- run


@dataclass(frozen=True, slots=True)
class Running:
    """What `serve` is told by whoever waits for it: a call when it is ready, and one on the way."""

    ready: Callable[[LocalChain], None]
    progress: Progress | None = None


def chain_terms(journal: Journal, **named: int | None) -> ChainTerms:
    """How the journal's chain began; a new one begins as named, else by DEFAULTS, now.

    Raises OutOfRange for a term beyond LIMITS, InputError where the chain began otherwise than is named now.
    """
    for name, value in named.items():
        least, most = LIMITS[name]
        if value is not None and not least <= value <= most:
            raise OutOfRange(f"The chain's {name}", value, least, most)
    first = next(journal.records(), None)
    if first is None:
        wanted = {"start_s": int(time.time()), **DEFAULTS} | {name: n for name, n in named.items() if n is not None}
        terms = ChainTerms(id=os.urandom(8).hex(), **wanted)
        journal.append([Record(Kind.CHAIN, json.dumps(asdict(terms)).encode())])
        return terms
    terms = ChainTerms(**json.loads(first.data))
    for name, value in named.items():
        if value is not None and getattr(terms, name) != value:
            raise InputError(
                f"The chain in {journal.path.parent} began with {name} {getattr(terms, name)}, not {value}.",
                "Leave that option out, or name another folder.",
            )
    return terms


async def serve(journal: Journal, terms: ChainTerms, port: int, pace: Pace, unsafe: bool, running: Running) -> None:
    """Answers on `port` of the loopback interface (0: a free one) until the task is cancelled or a signal ends it.

    Raises Unavailable where the port is taken, BadJournal where the journal comes out otherwise than it did.
    """
    node = KeptNode(journal, terms, running.progress)
    scribe = Scribe(journal, node, pace, guarded=not unsafe)
    door = Door(scribe, unsafe)
    config = uvicorn.Config(
        door, host="127.0.0.1", port=port, http="httptools", lifespan="off", log_level="critical",
        access_log=False, timeout_graceful_shutdown=2, backlog=1024,
    )  # fmt: skip
    server = _Server(config)
    listener = _listener(port)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        await scribe.start(server.finish)
        # From here on a connection waits for the server below instead of being refused.
        listener.listen(1024)
        cut = [f"{journal.cut_bytes} bytes of an interrupted write were cut off."] if journal.cut_bytes else []
        running.ready(LocalChain(url, journal.path.parent, (*cut, *node.notices)))
        serving = asyncio.ensure_future(server.serve([listener]))
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            server.finish()
            await serving
    finally:
        listener.close()
        door.close()
        await scribe.stop()


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs it: uvicorn's own would end the process before the chain is put away."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def finish(self) -> None:
        self.should_exit = True


def _listener(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise Unavailable(f"Port {port} cannot be used: {error.strerror}.", "Name another with --port.") from None
    return listener


@contextmanager
def local_chain(
    folder: Path, port: int = 0, pace: Pace = AUTOMATIC, unsafe: bool = False, **terms: int
) -> Iterator[LocalChain]:
    """Runs the chain that is kept in `folder`, in a thread of this process, until the context ends.

    A new one begins with `terms` (`start_s`, `chain_id`, `accounts`, `balance`, `gas_limit`; else DEFAULTS). `unsafe`
    lets calls through that the journal does not keep (`anvil_reorg` …): for tests, whose chain ends with them.
    Raises ChainBusy where another process has it, BadJournal where it does not read as written, Unavailable where it
    does not start, InputError for terms that are not the chain's.
    """
    journal = open_journal(folder / "journal")
    ready: Future[LocalChain] = Future()
    stop: list[Callable[[], object]] = []

    async def run() -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        stop.append(lambda: loop.call_soon_threadsafe(task.cancel))
        await serve(journal, chain_terms(journal, **terms), port, pace, unsafe, Running(ready.set_result))

    def thread() -> None:
        try:
            uvloop.run(run())
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    running = threading.Thread(target=thread, name="local chain", daemon=True)
    running.start()
    try:
        yield ready.result()
    finally:
        if running.is_alive():
            stop[0]()
        running.join()
        journal.close()
