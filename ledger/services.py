"""Processes that belong together: started in order, started again when they fall, ended when their owner ends, even
when the owner was killed."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from ledger.errors import Unavailable

PAUSE_S_MAX = 30.0
STOP_S_MAX = 20.0
_STEADY_S = 60.0
_POLL_S = 0.2

# The shell ends its child when its own standard input ends: a pipe that closes even when its holder was killed. It ends
# with its child, so that the holder sees that too.
_LEASH = (
    'exec 3<&0; "$@" </dev/null 3<&- & child=$!; { read -r _ <&3; kill "$child" 2>/dev/null; } & '
    'wait "$child"; code=$?; kill $! 2>/dev/null; exit $code'
)


@dataclass
class Service:
    """One process: its command, the file that takes what it prints, and its whole environment (None: its owner's)."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] | None = None
    process: "subprocess.Popen[bytes] | None" = None
    started_s: float = 0.0
    falls: int = 0

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Starts it; what is left of an earlier start is ended first."""
        self.stop()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                ["/bin/sh", "-c", _LEASH, "sh", *self.command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if self.environment is None else dict(self.environment),
                # An interrupt is for the owner, who ends its services in order.
                start_new_session=True,
            )
        self.started_s = time.monotonic()

    def stop(self) -> None:
        """Asks it to end and waits; one that does not is killed with all it started."""
        if self.process is None:
            return
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def last_words(self, count: int = 5) -> str:
        """The end of what it printed."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])


class Services:
    """Several of them, for as long as a `with` block lasts."""

    def __init__(self, say: Callable[[str], None] = lambda _: None) -> None:
        self._say = say
        self._services: list[Service] = []

    def __enter__(self) -> "Services":
        return self

    def __exit__(self, *_: object) -> None:
        for service in reversed(self._services):
            service.stop()

    def start(self, service: Service, ready: Callable[[], object] = lambda: True, within_s: float = 60.0) -> Service:
        """Starts one and waits until it is `ready`. Raises Unavailable where it ends first, or takes too long."""
        service.start()
        self._services.append(service)
        deadline = time.monotonic() + within_s
        while not ready():
            if not service.alive or time.monotonic() > deadline:
                why = "ended at once" if not service.alive else f"is not ready after {within_s:.0f} s"
                raise Unavailable(
                    f"The {service.name} {why}: {service.last_words() or 'it printed nothing'}",
                    f"All that it printed is in {service.log}.",
                )
            time.sleep(_POLL_S)
        return service

    def stop(self, service: Service) -> None:
        """Ends one that is no longer needed."""
        service.stop()
        self._services.remove(service)

    def watch(self, stop: Event) -> None:
        """Keeps all of them running until `stop` is set: one that falls is started again, each time after a longer
        pause, until it has been steady."""
        again: dict[str, float] = {}
        while not stop.wait(_POLL_S):
            now_s = time.monotonic()
            for service in self._services:
                if service.alive:
                    if service.falls and now_s - service.started_s > _STEADY_S:
                        service.falls = 0
                elif service.name not in again:
                    pause_s = min(2.0**service.falls, PAUSE_S_MAX)
                    service.falls += 1
                    again[service.name] = now_s + pause_s
                    self._say(f"The {service.name} fell; it starts again in {pause_s:.0f} s. See {service.log}.")
                elif now_s >= again[service.name]:
                    del again[service.name]
                    service.start()
