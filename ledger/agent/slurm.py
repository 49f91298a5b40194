"""Runs leased jobs on a Slurm cluster: one batch job a run, with what the leased units come to, for as long as the
window lasts.

The agent and the cluster's nodes share the runs' folders. A node runs `batch.py`, which writes down what is used and
the exit code; Slurm is asked for the rest by its own commands, without accounting. A run's name is its job's name, and
a job that ends with its node is not put back into the queue: `batch.py` would refuse to run it twice anyway. No word of
a document goes through a shell: it lies in a file, which only `batch.py` reads.

Jobs run as the agent's own user: Slurm bounds what they take, and keeps them from nothing that this user may read,
write, hand in or cancel, the agent's key, its folder and other leases' jobs among them. So no job is believed about
which one it is: its number comes from its handle, and it is ended by its name. What a job can bring about by itself
counts as its own end, and not as lost.
"""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ledger.agent.executor import Progress, Run, RunState, Usage
from ledger.agent.folder import LOG_BYTES_MAX, lay_out
from ledger.errors import InputError, Unavailable

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_TIMEOUT_S = 60.0
_CONTROL_BYTES_MAX = 4_096
_MOST = 2**53
_PATH = "/usr/local/bin:/usr/bin:/bin"

_COMPLETED = "COMPLETED"
_WAITING = frozenset({"PENDING", "CONFIGURING", "RESV_DEL_HOLD", "REQUEUE_FED", "REQUEUE_HOLD", "REQUEUED"})
_GOING = frozenset({"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING", _COMPLETED})
_STOPPED, _TIMEOUT, _OUT_OF_MEMORY = "stopped", "TIMEOUT", "OUT_OF_MEMORY"
_OWN = frozenset({"FAILED", "CANCELLED", _COMPLETED})
# COMPLETED is going on: batch.py has said its last, and a slow shared folder has not shown it yet. What is its own once
# it has begun, a job can do to itself: kill batch.py, or cancel what runs as the same user. All that stands nowhere
# here takes the job from outside: NODE_FAIL, BOOT_FAIL, PREEMPTED. TIMEOUT is the end of its window's length, which
# `--time` says.

# What Slurm says where it cannot answer now, and not because of what it was asked.
_SILENT = re.compile(
    r"Unable to contact slurm controller|Socket timed out|Connection (?:refused|timed out|reset)|Zero Bytes were"
    r"|temporarily unable|Communication connection failure|munge|Protocol authentication|in standby|[Tt]ry again"
)
_UNKNOWN_JOB = "Invalid job id"


@dataclass(frozen=True, slots=True)
class _Meter:
    """What batch.py wrote last."""

    usage: Usage
    exit_code: int | None = None
    told: bool = False


