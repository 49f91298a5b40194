"""What the command line shows: tables for people, JSON for machines, the same facts in both."""

import dataclasses
import json
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console as Terminal
from rich.table import Table
from rich.text import Text

from ledger.action import Action, Costs, Outcome, Preview
from ledger.cli.tables import fitting_widths, record_lines, spilled_lines
from ledger.errors import InputError, LedgerError, Reverted
from ledger.sending.fees import WEI_PER_GWEI
from ledger.units import format_usd

# What numbers a thing is no amount: it has no thousands.
_NUMBERED = {"block", "chain", "code", "lease", "round", "site", "slot", "tick"}

_ENDLESS = 10_000
"""How wide a line may be that goes to a file or to another program: each row stays one line there."""

WEI_PER_COIN = WEI_PER_GWEI * 10**9

REFUSED, MISTAKEN, UNAVAILABLE = 1, 2, 3
"""Exit codes: the chain said no, the command is wrong, nobody answered."""


class Console:
    """Shows one command's results. `as_json` writes one JSON document to standard output instead."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._terminal = Terminal(highlight=False, width=shutil.get_terminal_size((_ENDLESS, 25)).columns)

    def table(self, header: Sequence[str], rows: Sequence[Sequence[Any]], title: str) -> None:
        """Rows of values under a header; numbers stand to the right. In JSON, a list of objects by header."""
        if self._as_json:
            self.document([dict(zip(map(_key, header), row, strict=True)) for row in rows])
            return
        self._terminal.print(Text(title, style="bold"), soft_wrap=True)
        if not rows:
            self._terminal.print(Text("Nothing yet."))
            return
        cells = [[_shown(name, value) for name, value in zip(header, row, strict=True)] for row in rows]
        numeric = [all(isinstance(row[place], int) for row in rows) for place in range(len(header))]
        widths = fitting_widths(header, cells, self._terminal.width)
        if widths is None:
            self._spilled(header, cells, numeric)
            return
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for name, number, width in zip(header, numeric, widths, strict=True):
            table.add_column(name, justify="right" if number else "left", width=width, overflow="fold")
        for line in cells:
            table.add_row(*map(Text, line))
        self._terminal.print(table)

    def _spilled(self, header: Sequence[str], cells: Sequence[Sequence[str]], numeric: Sequence[bool]) -> None:
        styles = {"head": "bold", "row": "", "below": "dim"}
        for text, kind in spilled_lines(header, cells, numeric, self._terminal.width):
            self._terminal.print(Text(text, style=styles[kind]), soft_wrap=True)

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
        told = [(name, _shown(name, value)) for name, value in facts.items()]
        for name, line in record_lines(told, self._terminal.width):
            self._terminal.print(Text.assemble(" ", (name, "dim"), "  ", line), soft_wrap=True)

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
            # The number of a slot that may be another one by then is for machines.
            facts |= {"result": preview.result} if self._as_json and preview.result is not None else {}
            facts |= {"gas at most": preview.gas, "fee at most": self._fee(preview.fee_wei or 0)}
            if preview.notes:
                facts |= {"notes": list(preview.notes)} if self._as_json else {"note": " ".join(preview.notes)}
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
