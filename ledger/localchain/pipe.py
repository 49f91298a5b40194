"""A connection to a node that asks in order: one request after another, without a wait between them.

JSON-RPC says nothing of the order in which a batch is worked off, and anvil's own differs. HTTP does: what comes first
on a connection is answered first. So that many transactions reach the node in one order, each is a request of its own,
and all are written before the first answer is read.
"""

import asyncio
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from ledger.errors import Unreachable

ANSWER_SECONDS_MAX = 120
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
_HEAD_BYTES_MAX = 2**16
_ENDS = (OSError, EOFError, asyncio.LimitOverrunError, TimeoutError, ValueError)


class Pipe:
    """One connection. Make it with `open_pipe`; after Cut it is of no more use."""

    def __init__(self, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._host = host
        self._reader = reader
        self._writer = writer

    async def ask(self, bodies: Sequence[bytes]) -> list[bytes]:
        """What the node answers to each of these JSON texts, which it works off in their order. Raises Cut."""
        self.send(bodies)
        return await self.receive(len(bodies))

    def send(self, bodies: Sequence[bytes]) -> None:
        """Asks without waiting: `receive` gives the answers, in the same order."""
        self._writer.writelines([_request(self._host, body) for body in bodies])

    async def receive(self, count: int) -> list[bytes]:
        """The next so many answers. Raises Cut where the connection ends, with those that came before."""
        answers: list[bytes] = []
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                while len(answers) < count:
                    answers.append(await self._answer())
        except _ENDS as error:
            self.close()
            raise Cut(self._host, type(error).__name__, answers) from None
        return answers

    async def _answer(self) -> bytes:
        self._acknowledge()
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        # anvil gives a length with every answer; another server's chunks would end here as a ValueError.
        start = head.index(b"content-length:") + len(b"content-length:")
        return await self._reader.readexactly(int(head[start : head.index(b"\r", start)]))

    def _acknowledge(self) -> None:
        # anvil sends a short answer only when the one before it was acknowledged, and Linux would take 40 ms to do so.
        line = self._writer.get_extra_info("socket")
        if line is not None and _QUICKACK is not None:
            line.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    def close(self) -> None:
        self._writer.close()


class Cut(Unreachable):
    """The connection ended; `answered` are the answers that came before."""

    def __init__(self, host: str, why: str, answered: list[bytes]) -> None:
        super().__init__(host, why)
        self.answered = answered


async def open_pipe(url: str) -> Pipe:
    """A connection to the node at `url` (http://HOST:PORT). Raises Unreachable."""
    parts = urlsplit(url)
    try:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=_HEAD_BYTES_MAX)
    except OSError as error:
        raise Unreachable(parts.netloc, type(error).__name__) from None
    return Pipe(parts.netloc, reader, writer)


def _request(host: str, body: bytes) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
        host.encode(),
        len(body),
        body,
    )
