"""Leased jobs on a real Slurm: what they get, what they say, that none runs twice, and what becomes of them when they
are stopped, when their node dies, and when nobody answers."""

import json
import os
import re
import sys
import time
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from ledger.agent import batch
from ledger.agent.document import JobDocument
from ledger.agent.executor import Progress, Run, RunState, Usage
from ledger.agent.slurm import SlurmExecutor, _read_meter, _taken_away
from ledger.errors import InputError, Unavailable
from tests.slurm import CPUS, GPUS, Cluster

WAIT_S_MAX = 90
START_S = 1_767_225_600
_numbers = count(1)


@pytest.fixture
def executor(slurm_cluster: Cluster) -> SlurmExecutor:
    return SlurmExecutor(config=slurm_cluster.config)


def run_of(folder: Path, *command: str, cpus: int = 1, gpus: int = 0, image: str = "", **environment: str) -> Run:
    number = next(_numbers)
    document = JobDocument(command, environment, {"in/data.txt": b"seven\n"}, ("out/*",), image)
    return Run(
        run_id=f"run-{number}-{re.sub('[^a-z]', '', folder.name)[:20]}",
        lease=number,
        document=document,
        folder=folder / f"run {number}",
        units=1,
        devices=1,
        start_s=START_S,
        end_s=START_S + 3_600,
        cpus=cpus,
        memory_bytes=100 * 2**20 + 1,
        gpus=gpus,
    )


def until(executor: SlurmExecutor, handle: str, *states: RunState) -> Progress:
    deadline = time.monotonic() + WAIT_S_MAX
    while (progress := executor.poll(handle)).state not in states:
        assert time.monotonic() < deadline, f"waited for {states}: {progress}"
        assert not progress.state.is_over, f"waited for {states}: {progress}"
        time.sleep(0.1)
    return progress


def ended(executor: SlurmExecutor, handle: str) -> Progress:
    return until(executor, handle, RunState.DONE, RunState.FAILED, RunState.LOST)


def test_a_job_runs_with_what_is_leased_and_leaves_its_results(
    executor: SlurmExecutor, slurm_cluster: Cluster, tmp_path: Path
) -> None:
    script = "cat in/data.txt; mkdir out; echo $SEED > out/seed; sleep 2"
    run = run_of(tmp_path, "sh", "-c", script, cpus=3, SEED="1 $(id)")
    handle = executor.start(run)
    until(executor, handle, RunState.RUNNING)
    said = slurm_cluster.tell("scontrol", "show", "job", handle.split(":")[1], "--oneliner")
    for part in (f"JobName={run.run_id}", "NumCPUs=3", "MinMemoryNode=101M", "TimeLimit=01:00:00", "Requeue=0"):
        assert part in said
    progress = ended(executor, handle)
    assert (progress.state, progress.exit_code) == (RunState.DONE, 0)
    assert 2_000 <= progress.usage.wall_ms < 60_000
    assert (run.folder / "log").read_text() == "seven\n"
    assert (run.folder / "files" / "out" / "seed").read_text() == "1 $(id)\n"


