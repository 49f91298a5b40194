"""Services: ready before the next, up again when they fall, gone with their owner, however that ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event, Thread

import pytest

from ledger.errors import Unavailable
from ledger.services import Service, Services

WRITES_ITS_NUMBER = "import os, sys, time; open(sys.argv[1], 'a').write(f'{os.getpid()}\\n'); time.sleep(60)"


def writer(folder: Path, name: str = "writer") -> Service:
    return Service(name, [sys.executable, "-c", WRITES_ITS_NUMBER, str(folder / name)], folder / f"{name}.log")


def numbers(folder: Path, name: str = "writer") -> list[int]:
    path = folder / name
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def runs(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def test_services_end_with_their_block(tmp_path: Path) -> None:
    with Services() as services:
        for name in ("one", "two"):
            services.start(writer(tmp_path, name), partial(numbers, tmp_path, name))
        running = numbers(tmp_path, "one") + numbers(tmp_path, "two")
        assert all(map(runs, running))
    until(lambda: not any(map(runs, running)))


def test_start_says_what_a_service_printed_before_it_ended(tmp_path: Path) -> None:
    broken = Service("index", [sys.executable, "-c", "print('no such table'); raise SystemExit(3)"], tmp_path / "log")
    with Services() as services, pytest.raises(Unavailable, match="no such table"):
        services.start(broken, lambda: False)


def test_start_gives_up_on_one_that_is_never_ready(tmp_path: Path) -> None:
    with Services() as services, pytest.raises(Unavailable, match="not ready"):
        services.start(writer(tmp_path), lambda: False, within_s=0.5)


def test_watch_starts_again_what_was_killed(tmp_path: Path) -> None:
    said: list[str] = []
    stop = Event()
    with Services(said.append) as services:
        services.start(writer(tmp_path), lambda: bool(numbers(tmp_path)))
        watching = Thread(target=services.watch, args=(stop,))
        watching.start()
        os.kill(numbers(tmp_path)[0], signal.SIGKILL)
        until(lambda: len(numbers(tmp_path)) == 2)
        assert runs(numbers(tmp_path)[1])
        stop.set()
        watching.join()
    assert "writer fell" in said[0]


def test_services_end_when_their_owner_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from tests.ledger.test_services import writer, numbers\n"
        "from ledger.services import Services\n"
        "with Services() as services:\n"
        "    services.start(writer(Path(sys.argv[1])), lambda: bool(numbers(Path(sys.argv[1]))))\n"
        "    time.sleep(60)\n"
    )
    root = Path(__file__).resolve().parents[2]
    owner = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=root)
    until(lambda: numbers(tmp_path))
    owner.kill()
    owner.wait()
    until(lambda: not runs(numbers(tmp_path)[0]))
