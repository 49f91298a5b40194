"""What the day's tables say, and that they fit the terminals that people have."""

import io

import pytest
from rich.console import Console as Terminal

from ledger.demo.board import dollars, show_day
from tests.day import tiny_day


@pytest.mark.parametrize(("amount_micro", "text"), [(2_104_000, "2.10"), (-2_105_000, "-2.11"), (10**9, "1,000.00")])
def test_dollars_rounds_to_the_nearest(amount_micro: int, text: str) -> None:
    assert dollars(amount_micro) == text


def test_show_day_fits_100_columns_and_cuts_nothing() -> None:
    shown = io.StringIO()
    show_day(tiny_day(), Terminal(file=shown, width=100))
    text = shown.getvalue()
    assert "…" not in text
    assert all(len(line) <= 100 for line in text.splitlines())
