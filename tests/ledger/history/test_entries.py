"""Rows come to be once, change in place, and say which event was the last to change them."""

import pytest

from ledger.artifacts import MarketTerms
from ledger.errors import HistoryBroken
from ledger.history.entries import Entries, end_s, start_s
from ledger.product import Grade, Product, Tier
from ledger.store.engine import IN_MEMORY, open_store
from ledger.store.history import Rows

OWNER = "0x" + "A" * 40


def entries() -> Entries:
    found = Entries(Rows(open_store(IN_MEMORY)), MarketTerms())
    found.at = {"block": 7, "log_index": 3}
    return found


def test_pay_adds_up_and_says_where_from() -> None:
    to = entries()
    to.pay(OWNER, 5)
    to.at = {"block": 8, "log_index": 0}
    row = to.pay(OWNER, -2)
    assert (row["owner"], row["free_micro"], row["block"], row["log_index"]) == (OWNER, 3, 8, 0)
    assert to.known("cash", OWNER) == row
    assert to.pay("0x" + "B" * 40, 1)["free_micro"] == 1, "a new row does not begin with another's numbers"


def test_what_is_not_there_is_neither_changed_nor_read() -> None:
    for look in (entries().change, entries().known):
        with pytest.raises(HistoryBroken, match="not in leases"):
            look("leases", 5)


def test_owed_is_due_when_window_and_grace_are_over() -> None:
    to, product = entries(), Product(1, Tier.METRO, 257, Grade.BASIC, 500_000, 24)
    row = to.owed(product.id, 3)
    assert row["due_s"] == product.end_s + to.terms.grace_s
    row["units"] += 4
    assert to.owed(product.id, 3)["units"] == 4
    assert (start_s(product.id), end_s(product.id)) == (product.start_s, product.end_s)


def test_set_makes_a_row_or_makes_it_so() -> None:
    to = entries()
    to.set("pauses", ("orders",), {"paused": True})
    to.set("pauses", ("orders",), {"paused": False})
    assert to.known("pauses", "orders")["paused"] is False
