"""What Slurm says of a job, in `squeue`'s columns, and how one has ended that it says has ended."""

import re
import signal
from dataclasses import dataclass

from ledger.agent.executor import Progress, RunState, Usage

_COMPLETED, _CANCELLED, _FAILED = "COMPLETED", "CANCELLED", "FAILED"
WAITING = frozenset({"PENDING", "CONFIGURING", "RESV_DEL_HOLD", "REQUEUE_FED", "REQUEUE_HOLD", "REQUEUED"})
GOING = frozenset({"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING"})
_TIMEOUTS, _OUT_OF_MEMORY = frozenset({"TIMEOUT", "DEADLINE"}), "OUT_OF_MEMORY"
# What is its own once it has begun, a job can do to itself: fail, kill batch.py, or cancel what runs as the same user.
# All that stands nowhere here takes the job from outside: NODE_FAIL, BOOT_FAIL, PREEMPTED. TIMEOUT is the end of its
# window's length, which `--time` says.
_OWN = frozenset({_COMPLETED, _FAILED, _CANCELLED})

# Columns of fixed width: nothing that a job may change (its name, its comment) stands in one, to be taken for another.
COLUMNS = {"State": 30, "exit_code": 20, "TimeUsed": 30, "NumCPUs": 12, "BatchHost": 64, "Reason": 64}
COLUMNS |= {"tres-per-node": 128, "WorkDir": 4_096}
_GPUS = re.compile(r"gpu(?::[^:=,()]+)?[:=](\d+)")
_SPAN = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)")


@dataclass(frozen=True, slots=True)
class SlurmJob:
    """What Slurm says of a job. `node` is empty while it has not been given one; `code` is its exit code, minus a
    signal's number, or None where the node could not start it: its folder is not there, its log cannot be made."""

    state: str
    code: int | None
    wall_ms: int
    cpus: int
    node: str
    reason: str
    gpus: int
    folder: str


def read_job(line: str) -> SlurmJob:
    """The job of a line with these columns."""
    words, at = dict[str, str](), 0
    for name, width in COLUMNS.items():
        words[name] = line[at : at + width].strip()
        at += width
    gpus = _GPUS.search(words["tres-per-node"])
    return SlurmJob(
        state=words["State"],
        code=_code_of(words["exit_code"]),
        wall_ms=_span_s(words["TimeUsed"]) * 1_000,
        cpus=leading(words["NumCPUs"]),
        node="" if words["BatchHost"] in ("n/a", "N/A", "(null)") else words["BatchHost"],
        reason=words["Reason"],
        gpus=int(gpus[1]) if gpus else 0,
        folder=words["WorkDir"],
    )


def _code_of(text: str) -> int | None:
    """From what `wait` gives in one number, or Slurm in two. An end that has both an exit code and a signal is no
    process's: there Slurm puts an error of its own."""
    first, colon, second = text.partition(":")
    code, ended_by = (leading(first), leading(second)) if colon else (leading(first) >> 8, leading(first) & 127)
    if code and ended_by:
        return None
    return -ended_by if ended_by else code


def _span_s(text: str) -> int:
    """Seconds of `1-02:03:04` or `2:03`; 0 for what is no span of time."""
    found = _SPAN.fullmatch(text)
    days, hours, minutes, seconds = (int(one or 0) for one in found.groups()) if found else (0, 0, 0, 0)
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def leading(text: str) -> int:
    """The number that a word begins with: Slurm marks some with a sign behind it."""
    found = re.match(r"\d+", text)
    return int(found[0]) if found else 0


def used(job: SlurmJob, said: Usage) -> Usage:
    """What a job used: Slurm's word, and of its folder's what Slurm cannot say, within what the job had."""
    # Slurm counts whole seconds: what is within one is the folder's.
    wall_ms = min(max(said.wall_ms, job.wall_ms), job.wall_ms + 999)
    return Usage(wall_ms, min(said.cpu_ms, (job.wall_ms + 1_000) * job.cpus), wall_ms * job.gpus, said.memory_bytes)


def end_of(job: SlurmJob, usage: Usage, *, by_us: bool) -> Progress:
    """How a job ended that Slurm says has ended."""
    if by_us and job.state not in (_COMPLETED, _FAILED):
        return Progress(RunState.DONE, usage, text="stopped")
    if job.state in _TIMEOUTS:
        return Progress(RunState.DONE, usage, text="stopped after the length of its window")
    if job.state == _OUT_OF_MEMORY:
        return Progress(RunState.FAILED, usage, -signal.SIGKILL, "killed: it took more memory than is leased")
    if job.node and job.state in _OWN and job.code is not None:
        return _own_end(job, usage)
    return Progress(RunState.LOST, usage, text=f"Slurm says {job.state}")


def _own_end(job: SlurmJob, usage: Usage) -> Progress:
    if job.state == _COMPLETED:
        return Progress(RunState.DONE, usage, 0)
    if job.state == _FAILED:
        return Progress(RunState.FAILED, usage, job.code or -signal.SIGKILL)
    return Progress(RunState.FAILED, usage, -signal.SIGKILL, "ended before its time: Slurm says CANCELLED")