def test_a_folder_may_be_named_from_here_and_hold_what_slurm_takes_for_a_pattern(
    executor: SlurmExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = run_of(Path("a %j: b"), "echo", "here")
    handle = executor.start(run)
    monkeypatch.chdir("/")
    assert ended(executor, handle).exit_code == 0
    assert (tmp_path / run.folder / "log").read_text() == "here\n"
    assert (tmp_path / run.folder / "slurm.log").exists()


def test_a_job_sees_the_gpus_it_leases_and_they_count_while_held(
    executor: SlurmExecutor, slurm_cluster: Cluster, tmp_path: Path
) -> None:
    run = run_of(tmp_path, "sh", "-c", "echo $CUDA_VISIBLE_DEVICES; sleep 1", gpus=GPUS)
    handle = executor.start(run)
    assert f"gres:gpu:{GPUS}" in slurm_cluster.tell("scontrol", "show", "job", handle.split(":")[1], "--oneliner")
    usage = ended(executor, handle).usage
    assert usage.gpu_ms == GPUS * usage.wall_ms >= GPUS * 1_000
    assert (run.folder / "log").read_text() == "0,1\n"


def test_an_exit_code_is_the_jobs_own_affair(executor: SlurmExecutor, tmp_path: Path) -> None:
    progress = ended(executor, executor.start(run_of(tmp_path, "sh", "-c", "exit 3")))
    assert (progress.state, progress.exit_code) == (RunState.FAILED, 3)


def test_started_twice_it_runs_once_also_where_nothing_was_noted(
    executor: SlurmExecutor, slurm_cluster: Cluster, tmp_path: Path
) -> None:
    run = run_of(tmp_path, "sh", "-c", "echo once >> count; sleep 1")
    handle = executor.start(run)
    # Killed before it could note the number: Slurm knows the name.
    (run.folder / "job").unlink()
    assert SlurmExecutor(config=slurm_cluster.config).start(run) == handle
    ended(executor, handle)
    assert executor.start(run) == handle
    (run.folder / "job").unlink()
    assert executor.start(run) == handle
    assert (run.folder / "files" / "count").read_text() == "once\n"
    assert len(slurm_cluster.job_state(run.run_id).splitlines()) == 1


def test_handed_in_twice_behind_our_back_it_runs_once(
    executor: SlurmExecutor, slurm_cluster: Cluster, tmp_path: Path
) -> None:
    run = run_of(tmp_path, "sh", "-c", "echo once >> count; sleep 1")
    script = Path(batch.__file__), run.folder
    handle = executor.start(run)
    slurm_cluster.tell("sbatch", f"--job-name={run.run_id}", "--output=/dev/null", *map(str, script))
    (run.folder / "job").unlink()
    progress = ended(executor, executor.start(run))
    assert (progress.state, progress.exit_code) == (RunState.DONE, 0)
    assert executor.poll(handle) == progress
    slurm_cluster.wait_for(
        lambda: slurm_cluster.job_state(run.run_id).splitlines() == 2 * ["COMPLETED"], "the end of both"
    )
    assert (run.folder / "files" / "count").read_text() == "once\n"


def test_stopped_it_ends_with_what_it_used(executor: SlurmExecutor, slurm_cluster: Cluster, tmp_path: Path) -> None:
    run = run_of(tmp_path, sys.executable, "-c", "while True: pass")
    handle = executor.start(run)
    deadline = time.monotonic() + WAIT_S_MAX
    while executor.poll(handle).usage.cpu_ms < 300:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    executor.stop(handle)
    executor.stop(handle)
    progress = ended(executor, handle)
    assert (progress.state, progress.text) == (RunState.DONE, "stopped")
    assert progress.usage.cpu_ms >= 300
    executor.stop(handle)
    slurm_cluster.wait_for(lambda: slurm_cluster.job_state(run.run_id) == "CANCELLED", "the cancelled job")


def test_one_that_waits_is_queued_and_can_be_stopped(
    executor: SlurmExecutor, slurm_cluster: Cluster, tmp_path: Path
) -> None:
    first = executor.start(run_of(tmp_path, "sleep", "100", cpus=CPUS))
    until(executor, first, RunState.RUNNING)
    second = executor.start(run_of(tmp_path, "sleep", "100"))
    slurm_cluster.wait_for(lambda: "Resources" in executor.poll(second).text, "Slurm's reason")
    assert executor.poll(second).state is RunState.QUEUED
    executor.stop(second)
    assert ended(executor, second).text == "stopped"
    executor.stop(first)
    ended(executor, first)
    slurm_cluster.wait_for(lambda: slurm_cluster.node_state() == "idle", "a free node")


@pytest.mark.parametrize("end", ["kill -9 $PPID", "rm ../claim; kill -9 $PPID", "scancel --name={name}"])
def test_a_job_that_ends_its_own_keeper_is_not_lost(
    executor: SlurmExecutor, slurm_cluster: Cluster, tmp_path: Path, end: str
) -> None:
    run = run_of(tmp_path, "sh", "-c", "true")
    script = f"until [ -e go ]; do sleep 0.1; done; {end.format(name=run.run_id)}; sleep 100"
    document = replace(
        run.document,
        command=("sh", "-c", script),
        environment={"SLURM_CONF": str(slurm_cluster.config), "PATH": "/usr/bin:/bin"},
    )
    handle = executor.start(replace(run, document=document))
    until(executor, handle, RunState.RUNNING)
    slurm_cluster.wait_for((run.folder / "claim").exists, "batch.py")
    executor.poll(handle)
    (run.folder / "files" / "go").touch()
    assert ended(executor, handle).state is RunState.FAILED
    executor.stop(handle)


def test_a_job_that_writes_who_it_is_and_that_it_has_ended_is_stopped_all_the_same(
    executor: SlurmExecutor, slurm_cluster: Cluster, tmp_path: Path
) -> None:
    said = {"wall_ms": 5, "cpu_ms": 4, "gpu_ms": 0, "memory_bytes": 3, "exit_code": 0, "told": False}
    lie = f"printf 999999 > ../claim; printf 999999 > ../job; mkdir ../meter.new; echo '{json.dumps(said)}' > m"
    run = run_of(tmp_path, "sh", "-c", f"{lie}; mv m ../meter.json; sleep 100")
    handle = executor.start(run)
    slurm_cluster.wait_for(lambda: "999999" in (run.folder / "job").read_text(), "the lie")
    assert executor.start(run) == handle
    executor.stop(handle)
    slurm_cluster.wait_for(lambda: slurm_cluster.job_state(run.run_id) != "RUNNING", "its end")


@pytest.mark.slow
def test_a_job_whose_node_dies_is_lost_with_what_ran_until_then(
    executor: SlurmExecutor, slurm_cluster: Cluster, tmp_path: Path
) -> None:
    run = run_of(tmp_path, "sh", "-c", "echo once >> count; sleep 1000")
    handle = executor.start(run)
    deadline = time.monotonic() + WAIT_S_MAX
    while executor.poll(handle).usage.wall_ms < 1_000:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    slurm_cluster.lose_node()
    try:
        progress = ended(executor, handle)
        assert (progress.state, progress.text) == (RunState.LOST, "Slurm says NODE_FAIL")
        assert 1_000 <= progress.usage.wall_ms < 30_000
    finally:
        slurm_cluster.return_node()
    # The node is back, and nothing of it runs again.
    assert executor.start(run) == handle
    assert executor.poll(handle) == progress
    assert slurm_cluster.job_state(run.run_id) == "NODE_FAIL"
    assert (run.folder / "files" / "count").read_text() == "once\n"


@pytest.mark.parametrize(
    ("word", "by_us", "begun", "state"),
    [
        ("NODE_FAIL", False, True, RunState.LOST),
        ("NODE_FAIL", True, True, RunState.DONE),
        ("PREEMPTED", False, True, RunState.LOST),
        ("BOOT_FAIL", False, False, RunState.LOST),
        ("FAILED", False, False, RunState.LOST),
        ("FAILED", False, True, RunState.FAILED),
        ("COMPLETED", False, True, RunState.FAILED),
        ("CANCELLED", False, True, RunState.FAILED),
        ("CANCELLED", False, False, RunState.LOST),
        ("", False, True, RunState.LOST),
        ("TIMEOUT", False, True, RunState.DONE),
        ("OUT_OF_MEMORY", False, True, RunState.FAILED),
        ("CANCELLED", True, True, RunState.DONE),
    ],
)
def test_what_slurm_ended_is_the_sites_fault_unless_the_job_could_do_it(
    word: str, by_us: bool, begun: bool, state: RunState
) -> None:
    usage = Usage(wall_ms=7)
    progress = _taken_away(word, usage, by_us, begun)
    assert (progress.state, progress.usage) == (state, usage)


def test_what_slurm_forgot_is_known_by_its_folder(executor: SlurmExecutor, tmp_path: Path) -> None:
    run = run_of(tmp_path, "true")
    run.folder.mkdir()
    forgotten = f"{run.run_id}:999999:{run.folder}"
    assert executor.poll(forgotten).state is RunState.LOST
    said = {"wall_ms": 5, "cpu_ms": 4, "gpu_ms": 0, "memory_bytes": 3, "exit_code": 0, "told": False}
    (run.folder / "meter.json").write_text(json.dumps(said))
    assert executor.poll(forgotten).state is RunState.DONE
    assert executor.poll(forgotten).usage.wall_ms == 5
    (run.folder / "job").write_text("999999")
    assert executor.start(run) == forgotten


_FULL = '{"wall_ms":%s,"cpu_ms":0,"gpu_ms":0,"memory_bytes":0,"exit_code":%s,"told":false}'


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"wall_ms":"x"}', "\xff", _FULL % ("1e400", 0), _FULL % (1, "1e400"), "[" * 100_000],
)
def test_a_job_that_writes_over_its_meter_stops_nobody(executor: SlurmExecutor, tmp_path: Path, text: str) -> None:
    run = run_of(tmp_path, "true")
    run.folder.mkdir()
    (run.folder / "meter.json").write_text(text, encoding="latin-1")
    (run.folder / "claim").write_text(text, encoding="latin-1")
    assert executor.poll(f"{run.run_id}:999999:{run.folder}").state is RunState.LOST


