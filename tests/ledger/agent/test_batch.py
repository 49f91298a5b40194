"""What runs on a node: once, in its own environment, metered until the second in which it ends, however it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ledger.agent import batch

PROGRAM = Path(batch.__file__)
WAIT_S_MAX = 60


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    return tmp_path


def order(folder: Path, *command: str, log_bytes_max: int = 2**20, gpus: int = 0, **environment: str) -> None:
    said = {"command": command, "environment": environment, "gpus": gpus, "log_bytes_max": log_bytes_max}
    (folder / "order.json").write_text(json.dumps(said))


def begin(folder: Path, **environment: str) -> "subprocess.Popen[bytes]":
    """As a node begins it: by any Python, which finds none of our packages."""
    known = {"PATH": os.environ["PATH"], "SLURM_JOB_ID": "7", **environment}
    return subprocess.Popen(
        [sys.executable, "-I", str(PROGRAM), str(folder)], cwd="/", env=known, stderr=subprocess.PIPE
    )


def ran(folder: Path, **environment: str) -> bytes:
    _, words = begin(folder, **environment).communicate(timeout=WAIT_S_MAX)
    return words


def meter(folder: Path) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((folder / "meter.json").read_text())
    return said


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + WAIT_S_MAX
    while not (path.exists() and path.stat().st_size):
        assert time.monotonic() < deadline, f"{path.name} was not written"
        time.sleep(0.05)


@pytest.mark.parametrize("code", [0, 3])
def test_exit_code_and_words_of_the_command_are_kept(folder: Path, code: int) -> None:
    order(folder, "sh", "-c", f"echo out; echo err >&2; exit {code}")
    assert ran(folder) == b""
    assert (folder / "log").read_bytes() == b"out\nerr\n"
    assert (meter(folder)["exit_code"], meter(folder)["told"]) == (code, False)


def test_no_word_of_the_command_goes_through_a_shell(folder: Path) -> None:
    words = ["$(touch x)", "a b", ";", "'\"", "`id`", "\n", "-n", "é"]
    order(folder, sys.executable, "-c", "import sys; print(sys.argv[1:])", *words)
    ran(folder)
    assert (folder / "log").read_text() == f"{words}\n"
    assert list((folder / "files").iterdir()) == []


def test_command_sees_its_own_environment_and_folder_only(folder: Path) -> None:
    order(folder, "sh", "-c", "env; pwd -P", SEED="1")
    ran(folder, COMPUTE_LEDGER_PASSWORD="secret", SLURM_JOB_NAME="x", HOME="/", CUDA_VISIBLE_DEVICES="2")
    said = (folder / "log").read_text().splitlines()
    # PWD is the shell's own.
    assert {line.partition("=")[0] for line in said[:-1]} - {"PWD", "_", "SHLVL", "OLDPWD"} == {
        *("PATH", "HOME", "LANG", "SEED", "CUDA_VISIBLE_DEVICES")
    }
    assert said[-1] == str((folder / "files").resolve())


def test_a_run_is_run_once_whoever_begins_it_again(folder: Path) -> None:
    order(folder, "sh", "-c", "echo once >> count; sleep 0.5")
    both = [begin(folder, SLURM_JOB_ID=str(number)) for number in (7, 8)]
    said = [one.communicate(timeout=WAIT_S_MAX)[1] for one in both]
    assert sorted(bool(words) for words in said) == [False, True]
    assert b"does not run again" in b"".join(said)
    assert b"does not run again" in ran(folder, SLURM_JOB_ID="9")
    assert (folder / "files" / "count").read_text() == "once\n"
    assert (folder / "claim").read_text() == "78"[said.index(b"")]


def test_what_it_uses_is_counted_with_its_children(folder: Path) -> None:
    burn = "import time; block = bytearray(50_000_000)\nwhile time.process_time() < 1: pass"
    order(folder, "sh", "-c", f'{sys.executable} -c "{burn}"; true', gpus=2)
    ran(folder)
    used = meter(folder)
    assert 950 <= used["cpu_ms"] <= 4_000
    assert used["cpu_ms"] <= 1.1 * used["wall_ms"]
    assert 50_000_000 <= used["memory_bytes"] <= 500_000_000
    assert used["gpu_ms"] == 2 * used["wall_ms"]


def test_what_was_used_is_known_up_to_the_second_in_which_all_is_killed(folder: Path) -> None:
    order(folder, "sh", "-c", "while :; do :; done")
    process = begin(folder)
    try:
        deadline = time.monotonic() + WAIT_S_MAX
        while not ((folder / "meter.json").exists() and meter(folder)["cpu_ms"] >= 500):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for one in (process.pid, *map(int, children)):
            os.kill(one, signal.SIGKILL)
        process.communicate()
    assert meter(folder)["exit_code"] is None
    assert meter(folder)["wall_ms"] >= 500


def test_told_to_end_it_ends_the_command_with_its_children_and_says_so(folder: Path) -> None:
    # Both ignore the request to end: they are killed.
    order(
        folder, "sh", "-c", "trap '' TERM; (trap '' TERM; echo $$ > pid; sleep 300) & echo $! > child; wait; sleep 300"
    )
    process = begin(folder)
    wait_for(folder / "files" / "child")
    process.terminate()
    assert process.communicate(timeout=WAIT_S_MAX)[1] == b""
    assert (meter(folder)["exit_code"], meter(folder)["told"]) == (-signal.SIGKILL, True)
    child = int((folder / "files" / "child").read_text())
    deadline = time.monotonic() + WAIT_S_MAX
    while _runs(child):
        assert time.monotonic() < deadline, "the child lives on"
        time.sleep(0.05)


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_log_is_bounded_and_nobody_waits_for_it(folder: Path) -> None:
    order(folder, sys.executable, "-c", "print('x' * 5_000_000)", log_bytes_max=1_000)
    ran(folder)
    text = (folder / "log").read_text()
    assert text.startswith("x" * 1_000 + "\n[the log is full]")
    assert len(text) < 1_100
    assert meter(folder)["exit_code"] == 0


def test_log_of_just_its_limit_is_whole(folder: Path) -> None:
    order(folder, "printf", "x" * 1_000, log_bytes_max=1_000)
    ran(folder)
    assert (folder / "log").read_text() == "x" * 1_000


@pytest.mark.parametrize(("command", "code"), [("no-such-program", 127), ("./data", 126)])
def test_a_command_that_cannot_be_started_has_the_code_of_a_shell(folder: Path, command: str, code: int) -> None:
    (folder / "files" / "data").write_text("")
    order(folder, command)
    ran(folder)
    assert meter(folder)["exit_code"] == code
    assert (folder / "log").read_text().startswith(f"{command}: ")


def test_it_ends_as_the_command_did(folder: Path) -> None:
    for number, (script, code) in enumerate({"exit 0": 0, "exit 3": 3, "kill -9 $$": -9, "kill -TERM $$": -15}.items()):
        one = folder / str(number)
        (one / "files").mkdir(parents=True)
        order(one, "sh", "-c", script)
        process = begin(one)
        process.communicate(timeout=WAIT_S_MAX)
        assert process.returncode == meter(one)["exit_code"] == code
        process = begin(one)
        process.communicate(timeout=WAIT_S_MAX)
        assert process.returncode == batch.NOT_AGAIN


def test_what_a_job_puts_in_the_way_of_its_meter_ends_nobody(folder: Path) -> None:
    order(folder, "sh", "-c", "until mkdir ../meter.new 2>/dev/null; do :; done; sleep 1.2; echo on; exit 4")
    process = begin(folder)
    assert process.communicate(timeout=WAIT_S_MAX)[1] == b""
    assert process.returncode == 4
    assert (folder / "log").read_text() == "on\n"
