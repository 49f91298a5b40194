"""What Slurm's words come to: whose end it was, with which code, after how long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.agent.executor import RunState, Usage
from ledger.agent.slurmjob import COLUMNS, SlurmJob, end_of, read_job, used


def line(**said: str) -> str:
    """A job as squeue prints it."""
    named = {name.replace("_per_", "-per-"): text for name, text in said.items()}
    return "".join(f"{named.get(name, ''):{width}}"[:width] for name, width in COLUMNS.items())


def test_a_line_is_read_by_its_columns_whatever_stands_in_them() -> None:
    job = read_job(
        line(
            State="RUNNING",
            exit_code="0",
            TimeUsed="1-02:03:04",
            NumCPUs="32",
            BatchHost="n1",
            Reason="Not enough (x)",
            tres_per_node="gres:gpu:h100:4",
            WorkDir="/a b/State=NODE_FAIL",
        )
    )
    assert job == SlurmJob("RUNNING", 0, 93_784_000, 32, "n1", "Not enough (x)", 4, "/a b/State=NODE_FAIL")
    waiting = read_job(line(State="PENDING", BatchHost="n/a", TimeUsed="INVALID", NumCPUs="1+"))
    assert waiting == SlurmJob("PENDING", 0, 0, 1, "", "", 0, "")
    for text in ("gpu:2", "gres:gpu:2", "gres/gpu:2", "gres/gpu=2", "gres/gpu:h100=2", "gres:license:7,gpu:2"):
        assert read_job(line(tres_per_node=text)).gpus == 2


@pytest.mark.parametrize(
    ("said", "code"),
    [("768", 3), ("9", -9), ("137", -9), ("53", -53), ("4021", None), ("3:0", 3), ("0:9", -9), ("15:53", None)],
)
def test_an_end_with_both_a_code_and_a_signal_is_no_process_of_the_jobs(said: str, code: int | None) -> None:
    assert read_job(line(exit_code=said)).code == code


@given(st.integers(0, 10**6), st.integers(0, 10**15), st.integers(0, 10**15), st.integers(1, 512), st.integers(0, 8))
def test_what_a_folder_says_of_use_stays_within_what_the_job_had(
    wall_s: int, said_ms: int, cpu_ms: int, cpus: int, gpus: int
) -> None:
    job = SlurmJob("RUNNING", 0, wall_s * 1_000, cpus, "n", "", gpus, "/run")
    found = used(job, Usage(said_ms, cpu_ms, said_ms, 7))
    # Slurm counts whole seconds, and the folder what is within one.
    assert found.wall_ms // 1_000 == wall_s
    assert found.wall_ms == said_ms or said_ms // 1_000 != wall_s
    assert (found.gpu_ms, found.memory_bytes) == (found.wall_ms * gpus, 7)
    assert found.cpu_ms == min(cpu_ms, (wall_s + 1) * 1_000 * cpus)


@pytest.mark.parametrize(
    ("word", "by_us", "node", "code", "state"),
    [
        ("NODE_FAIL", False, "n", 0, RunState.LOST),
        ("NODE_FAIL", True, "n", 0, RunState.DONE),
        ("PREEMPTED", False, "n", 0, RunState.LOST),
        ("BOOT_FAIL", False, "", 0, RunState.LOST),
        ("FAILED", False, "", 1, RunState.LOST),
        ("FAILED", False, "n", None, RunState.LOST),
        ("FAILED", False, "n", 3, RunState.FAILED),
        ("FAILED", True, "n", 3, RunState.FAILED),
        ("FAILED", False, "n", -9, RunState.FAILED),
        ("COMPLETED", False, "n", 0, RunState.DONE),
        ("COMPLETED", True, "n", 0, RunState.DONE),
        ("CANCELLED", False, "n", -15, RunState.FAILED),
        ("CANCELLED", False, "", 0, RunState.LOST),
        ("CANCELLED", True, "n", -15, RunState.DONE),
        ("TIMEOUT", False, "n", 0, RunState.DONE),
        ("OUT_OF_MEMORY", False, "n", 0, RunState.FAILED),
    ],
)
def test_what_slurm_ended_is_the_sites_fault_unless_the_job_could_do_it(
    word: str, by_us: bool, node: str, code: int | None, state: RunState
) -> None:
    usage = Usage(wall_ms=7)
    progress = end_of(SlurmJob(word, code, 7, 1, node, "", 0, "/run"), usage, by_us=by_us)
    assert (progress.state, progress.usage) == (state, usage)
    if word in ("FAILED", "COMPLETED") and state is not RunState.LOST:
        assert progress.exit_code == code