class SlurmExecutor:
    """Gives runs to a cluster and asks how they do.

    `partition` is where they go (empty: the cluster's default), `config` its slurm.conf (None: where Slurm looks).
    Raises InputError where Slurm's commands are not installed.
    """

    def __init__(self, partition: str = "", config: Path | None = None) -> None:
        self._partition = partition
        self._environment = {"PATH": _PATH} | ({"SLURM_CONF": str(config)} if config else {})
        self._commands = {name: _found(name) for name in ("sbatch", "squeue", "scancel")}
        self._begun: set[str] = set()

    def start(self, run: Run) -> str:
        """The handle is the job's name, its number and the run's folder. Raises InputError for a job with an image, or
        more than the cluster has, and Unavailable where the controller does not answer."""
        _check(run)
        # The node starts elsewhere than we did.
        run = replace(run, folder=run.folder.absolute())
        number = self._started(run)
        if number is None:
            _prepare(run)
            number = self._submit(run)
        (run.folder / "job").write_text(str(number), encoding="ascii")
        return f"{run.run_id}:{number}:{run.folder}"

    def poll(self, handle: str) -> Progress:
        """A job that Slurm has forgotten is known by what batch.py wrote. Raises Unavailable where that is not enough
        and the controller does not answer."""
        name, number, folder = _read_handle(handle)
        if (folder / "claim").exists():
            self._begun.add(name)
        if ended := _ended(folder):
            return ended
        state, reason = self._state(name, number)
        # batch.py may have written its last between that look and Slurm's word.
        if ended := _ended(folder):
            return ended
        meter = _read_meter(folder)
        if state in _WAITING:
            return Progress(RunState.QUEUED, meter.usage, text=f"Slurm lets it wait: {reason}")
        if state in _GOING and not (meter.told and state == _COMPLETED):
            return Progress(RunState.RUNNING, meter.usage)
        begun = name in self._begun or (folder / "claim").exists()
        return _taken_away(state, meter.usage, (folder / "stopped").exists(), begun)

    def stop(self, handle: str) -> None:
        name, _, folder = _read_handle(handle)
        if _read_meter(folder).exit_code is None:
            with suppress(OSError):
                (folder / "stopped").touch()
        # Also where its folder says that it has ended: the job may have written that.
        done = self._ask("scancel", "--me", f"--name={name}")
        if done.returncode != 0 and _UNKNOWN_JOB not in done.stderr and "already completed" not in done.stderr:
            raise _trouble(done.stderr)

    def _started(self, run: Run) -> int | None:
        """The number of the job that runs it or ran it, by Slurm's list of that name; where Slurm has forgotten it, by
        our note, or its own."""
        done = self._ask("squeue", "--noheader", "--states=all", f"--name={run.run_id}", "--format=%A", "--me")
        if done.returncode != 0:
            raise _trouble(done.stderr)
        listed = min(map(int, done.stdout.split()), default=None)
        return listed or _number_in(run.folder / "job") or _number_in(run.folder / "claim")

    def _submit(self, run: Run) -> int:
        done = self._ask("sbatch", *self._options(run), str(Path(__file__).with_name("batch.py")), str(run.folder))
        number = done.stdout.strip().partition(";")[0]
        if done.returncode != 0 or not number.isdigit():
            raise _trouble(done.stderr)
        return int(number)

    def _options(self, run: Run) -> list[str]:
        """What the run may use: Slurm counts in whole MiB and minutes, both rounded up."""
        options = [
            "--parsable",
            "--no-requeue",
            # Slurm gets our environment as this class made it: nothing of the agent's own goes to a stranger's job.
            "--export=ALL",
            "--nodes=1",
            "--ntasks=1",
            f"--job-name={run.run_id}",
            f"--comment=lease {run.lease}, {run.run_id}",
            f"--time={max(1, -(-(run.end_s - run.start_s) // 60))}",
            f"--chdir={run.folder}",
            # A % begins a pattern there.
            "--output=" + str(run.folder / "slurm.log").replace("%", "%%"),
        ]
        options += [f"--partition={self._partition}"] if self._partition else []
        options += [f"--cpus-per-task={run.cpus}"] if run.cpus else []
        options += [f"--mem={-(-run.memory_bytes // 2**20)}M"] if run.memory_bytes else []
        return options + ([f"--gres=gpu:{run.gpus}"] if run.gpus else [])

    def _state(self, name: str, number: int) -> tuple[str, str]:
        """Slurm's word for a job and its reason; empty where it knows none of that number and name."""
        done = self._ask("squeue", "--noheader", "--states=all", f"--name={name}", f"--jobs={number}", "--format=%T %r")
        if done.returncode == 0:
            state, _, reason = done.stdout.strip().partition(" ")
            return state, reason
        if _UNKNOWN_JOB in done.stderr:
            return "", ""
        raise _trouble(done.stderr)

    def _ask(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                [self._commands[name], *words],
                capture_output=True,
                text=True,
                check=False,
                stdin=subprocess.DEVNULL,
                env=self._environment,
                timeout=_TIMEOUT_S,
            )
        except subprocess.TimeoutExpired:
            raise _trouble(f"Socket timed out: {name} gave no answer within {_TIMEOUT_S:.0f} s") from None


def _found(name: str) -> str:
    path = shutil.which(name) or shutil.which(name, path=_PATH)
    if path is None:
        raise InputError(
            f"Slurm's command {name} is not on this machine.",
            "Install Slurm's client commands, or choose --executor local.",
        )
    return path


