"""Runs leased jobs as processes of this machine, each under a warden (`warden.py`) that bounds and meters it.

What a run is kept to: its own session and folder (0700), a clean environment, no open files of ours, its processors
(affinity), memory (address space of each process, and the sum of what all hold), size of files, number of processes,
low priority, the length of its window, a log of bounded size. All that comes of it is ended with it, also what left its
parent or its session.

What it is **not** kept from: the network, and whatever the agent's own user may read, write and kill, the agent and its
key's file among them. Run the agent as a user who owns nothing else, with a key that holds no more than gas money, and
where strangers' code reaches nothing that it should not; where that is not enough, use Kubernetes.

A job that kills its own warden has failed, and was given its capacity; what is left of it is ended as far as it can be
known: by its control group where it has one, by the run's mark, its files, its session, its parents. One that hides
from all of these is ended by nobody. A run is lost only where the machine itself was started anew. Where a service
manager restarts the agent, let it leave the wardens alone (systemd: `KillMode=process`).
"""

import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ledger.agent import warden
from ledger.agent.executor import Capacity, Progress, Run, RunState, Usage
from ledger.agent.folder import LOG_BYTES_MAX, lay_out
from ledger.errors import InputError, Unavailable

FILE_BYTES_MAX = 16 * 2**30
PROCESSES_MAX = 512
_PATH = "/usr/local/bin:/usr/bin:/bin"
_NICE = 10
_SAID_BYTES_MAX, _WORDS_MAX = 64 * 2**10, 1_000
_CODE_MAX, _USED_MAX = 2**31, 2**50
_SWEEPS_MAX = 20
_START_S, _STOP_S, _POLL_S = 30.0, 15.0, 0.02


