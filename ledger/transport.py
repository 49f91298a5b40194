"""JSON-RPC to one node over HTTP: connections that stay open, a few of them, for any number of threads.

http.client underneath: on a local node it asks five times as often a second as httpx or requests, ten times as often as
web3's provider, and it never tries again on its own. What a node's address holds beside host and port is not shown.
"""

import select
import ssl
import threading
import time
import weakref
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson

from ledger.errors import Unreachable
from ledger.settings import host_of

IDLE_MAX = 8
"""How many connections are kept open when nobody uses them."""

Wanted = Sequence[tuple[str, Sequence[Any]]]
Answer = Mapping[str, Any]
"""What a node says to one request: a mapping with its `result`, or with its `error`."""


@dataclass(slots=True)
class Tally:
    """What an endpoint has done so far: requests, those that failed, and the seconds they took."""

    calls: int = 0
    errors: int = 0
    seconds: float = 0.0


class Transport:
    """One node. Raises Unreachable for all that is no JSON-RPC: no connection, no answer in time, a page, a status."""

    def __init__(self, url: str, timeout_s: float) -> None:
        parts = urlsplit(url)
        self.host = host_of(url)
        """Host and port: all that may be shown of the address."""
        self._timeout_s = timeout_s
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._address = str(parts.hostname), parts.port
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._headers = {"Content-Type": "application/json"}
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = "Basic " + b64encode(pair.encode()).decode()
        self._idle: list[HTTPConnection] = []
        # Whoever forgets to close it leaves no open connection behind.
        weakref.finalize(self, _close_all, self._idle)
        self._lock = threading.Lock()
        self._tally = Tally()

    def __repr__(self) -> str:
        return f"Transport({self.host})"

    def ask(self, wanted: Wanted) -> list[Answer]:
        """The node's answers to these requests, each a method and its parameters, in the same order and in one round
        trip. A refusal of the whole is each one's."""
        requests = [
            {"jsonrpc": "2.0", "id": place, "method": method, "params": params}
            for place, (method, params) in enumerate(wanted)
        ]
        if not requests:
            return []
        begun = time.monotonic()
        failed = True
        try:
            said = self._exchange(orjson.dumps(requests if len(requests) > 1 else requests[0]))
            answers = self._answers(said, len(requests))
            failed = False
        finally:
            with self._lock:
                self._tally.calls += 1
                self._tally.errors += failed
                self._tally.seconds += time.monotonic() - begun
        return answers

    def tally(self) -> Tally:
        """What it has done so far."""
        with self._lock:
            return Tally(self._tally.calls, self._tally.errors, self._tally.seconds)

    def close(self) -> None:
        """Closes what is open and idle."""
        _close_all(self._idle)

    def _exchange(self, body: bytes) -> Any:
        connection = self._connection()
        try:
            connection.request("POST", self._path, body, self._headers)
            response = connection.getresponse()
            status, said = response.status, response.read()
        except (OSError, HTTPException) as error:
            connection.close()
            raise Unreachable(self.host, type(error).__name__) from None
        except BaseException:
            # Half an answer may still be under way: the next request must not read it.
            connection.close()
            raise
        self._give_back(connection)
        try:
            return orjson.loads(said)
        except orjson.JSONDecodeError:
            why = "its answer is no JSON" if status == 200 else f"it answers with status {status}"
            raise Unreachable(self.host, why) from None

    def _connection(self) -> HTTPConnection:
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                host, port = self._address
                if self._tls is None:
                    return HTTPConnection(host, port, timeout=self._timeout_s)
                return HTTPSConnection(host, port, timeout=self._timeout_s, context=self._tls)
            if _is_open(connection):
                return connection
            connection.close()

    def _give_back(self, connection: HTTPConnection) -> None:
        with self._lock:
            kept = connection.sock is not None and len(self._idle) < IDLE_MAX
            if kept:
                self._idle.append(connection)
        if not kept:
            connection.close()

    def _answers(self, said: Any, count: int) -> list[Answer]:
        if isinstance(said, dict):
            # One answer, or one refusal of all: too many at once, say.
            answers: list[Answer] = [said] * count if count == 1 or "error" in said else []
        else:
            found = {one.get("id"): one for one in said if isinstance(one, dict)} if isinstance(said, list) else {}
            answers = [found[place] for place in range(count) if place in found]
        if len(answers) < count or not all("result" in one or one.get("error") for one in answers):
            raise Unreachable(self.host, "its answer is no JSON-RPC")
        return answers


def _close_all(connections: list[HTTPConnection]) -> None:
    while connections:
        try:
            connections.pop().close()
        except IndexError:
            # Another thread took the last one, to use it.
            return


def _is_open(connection: HTTPConnection) -> bool:
    """Whether the node has not closed it: an idle connection has nothing to say, except that it ends."""
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return not poll.poll(0)