def _check(run: Run) -> None:
    if not _NAME.fullmatch(run.run_id):
        raise InputError(
            f"The run's name {run.run_id[:80]!r} cannot name a job.", "Use letters, digits, dots, dashes, underscores."
        )
    if run.document.image:
        raise InputError(
            f"The job wants the image {run.document.image}, and this executor has no containers.",
            "Redeem at a site that runs them, or leave the image out.",
        )


def _prepare(run: Run) -> None:
    """Puts the document's files where the command will start, and the order beside them."""
    lay_out(run.document, run.folder)
    order = {
        "command": list(run.document.command),
        "environment": dict(run.document.environment),
        "gpus": run.gpus,
        "log_bytes_max": LOG_BYTES_MAX,
    }
    (run.folder / "order.json").write_text(json.dumps(order), encoding="utf-8")


def _read_handle(handle: str) -> tuple[str, int, Path]:
    run_id, number, name = handle.split(":", 2)
    return run_id, int(number), Path(name)


def _number_in(path: Path) -> int | None:
    text = _content(path).decode("ascii", errors="replace")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None


def _read_meter(folder: Path) -> _Meter:
    """What was written last; nothing where a job wrote over it, which does it no good."""
    try:
        said = json.loads(_content(folder / "meter.json"))
        numbers = [_whole(said[name], 0, _MOST) for name in ("wall_ms", "cpu_ms", "gpu_ms", "memory_bytes")]
        exit_code = None if said["exit_code"] is None else _whole(said["exit_code"], -(2**31), 2**31 - 1)
        return _Meter(Usage(*numbers), exit_code, bool(said["told"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return _Meter(Usage())


def _whole(value: object, least: int, most: int) -> int:
    """A whole number within bounds, the nearest where it lies beyond. Raises TypeError for what is none."""
    if type(value) is not int:
        raise TypeError(f"{str(value)[:40]!r} is no whole number")
    return min(max(value, least), most)


def _content(path: Path) -> bytes:
    """What a small file holds; nothing where there is none, or a job put a link, a pipe or something long there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        found = os.fstat(descriptor)
        is_ours = stat.S_ISREG(found.st_mode) and found.st_size <= _CONTROL_BYTES_MAX
        return os.read(descriptor, _CONTROL_BYTES_MAX) if is_ours else b""
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _ended(folder: Path) -> Progress | None:
    """How the command ended, where batch.py says so; where others told it to end, Slurm must say why."""
    meter = _read_meter(folder)
    if meter.exit_code is None:
        return None
    if not meter.told:
        state = RunState.FAILED if meter.exit_code else RunState.DONE
        return Progress(state, meter.usage, meter.exit_code)
    return Progress(RunState.DONE, meter.usage, text=_STOPPED) if (folder / "stopped").exists() else None


def _taken_away(state: str, usage: Usage, by_us: bool, begun: bool) -> Progress:
    """How a job ended that Slurm has ended, and of which batch.py says nothing; `begun`: batch.py once ran."""
    if by_us:
        return Progress(RunState.DONE, usage, text=_STOPPED)
    if state == _TIMEOUT:
        return Progress(RunState.DONE, usage, text="stopped after the length of its window")
    if state == _OUT_OF_MEMORY:
        return Progress(RunState.FAILED, usage, -signal.SIGKILL, "killed: it took more memory than is leased")
    if state in _OWN and begun:
        return Progress(RunState.FAILED, usage, -signal.SIGKILL, f"ended before its time: Slurm says {state}")
    return Progress(RunState.LOST, usage, text=f"Slurm says {state}" if state else "Slurm knows no such job")


def _trouble(said: str) -> InputError | Unavailable:
    text = " ".join(said.split())[-300:] or "nothing"
    if _SILENT.search(said):
        return Unavailable(f"Slurm does not answer: {text}.", "Look at `scontrol ping` on this machine.")
    return InputError(f"Slurm does not take it: {text}.", "Compare the site's units with what the partition offers.")