class LocalExecutor:
    """Runs jobs in folders of their own. `path` is where commands are looked for, `processes_max` how many processes a
    run may have at once; `groups` says whether each gets a control group where this user may make one."""

    def __init__(self, path: str = _PATH, processes_max: int = PROCESSES_MAX, *, groups: bool = True) -> None:
        self._path = path
        self._processes_max = processes_max
        self._groups = groups

    def capacity(self) -> Capacity:
        """This machine, as far as it is given to this process."""
        return Capacity(len(os.sched_getaffinity(0)), os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))

    def start(self, run: Run) -> str:
        """The handle is the run's folder. Raises InputError for a job with an image and one that leases more than this
        machine has, Unavailable where no warden comes up."""
        folder = run.folder.absolute()
        if not (folder / "started").exists():
            self._check(run)
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _turn(folder / "starting"):
                # Whoever wrote the order had laid out all, and may have woken a warden: its files are the command's.
                if not (folder / "order.json").exists():
                    lay_out(run.document, folder)
                    warden.write(folder / "order.json", self._order(run, _taken(folder)))
                self._wake(folder)
        return str(folder)

    def found(self, run_id: str, folder: Path) -> str:  # noqa: ARG002 - the folder is named by it
        """Whoever wrote the order may have woken a warden, which may come up at any moment."""
        return str(folder.absolute()) if (folder / "order.json").exists() else ""

    def poll(self, handle: str) -> Progress:
        folder = Path(handle)
        # Asked before `ended` is looked for: who holds it may write that and let go in between.
        alive = _is_held(folder / "lock")
        ended = _read(folder / "ended")
        if ended:
            return _end(ended)
        usage = _usage(_read(folder / "usage"))
        if alive:
            return Progress(RunState.RUNNING, usage)
        if _is_of_before(folder / "order.json"):
            return Progress(RunState.LOST, usage, text="the machine was started anew")
        # The machine was there all the while: who kills his warden has his capacity, and gets nothing beyond it.
        _sweep(folder.name, folder)
        return Progress(RunState.FAILED, usage, -signal.SIGKILL, "the run's warden was killed")

    def stop(self, handle: str) -> None:
        """Raises Unavailable where it does not end."""
        folder = Path(handle)
        (folder / "stop").touch()
        until_s = time.monotonic() + _STOP_S
        while _is_held(folder / "lock"):
            if time.monotonic() > until_s:
                raise Unavailable(f"The run in {folder.name} does not end.", "Look at its processes, and end them.")
            time.sleep(_POLL_S)
        if not (folder / "ended").exists():
            _sweep(folder.name, folder)

    def _check(self, run: Run) -> None:
        if run.document.image:
            raise InputError(
                f"The job wants the image {run.document.image}, and this executor has no containers.",
                "Redeem at a site that runs them, or leave the image out.",
            )
        have = len(os.sched_getaffinity(0))
        if run.cpus > have:
            raise InputError(
                f"The job leases {run.cpus} processors, and this machine has {have}.", "Use a site of its size."
            )

    def _order(self, run: Run, busy: "tuple[set[int], set[int]]") -> dict[str, Any]:
        cpus = _free(sorted(os.sched_getaffinity(0)), busy[0], run.cpus)
        gpus = _free(list(range(run.gpus + len(busy[1]))), busy[1], run.gpus)
        files = run.folder.absolute() / "files"
        (run.folder / "tmp").mkdir(exist_ok=True, mode=0o700)
        environment = {
            "PATH": self._path,
            "HOME": str(files),
            "TMPDIR": str(run.folder.absolute() / "tmp"),
            "LANG": "C.UTF-8",
            "CUDA_VISIBLE_DEVICES": ",".join(map(str, gpus)),
            **({"OMP_NUM_THREADS": str(run.cpus)} if run.cpus else {}),
            **run.document.environment,
            warden.MARK: run.folder.absolute().name,
        }
        window_s = run.end_s - run.start_s
        limits = {
            "RLIMIT_CORE": 0,
            "RLIMIT_FSIZE": FILE_BYTES_MAX,
            "RLIMIT_CPU": window_s * max(run.cpus, 1) + 60,
            "RLIMIT_NPROC": 16 * PROCESSES_MAX,
            # Four times: threads and allocators claim far more than they use. A GPU's driver claims all there is.
            **({"RLIMIT_AS": 4 * run.memory_bytes} if run.memory_bytes and not run.gpus else {}),
        }
        return {
            "command": list(run.document.command),
            "environment": environment,
            "limits": limits,
            "nice": _NICE,
            "cpus": cpus,
            "gpus": gpus,
            "memory_bytes": run.memory_bytes,
            "processes_max": self._processes_max,
            "group": self._groups,
            "wall_s_max": window_s,
            "log_bytes_max": LOG_BYTES_MAX,
        }

    def _wake(self, folder: Path) -> None:
        """Starts a warden and waits until one, this or another, has noted that it runs the command."""
        # Alone: none of our packages, and nothing of this environment.
        command = [sys.executable, "-I", "-S", warden.__file__, str(folder)]
        with (folder / "warden.log").open("ab") as said:
            done = subprocess.run(
                command, check=False, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env={"PATH": self._path}
            )
        until_s = time.monotonic() + _START_S
        while not (folder / "started").exists():
            if done.returncode != 0 or time.monotonic() > until_s:
                raise Unavailable(f"No warden of {folder.name} came up.", f"See {folder.name}/warden.log.")
            time.sleep(_POLL_S)


# ---- what a folder says


def _end(said: dict[str, Any]) -> Progress:
    code = None if said.get("exit_code") is None else _whole(said, "exit_code", -_CODE_MAX, _CODE_MAX)
    state = RunState.DONE if code in (0, None) else RunState.FAILED
    # Half a character is in JSON, and in no database.
    text = str(said.get("text", ""))[:_WORDS_MAX].encode(errors="replace").decode().replace("\0", "?")
    return Progress(state, _usage(said), code, text)


def _usage(said: dict[str, Any]) -> Usage:
    return Usage(*[_whole(said, name, 0, _USED_MAX) for name in ("wall_ms", "cpu_ms", "gpu_ms", "memory_bytes")])


