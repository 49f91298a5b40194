"""Ports for processes that must be told theirs: nobody else is given them while this process lives."""

import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Below those that a system gives out by itself. A port of that range, let go so that a server may bind it, can be
# another process's in between; and a client that asks for it while nobody listens may be given it as its own end.
_RANGE = range(20_000, 32_000)
_held: list[int] = []


def free_port() -> int:
    """A port of the loopback interface that nobody listens on, and that no other test is given until this process
    ends: a lock on a file holds it."""
    folder = Path(tempfile.gettempdir(), f"compute-ledger-ports-{os.getuid()}")
    folder.mkdir(exist_ok=True)
    for port in _candidates():
        file = os.open(folder / str(port), os.O_CREAT | os.O_RDWR)
        if _locks(file) and _is_unused(port):
            _held.append(file)
            return port
        os.close(file)
    raise RuntimeError(f"every port from {_RANGE.start} to {_RANGE.stop - 1} is taken")


def _candidates() -> Iterator[int]:
    """All of them, each process beginning elsewhere."""
    # Not the generator that tests seed: two processes with one seed would go the same way.
    start = random.SystemRandom().randrange(len(_RANGE))
    return (_RANGE[(start + place) % len(_RANGE)] for place in range(len(_RANGE)))


def _locks(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_unused(port: int) -> bool:
    with socket.socket() as door:
        # As servers do: a port that was theirs a moment ago is free.
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
