"""A small server that speaks the paths of Kubernetes' API which jobs need, and holds what is made through them. It runs
nothing: a test says what becomes of a pod, as kubelet and controllers would write it down."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kubernetes_validate  # type: ignore[import-untyped]

VERSIONS = ("1.30", "1.37")
"""What is sent must be good, to the letter, for the oldest and the newest of these."""

_PATHS = re.compile(
    r"/(?:api/v1|apis/batch/v1)/namespaces/(?P<namespace>[^/]+)/(?P<kind>jobs|configmaps|pods)"
    r"(?:/(?P<name>[^/]+))?(?P<log>/log)?"
)


def check(manifest: dict[str, Any]) -> None:
    """Raises ValidationError where a field is wrong, unknown, or missing."""
    for version in VERSIONS:
        kubernetes_validate.validate(manifest, version, strict=True)


class Cluster:
    """What the API server holds, by kind and name; `refusal` is a status that it answers to everything."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.configmaps: dict[str, dict[str, Any]] = {}
        self.pods: dict[str, dict[str, Any]] = {}
        self.nodes: list[dict[str, Any]] = []
        self.logs: dict[str, str] = {}
        self.asked: list[str] = []
        self.refusal = 0
        self.url = ""

    def pod(self, job: str, phase: str, ago_s: int = 0, log: str = "", **status: Any) -> None:
        """What kubelet says of the Job's pod: its phase, since when, and more of its status."""
        spec = self.jobs[job]["spec"]["template"]["spec"]
        started = (datetime.now(UTC) - timedelta(seconds=ago_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
        state = {"running": {"startedAt": started}} if phase == "Running" else status.pop("state", {})
        statuses = [{"name": "job", "ready": True, "restartCount": 0, "image": "x", "imageID": "x", "state": state}]
        self.logs[f"{job}-abcde"] = log
        self.pods[f"{job}-abcde"] = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"{job}-abcde",
                "creationTimestamp": started,
                "labels": {"batch.kubernetes.io/job-name": job},
            },
            "spec": spec,
            "status": {"phase": phase, "containerStatuses": statuses if state else None, **status},
        }

    def node(self, cpu: str, memory: str, *, cordoned: bool = False) -> None:
        """A node and what it has for pods, as kubelet counts it."""
        name = f"node-{len(self.nodes)}"
        allocatable = {"cpu": cpu, "memory": memory, "ephemeral-storage": "93Gi", "pods": "110"}
        self.nodes.append(
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": name},
                "spec": {"unschedulable": True} if cordoned else {},
                "status": {"allocatable": allocatable, "capacity": allocatable},
            }
        )

    def finish(self, job: str, kind: str, reason: str = "") -> None:
        """What the Job's controller says at its end: Complete or Failed."""
        self.jobs[job]["status"]["conditions"] = [{"type": kind, "status": "True", "reason": reason}]

    def lose_pod(self, job: str) -> None:
        """The pod is removed with its node."""
        del self.pods[f"{job}-abcde"]


def terminated(code: int, reason: str = "", seconds: int = 5) -> dict[str, Any]:
    """The state of a container that ended now, after so many seconds."""
    now = datetime.now(UTC)
    times = {
        "startedAt": (now - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "finishedAt": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return {"terminated": {"exitCode": code, "reason": reason or ("Error" if code else "Completed"), **times}}


@contextmanager
def kubernetes_api() -> Iterator[Cluster]:
    """Serves an empty namespace on loopback until the context ends."""
    cluster = Cluster()

    class Handler(_Handler):
        held = cluster

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    cluster.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield cluster
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    held: Cluster

    def do_GET(self) -> None:
        if self.path == "/api/v1/nodes" and not self.held.refusal:
            self._answer(200, {"apiVersion": "v1", "kind": "NodeList", "metadata": {}, "items": self.held.nodes})
            return
        if (found := self._found()) is None:
            return
        kind, name, log = found
        things: dict[str, dict[str, Any]] = getattr(self.held, kind)
        if log:
            self._say(200, self.held.logs[name].encode()) if name in things else self._refuse(404)
        elif name:
            self._answer(200, things[name]) if name in things else self._refuse(404)
        else:
            query = parse_qs(urlsplit(self.path).query)
            key, _, value = query["labelSelector"][0].partition("=")
            items = [one for one in things.values() if one["metadata"]["labels"].get(key) == value]
            self._answer(200, {"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": items})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if (found := self._found()) is None:
            return
        things: dict[str, dict[str, Any]] = getattr(self.held, found[0])
        try:
            check(body)
        except kubernetes_validate.ValidationError as error:
            self._refuse(422, error.message)
            return
        name = body["metadata"]["name"]
        if name in things:
            self._refuse(409)
            return
        body["metadata"]["uid"] = f"uid-of-{name}"
        things[name] = body | {"status": {}} if found[0] == "jobs" else body
        self._answer(201, things[name])

    def do_DELETE(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self.rfile.read(length)
        if (found := self._found()) is None:
            return
        kind, name, _ = found
        things: dict[str, dict[str, Any]] = getattr(self.held, kind)
        if things.pop(name, None) is None:
            self._refuse(404)
            return
        self.held.pods.pop(f"{name}-abcde", None)
        self._answer(200, {"apiVersion": "v1", "kind": "Status", "status": "Success"})

    def _found(self) -> tuple[str, str, bool] | None:
        self.held.asked.append(f"{self.command} {self.path}")
        match = _PATHS.fullmatch(urlsplit(self.path).path)
        if self.held.refusal or match is None or match["namespace"] != "leased":
            self._refuse(self.held.refusal or 404)
            return None
        return match["kind"], match["name"] or "", bool(match["log"])

    def _refuse(self, code: int, why: str = "") -> None:
        self._answer(code, {"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "message": why})

    def _answer(self, code: int, said: dict[str, Any]) -> None:
        self._say(code, json.dumps(said).encode(), "application/json")

    def _say(self, code: int, content: bytes, kind: str = "text/plain") -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Says nothing: the tests look at `asked`."""
