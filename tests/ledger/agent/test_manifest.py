"""What is sent to Kubernetes for a run: good by the API's own schema for any document, and kept to what was leased."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kubernetes import client

from ledger.agent.document import JobDocument
from ledger.agent.executor import Run
from ledger.agent.manifest import DISK, GPU, KEPT_S, files_of, job_of
from ledger.errors import InputError
from tests.kubeapi import check

START_S = 1_767_225_600
WORDS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20
) | st.sampled_from(["$(HOME)", "$", "$$", "$$(PATH)", "`id`"])
PARTS = st.text("abcXYZ019._- é", min_size=1, max_size=12).filter(lambda part: part not in (".", ".."))
NAMES = st.lists(PARTS, min_size=1, max_size=3).map("/".join)
FILES = st.dictionaries(NAMES, st.binary(max_size=50), max_size=5).filter(
    lambda files: not any(other.startswith(f"{name}/") for name in files for other in files)
)
DOCUMENTS = st.builds(
    JobDocument,
    command=st.lists(WORDS, min_size=1, max_size=5).map(tuple),
    environment=st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,10}", fullmatch=True), WORDS, max_size=4),
    files=FILES,
    image=st.sampled_from(["", "debian:12", "registry.example/a/b@sha256:00"]),
)
RUNS = st.builds(
    Run,
    run_id=st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True),
    lease=st.integers(0, 2**63),
    document=DOCUMENTS,
    folder=st.just(Path("unused")),
    units=st.integers(1, 2**31),
    devices=st.integers(1, 1_000),
    start_s=st.just(START_S),
    end_s=st.integers(START_S, START_S + 168 * 3_600),
    cpus=st.integers(0, 1_024),
    memory_bytes=st.integers(0, 2**45),
    gpus=st.integers(0, 64),
)


def plain(thing: Any) -> Any:
    """As it goes over the wire."""
    sanitized: Callable[[Any], Any] = client.ApiClient().sanitize_for_serialization
    return sanitized(thing)


def expanded(text: str) -> str:
    """As kubelet reads a word: `$$` is a dollar, `$(NAME)` a variable, which none of ours may be."""
    assert "$(" not in text.replace("$$", "")
    return text.replace("$$", "$")


@pytest.mark.slow
@settings(max_examples=25)
@given(RUNS)
def test_any_run_is_good_by_the_schema_and_gets_what_it_leases(run: Run) -> None:
    job, files = plain(job_of(run, "python:3.13", site=7)), plain(files_of(run, "uid"))
    check(job)
    check(files)
    spec = job["spec"]["template"]["spec"]
    container = spec["containers"][0]
    assert [expanded(word) for word in container["command"]] == list(run.document.command)
    environment = {one["name"]: expanded(one["value"]) for one in container["env"]}
    assert environment == {"HOME": "/job", **run.document.environment}
    wanted = {"cpu": run.cpus, "memory": run.memory_bytes, GPU: run.gpus}
    limits = {name: str(count) for name, count in wanted.items() if count} | {"ephemeral-storage": DISK}
    assert container["resources"].get("limits", {}) == container["resources"].get("requests", {}) == limits
    assert container["image"] == (run.document.image or "python:3.13")
    assert job["metadata"]["name"] == files["metadata"]["name"] == run.run_id
    assert job["metadata"]["labels"]["compute-ledger/lease"] == str(run.lease)
    assert job["metadata"]["labels"]["compute-ledger/site"] == "7"
    assert job["spec"]["activeDeadlineSeconds"] == max(1, run.end_s - run.start_s)
    mounted = {mount["mountPath"]: mount["subPath"] for mount in container["volumeMounts"] if "subPath" in mount}
    contents = {path: base64.b64decode(files["binaryData"][key]) for path, key in mounted.items()}
    assert contents == {f"/job/{name}": content for name, content in run.document.files.items()}


def run_of(**document: Any) -> Run:
    return Run("run-1", 1, JobDocument(**{"command": ("true",), **document}), Path("unused"), 1, 1, START_S, START_S)


def test_a_run_is_tried_once_by_nobody_with_no_token_and_no_privilege() -> None:
    spec = plain(job_of(run_of(), "debian:12"))["spec"]
    pod = spec["template"]["spec"]
    assert (spec["backoffLimit"], spec["completions"], spec["parallelism"]) == (0, 1, 1)
    assert (pod["restartPolicy"], pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (
        "Never",
        False,
        False,
    )
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["ttlSecondsAfterFinished"] == KEPT_S


def test_a_script_can_be_run_and_a_plain_file_cannot() -> None:
    job = plain(job_of(run_of(files={"a": b"#!/bin/sh\n", "b": b"x"}), "debian:12"))
    assert job["spec"]["template"]["spec"]["volumes"][0]["emptyDir"] == {"sizeLimit": "16Gi"}
    items = job["spec"]["template"]["spec"]["volumes"][1]["configMap"]["items"]
    assert [item["mode"] for item in items] == [0o555, 0o444]


@pytest.mark.parametrize(
    ("document", "image", "why"),
    [
        ({"environment": {"A": "$" * 300_000}}, "x", "words and variables"),
        ({"command": ("echo", "\x01" * 100_000)}, "x", "words and variables"),
        ({}, "", "no image"),
        ({"results": ("out/*",)}, "debian:12", "files back"),
        ({"files": {"a:b": b""}}, "debian:12", "mounted"),
    ],
)
def test_what_cannot_be_a_job_is_refused(document: dict[str, Any], image: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        job_of(run_of(**document), image)


@pytest.mark.parametrize("name", ["", "Run", "a_b", "-a", "a-", "a.b", "a" * 64, "ä"])
def test_a_name_that_is_none_in_kubernetes_is_refused(name: str) -> None:
    run = Run(name, 1, JobDocument(("true",)), Path("unused"), 1, 1, START_S, START_S)
    with pytest.raises(InputError, match="cannot name a Job"):
        job_of(run, "debian:12")
