"""Many threads allocate from few heaps: in a process of its own, since it changes all of it."""

import subprocess
import sys
from pathlib import Path

# Eight threads at once, each with blocks that Python asks the C library for; then the C library tells of its heaps.
_SCRIPT = """
import ctypes, sys, threading
from api.heap import bound_heaps

if sys.argv[2:]:
    assert bound_heaps()
together = threading.Barrier(8)
def work():
    together.wait(30)
    mine = [bytes(3_000) for _ in range(1_000)]
    together.wait(30)
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
library = ctypes.CDLL(None)
library.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(library.fopen(sys.argv[1].encode(), b"w"))
assert library.malloc_info(0, file) == 0
library.fclose(file)
"""


def _heaps(told: Path, *options: str) -> int:
    subprocess.run([sys.executable, "-c", _SCRIPT, str(told), *options], check=True, timeout=60)
    return told.read_text(encoding="ascii").count("<heap nr=")


def test_there_are_two_heaps_at_most(tmp_path: Path) -> None:
    assert _heaps(tmp_path / "otherwise") > 2
    assert _heaps(tmp_path / "bounded", "bounded") <= 2
