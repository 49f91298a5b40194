"""What the command line shows: tables for people, JSON for machines, the same facts in both."""

import dataclasses
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console as Terminal
from rich.table import Table
from rich.text import Text

from ledger.action import Action, Costs, Outcome, Preview
from ledger.errors import InputError, LedgerError, Reverted
from ledger.sending.fees import WEI_PER_GWEI
from ledger.units import format_usd

# What numbers a thing is no amount: it has no thousands.
_NUMBERED = {"block", "chain", "code", "lease", "round", "site", "slot", "tick"}

WEI_PER_COIN = WEI_PER_GWEI * 10**9

REFUSED, MISTAKEN, UNAVAILABLE = 1, 2, 3
"""Exit codes: the chain said no, the command is wrong, nobody answered."""


class Console:
    """Shows one command's results. `as_json` writes one JSON document to standard output instead."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._terminal = Terminal(highlight=False)

    def table(self, header: Sequence[str], rows: Sequence[Sequence[Any]], title: str) -> None:
        """Rows of values under a header; numbers stand to the right. In JSON, a list of objects by header."""
        if self._as_json:
            self.document([dict(zip(map(_key, header), row, strict=True)) for row in rows])
            return
        self._terminal.print(Text(title, style="bold"), soft_wrap=True)
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        fixed = self._fixed(header, rows)
        for place, name in enumerate(header):
            numeric = bool(rows) and all(isinstance(row[place], int) for row in rows)
            table.add_column(name, justify="right" if numeric else "left", no_wrap=place in fixed, overflow="fold")
        for row in rows:
            table.add_row(*(Text(_shown(name, value)) for name, value in zip(header, row, strict=True)))
        self._terminal.print(table if rows else Text("Nothing yet."))

    def _fixed(self, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> set[int]:
        """Columns that do not wrap: the numbers, unless they leave no room: a number that is cut is a wrong one."""
        found = {place for place, name in enumerate(header) if all(_is_number(name, row[place]) for row in rows)} | {0}
        cells = (list(header), *([_shown(n, v) for n, v in zip(header, row, strict=True)] for row in rows))
        width = sum(max(len(line[place]) for line in cells) + 3 for place in found)
        return found if width + 11 * (len(header) - len(found)) <= self._terminal.width else set()

    def lines(self, title: str, lines: Iterable[str]) -> None:
        """Sentences under a title, each on lines of its own; in JSON, a list."""
        if self._as_json:
            self.document(list(lines))
            return
        self._terminal.print(Text(title, style="bold"), soft_wrap=True)
        for line in lines:
            self._terminal.print(Text(f"  {line}"), soft_wrap=True)

    def record(self, title: str, facts: Mapping[str, Any]) -> None:
        """One thing's facts by name."""
        if self._as_json:
            self.document({_key(name): value for name, value in facts.items()})
            return
        self._terminal.print(Text(title, style="bold"), soft_wrap=True)
        table = Table(show_header=False, box=None)
        for name, value in facts.items():
            table.add_row(Text(name, style="dim"), Text(_shown(name, value)))
        self._terminal.print(table)

    def document(self, value: Any) -> None:
        """One JSON document."""
        self._terminal.out(json.dumps(value, indent=2, default=_plain, ensure_ascii=False))

    def outcome(self, action: Action[Any], outcome: Outcome[Any], facts: Mapping[str, Any]) -> None:
        """What came of an action."""
        receipt = outcome.receipt
        done = {**facts, "transaction": receipt.transaction, "block": receipt.block, "gas": receipt.gas_used}
        self.record(f"✓ {action.title}", {"action": action.title, **done} if self._as_json else done)

    def preview(self, preview: Preview) -> None:
        """What an action would do; nothing was signed or sent."""
        facts: dict[str, Any] = {"action": preview.title} if self._as_json else {}
        facts |= self._costs(preview.costs)
        if preview.refusal is None:
            facts |= {"result": preview.result} if preview.result is not None else {}
            facts |= {"gas at most": preview.gas, "fee at most": self._fee(preview.fee_wei or 0)}
        else:
            facts |= {"refused": preview.refusal.problem, "what to do": preview.refusal.remedy}
        self.record(f"Preview: {preview.title} (nothing was sent)", facts)

    def error(self, error: LedgerError) -> int:
        """Says what went wrong and what to do, on standard error; gives the exit code."""
        if self._as_json:
            fields: dict[str, Any] = {"type": type(error).__name__, "problem": error.problem, "remedy": error.remedy}
            if isinstance(error, Reverted):
                fields["values"] = error.values
            sys.stderr.write(json.dumps({"error": fields}, indent=2, default=_plain, ensure_ascii=False) + "\n")
        else:
            terminal = Terminal(stderr=True, highlight=False)
            terminal.print(Text(f"✗ {error.problem}", style="red"), soft_wrap=True)
            terminal.print(Text(f"  {error.remedy}"), soft_wrap=True)
        return exit_code(error)

    def _costs(self, costs: Costs) -> dict[str, Any]:
        parts = {name.removesuffix("_micro"): value for name, value in dataclasses.asdict(costs).items() if value}
        if self._as_json:
            return {f"{name}_micro": value for name, value in parts.items()}
        return {name: format_usd(value) for name, value in parts.items()}

    def _fee(self, fee_wei: int) -> Any:
        return fee_wei if self._as_json else f"{fee_wei / WEI_PER_COIN:.9f} of the chain's coin"


def exit_code(error: LedgerError) -> int:
    """1 where the chain refused, 2 where the command is wrong, 3 where nobody answered."""
    if isinstance(error, Reverted):
        return REFUSED
    return MISTAKEN if isinstance(error, InputError) else UNAVAILABLE


def _key(name: str) -> str:
    return name.replace(" ", "_").replace("-", "_")


def _is_number(name: str, value: Any) -> bool:
    """Whether it is shown as a number, perhaps with a unit of money: such a cell does not wrap."""
    return re.fullmatch(r"[-\d,.]*( USD| ms)?", _shown(name, value)) is not None


def _shown(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, int):
        return str(value) if name in _NUMBERED else f"{value:,}"
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return "" if value is None else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return str(value)
