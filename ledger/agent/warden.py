"""What stands between this machine and a stranger's command: it starts the command, bounds it, meters it, ends it.

It is a process of its own, so that a run outlives the agent; it stands alone, without any of our packages, and gets one
argument, the run's folder. There it finds `order.json` and `files/`, where the command starts. There it leaves:

    lock      held for as long as it lives: of two that are started, one runs the command
    started   written, and on the disk, before the command runs: whoever finds it runs nothing
    usage     what is used so far, written anew each second
    log       what the command says, cut where it is long
    ended     the exit code and what was used, once nothing of the run is left

A file `stop` there, made by whoever wants it, ends the run; so does the order's longest time.

Where the machine has control groups that this user may make (version 2: root, or a service with `Delegate=yes`), the
run is in one of its own, and is ended by one word to the kernel. Elsewhere it is hunted down process by process.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

PAUSE_S, WRITE_S, GRACE_S = 0.05, 1.0, 2.0
NOT_FOUND, NOT_RUNNABLE = 127, 126
DEAF_TO = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
MARK = "COMPUTE_LEDGER_RUN"
"""The variable by which a run's processes are known, whoever their parent is."""

_SUBREAPER, _PARENT_DEATH = 36, 1
_QUICK_LOOKS = 1_000
_TICKS_PER_S, _PAGE_BYTES = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
_LISTS_CHILDREN = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").exists()
_LIBC = ctypes.CDLL(None, use_errno=True)


