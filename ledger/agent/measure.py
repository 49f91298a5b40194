"""What a machine yields in standard units, measured on it: a short benchmark, signed, ready for an auditor's `attest`.

How a figure becomes units, by the standard's own references (`ledger.standard`):

- GENERAL: a unit is one vCPU, a hardware thread with 4 GB of memory. So many units as there are threads for us, or as
  the memory is enough for, whichever is less; nothing is timed.
- HPC, with the class's least memory: a unit is a thousandth of the reference's dense FP64 matrix rate, by the same
  datasheet as the published ratings. The rate is that of a matrix product, on the GPU where there is one and on the
  processors otherwise.
- AI_LARGE and AI_SMALL, only with a GPU that has the class's least memory: a thousandth of the reference's dense FP16
  matrix rate. The published ratings rest on MLPerf where they can; this stands in where nobody has run that.

The reference is the datasheet's peak, and what is measured stays below a peak: the result is on the careful side. FP32,
memory and disk are measured too and stand in the evidence; no class is sold by them.

Each figure is the median of several turns, after one that does not count; `spread_bp` says by how much the middle half
of the turns differ. The processors' rates are by processor time, each thread for itself and all at once (`turns.py`),
so that other work on the machine changes them little; `share_bp` is how much of the time they were given. Below 95 %
the machine was not quiet: the evidence says so, and an auditor has it measured again.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy
from eth_utils.crypto import keccak

from ledger import datasets
from ledger.agent import turns as stand_alone
from ledger.agent.gpu import Gpu, find_gpu
from ledger.errors import InputError
from ledger.keys import Signer, recover
from ledger.product import ComputeClass, class_name
from ledger.standard import CLASSES, REFERENCE
from ledger.units import MILLI_PER_UNIT

TURNS = 9
QUIET_BP = 9_500
_TURN_S = 0.25
_SIZE = 768
_MEMORY_BYTES, _DISK_BYTES = 256 * 2**20, 64 * 2**20
_VCPU_BYTES = 4 * 10**9
_TERA, _MEGA = 1e12, 1e6


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured rate: its name, the median of the turns, its unit, and how far the middle half of the turns lie
    apart, in basis points of the median."""

    name: str
    value: float
    unit: str
    spread_bp: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What a machine yields: milli-units by class, the figures they rest on, and what machine it was."""

    milli_units: dict[int, int]
    figures: tuple[Figure, ...]
    machine: dict[str, Any]

    @property
    def evidence(self) -> bytes:
        """The canonical text, whose keccak-256 an auditor attests."""
        said = {
            "figures": {one.name: [round(one.value, 4), one.unit, one.spread_bp] for one in self.figures},
            "machine": self.machine,
            "milli_units": {class_name(key): value for key, value in self.milli_units.items()},
            "reference": REFERENCE,
            "version": 1,
        }
        return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()

    @property
    def evidence_hash(self) -> bytes:
        return keccak(self.evidence)


def measure(turns: int = TURNS, folder: Path | None = None, tell: Callable[[str], None] = lambda _: None) -> Measured:
    """Measures this machine: about ten seconds, all processors busy. `tell` hears what is being measured; the disk is
    that of `folder`."""
    gpu, figures, shares = find_gpu(), [], []
    for name in stand_alone.KINDS:
        tell(name)
        rates, share_bp = _products(name, max(2, turns))
        shares.append(share_bp)
        figures.append(_figure(name, "TFLOPS", rates))
    for name, unit, turn in _benchmarks(gpu, folder):
        tell(name)
        turn()
        figures.append(_figure(name, unit, [turn() for _ in range(max(2, turns))]))
    machine = {"memory_bytes": _memory_bytes(), "threads": _threads(), "processor": _processor()}
    machine |= {"share_bp": min(shares), "quiet": min(shares) >= QUIET_BP}
    if gpu is not None:
        machine |= {"gpu": gpu.name, "gpu_memory_bytes": gpu.memory_bytes, "gpus": gpu.count}
    return Measured(milli_units_of({one.name: one.value for one in figures}, machine), tuple(figures), machine)


def milli_units_of(rates: dict[str, float], machine: dict[str, Any]) -> dict[int, int]:
    """Milli-units by class, from TFLOPS by name of figure and the facts of the machine; classes with none left out."""
    sheet = next(one for one in datasets.datasheets() if one.device == REFERENCE)
    threads = min(machine["threads"] * MILLI_PER_UNIT, machine["memory_bytes"] * MILLI_PER_UNIT // _VCPU_BYTES)
    found = {int(ComputeClass.GENERAL): threads}
    gpus, memory_gb = machine.get("gpus", 0), machine.get("gpu_memory_bytes", 0) / 1e9
    fp64 = rates.get("gpu fp64", 0.0) * gpus or rates.get("fp64", 0.0)
    if (memory_gb if gpus else machine["memory_bytes"] / 1e9) >= CLASSES[ComputeClass.HPC].min_memory_gb:
        found[int(ComputeClass.HPC)] = _milli(fp64, float(sheet.fp64_matrix_tflops or 0))
    for class_id in (ComputeClass.AI_LARGE, ComputeClass.AI_SMALL):
        if gpus and memory_gb >= CLASSES[class_id].min_memory_gb:
            found[int(class_id)] = _milli(rates.get("gpu fp16", 0.0) * gpus, float(sheet.fp16_tflops or 0))
    return {class_id: milli for class_id, milli in sorted(found.items()) if milli}


def _milli(tflops: float, reference_tflops: float) -> int:
    return int(tflops / reference_tflops * 1_000 * MILLI_PER_UNIT) if reference_tflops else 0


def sign_evidence(measured: Measured, signer: Signer) -> bytes:
    """The provider's signature of the evidence's hash, as a wallet's personal_sign of its 32 bytes."""
    return signer.sign_digest(_personal(measured.evidence_hash))


