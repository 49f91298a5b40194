"""Runs leased jobs on Kubernetes: one `Job` a run (`manifest.py`), made once, asked how it does, deleted to stop it.

A run's words come back as its pod's log. Files do not come back: a document that names results is refused before it
costs anybody anything. The API tells no processor time: `cpu_ms` and `memory_bytes` are 0 here, and a GPU counts for as
long as it was held.
"""

import json
import signal
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import client, config
from kubernetes.utils.quantity import parse_quantity

from ledger.agent.executor import Capacity, Progress, Run, RunState, Usage
from ledger.agent.folder import LOG_BYTES_MAX
from ledger.agent.manifest import GPU, files_of, job_of
from ledger.errors import InputError, Unavailable

_EVICTED = "Evicted"
_TIMEOUT_S = 30
_CONFLICT, _MISSING, _BUSY = 409, 404, 429
_NOT_ALLOWED = (401, 403)


def connected(kubeconfig: Path | None = None, context: str = "") -> client.ApiClient:
    """A connection as the kubeconfig says (None: where kubectl looks). Raises InputError where there is none."""
    try:
        load: Callable[..., client.ApiClient] = config.new_client_from_config
        return load(str(kubeconfig) if kubeconfig else None, context or None)
    except (config.ConfigException, OSError) as error:
        raise InputError(f"No cluster is named: {error}.", "Try the same kubeconfig with `kubectl get pods`.") from None


class KubernetesExecutor:
    """Gives runs to one namespace of a cluster and asks how they do. `image` is for documents that name none."""

    def __init__(self, api: client.ApiClient, namespace: str = "default", image: str = "", site: int = 0) -> None:
        self._namespace, self._image, self._site = namespace, image, site
        self._batch, self._core = client.BatchV1Api(api), client.CoreV1Api(api)

    def capacity(self) -> Capacity:
        """What the nodes that take pods have for them. Raises InputError where the agent may not list nodes, or there
        are none, Unavailable where the cluster does not answer."""
        try:
            listed: list[Any] = self._core.list_node(_request_timeout=_TIMEOUT_S).items
        except client.ApiException as error:
            if error.status not in _NOT_ALLOWED:
                raise _trouble(error) from None
            raise InputError(
                f"The agent may not see the cluster's nodes ({error.status}), and what they have is not said.",
                "Allow it to list nodes, or say --cpus and --memory.",
            ) from None
        except urllib3.exceptions.HTTPError as error:
            raise _silence(error) from None
        have = [node.status.allocatable for node in listed if not node.spec.unschedulable and node.status.allocatable]
        if not have:
            raise InputError("The cluster has no node that takes pods.", "Look at `kubectl get nodes`.")
        read: Callable[[str], Decimal] = parse_quantity
        cpus, memory = (sum(read(one.get(name, "0")) for one in have) for name in ("cpu", "memory"))
        return Capacity(int(cpus), int(memory))

    def start(self, run: Run) -> str:
        """The handle is the Job's name and the run's folder. The cluster has one Job of a name: a second is refused
        by itself. Raises InputError for a run that it does not take, Unavailable where it does not answer."""
        handle = f"{run.run_id}:{run.folder.absolute()}"
        if _noted(run.folder, "ended") or _noted(run.folder, "stopped"):
            return handle
        job = job_of(run, self._image, self._site)
        run.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = self._made(lambda: self._batch.create_namespaced_job(self._namespace, job, _request_timeout=_TIMEOUT_S))
        if run.document.files:
            made = made or self._job(run.run_id)
            # The pod waits for it; killed before this line, we come here again.
            files = files_of(run, made.metadata.uid if made else "")
            self._made(
                lambda: self._core.create_namespaced_config_map(self._namespace, files, _request_timeout=_TIMEOUT_S)
            )
        return handle

    def found(self, run_id: str, folder: Path) -> str:
        """Raises Unavailable where the cluster does not answer."""
        known = _noted(folder, "ended") or _noted(folder, "stopped") or self._job(run_id)
        return f"{run_id}:{folder.absolute()}" if known else ""

    def poll(self, handle: str) -> Progress:
        """Raises Unavailable where the cluster does not answer."""
        name, folder = _read_handle(handle)
        if ended := _noted(folder, "ended"):
            return _progress_of(ended)
        job, pod = self._job(name), self._pod(name)
        progress = _progress(job, pod, _usage_of(_noted(folder, "usage")), self._image)
        if _noted(folder, "stopped"):
            progress = Progress(RunState.DONE, progress.usage, text="stopped")
        if progress.state is RunState.RUNNING:
            _note(folder, "usage", _said(progress))
        if progress.state.is_over:
            self._keep_log(pod, folder)
            _note(folder, "ended", _said(progress))
        return progress

    def stop(self, handle: str) -> None:
        name, folder = _read_handle(handle)
        if _noted(folder, "ended"):
            return
        # What it used and said goes with its pod.
        self.poll(handle)
        self._keep_log(self._pod(name), folder)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _note(folder, "stopped", {"stopped": True})
        self._asked(
            lambda: self._batch.delete_namespaced_job(
                name, self._namespace, propagation_policy="Background", _request_timeout=_TIMEOUT_S
            )
        )

    def _job(self, name: str) -> Any:
        return self._asked(lambda: self._batch.read_namespaced_job(name, self._namespace, _request_timeout=_TIMEOUT_S))

    def _pod(self, name: str) -> Any:
        """The Job's pod, the newest where a node's death left one that is being deleted."""
        wanted = f"batch.kubernetes.io/job-name={name}"
        found = self._asked(
            lambda: self._core.list_namespaced_pod(self._namespace, label_selector=wanted, _request_timeout=_TIMEOUT_S)
        )
        pods = found.items if found else []
        return max(pods, key=lambda pod: str(pod.metadata.creation_timestamp), default=None)

    def _keep_log(self, pod: Any, folder: Path) -> None:
        if pod is None or pod.status.phase == "Pending":
            return
        said = self._asked(
            lambda: self._core.read_namespaced_pod_log(
                pod.metadata.name,
                self._namespace,
                limit_bytes=LOG_BYTES_MAX,
                _preload_content=False,
                _request_timeout=_TIMEOUT_S,
            )
        )
        if said is not None:
            (folder / "log").write_bytes(said.data)

    def _made(self, make: Callable[[], Any]) -> Any:
        """What was made; None where it was there already."""
        try:
            return make()
        except client.ApiException as error:
            if error.status == _CONFLICT:
                return None
            raise _trouble(error) from None
        except urllib3.exceptions.HTTPError as error:
            raise _silence(error) from None

    def _asked(self, ask: Callable[[], Any]) -> Any:
        """The answer; None where there is no such thing."""
        try:
            return ask()
        except client.ApiException as error:
            if error.status == _MISSING:
                return None
            raise _trouble(error) from None
        except urllib3.exceptions.HTTPError as error:
            raise _silence(error) from None


