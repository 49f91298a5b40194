"""Runs on a server that speaks Kubernetes' API: made once, read as kubelet and controllers write, deleted to stop."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from ledger.agent.document import JobDocument
from ledger.agent.executor import Capacity, Run, RunState, Usage
from ledger.agent.kubernetes import KubernetesExecutor, connected
from ledger.errors import InputError, Unavailable
from tests.kubeapi import Cluster, kubernetes_api, terminated

START_S = 1_767_225_600


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with kubernetes_api() as cluster:
        yield cluster


@pytest.fixture
def executor(cluster: Cluster) -> Iterator[KubernetesExecutor]:
    settings = client.Configuration(host=cluster.url)
    settings.retries = 0
    with client.ApiClient(settings) as api:
        yield KubernetesExecutor(api, "leased", "debian:12", site=3)
        api.rest_client.pool_manager.clear()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    document = JobDocument(("sh", "-c", "cat data"), files={"data": b"seven"})
    return Run("run-1", 5, document, tmp_path / "run-1", 1, 1, START_S, START_S + 3_600, cpus=2, gpus=2)


def test_a_run_is_one_job_however_often_it_is_started(executor: KubernetesExecutor, cluster: Cluster, run: Run) -> None:
    handle = executor.start(run)
    assert executor.start(run) == handle
    assert list(cluster.jobs) == list(cluster.configmaps) == ["run-1"]
    assert cluster.configmaps["run-1"]["metadata"]["ownerReferences"][0]["uid"] == "uid-of-run-1"
    assert executor.poll(handle).state is RunState.QUEUED


def test_killed_between_the_job_and_its_files_the_files_come_later(
    executor: KubernetesExecutor, cluster: Cluster, run: Run
) -> None:
    executor.start(run)
    owned = cluster.configmaps.pop("run-1")
    executor.start(run)
    assert cluster.configmaps["run-1"] == owned


def test_a_pod_that_runs_and_ends_is_metered_and_its_words_are_kept(
    executor: KubernetesExecutor, cluster: Cluster, run: Run
) -> None:
    handle = executor.start(run)
    cluster.pod("run-1", "Pending", state={"waiting": {"reason": "ErrImagePull"}})
    progress = executor.poll(handle)
    assert (progress.state, progress.text) == (RunState.QUEUED, "ErrImagePull")
    cluster.pod("run-1", "Running", ago_s=100)
    progress = executor.poll(handle)
    assert progress.state is RunState.RUNNING
    assert 99_000 <= progress.usage.wall_ms <= 120_000
    assert progress.usage.gpu_ms == 2 * progress.usage.wall_ms
    cluster.pod("run-1", "Succeeded", log="seven", state=terminated(0, seconds=105))
    cluster.finish("run-1", "Complete")
    progress = executor.poll(handle)
    assert (progress.state, progress.exit_code) == (RunState.DONE, 0)
    assert progress.usage == Usage(105_000, 0, 210_000, 0)
    assert (run.folder / "log").read_text() == "seven"
    # It is noted: the cluster may forget it, and it does not run again.
    cluster.jobs.clear()
    assert executor.poll(handle) == progress
    assert executor.start(run) == handle
    assert not cluster.jobs


@pytest.mark.parametrize(("code", "reason"), [(3, ""), (137, "OOMKilled")])
def test_an_exit_code_is_the_jobs_own_affair(
    executor: KubernetesExecutor, cluster: Cluster, run: Run, code: int, reason: str
) -> None:
    handle = executor.start(run)
    cluster.pod("run-1", "Failed", state=terminated(code, reason))
    cluster.finish("run-1", "Failed", "BackoffLimitExceeded")
    progress = executor.poll(handle)
    assert (progress.state, progress.exit_code) == (RunState.FAILED, code)


@pytest.mark.parametrize(
    "status",
    [
        {
            "phase": "Failed",
            "reason": "Evicted",
            "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet"}],
        },
        {"phase": "Failed", "reason": "NodeLost", "state": terminated(137)},
        {"phase": "Failed", "state": terminated(137, "ContainerStatusUnknown")},
        {"phase": "Unknown"},
        {
            "phase": "Failed",
            "state": terminated(143),
            "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"}],
        },
    ],
)
def test_a_pod_that_is_taken_away_is_lost(
    executor: KubernetesExecutor, cluster: Cluster, run: Run, status: dict[str, Any]
) -> None:
    handle = executor.start(run)
    cluster.pod("run-1", **status)
    assert executor.poll(handle).state is RunState.LOST


def test_a_job_that_fills_its_disk_is_not_lost(executor: KubernetesExecutor, cluster: Cluster, run: Run) -> None:
    # As kubelet says it of a pod that exceeds its own limit: were that a loss, a holder would have its money back, and
    # the site's margin on top, for 16 GiB of zeros.
    handle = executor.start(run)
    message = 'Usage of EmptyDir volume "work" exceeds the limit "16Gi". '
    cluster.pod("run-1", "Failed", reason="Evicted", message=message, state=terminated(137))
    cluster.finish("run-1", "Failed", "BackoffLimitExceeded")
    progress = executor.poll(handle)
    assert (progress.state, progress.exit_code) == (RunState.FAILED, -9)


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ContainerCreating"])
def test_an_image_of_the_holders_that_cannot_be_had_is_no_fault_of_the_site(
    executor: KubernetesExecutor, cluster: Cluster, run: Run, reason: str
) -> None:
    bound = [{"type": "PodScheduled", "status": "True"}]
    theirs = replace(run, run_id="run-2", document=JobDocument(("true",), image="nobody/nothing:none"))
    for one, state in ((run, RunState.QUEUED), (theirs, RunState.RUNNING)):
        handle = executor.start(one)
        assert executor.poll(handle).state is RunState.QUEUED
        cluster.pod(one.run_id, "Pending", state={"waiting": {"reason": reason}})
        assert executor.poll(handle).state is RunState.QUEUED, "no node has it"
        cluster.pod(one.run_id, "Pending", state={"waiting": {"reason": reason}}, conditions=bound)
        progress = executor.poll(handle)
        assert (progress.state, progress.text, progress.usage) == (state, reason, Usage())


def test_what_ran_until_its_node_was_gone_counts(executor: KubernetesExecutor, cluster: Cluster, run: Run) -> None:
    handle = executor.start(run)
    cluster.pod("run-1", "Running", ago_s=50)
    before = executor.poll(handle).usage
    cluster.lose_pod("run-1")
    cluster.finish("run-1", "Failed", "BackoffLimitExceeded")
    progress = executor.poll(handle)
    assert (progress.state, progress.usage) == (RunState.LOST, before)


def test_a_job_that_somebody_deleted_is_lost(executor: KubernetesExecutor, cluster: Cluster, run: Run) -> None:
    handle = executor.start(run)
    cluster.jobs.clear()
    assert executor.poll(handle).state is RunState.LOST


def test_the_end_of_the_window_is_no_failure(executor: KubernetesExecutor, cluster: Cluster, run: Run) -> None:
    handle = executor.start(run)
    cluster.finish("run-1", "Failed", "DeadlineExceeded")
    progress = executor.poll(handle)
    assert (progress.state, progress.exit_code) == (RunState.DONE, None)


def test_stopped_it_is_deleted_with_its_words_and_use_kept(
    executor: KubernetesExecutor, cluster: Cluster, run: Run
) -> None:
    handle = executor.start(run)
    cluster.pod("run-1", "Running", ago_s=50, log="half")
    executor.stop(handle)
    executor.stop(handle)
    assert not cluster.jobs
    progress = executor.poll(handle)
    assert (progress.state, progress.text) == (RunState.DONE, "stopped")
    assert progress.usage.wall_ms >= 49_000
    assert (run.folder / "log").read_text() == "half"
    executor.start(run)
    assert not cluster.jobs


def test_what_the_cluster_refuses_is_refused_and_what_it_cannot_do_now_may_be_tried_again(
    executor: KubernetesExecutor, cluster: Cluster, run: Run
) -> None:
    cluster.refusal = 400
    with pytest.raises(InputError, match="400"):
        executor.start(run)
    # What the agent may do there is the site's affair, and no job's.
    for status in (401, 403, 429, 500, 503):
        cluster.refusal = status
        with pytest.raises(Unavailable, match=str(status)):
            executor.start(run)
        with pytest.raises(Unavailable, match=str(status)):
            executor.poll(f"run-1:{run.folder}")
    cluster.refusal = 0
    executor.start(run)
    assert list(cluster.jobs) == ["run-1"]


def test_a_cluster_that_does_not_answer_is_unavailable(run: Run) -> None:
    with kubernetes_api() as cluster:
        settings = client.Configuration(host=cluster.url)
    settings.retries = 0
    with client.ApiClient(settings) as api, pytest.raises(Unavailable, match="does not answer"):
        KubernetesExecutor(api, "leased", "debian:12").start(run)


def test_connected_reads_a_kubeconfig_and_says_where_there_is_none(cluster: Cluster, run: Run, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    with pytest.raises(InputError, match="No cluster is named"):
        connected(kubeconfig)
    kubeconfig.write_text(
        '{"apiVersion":"v1","kind":"Config","current-context":"a","users":[],'
        '"contexts":[{"name":"a","context":{"cluster":"c","user":""}}],'
        f'"clusters":[{{"name":"c","cluster":{{"server":"{cluster.url}"}}}}]}}'
    )
    with connected(kubeconfig) as api:
        KubernetesExecutor(api, "leased", "debian:12").start(run)
        api.rest_client.pool_manager.clear()
    assert list(cluster.jobs) == ["run-1"]


def test_a_site_has_what_the_nodes_that_take_pods_have_for_them(executor: KubernetesExecutor, cluster: Cluster) -> None:
    with pytest.raises(InputError, match="no node that takes pods"):
        executor.capacity()
    cluster.node("3920m", "15Gi")
    cluster.node("64", "263921296Ki", cordoned=True)
    cluster.node("8", "32e9")
    assert executor.capacity() == Capacity(11, 15 * 2**30 + 32 * 10**9)
    cluster.refusal = 403
    with pytest.raises(InputError, match="say --cpus and --memory"):
        executor.capacity()
    cluster.refusal = 503
    with pytest.raises(Unavailable, match="503"):
        executor.capacity()


def test_what_was_ordered_is_found_and_nothing_is_started_to_find_it(
    executor: KubernetesExecutor, cluster: Cluster, run: Run
) -> None:
    assert executor.found(run.run_id, run.folder) == ""
    assert not cluster.jobs
    handle = executor.start(run)
    assert executor.found(run.run_id, run.folder) == handle
    executor.stop(handle)
    assert executor.found(run.run_id, run.folder) == handle
    assert not cluster.jobs
