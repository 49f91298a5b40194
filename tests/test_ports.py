"""A port is given once, to whichever process asks, and never one that somebody listens on."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ports

PROGRAM = "import sys; from tests.ports import free_port; print(*(free_port() for _ in range(4))); sys.stdin.read()"


def test_port_is_given_once_by_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_RANGE", range(31_000, 31_012))
    program = f"import tests.ports; tests.ports._RANGE = range(31_000, 31_012)\n{PROGRAM}"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
    ) as other:
        assert other.stdout is not None
        theirs = [int(word) for word in other.stdout.readline().split()]
        ours = [ports.free_port() for _ in range(4)]
        assert len({*theirs, *ours}) == 8
        other.communicate()


def test_port_that_somebody_listens_on_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", ports.free_port()))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(ports, "_RANGE", range(port, port + 1))
        os.close(ports._held.pop())
        with pytest.raises(RuntimeError):
            ports.free_port()