# ---- how it does


def _progress(job: Any, pod: Any, before: Usage, image: str) -> Progress:
    """What Job and pod say together; `before` is what was used when the pod was last seen, `image` the site's own."""
    state = _container_state(pod)
    ended = state.terminated if state else None
    usage = _used(pod, state) or before
    if gone := _gone(job, pod):
        return Progress(RunState.LOST, usage, text=gone)
    if pod is not None and pod.status.phase == "Failed" and pod.status.reason == _EVICTED:
        return Progress(RunState.FAILED, usage, -signal.SIGKILL, "killed: it wrote more than it may to the disk")
    if ended is not None:
        return _by_itself(ended, usage)
    if over := _condition(job, "Complete") or _condition(job, "Failed"):
        return _without_pod(over, usage)
    if pod is not None and pod.status.phase == "Running":
        return Progress(RunState.RUNNING, usage)
    waiting = state.waiting if state else None
    # What it has is held for it; that an image of the holder's cannot be had, or is large, is no fault of the site.
    held = pod is not None and _condition(pod, "PodScheduled") and pod.spec.containers[0].image != image
    text = waiting.reason or "" if waiting else "no node yet"
    return Progress(RunState.RUNNING if held else RunState.QUEUED, usage, text=text)


def _without_pod(over: Any, usage: Usage) -> Progress:
    """How a Job ended whose pod says nothing of it."""
    if over.type == "Complete":
        return Progress(RunState.DONE, usage, 0)
    if over.reason == "DeadlineExceeded":
        return Progress(RunState.DONE, usage, text="stopped after the length of its window")
    return Progress(RunState.LOST, usage, text=f"the pod is gone: {over.reason}")


