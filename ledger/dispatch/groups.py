"""Interchangeable jobs as one: same in everything but the name."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from ledger.dispatch.columns import Column, Ints, counts
from ledger.dispatch.tables import JOB_COLUMNS, JobTable

_KEY_MAX = 2**62


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Groups in order of their content, whatever the order of the jobs: row g of `spec` and `count[g]` jobs like it.

    `of` gives each job's group; `order` lists the jobs by group and, inside one, by position: the order in which a
    group's flow is handed out.
    """

    spec: JobTable
    count: Ints
    of: Column
    order: Column
    first: Ints

    def __len__(self) -> int:
        return len(self.count)


def group_jobs(jobs: JobTable) -> Groups:
    """Groups the jobs by packed keys, in linear time but for the sorting of the groups themselves."""
    codes, members = _codes(jobs)
    spec = jobs.only(members)
    by_content = np.lexsort([getattr(spec, name) for name in reversed(JOB_COLUMNS)])
    rank = np.empty(len(members), dtype=np.int64)
    rank[by_content] = np.arange(len(members))
    # Narrow numbers sort by radix, in linear time.
    narrow: Column = rank.astype(np.uint16) if len(members) <= 2**16 else rank.astype(np.int32)
    of = narrow[codes]
    count = counts(of, len(members))
    order = np.argsort(of, kind="stable")
    return Groups(spec.only(by_content), count, of, order, np.cumsum(count) - count)


def _codes(jobs: JobTable) -> tuple[Column, Ints]:
    """A number for each job, the same for the same content; and one member of each number, in order of number."""
    key, size = np.zeros(len(jobs), dtype=np.int64), 1
    for name in JOB_COLUMNS:
        column = getattr(jobs, name)
        least, most = (int(column.min()), int(column.max())) if len(column) else (0, 0)
        span = most - least + 1
        if span == 1:
            continue
        if size * span > _KEY_MAX:
            key, size = _dense(key)
        if size * span > _KEY_MAX:
            column, span = _dense(column.astype(np.int64))
            least = 0
        key *= span
        key += column
        key -= least
        size *= span
    codes, size = _dense(key)
    members = np.empty(size, dtype=np.int64)
    # The last of equal numbers stays: any member shows the content.
    members[codes] = np.arange(len(codes))
    return codes, members


def _dense(key: Ints) -> tuple[Ints, int]:
    encoded = pa.array(key).dictionary_encode()
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64), len(encoded.dictionary)
