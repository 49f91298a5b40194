"""Real processes under real wardens: run once, bounded, metered, and ended with all that came of them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ledger.agent import local, warden
from ledger.agent.document import JobDocument
from ledger.agent.executor import Progress, Run, RunState
from ledger.agent.folder import LOG_BYTES_MAX, log_of
from ledger.agent.local import LocalExecutor, _is_held, _taken
from ledger.errors import InputError

MIB = 2**20


def until(done: Callable[[], bool], what: str, within_s: float = 30) -> None:
    end_s = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < end_s, what
        time.sleep(0.01)


def over(executor: LocalExecutor, handle: str) -> Progress:
    until(lambda: executor.poll(handle).state.is_over, "the run does not end")
    return executor.poll(handle)


def ran(run: Run, executor: LocalExecutor | None = None) -> Progress:
    executor = executor or LocalExecutor()
    return over(executor, executor.start(run))


def marked(run: Run) -> list[int]:
    """The living processes that carry the run's mark."""
    found = []
    for one in Path("/proc").iterdir():
        with suppress(OSError):
            zombie = one.name.isdigit() and ") Z " in (one / "stat").read_text(errors="replace")
            mark = f"COMPUTE_LEDGER_RUN={run.run_id}".encode()
            if one.name.isdigit() and not zombie and mark in (one / "environ").read_bytes().split(b"\0"):
                found.append(int(one.name))
    return found


# ---- what a run sees


def test_a_command_runs_in_its_folder_with_its_files_and_variables(runs: Callable[..., Run]) -> None:
    run = runs("cat in.txt; echo $GREETING; echo oh >&2; mkdir out; echo 1 > out/r.txt", files={"in.txt": b"given "})
    progress = ran(run)
    assert (progress.state, progress.exit_code) == (RunState.DONE, 0)
    assert log_of(run.folder) == "given hi\noh\n"
    assert (run.folder / "files" / "out" / "r.txt").read_text() == "1\n"


