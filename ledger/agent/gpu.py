"""The GPU for a benchmark, by PyTorch or CuPy, whichever is installed; none of them is needed, and none is ours."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

_SIZE = 8_192
_TERA = 1e12


@dataclass(frozen=True, slots=True)
class Gpu:
    """What the driver says of the first device, how many there are, and what multiplies on it: `matrix` makes one of a
    kind, `wait` waits until all that was ordered is done."""

    name: str
    memory_bytes: int
    count: int
    matrix: Callable[[str, int], Any]
    wait: Callable[[], None]

    def product(self, kind: str, turn_s: float) -> Callable[[], float]:
        """Turns of dense matrix products of `fp16`, `fp32` or `fp64`; each gives TFLOPS."""
        left, right = self.matrix(kind, _SIZE), self.matrix(kind, _SIZE)

        def turn() -> float:
            self.wait()
            done, start_s = 0, time.perf_counter()
            while time.perf_counter() - start_s < turn_s or not done:
                _ = left @ right
                self.wait()
                done += 1
            return done * 2 * _SIZE**3 / (time.perf_counter() - start_s) / _TERA

        return turn


def find_gpu() -> Gpu | None:
    """The GPU here; None where there is none, or nothing that could use it."""
    for find in (_by_torch, _by_cupy):
        try:
            found = find()
        except Exception:
            # Whatever a driver raises: there is no GPU for us.
            continue
        if found is not None:
            return found
    return None


def _by_torch() -> Gpu | None:
    torch: Any = import_module("torch")
    if not torch.cuda.is_available():
        return None
    kinds = {"fp16": torch.float16, "fp32": torch.float32, "fp64": torch.float64}
    facts = torch.cuda.get_device_properties(0)

    def matrix(kind: str, size: int) -> Any:
        return torch.rand(size, size, device="cuda").to(kinds[kind])

    return Gpu(facts.name, facts.total_memory, torch.cuda.device_count(), matrix, torch.cuda.synchronize)


def _by_cupy() -> Gpu | None:
    cupy: Any = import_module("cupy")
    count = int(cupy.cuda.runtime.getDeviceCount())
    if not count:
        return None
    kinds = {"fp16": cupy.float16, "fp32": cupy.float32, "fp64": cupy.float64}
    facts = cupy.cuda.runtime.getDeviceProperties(0)

    def matrix(kind: str, size: int) -> Any:
        return cupy.random.random((size, size)).astype(kinds[kind])

    return Gpu(facts["name"].decode(), int(facts["totalGlobalMem"]), count, matrix, cupy.cuda.Stream.null.synchronize)
