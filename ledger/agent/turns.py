"""One hardware thread's part of a benchmark, as a process of its own: turns of dense matrix products.

It stands alone but for NumPy, and is started once for each thread, with its library kept to one thread:

    python turns.py fp64 9 0.25 1024 3      kind, turns, seconds of a turn, size of the matrices, processor

Each turn is a line: operations (in millions) for each second of processor time, and the share of the time that the
thread was given, in basis points. By processor time a machine that does other work meanwhile is measured as it is
itself; the share tells that it did.
"""

import os
import sys
import time
from collections.abc import Iterator

import numpy

KINDS = {"fp32": numpy.float32, "fp64": numpy.float64}


def turns(kind: str, count: int, turn_s: float, size: int) -> Iterator[tuple[float, int]]:
    """The rates and the shares of so many turns, after one that does not count."""
    generator = numpy.random.default_rng(1)
    left = generator.random((size, size)).astype(KINDS[kind])
    right = generator.random((size, size)).astype(KINDS[kind])
    into = numpy.empty_like(left)
    for number in range(count + 1):
        done, start_s, used_s = 0, time.perf_counter(), time.thread_time()
        while time.thread_time() - used_s < turn_s:
            numpy.matmul(left, right, out=into)
            done += 1
        used_s = time.thread_time() - used_s
        passed_s = time.perf_counter() - start_s
        if number:
            yield done * 2 * size**3 / used_s / 1e6, min(10_000, round(used_s / passed_s * 10_000))


def main(kind: str, count: int, turn_s: float, size: int, processor: int) -> None:
    """Prints each turn."""
    os.sched_setaffinity(0, [processor])
    for rate, share_bp in turns(kind, count, turn_s, size):
        sys.stdout.write(f"{rate} {share_bp}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
