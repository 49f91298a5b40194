"""Sums over columns of millions of rows, a piece at a time: memory that was used is used again, and stays in reach."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.integer[Any]]
Ints = NDArray[np.int64]

CHUNK_ROWS = 2**20


def chunks(rows: int) -> Iterator[slice]:
    """Consecutive pieces of so many rows."""
    return (slice(start, min(rows, start + CHUNK_ROWS)) for start in range(0, rows, CHUNK_ROWS))


def sums(of: Column, units: Column, size: int) -> Ints:
    """Adds up `units` by the numbers `of`, which lie in 0 … size − 1; exact to 64 bits."""
    total = np.zeros(size, dtype=np.int64)
    for part in chunks(len(of)):
        np.add.at(total, of[part].astype(np.int64, copy=False), units[part].astype(np.int64, copy=False))
    return total


def counts(of: Column, size: int) -> Ints:
    """How often each number of 0 … size − 1 occurs."""
    total = np.zeros(size, dtype=np.int64)
    for part in chunks(len(of)):
        total += np.bincount(of[part], minlength=size)
    return total


def narrow(column: Ints) -> Column:
    """The same numbers, none negative, in 32 bits where they fit."""
    return column.astype(np.int32) if int(column.max(initial=0)) < 2**31 else column
