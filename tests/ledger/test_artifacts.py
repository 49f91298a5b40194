"""What is compiled is what forge compiles, once per content; a manifest says what it stands for."""

import json
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import BadDeployment, Deployment, InputError, MarketTerms, load_artifacts, load_deployment
from ledger.artifacts import CONTRACTS, SOLC_SETTINGS, Artifact, code_hash

ROOT = Path(__file__).parents[2]
CODE_BYTES_MAX = 24_576  # EIP-170
DEPLOYMENT = Deployment(
    chain_id=31_337,
    block=9,
    addresses={"Exchange": "0x" + "11" * 20},
    code_hashes={"Exchange": code_hash(b"\x60\x00")},
    terms=MarketTerms(),
)


def test_settings_are_those_of_foundry() -> None:
    profiles = tomllib.loads((ROOT / "foundry.toml").read_text())["profile"]
    profile = profiles["default"] | profiles.get("contracts", {})
    assert SOLC_SETTINGS["remappings"] == profile["remappings"]
    assert SOLC_SETTINGS["evmVersion"] == profile["evm_version"]
    assert SOLC_SETTINGS["viaIR"] == profile["via_ir"]
    assert SOLC_SETTINGS["optimizer"] == {"enabled": profile["optimizer"], "runs": profile["optimizer_runs"]}
    assert SOLC_SETTINGS["metadata"] == {
        "bytecodeHash": profile["bytecode_hash"],
        "appendCBOR": profile["cbor_metadata"],
    }


def test_every_contract_has_code_that_fits_and_an_abi() -> None:
    artifacts = load_artifacts()
    assert set(artifacts) == set(CONTRACTS)
    for name, artifact in artifacts.items():
        assert artifact.name == name
        assert 0 < len(artifact.runtime_code) <= CODE_BYTES_MAX
        assert len(artifact.creation_code) > len(artifact.runtime_code)
        assert artifact.abi
    assert artifacts["Exchange"].immutable_spans
    with pytest.raises(TypeError):
        artifacts["Exchange"] = artifacts["Delivery"]  # type: ignore[index]


def test_build_is_kept_and_read_again_by_another_process() -> None:
    load_artifacts()
    kept = {path: path.stat().st_mtime_ns for path in (ROOT / ".cache").glob("contracts-*.json")}
    assert kept
    subprocess.run([sys.executable, "-c", "from ledger import load_artifacts; load_artifacts()"], cwd=ROOT, check=True)
    assert {path: path.stat().st_mtime_ns for path in (ROOT / ".cache").glob("contracts-*.json")} == kept


def checkout(folder: Path) -> Path:
    """A checkout with its own contracts, and this one's compiler and libraries."""
    copytree(ROOT / "contracts", folder / "contracts")
    copytree(ROOT / "scripts", folder / "scripts")
    for name in ("node_modules", ".venv"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def test_source_that_does_not_compile_is_told_and_not_kept(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    (root / "contracts" / "Exchange.sol").write_text("pragma solidity 0.8.37; contract Exchange { nonsense }")
    with pytest.raises(InputError, match=r"do not compile(?s:.*)Exchange.sol"):
        load_artifacts(root)
    assert not list((root / ".cache").glob("contracts-*.json"))


def test_missing_source_or_compiler_is_told(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    (root / "contracts" / "libraries" / "PriceGrid.sol").unlink()
    with pytest.raises(InputError, match=r"PriceGrid.sol is missing. Run scripts/install"):
        load_artifacts(root)
    (root / "node_modules").unlink()
    with pytest.raises(InputError, match="Run scripts/install"):
        load_artifacts(root)


def test_installed_package_without_sources_says_that_a_checkout_is_needed(tmp_path: Path) -> None:
    copytree(ROOT / "ledger", tmp_path / "ledger")
    program = "import ledger\ntry: ledger.load_artifacts()\nexcept ledger.InputError as error: print(error)"
    run = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "an installed package, not a checkout. Clone the repository" in run.stdout


@given(st.binary(min_size=8, max_size=8), st.binary(min_size=3, max_size=3))
def test_masked_code_differs_only_where_immutables_stand(code: bytes, immutable: bytes) -> None:
    artifact = Artifact("Any", (), b"", code[:2] + bytes(3) + code[5:], ((2, 3),))
    assert artifact.masked(code[:2] + immutable + code[5:]) == artifact.runtime_code
    changed = bytes([code[0] ^ 1]) + code[1:]
    assert artifact.masked(changed) != artifact.runtime_code


def test_manifest_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "run" / "deployment.json"
    DEPLOYMENT.write(path)
    assert load_deployment(path) == DEPLOYMENT
    replace(DEPLOYMENT, block=10).write(path)
    assert load_deployment(path).block == 10
    assert [one.name for one in path.parent.iterdir()] == ["deployment.json"]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"chain_id": "x"}', json.dumps({"chain_id": 1, "block": 1, "addresses": 3})],
)
def test_file_that_is_no_manifest_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "deployment.json"
    path.write_text(text)
    with pytest.raises(BadDeployment, match="it is no manifest"):
        load_deployment(path)


def test_manifest_with_unknown_terms_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deployment.json"
    DEPLOYMENT.write(path)
    record = json.loads(path.read_text())
    record["terms"]["round_minutes"] = 1
    path.write_text(json.dumps(record))
    with pytest.raises(BadDeployment, match="round_minutes"):
        load_deployment(path)


def test_missing_manifest_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadDeployment, match="No such file"):
        load_deployment(tmp_path / "deployment.json")


def test_contract_that_is_not_deployed_is_told() -> None:
    with pytest.raises(InputError, match="no contract 'Bridge'"):
        DEPLOYMENT.address("Bridge")


def test_code_is_checked_against_the_manifest() -> None:
    DEPLOYMENT.check_code("Exchange", b"\x60\x00")
    for code in (b"", b"\x60\x01"):
        with pytest.raises(BadDeployment, match="where Exchange should be"):
            DEPLOYMENT.check_code("Exchange", code)


def test_delivery_terms_are_all_but_rounds() -> None:
    assert MarketTerms().delivery_terms == (86_400, 86_400, 259_200, 3_600, 1_000, 500, 2_000)


def test_load_artifacts_says_where_state_variables_lie() -> None:
    """As contracts/Exchange.sol declares them, behind those of its parts: an auditor computes storage keys from it."""
    slots = load_artifacts()["Exchange"].slots
    assert [slots[name] for name in ("_books", "_orders", "_settled", "_rounds", "_held")] == [4, 5, 6, 7, 8]
    assert load_artifacts()["Treasury"].slots == {"_accounts": 0}
