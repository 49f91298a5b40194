"""A record's fields are columns of its table, so that none is read from nowhere."""

from dataclasses import fields

import pytest

from ledger.store import records
from ledger.store import tables as t

RECORDS = [
    (records.Head, t.HISTORY),
    (records.BlockRow, t.BLOCKS),
    (records.BookRow, t.BOOKS),
    (records.OrderRow, t.ORDERS),
    (records.ClearingRow, t.CLEARINGS),
    (records.FillRow, t.FILLS),
    (records.BalanceRow, t.BALANCES),
    (records.CashRow, t.CASH),
    (records.SiteRow, t.SITES),
    (records.ObligationRow, t.OBLIGATIONS),
    (records.LeaseRow, t.LEASES),
]


@pytest.mark.parametrize(("record", "table"), RECORDS)
def test_fields_are_columns(record: type[object], table: object) -> None:
    names = {field.name for field in fields(record)}  # type: ignore[arg-type]
    assert names <= set(getattr(table, "c").keys())  # noqa: B009