def test_it_sees_nothing_of_ours(runs: Callable[..., Run]) -> None:
    secret, _ = os.pipe()
    os.set_inheritable(secret, True)
    run = runs("env; echo; ls /proc/self/fd; echo; nice; ulimit -c; umask; cat; ps -o sid= -p $$; echo $$", cpus=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECRET", "x")
        assert ran(run).state is RunState.DONE
    os.close(secret)
    variables, descriptors, rest = log_of(run.folder).split("\n\n")
    names = {line.partition("=")[0] for line in variables.splitlines()}
    ours = {"PATH", "HOME", "TMPDIR", "LANG", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "COMPUTE_LEDGER_RUN"}
    assert names == ours | {"GREETING", "PWD"} or names == ours | {"GREETING", "PWD", "SHLVL", "_", "OLDPWD"}
    # Its three, and the one that ls looks through.
    assert descriptors.split() == ["0", "1", "2", "3"]
    niceness, core, umask, session, pid = rest.split()
    assert (core, umask, session == pid, int(niceness) >= 10) == ("0", "0077", True, True)
    assert run.folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(("script", "code"), [("exit 3", 3), ("kill -9 $$", -9), ("no-such-command", 127)])
def test_a_job_that_fails_says_how(runs: Callable[..., Run], script: str, code: int) -> None:
    progress = ran(runs(script))
    assert (progress.state, progress.exit_code) == (RunState.FAILED, code)


def test_a_command_that_is_not_there_fails_and_the_log_says_so(runs: Callable[..., Run], tmp_path: Path) -> None:
    run = Run("test-absent", 1, JobDocument(("no-such-program",)), tmp_path / "test-absent", 1, 1, 0, 60)
    progress = ran(run)
    assert (progress.state, progress.exit_code) == (RunState.FAILED, 127)
    assert log_of(run.folder) == "no-such-program: No such file or directory\n"


def test_what_this_machine_cannot_run_is_refused(runs: Callable[..., Run], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no containers"):
        LocalExecutor().start(Run("i", 1, JobDocument(("true",), image="a:b"), tmp_path / "i", 1, 1, 0, 60))
    with pytest.raises(InputError, match="5000 processors"):
        LocalExecutor().start(runs("true", cpus=5_000))


# ---- bounded


def test_a_log_stays_bounded_and_the_job_does_not_wait(runs: Callable[..., Run]) -> None:
    run = runs("head -c 5000000 /dev/zero | tr '\\0' x; echo end")
    assert ran(run).state is RunState.DONE
    assert LOG_BYTES_MAX < (run.folder / "log").stat().st_size < LOG_BYTES_MAX + 100
    assert log_of(run.folder).endswith("\n[the log is full]\n")


def test_memory_beyond_what_is_leased_ends_it(runs: Callable[..., Run]) -> None:
    taken = f"{sys.executable} -c 'x = bytearray(400 << 20); import time; time.sleep(600)'"
    progress = ran(runs(taken, memory_bytes=150 * MIB))
    assert (progress.state, progress.exit_code) == (RunState.FAILED, -9)
    assert "bytes of memory, 157,286,400 are leased" in progress.text
    # Far beyond, the kernel gives none at all.
    progress = ran(runs(taken, memory_bytes=80 * MIB))
    assert (progress.state, progress.exit_code) == (RunState.FAILED, 1)


def test_more_processes_than_may_be_end_it(runs: Callable[..., Run]) -> None:
    run = runs("for i in $(seq 60); do sleep 600 & done; wait")
    progress = ran(run, LocalExecutor(processes_max=30))
    assert (progress.state, progress.exit_code) == (RunState.FAILED, -9)
    assert "30 may be" in progress.text
    assert marked(run) == []


def test_a_run_is_no_longer_than_its_window_even_without_an_agent(runs: Callable[..., Run]) -> None:
    progress = ran(runs("sleep 600", seconds=1))
    assert (progress.state, progress.exit_code) == (RunState.DONE, None)
    assert "the length of its window" in progress.text
    assert progress.usage.wall_ms >= 1_000


def test_runs_get_processors_of_their_own_while_there_are(runs: Callable[..., Run]) -> None:
    have = sorted(os.sched_getaffinity(0))
    executor, asks = LocalExecutor(), "grep Cpus_allowed_list /proc/self/status; sleep 600"
    first, second = runs(asks, cpus=1), runs(asks, cpus=1)
    for run in (first, second):
        executor.start(run)
        until(lambda run=run: log_of(run.folder).endswith("\n"), "it says nothing")  # type: ignore[misc]
    given = [int(log_of(run.folder).split()[1]) for run in (first, second)]
    assert given == [have[0], have[1 % len(have)]]


# ---- ended


def test_a_stop_ends_also_what_left_its_parent_and_its_session(runs: Callable[..., Run]) -> None:
    executor = LocalExecutor()
    run = runs("setsid sh -c 'setsid sleep 601 & sleep 602' & sleep 0.1; trap '' TERM; echo up; sleep 603; sleep 604")
    handle = executor.start(run)
    until(lambda: "up" in log_of(run.folder) and len(marked(run)) >= 4, "they do not come up")
    assert executor.poll(handle).state is RunState.RUNNING
    executor.stop(handle)
    progress = executor.poll(handle)
    assert (progress.state, progress.exit_code, progress.text) == (RunState.DONE, None, "stopped")
    assert marked(run) == []
    executor.stop(handle)
    assert executor.poll(handle) == progress


_CHAIN = "import os, time; end_s = time.monotonic() + 25\nwhile time.monotonic() < end_s:\n os.fork() and os._exit(0)"


@pytest.mark.parametrize("groups", [True, False])
def test_chains_of_processes_each_of_which_starts_the_next_are_ended(runs: Callable[..., Run], groups: bool) -> None:
    """By one word to the kernel where this user may make control groups, and one by one where not."""
    executor = LocalExecutor(processes_max=4_000, groups=groups)
    plain, alone = (f'setsid {sys.executable} -c "{_CHAIN}{more}" & ' for more in ("", "\n os.setsid()"))
    run = runs(f"{plain} {2 * alone} echo up; sleep 600")
    handle = executor.start(run)
    until(lambda: "up" in log_of(run.folder), "it does not come up")
    executor.stop(handle)
    assert executor.poll(handle).text == "stopped"
    assert marked(run) == []
    group = warden.group_of(run.run_id)
    assert group is None or not group.exists()


def test_a_job_that_is_told_to_end_may_tidy_up(runs: Callable[..., Run]) -> None:
    executor = LocalExecutor()
    run = runs("trap 'echo tidy; exit 0' TERM; echo up; while :; do sleep 0.05; done")
    handle = executor.start(run)
    until(lambda: "up" in log_of(run.folder), "it does not come up")
    executor.stop(handle)
    assert log_of(run.folder).endswith("tidy\n")
    assert executor.poll(handle).exit_code is None


def test_children_that_stay_behind_end_with_the_command(runs: Callable[..., Run]) -> None:
    run = runs("setsid sleep 600 & exit 4")
    assert ran(run).exit_code == 4
    assert marked(run) == []


_HELPERS = {"in its session": "sleep 611 &", "by its files": "env -i setsid sleep 612 &"}
_HELPERS["as a child"] = "env -i setsid sh -c '(cd /; exec setsid sleep 613) & wait' &"


@pytest.mark.parametrize("helper", _HELPERS.values(), ids=_HELPERS)
def test_a_job_that_kills_its_warden_has_failed_and_what_it_left_is_ended(
    runs: Callable[..., Run], helper: str
) -> None:
    executor = LocalExecutor()
    run = runs(f"{helper} echo up; while [ ! -e go ]; do sleep 0.05; done; kill -9 $PPID; sleep 615")
    handle = executor.start(run)
    until(lambda: "up" in log_of(run.folder) and executor.poll(handle).usage.wall_ms > 0, "it does not come up")
    below = set(_below(json.loads((run.folder / "started").read_text())["pid"]))
    assert len(below) >= 2
    (run.folder / "files" / "go").touch()
    until(lambda: executor.poll(handle).state.is_over, "it is not over")
    progress = executor.poll(handle)
    assert (progress.state, progress.exit_code) == (RunState.FAILED, -9)
    assert progress.text == "the run's warden was killed"
    assert progress.usage.wall_ms > 0
    until(lambda: executor.poll(handle).state.is_over and not any(map(_lives, below)), "something is left")
    # Over is over: nothing runs it again.
    assert executor.start(run) == handle
    assert executor.poll(handle).state is RunState.FAILED


def test_a_run_of_before_the_machine_was_started_is_lost(
    runs: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = LocalExecutor()
    run = runs("echo up; sleep 600")
    handle = executor.start(run)
    until(lambda: executor.poll(handle).usage.wall_ms > 0, "no usage")
    os.kill(json.loads((run.folder / "started").read_text())["pid"], signal.SIGKILL)
    until(lambda: not _is_held(run.folder / "lock"), "its warden lives")
    assert 0 < local._machine_start_s() < run.folder.stat().st_ctime
    assert executor.poll(handle).state is RunState.FAILED
    started_s = time.time() + 10
    monkeypatch.setattr(local, "_machine_start_s", lambda: started_s)
    assert executor.poll(handle).state is RunState.LOST
    # The time of the file that decides is the kernel's.
    os.utime(run.folder / "order.json", (started_s, started_s))
    assert executor.poll(handle).state is RunState.LOST


def _below(pid: int) -> list[int]:
    found = warden.children_of(pid)
    return found + [deeper for one in found for deeper in _below(one)]


def _lives(pid: int) -> bool:
    fields = warden.stat_of(pid)
    return bool(fields) and fields[0] not in "ZX"


_ODD = [
    b"{}",
    b"[]",
    b'{"x":1}',
    b"[" * 60_000,
    b'{"exit_code":1e400}',
    b'{"exit_code":"0","text":[]}',
    b'{"exit_code":0,"text":"","wall_ms":1e400}',
    b'{"exit_code":' + b"9" * 4_000 + b',"text":"","wall_ms":-' + b"9" * 4_000 + b"}",
    b'{"exit_code":0,"text":"' + b"x" * 2**17 + b'"}',
    b'{"exit_code":0,"text":"\\ud800\\u0000"}',
    b"\xff",
]


@pytest.mark.parametrize("content", _ODD)
def test_whatever_a_job_puts_in_the_place_of_a_wardens_word_is_read_or_left(tmp_path: Path, content: bytes) -> None:
    for name in ("ended", "usage", "started"):
        (tmp_path / name).write_bytes(content)
    progress = LocalExecutor().poll(str(tmp_path))
    assert progress.state.is_over
    assert abs(progress.exit_code or 0) <= 2**31
    assert 0 <= progress.usage.wall_ms <= 2**50
    assert len(progress.text.encode()) <= 1_000
    assert "\0" not in progress.text
    assert _taken(tmp_path / "beside") == (set(), set())


def test_a_pipe_a_link_and_a_folder_in_its_place_hold_nobody_up(tmp_path: Path) -> None:
    (tmp_path / "word").write_text('{"exit_code": 7, "text": "of another"}')
    for name, make in (
        ("pipe", os.mkfifo),
        ("folder", os.mkdir),
        ("link", lambda path: path.symlink_to(tmp_path / "word")),
    ):
        folder = tmp_path / name
        folder.mkdir()
        for one in ("ended", "usage", "lock"):
            make(folder / one)
        assert LocalExecutor().poll(str(folder)).text == "the run's warden was killed"


# ---- metered


def test_what_is_used_is_counted_children_included(runs: Callable[..., Run]) -> None:
    busy = f"{sys.executable} -c 'import time\nwhile time.process_time() < 0.6: pass\nx = bytearray(50 << 20)'"
    progress = ran(runs(f"{busy}; setsid {busy} & wait; sleep 0.3"))
    assert 1_200 <= progress.usage.cpu_ms < 2_500
    assert progress.usage.wall_ms >= 900
    assert progress.usage.memory_bytes >= 5 * MIB
    assert progress.usage.gpu_ms == 0


# ---- once


def test_started_again_it_runs_once(runs: Callable[..., Run]) -> None:
    executor = LocalExecutor()
    run = runs("echo x >> ../count; sleep 0.2")
    handles = {executor.start(run), LocalExecutor().start(run)}
    assert len(handles) == 1
    over(executor, handles.pop())
    until(lambda: not _is_held(run.folder / "lock"), "its warden does not leave")
    executor.poll(executor.start(run))
    assert (run.folder / "count").read_text() == "x\n"


def test_what_was_ordered_is_found_and_nothing_is_started_to_find_it(runs: Callable[..., Run]) -> None:
    executor, run = LocalExecutor(), runs("sleep 600")
    assert executor.found(run.run_id, run.folder) == ""
    assert not run.folder.exists()
    handle = executor.start(run)
    assert LocalExecutor().found(run.run_id, run.folder) == handle
    executor.stop(handle)
    assert executor.found(run.run_id, run.folder) == handle


def test_a_run_that_is_stopped_before_its_warden_is_up_does_not_run(runs: Callable[..., Run]) -> None:
    executor, run = LocalExecutor(), runs("echo ran >> ../ran; sleep 600")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalExecutor, "_wake", lambda *_: None)
        executor.start(run)
    handle = executor.found(run.run_id, run.folder)
    executor.stop(handle)
    executor._wake(run.folder)
    assert over(executor, handle).text == "stopped"
    assert not (run.folder / "ran").exists()
    assert executor.capacity().cpus == len(os.sched_getaffinity(0))


_STARTERS = """
import os, sys
from pathlib import Path
from ledger.agent.document import JobDocument
from ledger.agent.executor import Run
from ledger.agent.local import LocalExecutor
for line in sys.stdin:
    run_id, folder, script = line.rstrip("\\n").split("\\t")
    child = os.fork()
    if child == 0:
        LocalExecutor().start(Run(run_id, 1, JobDocument(("sh", "-c", script)), Path(folder), 1, 1, 0, 600))
        os._exit(0)
    print(child, flush=True)
"""


@pytest.fixture(scope="module")
def starter() -> Iterator[Callable[[Run], int]]:
    """Starts a run in a process of its own, as another agent would, and gives its number."""
    with subprocess.Popen(
        [sys.executable, "-c", _STARTERS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def start(run: Run) -> int:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{run.run_id}\t{run.folder}\t{run.document.command[2]}\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        yield start
        process.kill()


@pytest.mark.parametrize("pause_s", [0.0, 0.01, 0.03, 0.06, 0.12])
def test_an_agent_killed_while_it_starts_a_run_starts_it_once(
    runs: Callable[..., Run], starter: Callable[[Run], int], pause_s: float
) -> None:
    run = runs("echo x >> ../count; sleep 0.1")
    other = starter(run)
    time.sleep(pause_s)
    os.kill(other, signal.SIGKILL)
    progress = ran(run)
    assert (progress.state, (run.folder / "count").read_text()) == (RunState.DONE, "x\n")


def test_two_agents_at_once_start_it_once(runs: Callable[..., Run], starter: Callable[[Run], int]) -> None:
    run = runs("echo x >> ../count; sleep 0.1")
    others = [starter(run) for _ in range(2)]
    until(lambda: not any(map(_lives, others)), "they do not end")
    over(LocalExecutor(), str(run.folder))
    assert (run.folder / "count").read_text() == "x\n"
