"""Runs leased jobs on a Slurm cluster: one batch job a run, with what the leased units come to, for as long as the
window lasts.

The agent and the cluster's nodes share the runs' folders. A node runs `batch.py`, which starts the command and ends as
the command does; Slurm is asked for the rest by its own commands, without accounting. A job that ends with its node is
not put back into the queue: `batch.py` would refuse to run it twice anyway. No word of a document goes through a shell:
it lies in a file, which only `batch.py` reads.

Jobs run as the agent's own user: Slurm bounds what they take, and keeps them from nothing that this user may read,
write, hand in or cancel, the agent's key, its folder and other leases' jobs among them. So no job is believed about
itself. Its number comes from its handle, and it is known by the folder in which Slurm started it, which nobody can
change while it runs, as its name can be. Whether it runs, how it ended, its exit code, its time and its GPUs are
Slurm's word. Its folder says what Slurm cannot: how much processor time and memory it used, at most all that it had;
until when it ran on a node that died, at most until Slurm saw that; and what became of it, where Slurm has forgotten
it. What a job can bring about by itself counts as its own end, and not as lost.
"""

import json
import os
import re
import shutil
import subprocess
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ledger.agent.batch import NOT_AGAIN
from ledger.agent.executor import Capacity, Progress, Run, RunState, Usage
from ledger.agent.folder import LOG_BYTES_MAX, lay_out
from ledger.agent.slurmfolder import meter_of, note_end, noted_end, number_in
from ledger.agent.slurmjob import COLUMNS, GOING, WAITING, SlurmJob, end_of, leading, read_job, used
from ledger.errors import InputError, Unavailable

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_TIMEOUT_S = 60.0
_PATH = "/usr/local/bin:/usr/bin:/bin"

# What Slurm says where it cannot answer now, and not because of what it was asked.
_SILENT = re.compile(
    r"Unable to contact slurm controller|Socket timed out|Connection (?:refused|timed out|reset)|Zero Bytes were"
    r"|temporarily unable|Communication connection failure|munge|Protocol authentication|in standby|[Tt]ry again"
)
_NOT_ALLOWED = re.compile(r"[Ii]nvalid (?:partition|account|qos|user)|permission denied|not permitted")
_UNKNOWN_JOB = "Invalid job id"


