"""Every line of every account as CSV and Parquet: the sums are the balances, and the bytes are always the same."""

import csv
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq  # type: ignore[import-untyped]

from ledger.audit.export import HEADER, SCHEMA, exporting, write_balances
from ledger.audit.replay import Replay
from ledger.audit.run import run_audit
from tests.day import tiny_day


def exported(folder: Path) -> Replay:
    with exporting(folder) as exporter:
        _, books = run_audit(tiny_day().market, sink=exporter.take)
    write_balances(folder, books)
    return books


def test_lines_add_up_to_the_balances_and_the_chain(tmp_path: Path) -> None:
    books = exported(tmp_path)
    sums: Counter[tuple[str, str, str]] = Counter()
    with (tmp_path / "lines.csv").open(newline="") as text:
        rows = list(csv.DictReader(text))
    for row in rows:
        account = row["account"], row["product"], row["unit"]
        assert int(row["before"]) == sums[account]
        sums[account] += int(row["amount"])
        assert int(row["after"]) == sums[account]
    with (tmp_path / "balances.csv").open(newline="") as text:
        balances = {(one["account"], one["product"], one["unit"]): int(one["balance"]) for one in csv.DictReader(text)}
    assert {account: units for account, units in sums.items() if units} == {
        account: units for account, units in balances.items() if units
    }
    for owner, micro in books.cash.items():
        assert balances[owner, "", "micro"] == micro == tiny_day().market.cash_micro(owner)


def test_parquet_holds_the_same_lines(tmp_path: Path) -> None:
    exported(tmp_path)
    table = pq.read_table(tmp_path / "lines.parquet")
    assert table.schema.equals(SCHEMA)
    with (tmp_path / "lines.csv").open(newline="") as text:
        rows = list(csv.reader(text))
    assert tuple(rows[0]) == HEADER
    columns = [column.to_pylist() for column in table.columns]
    assert [tuple(map(str, row)) for row in zip(*columns, strict=True)] == [tuple(row) for row in rows[1:]]
    assert len(rows) > 300


def test_csv_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        exported(tmp_path / name)
    for name in ("lines.csv", "balances.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
