"""Every account's lines for accountants: CSV and Parquet, with the balance before and after each line.

Cash is in micro (millionths of the settlement token), units in units; both are whole numbers. The same history gives
the same bytes of CSV on any machine.
"""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from ledger.audit.books import Books, Line
from ledger.audit.duties import product_of
from ledger.errors import LedgerError

LINES, BALANCES = "lines", "balances"
_ROWS_AT_ONCE = 20_000
# Cash has 112 bits at most on chain, in practice far less than the 38 digits here.
_AMOUNT = pa.decimal128(38, 0)

SCHEMA = pa.schema(
    [
        ("block", pa.int64()),
        ("time", pa.string()),
        ("transaction", pa.string()),
        ("log", pa.int64()),
        ("account", pa.string()),
        ("what", pa.string()),
        ("product", pa.string()),
        ("unit", pa.string()),
        ("amount", _AMOUNT),
        ("before", _AMOUNT),
        ("after", _AMOUNT),
    ]
)
HEADER = tuple(SCHEMA.names)


class Exporter:
    """Takes lines one by one; what is written is in `folder` when the context of `exporting` ends."""

    def __init__(self, rows: Any, parquet: pq.ParquetWriter) -> None:
        self._rows, self._parquet = rows, parquet
        self._waiting: list[tuple[Any, ...]] = []
        self.lines = 0

    def take(self, line: Line) -> None:
        """One line."""
        time = datetime.fromtimestamp(line.time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        product = "" if line.product is None else _code(line.product)
        unit = "micro" if line.product is None else "units"
        amounts = (line.amount, line.before, line.after)
        row = (line.block, time, line.transaction, line.log, line.owner, line.what, product, unit, *amounts)
        self._rows.writerow(row)
        self._waiting.append(row)
        self.lines += 1
        if len(self._waiting) == _ROWS_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Writes what waits."""
        if self._waiting:
            columns = zip(*self._waiting, strict=True)
            arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
            self._parquet.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA))
            self._waiting.clear()


@contextmanager
def exporting(folder: Path) -> Iterator[Exporter]:
    """Makes `folder` and writes lines.csv and lines.parquet there; files of an earlier export are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        (folder / f"{LINES}.csv").open("w", encoding="utf-8", newline="") as text,
        pq.ParquetWriter(folder / f"{LINES}.parquet", SCHEMA) as parquet,
    ):
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(HEADER)
        exporter = Exporter(rows, parquet)
        yield exporter
        exporter.flush()


def write_balances(folder: Path, books: Books) -> int:
    """Writes balances.csv: what every account holds at the end. Gives the number of its rows."""
    rows = [(owner, "", "micro", micro) for owner, micro in books.cash.items()]
    rows += [(owner, _code(product), "units", units) for (product, owner), units in books.units.items()]
    with (folder / f"{BALANCES}.csv").open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("account", "product", "unit", "balance"))
        writer.writerows(sorted(rows))
    return len(rows)


def _code(product: int) -> str:
    """A product's code; the bare id of what can be none, which only a forged history holds."""
    try:
        return product_of(product).code
    except LedgerError:
        return hex(product)
