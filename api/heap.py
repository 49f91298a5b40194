"""Has the C library give memory back: what threads free stays in as many heaps as there were threads, and each only
grows."""

import ctypes
from contextlib import suppress

# From malloc.h; all three as mallopt(3) explains them.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_HEAPS = 2
_BYTES = 2**20


def bound_heaps() -> bool:
    """From now on there are two heaps at most, and free memory of a MiB or more goes back to the system; whether the C
    library knows how. Threads hold Python's lock nearly always when they allocate, so that more heaps gain nothing.
    What was set by hand (MALLOC_ARENA_MAX) is overruled."""
    with suppress(OSError, AttributeError):
        said = ctypes.CDLL(None).mallopt
        wanted = ((_ARENA_MAX, _HEAPS), (_MMAP_THRESHOLD, _BYTES), (_TRIM_THRESHOLD, _BYTES))
        refused = [name for name, value in wanted if said(name, value) != 1]
        return not refused
    return False