def write(path: Path, said: "dict[str, Any]") -> None:
    """On the disk when it returns; whoever reads finds what was there before or this, never a half."""
    new = path.with_name(path.name + ".new")
    with new.open("w", encoding="utf-8") as file:
        json.dump(said, file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def stat_of(pid: int) -> "list[str]":
    """The fields of /proc/PID/stat from the third on; none where there is no such process."""
    try:
        # The name of the program stands in brackets and may hold anything.
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def seen_below() -> "dict[int, list[str]]":
    """The descendants as the kernel lists each one's children: what that costs does not rise with all that runs on the
    machine. One that ends at that moment may hide others from a single look: at its end a run is looked for in all."""
    if not _LISTS_CHILDREN:
        return descendants()
    found: dict[int, list[str]] = {}
    fresh = [os.getpid()]
    while fresh:
        for child in children_of(fresh.pop()):
            if child not in found and (fields := stat_of(child)):
                found[child] = fields
                fresh.append(child)
    return found


def children_of(pid: int) -> "list[int]":
    """Of each of its threads: a child is its thread's."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += map(int, (thread / "children").read_text(encoding="ascii").split())
    return found


def descendants() -> "dict[int, list[str]]":
    """The fields of /proc/PID/stat from the third on, of every living process below this one. As the reaper of all of
    them it finds each: none can leave by leaving its parent."""
    every: dict[int, list[str]] = {}
    for one in Path("/proc").iterdir():
        if one.name.isdigit() and (fields := stat_of(int(one.name))):
            every[int(one.name)] = fields
    ours = fresh = {os.getpid()}
    while fresh:
        fresh = {pid for pid, fields in every.items() if pid not in ours and int(fields[1]) in ours}
        ours = ours | fresh
    return {pid: every[pid] for pid in ours - {os.getpid()} if pid in every}


class Gpus:
    """How busy the run's GPUs are, asked of the driver's own command; nothing where there is none."""

    def __init__(self, numbers: "list[int]") -> None:
        self._numbers = numbers
        self._asked: subprocess.Popen[str] | None = None
        self._at_s = time.monotonic()
        self.busy_ms = 0

    def sample(self) -> None:
        """Takes an answer that came, and asks again; never waits for one."""
        if not self._numbers or (self._asked is not None and self._asked.poll() is None):
            return
        now_s = time.monotonic()
        if self._asked is not None and self._asked.stdout is not None:
            words = self._asked.stdout.read().split()
            shares = [int(word) for word in words if word.isdigit()]
            self.busy_ms += int((now_s - self._at_s) * 10 * sum(shares))
        elif now_s - self._at_s < WRITE_S:
            return
        self._at_s = now_s
        query = ["nvidia-smi", f"--id={','.join(map(str, self._numbers))}", "--format=csv,noheader,nounits"]
        try:
            self._asked = subprocess.Popen(
                [*query, "--query-gpu=utilization.gpu"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        except OSError:
            self._numbers, self._asked = [], None


class Meter:
    """What the command and all its children use, as the kernel counts it."""

    def __init__(self, gpus: "list[int]") -> None:
        self._start_s = time.monotonic()
        self._cpu_ms = self._memory_bytes = 0
        self.memory_bytes = 0
        self.alive: dict[int, list[str]] = {}
        self._gpus = Gpus(gpus)

    @property
    def wall_s(self) -> float:
        return time.monotonic() - self._start_s

    def sample(self) -> None:
        """Looks at all that lives; what ended is in the counts of whoever waited for it."""
        self.alive = alive = seen_below()
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        ticks = sum(sum(map(int, fields[11:15])) for fields in alive.values())
        cpu_ms = ticks * 1_000 // _TICKS_PER_S + int((ended.ru_utime + ended.ru_stime) * 1_000)
        # A process that ended between the two looks is in neither: what was seen once stays.
        self._cpu_ms = max(self._cpu_ms, cpu_ms)
        self.memory_bytes = sum(int(fields[21]) for fields in alive.values()) * _PAGE_BYTES
        self._memory_bytes = max(self._memory_bytes, self.memory_bytes)
        self._gpus.sample()

    def said(self) -> "dict[str, int]":
        used = {"wall_ms": int(self.wall_s * 1_000), "cpu_ms": self._cpu_ms, "gpu_ms": self._gpus.busy_ms}
        return used | {"memory_bytes": self._memory_bytes}


def keep_log(source: int, path: Path, bytes_max: int) -> None:
    """Writes what comes, until the log is full; the rest is read and dropped, so that nobody waits for a reader."""
    left, full = bytes_max, False
    with path.open("wb", buffering=0) as log:
        while block := os.read(source, 65_536):
            log.write(block[:left])
            if len(block) > left and not full:
                full = bool(log.write(b"\n[the log is full]\n"))
            left = max(0, left - len(block))


def confine(order: "dict[str, Any]", group: "Path | None" = None) -> None:
    """In the child, before the command: its control group, limits that it cannot raise where the agent is not root, a
    low priority, its processors; and death with the warden."""
    if group is not None:
        with contextlib.suppress(OSError):
            (group / "cgroup.procs").write_text("0", encoding="ascii")
    _LIBC.prctl(_PARENT_DEATH, signal.SIGKILL, 0, 0, 0)
    # What is ignored here would be ignored there for ever.
    for one in DEAF_TO:
        signal.signal(one, signal.SIG_DFL)
    for name, most in order["limits"].items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (bound, bound))
    os.umask(0o077)
    os.nice(order["nice"])
    if order["cpus"]:
        os.sched_setaffinity(0, order["cpus"])


def started(order: "dict[str, Any]", folder: Path, sink: int, group: "Path | None" = None) -> "subprocess.Popen[bytes]":
    """The command as a process in a session of its own: with this environment, no open files, and no terminal."""
    return subprocess.Popen(
        order["command"],
        cwd=folder / "files",
        env=order["environment"],
        stdin=subprocess.DEVNULL,
        stdout=sink,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=lambda: confine(order, group),  # noqa: PLW1509 - this process has no other thread yet
    )


def reap(alive: "dict[int, list[str]]", command: "subprocess.Popen[bytes]") -> None:
    """Waits for the ended whom others left to this process; the command itself is waited for where it was started.
    Once it was, its number is free, and may be one of these."""
    for pid, fields in alive.items():
        mine = fields[0] == "Z" and int(fields[1]) == os.getpid()
        if mine and (pid != command.pid or command.returncode is not None):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def end_all(process: "subprocess.Popen[bytes]", grace_s: float, group: "Path | None" = None) -> None:
    """Ends the command and whatever came of it: asked first, then killed, until nothing is left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(grace_s)
    kill_group(group)
    looks = 0
    while kill_children():
        looks += 1
        if looks % _QUICK_LOOKS == 0:
            time.sleep(PAUSE_S)
    process.wait()


def kill_children() -> bool:
    """Kills this process's children with their process groups, and waits for the ended; whether any is left.

    As the reaper of all that comes of the run, it has no child only where nothing of it is left. A group dies as one:
    the kernel lets none of it start another meanwhile. A chain of processes that each start the next in a group of its
    own and end is met by looking again at once.
    """
    for pid in children_of(os.getpid()) if _LISTS_CHILDREN else descendants():
        with contextlib.suppress(ProcessLookupError):
            if (members := os.getpgid(pid)) != os.getpgrp():
                os.killpg(members, signal.SIGKILL)
            os.kill(pid, signal.SIGKILL)
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def group_of(name: str) -> "Path | None":
    """Where the control group of a run of that name is or would be, below this process's own; None where the kernel
    has none of version 2, or no `cgroup.kill` (before 5.14)."""
    try:
        mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()]
        own = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
        [base] = [words[4] for words in mounts if words[words.index("-") + 1] == "cgroup2"][:1]
        [below] = [line[3:] for line in own if line.startswith("0::")]
    except (OSError, ValueError):
        return None
    return Path(base + below) / f"compute-ledger-{name}"