class SlurmExecutor:
    """Gives runs to a cluster and asks how they do.

    `partition` is where they go (empty: the cluster's default), `config` its slurm.conf (None: where Slurm looks).
    Raises InputError where Slurm's commands are not installed.
    """

    def __init__(self, partition: str = "", config: Path | None = None) -> None:
        self._partition = partition
        self._environment = {"PATH": _PATH} | ({"SLURM_CONF": str(config)} if config else {})
        self._commands = {name: _found(name) for name in ("sbatch", "squeue", "scancel", "sinfo")}
        self._over: dict[str, Progress] = {}

    def capacity(self) -> Capacity:
        """All nodes of the partition. Raises InputError where it has none, Unavailable where nobody answers."""
        asked = [f"--partition={self._partition}"] if self._partition else []
        done = self._ask("sinfo", "--noheader", "--Node", "--format=%N|%P|%c|%m", *asked)
        if done.returncode != 0:
            raise _trouble(done.stderr)
        rows = [line.split("|") for line in done.stdout.splitlines()]
        # The default partition is marked so.
        rows = [row for row in rows if len(row) == 4 and (self._partition or row[1].endswith("*"))]
        nodes = {row[0]: (leading(row[2]), leading(row[3])) for row in rows}
        if not nodes:
            raise InputError(
                f"Slurm shows no node of {self._partition or 'a default partition'}.",
                "Name a partition that `sinfo` lists with --partition.",
            )
        return Capacity(sum(cpus for cpus, _ in nodes.values()), sum(mib for _, mib in nodes.values()) * 2**20)

    def start(self, run: Run) -> str:
        """The handle is the job's name, its number and the run's folder. Raises InputError for a job with an image, or
        more than the cluster has, and Unavailable where the controller does not answer."""
        _check(run)
        # The node starts elsewhere than we did.
        run = replace(run, folder=run.folder.absolute())
        handle = self.found(run.run_id, run.folder)
        if not handle:
            _prepare(run)
            handle = f"{run.run_id}:{self._submit(run)}:{run.folder}"
        with suppress(OSError):
            (run.folder / "job").write_text(handle.split(":")[1], encoding="ascii")
        return handle

    def found(self, run_id: str, folder: Path) -> str:
        """By Slurm's list of what runs or ran in that folder; where it has forgotten, by our note, or batch.py's."""
        folder = folder.absolute()
        if not folder.exists():
            return ""
        listed = [number for number, where in self._listed("all") if _is_same(where, folder)]
        number = min(listed, default=None) or number_in(folder / "job") or number_in(folder / "claim")
        return "" if number is None else f"{run_id}:{number}:{folder}"

    def poll(self, handle: str) -> Progress:
        """Raises Unavailable where the controller does not answer."""
        if over := self._over.get(handle):
            return over
        _, number, folder = _read_handle(handle)
        job = self._job_in(folder, number)
        if job is None:
            return _forgotten(folder)
        if job.state in WAITING:
            return Progress(RunState.QUEUED, Usage(), text=f"Slurm lets it wait: {job.reason}")
        said = meter_of(folder).usage
        usage = used(job, said)
        if job.state in GOING:
            return Progress(RunState.RUNNING, usage)
        over = end_of(job, usage, by_us=(folder / "stopped").exists())
        if over.state is RunState.LOST and said.wall_ms:
            # Slurm sees the death of a node later than it comes; batch.py wrote until then.
            over = replace(over, usage=used(replace(job, wall_ms=min(job.wall_ms, said.wall_ms)), said))
        self._over[handle] = over
        note_end(folder, over)
        return over

    def stop(self, handle: str) -> None:
        """Ends the job, and what it handed in from its own folder; whatever it says of itself."""
        _, _, folder = _read_handle(handle)
        if handle not in self._over:
            with suppress(OSError):
                (folder / "stopped").touch()
        numbers = [str(number) for number, where in self._listed("") if Path(where).is_relative_to(folder)]
        done = self._ask("scancel", "--me", *numbers) if numbers else None
        if done is None or done.returncode == 0:
            return
        if _UNKNOWN_JOB not in done.stderr and "already completed" not in done.stderr:
            raise _trouble(done.stderr)

    def _listed(self, states: str) -> list[tuple[int, str]]:
        """Our user's jobs, by number and folder: all that Slurm remembers, or those that have not ended."""
        asked = [f"--states={states}"] if states else []
        done = self._ask("squeue", "--noheader", "--me", *asked, f"--Format=JobID:20,WorkDir:{COLUMNS['WorkDir']}")
        if done.returncode != 0:
            raise _trouble(done.stderr)
        rows = [(line[:20].strip(), line[20:].rstrip()) for line in done.stdout.splitlines()]
        return [(int(number), where) for number, where in rows if number.isdigit()]

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

    def _job_in(self, folder: Path, number: int) -> SlurmJob | None:
        """The job of that number in that folder; where it was one too many, the one that runs the command."""
        job, claimed = self._job(number), number_in(folder / "claim")
        if job is not None and job.code == NOT_AGAIN and claimed not in (None, number):
            return self._job_in(folder, claimed or 0) or job
        return job if job is not None and _is_same(job.folder, folder) else None

    def _job(self, number: int) -> SlurmJob | None:
        """What Slurm says of a job; None where it knows none of that number."""
        columns = ",".join(f"{name}:{width}" for name, width in COLUMNS.items())
        done = self._ask("squeue", "--noheader", "--states=all", f"--jobs={number}", f"--Format={columns}")
        if done.returncode != 0:
            if _UNKNOWN_JOB in done.stderr:
                return None
            raise _trouble(done.stderr)
        lines = done.stdout.splitlines()
        return read_job(lines[0]) if lines else None

    def _ask(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                [self._commands[name], *words],
                capture_output=True,
                encoding="utf-8",
                # Jobs choose the folders of what they hand in.
                errors="replace",
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


def _is_same(where: str, folder: Path) -> bool:
    return where == str(folder).rstrip() or os.path.realpath(where) == os.path.realpath(folder)


def _forgotten(folder: Path) -> Progress:
    """How a job ended of which Slurm says nothing any more: as was noted, or as batch.py said."""
    if noted := noted_end(folder):
        return noted
    meter = meter_of(folder)
    if meter.exit_code is None:
        return Progress(RunState.LOST, meter.usage, text="Slurm knows no such job")
    if meter.told and (folder / "stopped").exists():
        return Progress(RunState.DONE, meter.usage, text="stopped")
    state = RunState.FAILED if meter.exit_code else RunState.DONE
    return Progress(state, meter.usage, meter.exit_code)


def _trouble(said: str) -> InputError | Unavailable:
    text = " ".join(said.split())[-300:] or "nothing"
    if _SILENT.search(said):
        return Unavailable(f"Slurm does not answer: {text}.", "Look at `scontrol ping` on this machine.")
    if _NOT_ALLOWED.search(said):
        # The site's own affair, which it may mend: no job is refused for it.
        return Unavailable(
            f"Slurm does not let the agent do it: {text}.", "Look at --partition, and at what this user may do there."
        )
    return InputError(f"Slurm does not take it: {text}.", "Compare the site's units with what the partition offers.")
