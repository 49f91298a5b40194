"""Leased jobs on a real Slurm: what they get, what they say and are not believed, that none runs twice, and what
becomes of them when they are stopped, when their node dies, and when nobody answers."""

import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from ledger.agent import batch
from ledger.agent.document import JobDocument
from ledger.agent.executor import Capacity, Progress, Run, RunState
from ledger.agent.slurm import SlurmExecutor
from ledger.agent.slurmfolder import meter_of
from ledger.errors import InputError, Unavailable
from tests.slurm import CPUS, GPUS, MEMORY_MIB, Cluster

WAIT_S_MAX = 90
START_S = 1_767_225_600
_numbers = count(1)


@pytest.fixture
def executor(slurm_cluster: Cluster) -> Iterator[SlurmExecutor]:
    """Its jobs end with the test, also where that fails: another would wait for what they hold."""
    yield SlurmExecutor(config=slurm_cluster.config)
    slurm_cluster.tell("scancel", "--me")


def run_of(folder: Path, *command: str, cpus: int = 1, gpus: int = 0, image: str = "", **environment: str) -> Run:
    number = next(_numbers)
    document = JobDocument(command or ("true",), environment, {"in/data.txt": b"seven\n"}, ("out/*",), image)
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
    handle = executor.start(run)
    slurm_cluster.tell("sbatch", *executor._options(run), batch.__file__, str(run.folder))
    (run.folder / "job").unlink()
    progress = ended(executor, executor.start(run))
    assert (progress.state, progress.exit_code) == (RunState.DONE, 0)
    assert executor.poll(handle) == progress
    slurm_cluster.wait_for(
        lambda: sorted(slurm_cluster.job_state(run.run_id).splitlines()) == ["COMPLETED", "FAILED"], "the end of both"
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


@pytest.mark.parametrize("end", ["kill -9 $PPID", "kill -53 $PPID", "scancel $(cat ../job)"])
def test_a_job_that_ends_its_own_keeper_is_not_lost(
    executor: SlurmExecutor, slurm_cluster: Cluster, tmp_path: Path, end: str
) -> None:
    run = told(slurm_cluster, run_of(tmp_path), f"rm ../claim ../meter.json; {end}; sleep 100")
    handle = executor.start(run)
    assert ended(executor, handle).state is RunState.FAILED
    # An agent that did not see it run knows no less.
    assert SlurmExecutor(config=slurm_cluster.config).poll(handle).state is RunState.FAILED


def told(cluster: Cluster, run: Run, script: str) -> Run:
    """The run of a job that knows its way to Slurm."""
    environment = {"SLURM_CONF": str(cluster.config), "PATH": "/usr/bin:/bin"}
    return replace(run, document=replace(run.document, command=("sh", "-c", script), environment=environment))


_USED = {"wall_ms": 5, "cpu_ms": 10**9, "gpu_ms": 10**9, "memory_bytes": 3}
_ENDED = json.dumps(_USED | {"exit_code": 0, "told": False})
_OVER = json.dumps(_USED | {"exit_code": 0, "state": "lost", "text": ""})
_LIES = f"""
printf 999999 > ../claim; printf 999999 > ../job; mkdir ../meter.new 2> /dev/null
echo '{_ENDED}' > m; mv m ../meter.json; echo '{_OVER}' > o; mv o ../over
scontrol update jobid=$(squeue --me --noheader --states=running --format=%A) jobname="x JobState=NODE_FAIL"
echo lied; until [ -e go ]; do sleep 0.1; done; exit 7
"""


def test_a_job_that_lies_about_itself_is_not_believed(
    executor: SlurmExecutor, slurm_cluster: Cluster, tmp_path: Path
) -> None:
    """It says who it is, what it is called, that it has ended, how, and what it used."""
    run = told(slurm_cluster, run_of(tmp_path), _LIES)
    handle = executor.start(run)
    slurm_cluster.wait_for(lambda: _content(run.folder / "log") == "lied\n", "the lies")
    for one in (executor, SlurmExecutor(config=slurm_cluster.config)):
        assert one.start(run) == handle
        progress = one.poll(handle)
        assert (progress.state, progress.exit_code) == (RunState.RUNNING, None)
        assert progress.usage.cpu_ms <= progress.usage.wall_ms + 1_000
        assert progress.usage.gpu_ms == 0
    (run.folder / "files" / "go").touch()
    progress = ended(executor, handle)
    assert (progress.state, progress.exit_code) == (RunState.FAILED, 7)
    assert SlurmExecutor(config=slurm_cluster.config).poll(handle).exit_code == 7


def test_what_a_job_hands_in_under_another_name_is_stopped_with_it(
    executor: SlurmExecutor, slurm_cluster: Cluster, tmp_path: Path
) -> None:
    run = run_of(tmp_path)
    name = f"of-{run.run_id}"
    run = told(slurm_cluster, run, f"sbatch --job-name={name} --mem=1M --wrap 'sleep 100'; sleep 100")
    handle = executor.start(run)
    slurm_cluster.wait_for(lambda: slurm_cluster.job_state(name) == "RUNNING", "the job's own job")
    executor.stop(handle)
    for one in (name, run.run_id):
        slurm_cluster.wait_for(lambda one=one: slurm_cluster.job_state(one) == "CANCELLED", "its end")  # type: ignore[misc]
    assert ended(executor, handle).text == "stopped"


def test_a_node_that_cannot_start_it_loses_it(executor: SlurmExecutor, slurm_cluster: Cluster, tmp_path: Path) -> None:
    run = run_of(tmp_path, "true")
    blocker = executor.start(run_of(tmp_path, "sleep", "100", cpus=CPUS))
    until(executor, blocker, RunState.RUNNING)
    handle = executor.start(run)
    (run.folder / "files").rename(tmp_path / "files")
    for one in run.folder.iterdir():
        one.unlink()
    run.folder.rmdir()
    executor.stop(blocker)
    assert ended(executor, handle).state is RunState.LOST


@pytest.mark.slow
def test_a_job_whose_node_dies_is_lost_with_what_ran_until_then(
    executor: SlurmExecutor, slurm_cluster: Cluster, tmp_path: Path
) -> None:
    run = run_of(tmp_path, "sh", "-c", "echo once >> count; sleep 1000")
    handle = executor.start(run)
    deadline = time.monotonic() + WAIT_S_MAX
    while meter_of(run.folder).usage.wall_ms < 1_000 or executor.poll(handle).usage.wall_ms < 1_000:
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


def test_what_slurm_forgot_is_known_by_its_folder(executor: SlurmExecutor, tmp_path: Path) -> None:
    run = run_of(tmp_path, "true")
    run.folder.mkdir()
    forgotten = f"{run.run_id}:999999:{run.folder}"
    assert executor.poll(forgotten).state is RunState.LOST
    (run.folder / "meter.json").write_text(_ENDED)
    assert executor.poll(forgotten).state is RunState.DONE
    assert executor.poll(forgotten).usage.wall_ms == 5
    # What Slurm said of its end before goes before it.
    (run.folder / "over").write_text(_OVER)
    assert executor.poll(forgotten).state is RunState.LOST
    assert executor.found(run.run_id, run.folder) == ""
    (run.folder / "job").write_text("999999")
    assert executor.found(run.run_id, run.folder) == forgotten
    assert executor.start(run) == forgotten


def test_a_job_that_claims_to_be_another_has_no_hold_on_it(
    executor: SlurmExecutor, slurm_cluster: Cluster, tmp_path: Path
) -> None:
    mine, other = run_of(tmp_path, "sleep", "100"), run_of(tmp_path, "sleep", "100")
    victim = executor.start(mine)
    until(executor, victim, RunState.RUNNING)
    other.folder.mkdir()
    (other.folder / "claim").write_text(victim.split(":")[1])
    handle = executor.found(other.run_id, other.folder)
    assert handle.split(":")[1] == victim.split(":")[1]
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
    with pytest.raises(Unavailable, match="does not let the agent"):
        SlurmExecutor("nobodys", slurm_cluster.config).start(run_of(tmp_path, "true"))


def test_a_site_has_what_its_partitions_nodes_have(executor: SlurmExecutor, slurm_cluster: Cluster) -> None:
    assert executor.capacity() == Capacity(CPUS, MEMORY_MIB * 2**20)
    assert SlurmExecutor("main", slurm_cluster.config).capacity() == executor.capacity()
    with pytest.raises(InputError, match="no node of nobodys"):
        SlurmExecutor("nobodys", slurm_cluster.config).capacity()


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
        # It runs on and ends; that its folder says so is not enough.
        deadline = time.monotonic() + WAIT_S_MAX
        while 'exit_code": 0' not in _content(run.folder / "meter.json"):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        with pytest.raises(Unavailable, match="Slurm does not answer"):
            executor.poll(handle)
    finally:
        slurm_cluster.return_controller()
    assert ended(executor, handle).state is RunState.DONE


def _content(path: Path) -> str:
    return path.read_text() if path.exists() else ""
