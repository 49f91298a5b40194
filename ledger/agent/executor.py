"""What runs leased jobs: one small interface, and each way to run them is one file beside this one.

An executor is told to start a run, asked how it does, and told to stop it; deciding when is the agent's.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from ledger.agent.document import JobDocument


class RunState(StrEnum):
    """Where a run stands; the last three are ends."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    """It ended by itself with an exit code that is not 0: the job's own affair, and delivered capacity."""
    LOST = "lost"
    """The machine or the node under it went away; what ran until then counts."""

    @property
    def is_over(self) -> bool:
        return self in (RunState.DONE, RunState.FAILED, RunState.LOST)


@dataclass(frozen=True, slots=True)
class Run:
    """One leased job, to be run once.

    `units` of the class and the whole `devices` that they come to; `cpus` (threads), `memory_bytes` and `gpus` are what
    that is on this site, 0 where nothing is said. It may run from `start_s` until `end_s` of the chain's clock.
    `folder` is the run's own: `files/` in it is where the command starts.
    """

    run_id: str
    lease: int
    document: JobDocument
    folder: Path
    units: int
    devices: int
    start_s: int
    end_s: int
    cpus: int = 0
    memory_bytes: int = 0
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class Capacity:
    """What an executor has for all the runs of a site together: processors (threads) and memory."""

    cpus: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What a run has used since it started; `memory_bytes` is the most at any moment that was seen."""

    wall_ms: int = 0
    cpu_ms: int = 0
    gpu_ms: int = 0
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How a run does. `exit_code` is None until it ended by itself; minus the signal's number where one ended it.
    `text` says in a few words what happened, for the log."""

    state: RunState
    usage: Usage
    exit_code: int | None = None
    text: str = ""


class Executor(Protocol):
    """Runs jobs. Raises Unavailable where whatever runs them does not answer now, InputError for a run that it can
    never start (an image where there are no containers, more than the machine has)."""

    def capacity(self) -> Capacity:
        """What there is for runs in all, whoever uses it now."""

    def start(self, run: Run) -> str:
        """Starts it, or finds it where it was started before under this `run_id`, also by a process that was killed
        before it could note so; gives the handle. A run never runs twice."""

    def found(self, run_id: str, folder: Path) -> str:
        """The handle of a run that was ordered under this name and folder, as `start` gave it or would have; empty
        where none was. Starts nothing."""

    def poll(self, handle: str) -> Progress:
        """How it does now."""

    def stop(self, handle: str) -> None:
        """Ends it with all its children; one that has ended is left as it is."""