def _by_itself(ended: Any, usage: Usage) -> Progress:
    if ended.reason == "ContainerStatusUnknown":
        return Progress(RunState.LOST, usage, text="the node lost sight of the container")
    text = "killed: it took more memory than is leased" if ended.reason == "OOMKilled" else ""
    return Progress(RunState.FAILED if ended.exit_code else RunState.DONE, usage, ended.exit_code, text)


def _gone(job: Any, pod: Any) -> str:
    """What took the pod away, where something did: its node, or whoever rules the cluster."""
    if job is None:
        return "the cluster knows no such Job"
    if pod is None:
        return ""
    taken = _condition(pod, "DisruptionTarget")
    if taken:
        return f"the pod was taken away: {taken.reason}"
    # Whom kubelet evicts for want of something on the node is a target of disruption; others exceeded their own limit.
    if pod.status.phase == "Failed" and pod.status.reason not in (None, "", "DeadlineExceeded", _EVICTED):
        return f"the pod was taken away: {pod.status.reason}"
    return "the node does not answer" if pod.status.phase == "Unknown" else ""


def _condition(thing: Any, kind: str) -> Any:
    conditions = (thing.status.conditions if thing and thing.status else None) or []
    return next((one for one in conditions if one.type == kind and one.status == "True"), None)


def _container_state(pod: Any) -> Any:
    statuses = (pod.status.container_statuses if pod and pod.status else None) or []
    return statuses[0].state if statuses else None


def _used(pod: Any, state: Any) -> Usage | None:
    """None where the pod has not started, or says nothing."""
    life = (state.terminated or state.running) if state else None
    if life is None or life.started_at is None:
        return None
    end_s = state.terminated.finished_at.timestamp() if state.terminated else time.time()
    wall_ms = max(0, int((end_s - life.started_at.timestamp()) * 1_000))
    limits = pod.spec.containers[0].resources.limits or {}
    return Usage(wall_ms, 0, wall_ms * int(limits.get(GPU, 0)), 0)


# ---- what is noted


def _read_handle(handle: str) -> tuple[str, Path]:
    name, _, folder = handle.partition(":")
    return name, Path(folder)


def _noted(folder: Path, name: str) -> dict[str, Any]:
    try:
        said = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _note(folder: Path, name: str, said: dict[str, Any]) -> None:
    new = folder / f"{name}.new"
    new.write_text(json.dumps(said), encoding="utf-8")
    new.replace(folder / name)


def _said(progress: Progress) -> dict[str, Any]:
    used = {"wall_ms": progress.usage.wall_ms, "gpu_ms": progress.usage.gpu_ms}
    return used | {"state": progress.state.value, "exit_code": progress.exit_code, "text": progress.text}


def _usage_of(said: dict[str, Any]) -> Usage:
    return Usage(wall_ms=said.get("wall_ms", 0), gpu_ms=said.get("gpu_ms", 0))


def _progress_of(said: dict[str, Any]) -> Progress:
    return Progress(RunState(said["state"]), _usage_of(said), said["exit_code"], said["text"])


# ---- what goes wrong


def _trouble(error: client.ApiException) -> InputError | Unavailable:
    said = " ".join(str(error.body or error.reason).split())[:300]
    if error.status == _BUSY or not 400 <= error.status < 500:
        return Unavailable(f"The cluster cannot do it now ({error.status}): {said}.", "Look at `kubectl get nodes`.")
    if error.status in _NOT_ALLOWED:
        # The site's own affair, which it may mend: no job is refused for it.
        return Unavailable(
            f"The cluster does not let the agent do it ({error.status}): {said}.",
            "Look at what it may do in its namespace: `kubectl auth can-i create jobs`.",
        )
    return InputError(f"The cluster does not take it ({error.status}): {said}.", "Redeem at a site that can run it.")


def _silence(error: Exception) -> Unavailable:
    return Unavailable(f"The cluster does not answer: {str(error)[:200]}.", "Look at `kubectl get nodes`.")
