"""The agent's command line: serve, prove, check, measure."""

import json
from pathlib import Path

import pytest

from ledger.agent import measure as module
from ledger.agent.document import JobDocument
from ledger.agent.jobstore import FolderJobs
from tests.ledger.conftest import Shell
from tests.world import PROVIDER, STRANGER, World


def test_a_lease_is_served_and_its_readings_are_proven(shell: Shell, anvil_world: World, tmp_path: Path) -> None:
    world, shelf = anvil_world, FolderJobs(tmp_path / "store")
    content = JobDocument(("sh", "-c", "echo hi; sleep 600")).encode()
    shelf.put_document(content)
    site, product = world.site(), world.product(1)
    world.sell(site, product, 10)
    lease = world.delivery.redeem(product, site, 10, content).send(world.buyer).value
    folder = tmp_path / "agent"
    words = ("agent", "--site", site, "--jobs", tmp_path / "store", "--folder", folder, "--once")
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
    bent = json.loads(said.out)
    bent["reading"]["delivered_milli"] -= 1
    proof.write_text(json.dumps(bent))
    found = shell("agent", "check", proof, "--json")
    assert (found.code, found.json["good"], len(found.json["faults"])) == (1, False, 2)
    proof.write_text("{")
    assert shell("agent", "check", proof).code == 2
    assert shell("agent", "prove", "--folder", folder, "--lease", lease, "--reading", 9).code == 2
    assert shell("agent", "prove", "--folder", folder, "--lease", 9_999, "--reading", 0).code == 2


def test_what_an_agent_lacks_is_said(shell: Shell, anvil_world: World, tmp_path: Path) -> None:
    site = anvil_world.site()
    assert "needs a site and a store" in shell("agent", who=PROVIDER).err
    words = ("agent", "--site", site, "--jobs", tmp_path, "--folder", tmp_path / "agent", "--once")
    said = shell(*words, who=STRANGER)
    assert said.code == 2
    assert "Use the provider's key" in said.err


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
    plain = bare_shell("measure", "--turns", 2)
    assert plain.code == 0
    assert "GENERAL" in plain.out
    assert "signature" not in plain.out
