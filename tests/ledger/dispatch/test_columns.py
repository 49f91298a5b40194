"""Sums in pieces are the sums of the whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.dispatch import columns
from ledger.dispatch.columns import chunks, counts, narrow, sums


def test_sums_and_counts_do_not_depend_on_the_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "CHUNK_ROWS", 3)

    @given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2**60))))
    def check(rows: list[tuple[int, int]]) -> None:
        of = np.array([number for number, _ in rows], dtype=np.int16)
        units = np.array([value for _, value in rows], dtype=np.int64)
        assert sums(of, units, 6).tolist() == [sum(value for one, value in rows if one == k) for k in range(6)]
        assert counts(of, 6).tolist() == [sum(one == k for one, _ in rows) for k in range(6)]
        assert [k for part in chunks(len(rows)) for k in range(part.start, part.stop)] == list(range(len(rows)))

    check()


def test_narrow_keeps_what_does_not_fit() -> None:
    assert narrow(np.array([1, 2**31 - 1])).dtype == np.int32
    assert narrow(np.array([1, 2**31])).tolist() == [1, 2**31]