def test_links_and_pipes_are_not_read_and_numbers_stay_within_bounds(tmp_path: Path) -> None:
    aside, meter = tmp_path / "aside", tmp_path / "meter.json"
    aside.write_text(_FULL % (7, 0))
    meter.symlink_to(aside)
    assert _read_meter(tmp_path).usage == Usage()
    meter.unlink()
    os.mkfifo(meter)
    assert _read_meter(tmp_path).usage == Usage()
    meter.unlink()
    meter.write_text(_FULL % (10**30, -(10**30)))
    assert (_read_meter(tmp_path).usage.wall_ms, _read_meter(tmp_path).exit_code) == (2**53, -(2**31))


def test_a_job_that_claims_to_be_another_has_no_hold_on_it(
    executor: SlurmExecutor, slurm_cluster: Cluster, tmp_path: Path
) -> None:
    mine, other = run_of(tmp_path, "sleep", "100"), run_of(tmp_path, "sleep", "100")
    victim = executor.start(mine)
    until(executor, victim, RunState.RUNNING)
    other.folder.mkdir()
    (other.folder / "claim").write_text(victim.split(":")[1])
    handle = f"{other.run_id}:999999:{other.folder}"
    assert executor.poll(handle).state is RunState.LOST
    executor.stop(handle)
    assert slurm_cluster.job_state(mine.run_id) == "RUNNING"
    executor.stop(victim)
    ended(executor, victim)


