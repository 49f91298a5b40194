"""Everything in one command: a fresh market opens and lives, is ended, and is there again; what cannot be is said."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
_OPEN_S = 150


@contextmanager
def running(folder: Path, *options: str) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """The command, until the block ends; the page's address, once it answers."""
    port = free_port()
    command = [sys.executable, "-m", "ledger.up", "--folder", str(folder), "--port", str(port)]
    ours = {name: value for name, value in os.environ.items() if not name.startswith("COMPUTE_LEDGER_")}
    said = folder.with_suffix(".out")
    with said.open("ab") as output:
        process = subprocess.Popen(
            [*command, "--node-port", str(free_port()), *options], cwd=ROOT, env=ours, stdout=output, stderr=output
        )
        try:
            until(lambda: process.poll() is None and b"is open" in said.read_bytes(), said.read_text)
            yield f"http://127.0.0.1:{port}", process
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(120) == 0


def until(true: Callable[[], object], told: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + _OPEN_S
    while not true():
        assert time.monotonic() < deadline, told()
        time.sleep(0.2)


def read(url: str) -> dict[str, object]:
    with urlopen(url, timeout=30) as answer:
        found: dict[str, object] = json.load(answer)
        return found


@pytest.mark.slow
def test_an_empty_market_opens_and_is_there_again(tmp_path: Path) -> None:
    folder = tmp_path / "market"
    with running(folder, "--empty") as (page, _):
        addresses = read(f"{page}/deployment")["addresses"]
        assert read(f"{page}/products")["data"] == []
    (folder.with_suffix(".out")).unlink()
    with running(folder, "--empty") as (page, _):
        assert read(f"{page}/deployment")["addresses"] == addresses


@pytest.mark.slow
def test_a_market_lives_and_heals(tmp_path: Path) -> None:
    with running(tmp_path / "market") as (page, process):
        products = read(f"{page}/products")
        assert len(products["data"]) >= 10  # type: ignore[arg-type]
        last = [product["last"] for product in products["data"]]  # type: ignore[attr-defined]
        assert sum(price is not None for price in last) >= 5
        [keeper] = _children(process.pid, "keeper")
        os.kill(keeper, signal.SIGKILL)
        until(lambda: _children(process.pid, "keeper") not in ([], [keeper]))
        first = int(str(products["block"]))
        until(lambda: int(str(read(f"{page}/products")["block"])) > first + 2)


def _children(owner: int, name: str) -> list[int]:
    """The processes below `owner` whose command names `name` as an argument of its own."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if name.encode() in words and b"sh" not in words and _is_below(int(entry.name), owner):
                    found.append(int(entry.name))
            except (OSError, ValueError):
                continue
    return found


def _is_below(process: int, owner: int) -> bool:
    while process > 1:
        if process == owner:
            return True
        process = int((Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[1])
    return False


def test_a_chain_without_a_market_is_refused(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "ledger.up", "--folder", str(tmp_path), "--rpc", f"http://127.0.0.1:{free_port()}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 3
    assert "does not answer" in said.stdout


@pytest.mark.parametrize("option", ["--port", "--node-port"])
def test_a_port_that_is_taken_is_named(tmp_path: Path, option: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ports = {"--port": str(free_port()), "--node-port": str(free_port()), option: str(port)}
        words = [word for pair in ports.items() for word in pair]
        said = subprocess.run(
            [sys.executable, "-m", "ledger.up", "--folder", str(tmp_path / "market"), *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert said.returncode == 2
    assert f"Port {port} is taken" in said.stdout
    assert option in said.stdout


def test_script_answers_help_before_it_installs_anything(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    script = tmp_path / "scripts" / "run"
    shutil.copy(ROOT / "scripts" / "run", script)
    said = subprocess.run(["bash", str(script), "--help"], capture_output=True, text=True, timeout=60, check=False)
    assert (said.returncode, said.stderr) == (0, "")
    options = ("--empty", "--rpc", "--database", "--port", "--node-port", "--folder")
    assert [option for option in options if option not in said.stdout] == []
    assert "set -euo" not in said.stdout
