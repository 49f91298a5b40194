"""How a request may come in, its head within a size, all of it within a time, and how its answer goes out: some of it
in each such time. What runs below has a bound on none of these, and whoever sends a head without an end, or asks for
much and takes nothing of it, would fill the memory."""

from asyncio import TimerHandle, Transport
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES_MAX = 64 * 1024
"""Beyond the first part of a head that the system hands over at once (256 KiB at most)."""
REQUEST_S = 60.0
"""How long a request may take to come in, from its first byte, or the connection's start, to its last; and for how
long an answer may wait without as much as TAKEN_BYTES_MIN of it being taken."""
TAKEN_BYTES_MIN = 32 * 1024


class Http(HttpToolsProtocol):
    """One connection of uvicorn's, with these bounds."""

    request_s: ClassVar[float] = REQUEST_S
    _timer: TimerHandle | None = None
    _taking: TimerHandle | None = None
    _in_head = False
    _head_bytes = 0

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._rest()
        self._relax()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        self._relax()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        # What is left to be taken keeps a closed connection open.
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
                self.send_400_response(f"The head of the request is longer than {HEAD_BYTES_MAX} bytes.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0
        self._wait()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._rest()
        super().on_message_complete()

    def _watch(self) -> None:
        """Ends the connection unless some of what waits is taken in time, and again until all of it is."""
        waits = self.transport.get_write_buffer_size()

        def look() -> None:
            if waits - self.transport.get_write_buffer_size() < min(TAKEN_BYTES_MIN, waits):
                self.transport.abort()
            else:
                self._watch()

        self._relax()
        self._taking = self.loop.call_later(self.request_s, look)

    def _relax(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def _wait(self) -> None:
        self._rest()
        self._timer = self.loop.call_later(self.request_s, self.transport.close)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