def test_what_can_never_run_there_is_refused(executor: SlurmExecutor, slurm_cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no containers"):
        executor.start(run_of(tmp_path, "true", image="debian:12"))
    with pytest.raises(InputError, match="does not take it"):
        executor.start(run_of(tmp_path, "true", gpus=GPUS + 1))
    with pytest.raises(InputError, match="does not take it"):
        SlurmExecutor("nobodys", slurm_cluster.config).start(run_of(tmp_path, "true"))


@pytest.mark.slow
def test_while_the_controller_is_away_it_is_unavailable_and_nothing_is_lost(
    executor: SlurmExecutor, slurm_cluster: Cluster, tmp_path: Path
) -> None:
    run = run_of(tmp_path, "sh", "-c", "sleep 2; echo out")
    handle = executor.start(run)
    until(executor, handle, RunState.RUNNING)
    slurm_cluster.lose_controller()
    try:
        with pytest.raises(Unavailable, match="Slurm does not answer"):
            executor.start(run_of(tmp_path, "true"))
        # Its end is in the folder, whoever is away.
        deadline = time.monotonic() + WAIT_S_MAX
        while 'exit_code": 0' not in (run.folder / "meter.json").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert executor.poll(handle).state is RunState.DONE
        with pytest.raises(Unavailable, match="Slurm does not answer"):
            executor.poll(f"nobody:999999:{tmp_path}")
    finally:
        slurm_cluster.return_controller()
