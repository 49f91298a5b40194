"""What a machine measures of itself, and how that becomes units."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ledger.agent import measure as module
from ledger.agent.measure import Figure, Measured, evidence_signer, measure, milli_units_of, sign_evidence, spread_bp
from ledger.errors import InputError
from ledger.product import ComputeClass
from ledger.standard import load_standard
from tests.world import PROVIDER, STRANGER

CPU: dict[str, Any] = {"threads": 8, "memory_bytes": 64 * 10**9}
H100: dict[str, Any] = CPU | {"gpus": 8, "gpu_memory_bytes": 80 * 10**9}


def test_this_machine_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TURN_S", 0.01)
    monkeypatch.setattr(module, "_MEMORY_BYTES", 2**22)
    monkeypatch.setattr(module, "_DISK_BYTES", 2**21)
    told: list[str] = []
    found = measure(2, tell=told.append)
    assert told == [one.name for one in found.figures]
    assert {"fp32", "fp64", "memory", "disk"} <= set(told)
    assert all(one.value > 0 for one in found.figures)
    assert found.milli_units[ComputeClass.GENERAL] <= 1_000 * len(os.sched_getaffinity(0))
    said = json.loads(found.evidence)
    assert said["milli_units"]["GENERAL"] == found.milli_units[ComputeClass.GENERAL]
    assert found.evidence_hash == keccak(found.evidence)


def test_the_reference_at_its_peak_is_a_thousand_units_a_device_as_published() -> None:
    rates = {"gpu fp64": 66.9, "gpu fp16": 989.4, "fp64": 1.0}
    published = {
        entry.rating.class_id: entry.rating.milli_units
        for entry in load_standard().entries
        if entry.rating.device == "H100 SXM5 80GB"
    }
    found = milli_units_of(rates, H100)
    for class_id, milli_units in published.items():
        assert found[class_id] == pytest.approx(8 * milli_units, rel=0.002)
    assert found[ComputeClass.GENERAL] == 8_000


def test_without_a_gpu_there_is_no_ai_and_hpc_is_the_processors() -> None:
    found = milli_units_of({"fp64": 0.67, "fp32": 9.0}, CPU)
    assert set(found) == {ComputeClass.HPC, ComputeClass.GENERAL}
    assert found[ComputeClass.HPC] == pytest.approx(10_000, rel=0.01)
    assert set(milli_units_of({"fp64": 0.67}, CPU | {"memory_bytes": 8 * 10**9})) == {ComputeClass.GENERAL}


def test_a_small_gpu_is_no_large_one() -> None:
    small = H100 | {"gpu_memory_bytes": 24 * 10**9}
    assert ComputeClass.AI_LARGE not in milli_units_of({"gpu fp16": 100.0}, small)
    assert ComputeClass.AI_SMALL in milli_units_of({"gpu fp16": 100.0}, small)


@given(st.integers(1, 512), st.integers(0, 2**42))
def test_a_vcpu_needs_a_thread_and_its_memory(threads: int, memory_bytes: int) -> None:
    found = milli_units_of({}, {"threads": threads, "memory_bytes": memory_bytes})
    milli = found.get(ComputeClass.GENERAL, 0)
    assert milli <= 1_000 * threads
    assert milli * 4 * 10**9 <= memory_bytes * 1_000
    assert milli == 1_000 * threads or (milli + 1) * 4 * 10**9 > memory_bytes * 1_000


def test_evidence_is_signed_by_who_measured() -> None:
    measured = Measured({4: 8_000}, (Figure("fp64", 0.1234567, "TFLOPS", 12),), CPU)
    signature = sign_evidence(measured, PROVIDER)
    assert evidence_signer(measured.evidence, signature) == PROVIDER.address != STRANGER.address
    assert evidence_signer(measured.evidence + b" ", signature) != PROVIDER.address
    assert json.loads(measured.evidence)["figures"] == {"fp64": [0.1235, "TFLOPS", 12]}


@given(st.lists(st.floats(0.001, 1e6), min_size=2, max_size=20))
def test_the_spread_is_of_the_middle_half(rates: list[float]) -> None:
    assert spread_bp([rates[0]] * 5) == 0
    assert spread_bp(rates) >= 0
    wild = [*[1.0] * 9, 1e6]
    assert spread_bp(wild) == 0
    assert spread_bp([0.0, 0.0]) == 0


def test_a_machine_that_does_other_work_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for share_bp, quiet in ((9_999, True), (4_000, False)):
        monkeypatch.setattr(module, "_products", lambda *_, share_bp=share_bp: ([1.0, 1.0], share_bp))
        monkeypatch.setattr(module, "_benchmarks", lambda *_: [])
        assert measure(2).machine["quiet"] is quiet


def test_a_benchmark_that_does_not_run_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SIZE", -1)
    with pytest.raises(InputError, match="fp32 did not run: ValueError: negative dimensions"):
        measure(2)


def test_a_disk_that_cannot_be_written_is_no_figure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "_products", lambda *_: ([1.0, 1.0], 10_000))
    monkeypatch.setattr(module, "_MEMORY_BYTES", 2**22)
    with pytest.raises(InputError, match=r"disk of .*absent was not measured: No such file or directory"):
        measure(2, tmp_path / "absent")