def _read(path: Path) -> dict[str, Any]:
    """What a warden wrote; nothing where it wrote nothing. The job may have put anything in its place: a link, a pipe
    that nobody writes, a mebibyte of brackets."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(_SAID_BYTES_MAX + 1) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
        said = json.loads(content) if len(content) <= _SAID_BYTES_MAX else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _whole(said: dict[str, Any], name: str, least: int, most: int) -> int:
    """A whole number as a warden writes them, within these bounds; 0 where something else stands."""
    value = said.get(name)
    return min(max(value if isinstance(value, int) else 0, least), most)


def _numbers(said: dict[str, Any], name: str) -> set[int]:
    """Numbers of processors or of GPUs."""
    value = said.get(name)
    return {one for one in value if isinstance(one, int)} if isinstance(value, list) else set()


@contextmanager
def _turn(path: Path) -> Iterator[None]:
    """One process at a time; the kernel ends the turn of one that is killed."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_held(lock: Path) -> bool:
    """Whether a warden lives: only then can its lock not be had."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _taken(folder: Path) -> "tuple[set[int], set[int]]":
    """The processors and GPUs of the runs that live in the folders beside this one."""
    cpus: set[int] = set()
    gpus: set[int] = set()
    for beside in folder.parent.iterdir():
        if beside != folder and _is_held(beside / "lock"):
            started = _read(beside / "started")
            cpus |= _numbers(started, "cpus")
            gpus |= _numbers(started, "gpus")
    return cpus, gpus


def _free(every: Sequence[int], taken: set[int], count: int) -> list[int]:
    """So many of them, those that nobody has first; shared where there are too few."""
    return sorted(sorted(every, key=lambda one: (one in taken, one))[:count])


def _is_of_before(order: Path) -> bool:
    """Whether a run was ordered before this machine, or this container, was last started. The time at which a file was
    last changed is the kernel's: a job can make it later, and never earlier."""
    try:
        return order.lstat().st_ctime < _machine_start_s() - 1
    except OSError:
        return False


def _machine_start_s() -> float:
    """When the first process of this machine, or of this container, was started, of the wall clock."""
    text = Path("/proc/stat").read_text(encoding="ascii")
    [booted_s] = [int(line.split()[1]) for line in text.splitlines() if line.startswith("btime ")]
    return booted_s + int(warden.stat_of(1)[19]) / os.sysconf("SC_CLK_TCK")


def _sweep(mark: str, folder: Path | None = None) -> None:
    """Kills what a killed warden left: whatever carries the run's mark or is at work in its files, whatever shares a
    session with one of these, and what comes of them."""
    warden.kill_group(warden.group_of(mark))
    for _ in range(_SWEEPS_MAX):
        left = _left(f"{warden.MARK}={mark}".encode(), folder)
        for pid in left:
            with suppress(OSError):
                # A group dies as one: none of it starts another meanwhile.
                if (members := os.getpgid(pid)) != os.getpgrp():
                    os.killpg(members, signal.SIGKILL)
                os.kill(pid, signal.SIGKILL)
        if not left:
            return


def _left(mark: bytes, folder: Path | None) -> set[int]:
    every = {int(one.name): warden.stat_of(int(one.name)) for one in Path("/proc").iterdir() if one.name.isdigit()}
    living = {pid: fields for pid, fields in every.items() if fields and fields[0] not in "ZX" and pid != os.getpid()}
    left = {pid for pid in living if _is_marked(pid, mark, folder)}
    # A session is a run's own: its command starts one, and what leaves that starts another.
    sessions = {fields[3] for pid, fields in living.items() if pid in left} - {str(os.getsid(0)), "0"}
    left |= {pid for pid, fields in living.items() if fields[3] in sessions}
    fresh = left
    while fresh:
        fresh = {pid for pid, fields in living.items() if int(fields[1]) in fresh and pid not in left}
        left = left | fresh
    return left


def _is_marked(pid: int, mark: bytes, folder: Path | None) -> bool:
    with suppress(OSError):
        if mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            return True
        return folder is not None and Path(f"/proc/{pid}/cwd").readlink().is_relative_to(folder / "files")
    return False
