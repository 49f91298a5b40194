"""The GPU's part of a benchmark, with NumPy in the place of a device; and its clean absence."""

from typing import Any

import numpy
import pytest

from ledger.agent import gpu
from ledger.agent.gpu import Gpu, find_gpu


def test_turns_multiply_and_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "_SIZE", 32)
    waits: list[int] = []
    kinds: dict[str, Any] = {"fp16": numpy.float16, "fp32": numpy.float32, "fp64": numpy.float64}
    device = Gpu(
        "numpy", 2**30, 1, lambda kind, size: numpy.ones((size, size), dtype=kinds[kind]), lambda: waits.append(1)
    )
    for kind in kinds:
        assert device.product(kind, 0.001)() > 0
    # Before the clock starts, and after each product: what is only ordered is not measured.
    assert len(waits) >= 6


@pytest.mark.parametrize("error", [ImportError("none"), RuntimeError("no driver")])
def test_whatever_is_wrong_with_a_driver_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(name: str) -> Any:
        raise error

    monkeypatch.setattr(gpu, "import_module", fail)
    assert find_gpu() is None
