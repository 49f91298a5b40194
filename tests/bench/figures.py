"""What a benchmark says: figures with their unit, the goal they are held to, and the yardstick of the same run."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure. `goal` is what it should reach at least, or at most where `smaller`; `yardstick` is the
    same unit's figure of something known, measured in the same run, by the name `beside`."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    smaller: bool = False
    yardstick: float | None = None
    beside: str = ""
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None without one."""
        if self.goal is None:
            return None
        return self.value <= self.goal if self.smaller else self.value >= self.goal

    @property
    def ratio(self) -> float | None:
        """The figure as a multiple of its yardstick."""
        return self.value / self.yardstick if self.yardstick else None

    def record(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self) | {"met": self.met, "ratio": self.ratio}


Suite = Callable[[], Iterable[Figure]]
"""Measures, and gives each figure as soon as it has it."""


def show(figures: Iterable[Figure], console: Console) -> None:
    """A table for people."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("figure", "value", "unit", "goal", "", "yardstick", "ratio"):
        table.add_column(name, justify="left" if name in ("figure", "unit", "yardstick") else "right")
    for one in figures:
        sign = "≤" if one.smaller else "≥"
        table.add_row(
            one.name,
            _number(one.value),
            one.unit,
            "" if one.goal is None else f"{sign} {_number(one.goal)}",
            {None: "", True: "met", False: "SHORT"}[one.met],
            f"{_number(one.yardstick)} {one.beside}" if one.yardstick else one.note,
            f"{one.ratio:.2f}" if one.ratio else "",
        )
    console.print(table)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"
