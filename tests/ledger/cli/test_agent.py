"""The agent's command line: serve, prove, check, measure."""

import json
from pathlib import Path

import pytest

from ledger.agent import measure as module
from ledger.agent import slurm
from ledger.agent.document import JobDocument
from ledger.agent.jobstore import FolderJobs
from tests.ledger.conftest import Shell
from tests.slurm import Cluster
from tests.world import PROVIDER, STRANGER, World


def test_a_lease_is_served_and_its_readings_are_proven(shell: Shell, anvil_world: World, tmp_path: Path) -> None:
    world, shelf = anvil_world, FolderJobs(tmp_path / "store")
    content = JobDocument(("sh", "-c", "echo hi; sleep 600")).encode()
    shelf.put_document(content)
    site, product = world.site(), world.product(1)
    world.sell(site, product, 10)
    lease = world.delivery.redeem(product, site, 10, content).send(world.buyer).value
    folder = tmp_path / "agent"
    words = ("agent", "--site", site, "--jobs", tmp_path / "store", "--folder", folder, "--once", "--gpus", 0)
    world.clock.go_to(product.start_s)
    said = shell(*words, who=PROVIDER)
    assert said.code == 0, said.err
    assert f"site {site} · block" in said.out
    assert "1 open" in said.out
    world.clock.go_to(product.end_s)
    said = shell(*words, "--json", who=PROVIDER)
    assert said.code == 0, said.err
    shell(*words, "--json", who=PROVIDER)
    assert world.delivery.lease(lease).delivered_milli == 10_000
    assert shelf.result(lease)["log"].endswith("hi\n")
    said = shell("agent", "prove", "--folder", folder, "--lease", lease, "--reading", 0)
    assert said.json["reading"]["lease"] == lease
    proof = tmp_path / "proof.json"
    proof.write_text(said.out)
    assert shell("agent", "check", proof, "--json").json["good"] is True
    whole = shelf.result(lease)
    proof.write_text(json.dumps(whole))
    assert shell("agent", "check", proof, "--json").json["good"] is True
    whole["readings"][0]["delivered_milli"] -= 1_000
    proof.write_text(json.dumps(whole))
    assert "and its readings come to" in str(shell("agent", "check", proof, "--json").json["faults"])
    bent = json.loads(said.out)
    bent["reading"]["delivered_milli"] -= 1
    proof.write_text(json.dumps(bent))
    found = shell("agent", "check", proof, "--json")
    assert (found.code, found.json["good"], len(found.json["faults"])) == (1, False, 2)
    for text in ("{", "[]", json.dumps(whole | {"signatures": []})):
        proof.write_text(text)
        assert shell("agent", "check", proof).code == 2
    for number, reading in ((lease, 9), (9_999, 0)):
        assert shell("agent", "prove", "--folder", folder, "--lease", number, "--reading", reading).code == 2


def test_what_an_agent_lacks_is_said(shell: Shell, anvil_world: World, tmp_path: Path) -> None:
    site = anvil_world.site()
    assert "needs a site and a store" in shell("agent", who=PROVIDER).err
    words = ("agent", "--site", site, "--jobs", tmp_path, "--folder", tmp_path / "agent", "--once")
    said = shell(*words, who=STRANGER)
    assert said.code == 2
    assert "Use the provider's key" in said.err


def test_jobs_run_on_the_cluster_that_the_options_name(
    shell: Shell, anvil_world: World, tmp_path: Path, slurm_cluster: Cluster
) -> None:
    world, shelf = anvil_world, FolderJobs(tmp_path / "store")
    content = JobDocument(("sh", "-c", "echo on a node with $CUDA_VISIBLE_DEVICES; sleep 600")).encode()
    shelf.put_document(content)
    site, product = world.site(), world.product(1)
    world.sell(site, product, 1_000)
    lease = world.delivery.redeem(product, site, 1_000, content).send(world.buyer).value
    words: list[str | Path | int] = ["agent", "--site", site, "--jobs", tmp_path / "store", "--once"]
    words += [
        "--folder",
        tmp_path / "agent",
        "--executor",
        "slurm",
        "--slurm-conf",
        slurm_cluster.config,
        "--partition",
        "main",
    ]
    world.clock.go_to(product.start_s)
    assert "1 open" in shell(*words, who=PROVIDER).out

    def logs() -> list[str]:
        return [path.read_text() for path in tmp_path.glob("agent/runs/*/log")]

    slurm_cluster.wait_for(lambda: logs() == ["on a node with 0\n"], "the job's words")
    world.clock.go_to(product.end_s)

    def is_brought() -> bool:
        shell(*words, who=PROVIDER)
        return (tmp_path / "store" / "results" / f"{lease}.json").exists()

    slurm_cluster.wait_for(is_brought, "the result")
    assert world.delivery.lease(lease).delivered_milli == 1_000_000
    assert "on a node with 0\n" in shelf.result(lease)["log"]


def test_an_executor_that_is_not_there_is_named(
    shell: Shell, anvil_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("agent", "--site", anvil_world.site(), "--jobs", tmp_path, "--folder", tmp_path / "agent", "--once")
    absent = tmp_path / "absent"

    def refused(*more: str | Path) -> str:
        said = shell(*words, *more, who=PROVIDER)
        assert said.code == 2, said.err
        return said.err

    assert "No cluster is named" in refused("--executor", "kubernetes", "--kubeconfig", absent)
    assert f"There is no file {absent}" in refused("--executor", "slurm", "--slurm-conf", absent)
    assert "--image is for kubernetes, and the executor is local" in refused("--image", "python:3")
    monkeypatch.setattr(slurm, "_PATH", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "sbatch is not on this machine" in refused("--executor", "slurm")


def test_a_reading_of_a_lease_that_was_not_reported_is_not_judged(
    shell: Shell, anvil_world: World, tmp_path: Path
) -> None:
    lease, _ = anvil_world.lease()
    reading = dict(zip(("number", "from_s", "delivered_milli", "wall_ms", "cpu_ms", "gpu_ms"), [0] * 6, strict=True))
    proof = tmp_path / "proof.json"
    proof.write_text(json.dumps({"reading": {**reading, "lease": lease, "to_s": 1}, "signature": "0x", "proof": []}))
    said = shell("agent", "check", proof)
    assert said.code == 2
    assert "was not reported" in said.err


def test_a_machine_is_measured_and_signed(
    shell: Shell, bare_shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"_TURN_S": 0.01, "_MEMORY_BYTES": 2**22, "_DISK_BYTES": 2**21}.items():
        monkeypatch.setattr(module, name, value)
    said = shell("measure", "--turns", 2, "--evidence", tmp_path / "evidence.json", "--json", who=PROVIDER).json
    evidence = (tmp_path / "evidence.json").read_bytes()
    assert said["signer"] == PROVIDER.address
    assert module.evidence_signer(evidence, bytes.fromhex(said["signature"][2:])) == PROVIDER.address
    assert json.loads(evidence)["milli_units"] == said["milli_units"]
    monkeypatch.setattr(module, "QUIET_BP", 10_001)
    plain = bare_shell("measure", "--turns", 2)
    assert plain.code == 0
    assert "GENERAL" in plain.out
    assert "signature" not in plain.out
    assert "Measure again while nothing else runs" in plain.out
    refused = bare_shell("measure", "--evidence", tmp_path / "absent" / "evidence.json")
    assert refused.code == 2
    assert "is no folder of yours" in refused.err
