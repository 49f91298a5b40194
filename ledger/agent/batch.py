#!/usr/bin/env python3
"""What Slurm starts on a node in the place of a job: it runs the job's command, once, and writes down what it uses.

It stands alone, on any Python 3 that the node has, since none of our packages is there. It gets one argument, the run's
folder, which the node and the agent share. There it finds `order.json` (the command, its environment, the log's limit)
and `files/`, where the command starts; there it leaves `claim` (the first who makes it runs the job, everybody later
ends), `log` and `meter.json` (milliseconds, bytes, the exit code once there is one, and whether the command was told to
end), written anew each second: what was used is known up to the second in which a node dies. A GPU counts for as long
as it was held.

It ends as the command did, with its exit code or by its signal: so Slurm knows it, whatever lies in the folder.
"""

import contextlib
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

PAUSE_S = 1.0
GRACE_S = 1.0
"""How long a command that is told to end may take, before it is killed: less than Slurm's own KillWait."""

PASSED = ("PATH", "TMPDIR", "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "OMP_NUM_THREADS")
NOT_FOUND, NOT_RUNNABLE, NOT_AGAIN = 127, 126, 75
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def claimed(folder: Path, claim: str) -> bool:
    """Whether this is the first to run what is in the folder: the file system decides, for all nodes."""
    try:
        with (folder / "claim").open("x", encoding="utf-8") as file:
            file.write(claim)
    except FileExistsError:
        return False
    return True


class Meter:
    """What a command and its children use, as the kernel counts it."""

    def __init__(self, path: Path, gpus: int) -> None:
        self._path, self._gpus = path, gpus
        self._start_s = time.monotonic()
        self._cpu_ms = self._memory_bytes = 0

    def sample(self, session: int) -> None:
        """Looks at all processes of the session; what ended since is in the counts of its parent."""
        cpu_ms = memory_bytes = 0
        for one in Path("/proc").iterdir():
            if one.name.isdigit():
                with contextlib.suppress(OSError, ValueError, IndexError):
                    # The name of the program stands in brackets and may hold anything.
                    fields = (one / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
                    if int(fields[3]) == session:
                        cpu_ms += sum(map(int, fields[11:15])) * 1_000 // _TICKS_PER_S
                        memory_bytes += int(fields[21]) * _PAGE_BYTES
        self._cpu_ms = max(self._cpu_ms, cpu_ms)
        self._memory_bytes = max(self._memory_bytes, memory_bytes)

    def finish(self) -> None:
        """Takes the kernel's sum over all children that have ended."""
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        self._cpu_ms = max(self._cpu_ms, int((used.ru_utime + used.ru_stime) * 1_000))
        self._memory_bytes = max(self._memory_bytes, used.ru_maxrss * 1_024)

    def write(self, exit_code: "int | None" = None, told: bool = False) -> None:
        """Whoever reads the file finds the one before or this one, never a half. A job that puts something in its way
        has its own use unsaid, and runs on."""
        wall_ms = int((time.monotonic() - self._start_s) * 1_000)
        said = {
            "wall_ms": wall_ms,
            "cpu_ms": self._cpu_ms,
            "gpu_ms": wall_ms * self._gpus,
            "memory_bytes": self._memory_bytes,
            "exit_code": exit_code,
            "told": told,
        }
        new = self._path.with_suffix(".new")
        with contextlib.suppress(OSError):
            with new.open("w", encoding="utf-8") as file:
                json.dump(said, file)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)


def keep_log(source: int, path: Path, bytes_max: int) -> None:
    """Writes what comes, until the log is full; the rest is read and dropped, so that nobody waits for a reader."""
    left, full = bytes_max, False
    with path.open("wb", buffering=0) as log:
        while block := os.read(source, 65_536):
            log.write(block[:left])
            if len(block) > left and not full:
                log.write(b"\n[the log is full]\n")
                full = True
            left = max(0, left - len(block))


def end(process: "subprocess.Popen[bytes]") -> None:
    """Ends the command with all of its session: asked first, then killed."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run(folder: Path) -> int:
    """Runs the command of the folder's order; its exit code is minus the signal's number where one ended it."""
    order = json.loads((folder / "order.json").read_text(encoding="utf-8"))
    meter = Meter(folder / "meter.json", int(order["gpus"]))
    meter.write()
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    source, sink = os.pipe()
    log = threading.Thread(target=keep_log, args=(source, folder / "log", order["log_bytes_max"]), daemon=True)
    log.start()
    try:
        process = started(order, folder / "files", sink)
    except OSError as error:
        os.write(sink, f"{order['command'][0]}: {error.strerror}\n".encode())
        os.close(sink)
        log.join()
        code = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_RUNNABLE
        meter.write(code)
        return code
    os.close(sink)
    while process.poll() is None and not told.is_set():
        meter.sample(process.pid)
        meter.write()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PAUSE_S)
    meter.sample(process.pid)
    end(process)
    # A grandchild in a session of its own may hold the pipe open for ever: its words are not waited for.
    log.join(GRACE_S)
    meter.finish()
    meter.write(process.returncode, told.is_set())
    return process.returncode


def started(order: "dict[str, Any]", files: Path, sink: int) -> "subprocess.Popen[bytes]":
    """The command as a process. It sees this environment and no other: what Slurm and the agent have in theirs is
    nothing for a stranger, but for which devices are its own."""
    passed = {name: os.environ[name] for name in PASSED if name in os.environ}
    return subprocess.Popen(
        order["command"],
        cwd=files,
        env={"PATH": os.defpath, "HOME": str(files), "LANG": "C.UTF-8", **passed, **order["environment"]},
        stdin=subprocess.DEVNULL,
        stdout=sink,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def main(folder: Path) -> int:
    """The exit code, once its last word is in the folder."""
    if claimed(folder, os.environ.get("SLURM_JOB_ID", "")):
        return run(folder)
    sys.stderr.write("This run was started before: it does not run again.\n")
    return NOT_AGAIN


def leave(code: int) -> None:
    """Ends this process with that exit code, or by that signal."""
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(OSError):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


if __name__ == "__main__":
    leave(main(Path(sys.argv[1])))