def make_group(name: str) -> "Path | None":
    """The run's own control group, made now; None where this user may not, or it could not be ended."""
    group = group_of(name)
    if group is None:
        return None
    with contextlib.suppress(OSError):
        group.mkdir(exist_ok=True)
        if os.access(group / "cgroup.kill", os.W_OK):
            return group
        group.rmdir()
    return None


def kill_group(group: "Path | None") -> None:
    """Kills all that is in a group at once, also what is just being started; an empty one is removed."""
    if group is not None:
        with contextlib.suppress(OSError):
            (group / "cgroup.kill").write_text("1", encoding="ascii")
            group.rmdir()


def shared_once(alive: "dict[int, list[str]]") -> int:
    """The bytes of memory that these processes hold, what they share counted once; dearer than their plain sum."""
    taken = 0
    for pid in alive:
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
            taken += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return taken * 1_024


def why_to_end(order: "dict[str, Any]", folder: Path, meter: Meter) -> str:
    """Why the run must end now; empty where it need not."""
    if (folder / "stop").exists():
        return "stopped"
    if meter.wall_s > order["wall_s_max"]:
        return f"stopped after {order['wall_s_max']} s, the length of its window"
    if 0 < order["memory_bytes"] < meter.memory_bytes:
        taken = shared_once(meter.alive)
        if order["memory_bytes"] < taken:
            return f"killed: it took {taken:,} bytes of memory, {order['memory_bytes']:,} are leased"
    if len(meter.alive) > order["processes_max"]:
        return f"killed: it had {len(meter.alive)} processes, {order['processes_max']} may be"
    return ""


def watch(order: "dict[str, Any]", folder: Path, meter: Meter, process: "subprocess.Popen[bytes]") -> str:
    """Until the command has ended, or must: why."""
    written_s = 0.0
    while process.poll() is None:
        meter.sample()
        if why := why_to_end(order, folder, meter):
            return why
        if meter.wall_s - written_s >= WRITE_S:
            write(folder / "usage", meter.said())
            written_s = meter.wall_s
        reap(meter.alive, process)
        time.sleep(PAUSE_S)
    return ""


def run(order: "dict[str, Any]", folder: Path, meter: Meter) -> None:
    """Runs the command to its end, whatever that is."""
    if (folder / "stop").exists():
        write(folder / "ended", meter.said() | {"exit_code": None, "text": "stopped"})
        return
    source, sink = os.pipe()
    group = make_group(folder.name) if order["group"] else None
    try:
        process = started(order, folder, sink, group)
    except (OSError, subprocess.SubprocessError) as error:
        why = getattr(error, "strerror", None) or "it cannot be started"
        (folder / "log").write_text(f"{order['command'][0]}: {why}\n", encoding="utf-8")
        failed = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_RUNNABLE
        write(folder / "ended", meter.said() | {"exit_code": failed, "text": why})
        kill_group(group)
        return
    os.close(sink)
    log = threading.Thread(target=keep_log, args=(source, folder / "log", order["log_bytes_max"]), daemon=True)
    log.start()
    why = watch(order, folder, meter, process)
    by_itself = process.returncode
    meter.sample()
    end_all(process, 0 if why.startswith("killed") else GRACE_S if why else 0, group)
    meter.sample()
    log.join()
    kill_group(group)
    code = -signal.SIGKILL if why.startswith("killed") else None if why else by_itself
    write(folder / "ended", meter.said() | {"exit_code": code, "text": why})


def held(lock: int, started: Path) -> bool:
    """Whether this process has the lock now. Who only asks after it has it for a moment, another warden until it has
    started the command."""
    while not started.exists():
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(PAUSE_S)
        else:
            return True
    return False


def main(folder: Path) -> None:
    """Runs what the folder orders, unless somebody runs it or did."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if not held(lock, folder / "started") or (folder / "started").exists():
        return
    order = json.loads((folder / "order.json").read_text(encoding="utf-8"))
    _LIBC.prctl(_SUBREAPER, 1, 0, 0, 0)
    # The order to stop is a file: nothing that is sent to the agent's terminal or its group reaches a run.
    for one in DEAF_TO:
        signal.signal(one, signal.SIG_IGN)
    meter = Meter(order["gpus"])
    write(folder / "started", {"pid": os.getpid(), "cpus": order["cpus"], "gpus": order["gpus"]})
    run(order, folder, meter)


if __name__ == "__main__":
    # Left by its parent at once, it is nobody's child: the agent need not wait for it.
    if os.fork() == 0:
        os.setsid()
        main(Path(sys.argv[1]))