def evidence_signer(evidence: bytes, signature: bytes) -> str | None:
    """Who signed the evidence; None where the signature is none."""
    return recover(_personal(keccak(evidence)), signature)


def _personal(content: bytes) -> bytes:
    return keccak(b"\x19Ethereum Signed Message:\n" + str(len(content)).encode() + content)


# ---- how it is measured


Turn = Callable[[], float]
"""One turn of a benchmark; gives its rate."""


def _benchmarks(gpu: Gpu | None, folder: Path | None) -> list[tuple[str, str, Turn]]:
    found: list[tuple[str, str, Turn]] = [("memory", "MB/s", _copy()), ("disk", "MB/s", lambda: _write(folder))]
    if gpu is not None:
        found += [(f"gpu {kind}", "TFLOPS", gpu.product(kind, _TURN_S)) for kind in ("fp16", "fp32", "fp64")]
    return found


def _figure(name: str, unit: str, rates: Sequence[float]) -> Figure:
    return Figure(name, median(rates), unit, spread_bp(rates))


def _products(kind: str, turns: int) -> tuple[list[float], int]:
    """The machine's rates of matrix products in TFLOPS, and the median share of the time that its threads were given:
    a process for each thread, all at once."""
    alone = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "BLIS", "VECLIB")}
    words = [sys.executable, "-I", stand_alone.__file__, kind, str(turns), str(_TURN_S), str(_SIZE)]
    running = [
        subprocess.Popen(
            [*words, str(thread)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", env=alone
        )
        for thread in sorted(os.sched_getaffinity(0))
    ]
    told = [one.communicate() for one in running]
    for one, (_, words_of_error) in zip(running, told, strict=True):
        if one.returncode:
            why = (words_of_error.splitlines() or [f"it ended with {one.returncode}"])[-1]
            raise InputError(
                f"The benchmark of {kind} did not run: {why[:200]}.", "Is NumPy installed, and is there memory for it?"
            )
    said = [output.split() for output, _ in told]
    rates = [sum(float(words[2 * turn]) for words in said) / _TERA * _MEGA for turn in range(turns)]
    return rates, round(median(int(words[2 * turn + 1]) for words in said for turn in range(turns)))


def spread_bp(rates: Sequence[float]) -> int:
    """How far the quartiles of at least two rates lie apart, in basis points of the median."""
    low, middle, high = quantiles(rates, n=4, method="inclusive")
    return round((high - low) / middle * 10_000) if middle else 0


def _copy() -> Turn:
    source = numpy.ones(_MEMORY_BYTES // 8)
    into = numpy.empty_like(source)

    def turn() -> float:
        start_s = time.thread_time()
        numpy.copyto(into, source)
        # Read once and written once.
        return 2 * _MEMORY_BYTES / (time.thread_time() - start_s) / _MEGA

    return turn


def _write(folder: Path | None) -> float:
    block = os.urandom(2**20)
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            start_s = time.perf_counter()
            for _ in range(_DISK_BYTES // len(block)):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
            return _DISK_BYTES / (time.perf_counter() - start_s) / _MEGA
    except OSError as error:
        place = folder or tempfile.gettempdir()
        raise InputError(
            f"The disk of {place} was not measured: {error.strerror or error}.",
            f"It takes {_DISK_BYTES // 2**20} MiB there; TMPDIR names another place.",
        ) from None


# ---- what machine it is


def _threads() -> int:
    return len(os.sched_getaffinity(0))


def _memory_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
