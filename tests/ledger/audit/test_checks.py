"""The books beside the chain: equal after a true replay; where a page is changed, the check of that page says so."""

from collections.abc import Callable
from copy import deepcopy

import pytest

from ledger.audit.books import Bonded, differences
from ledger.audit.checks import CHECKS, check_market, reads_of
from ledger.audit.replay import Replay
from ledger.demo.day import Day
from tests.day import tiny_day


def some(day: Day) -> int:
    return next(iter(day.replay.first_rounds))


SPOILT: dict[int, Callable[[Replay, int], None]] = {
    1: lambda books, _: books.cash.update({next(iter(books.cash)): 1}),
    2: lambda books, product: books.outstanding.update({product: 1}),
    3: lambda books, product: books.spent.update({(product, 1): 1}),
    5: lambda books, product: books.escrow.update({product: 1}),
    6: lambda books, product: books.clearings.__setitem__(
        product | 1 << 88, next(clearing for clearing in books.clearings.values() if clearing.units)
    ),
    8: lambda books, product: books.owed.__setitem__((product, 1), Bonded(0, 1)),
    10: lambda books, _: books.fault("INV-10", "a slot", "settled", "waiting"),
    11: lambda books, product: books.in_escrow.update({product: 1}),
    12: lambda books, _: books.marks.update({next(iter(books.cash)): (1, 1)}),
    14: lambda books, product: books.escrow.update({product: 1}),
    15: lambda books, _: setattr(books.sites[1], "failed", books.sites[1].failed + 1),
    16: lambda books, _: books.units.update({next(iter(books.units)): 1}),
}


def test_check_market_finds_nothing_after_a_true_replay() -> None:
    day = tiny_day()
    checks = check_market(day.market, day.replay)
    assert differences(checks) == []
    assert [check.rule for check in checks] == [rule for rule, _, _ in CHECKS] == [f"INV-{n}" for n in range(1, 18)]
    assert reads_of(checks) > 100


@pytest.mark.parametrize("number", SPOILT)
def test_check_market_says_which_page_differs(number: int) -> None:
    day = tiny_day()
    books = deepcopy(day.replay)
    SPOILT[number](books, some(day))
    assert f"INV-{number}" in {finding.rule for finding in differences(check_market(day.market, books))}


def test_every_check_that_reads_is_spoilt_here() -> None:
    day = tiny_day()
    reading = {check.number for check in check_market(day.market, day.replay) if check.compared}
    assert reading <= set(SPOILT)
