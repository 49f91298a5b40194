"""What the checks share."""

import numpy as np

from ledger.dispatch.rules import sums


def test_sums_are_exact_where_floats_still_are() -> None:
    found = sums(np.array([0, 2, 2]), np.array([2**52, 1, 2**52]), 4)
    assert found.tolist() == [2**52, 0, 2**52 + 1, 0]
