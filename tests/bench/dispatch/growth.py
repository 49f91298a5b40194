"""How planning grows with jobs, sites and hours: a plot and a table of the figures that say so in their names."""

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas

from tests.bench.figures import Figure

_NAME = re.compile(
    r"growth over (?P<over>(?P<noun>jobs|sites|hours).*?): (?P<jobs>[\d,]+) jobs of [\d,]+ kinds × "
    r"(?P<sites>[\d,]+) sites × (?P<hours>[\d,]+) h: planned and verified"
)

Growth = dict[str, list[tuple[int, float]]]
"""By what grows: its sizes and the seconds to plan and verify."""


def growth_of(figures: Iterable[Figure]) -> Growth:
    """The growth that figures tell of, the smallest sizes first."""
    found: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    for figure in figures:
        if said := _NAME.fullmatch(figure.name):
            found[said["over"]].append((int(said[said["noun"]].replace(",", "")), figure.value))
    return {over: sorted(points) for over, points in found.items()}


def write_growth(growth: Growth, folder: Path) -> None:
    """`growth.svg` and `growth.md`, into a folder that is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "growth", "svg.fonttype": "none", "font.family": "sans-serif"}):
        canvas = Canvas(figsize=(3 * len(growth), 3))
        for axes, (over, points) in zip(canvas.subplots(1, len(growth), squeeze=False)[0], growth.items(), strict=True):
            axes.loglog(*zip(*points, strict=True), marker="o", color="#b2182b")
            axes.set_title(over, loc="left", fontsize=9)
            axes.set_ylabel("s, planned and verified", fontsize=8)
            axes.grid(which="both", alpha=0.25)
        canvas.tight_layout()
        canvas.savefig(folder / "growth.svg", metadata={"Date": None})
    lines = ["# How planning grows", "", "![seconds over size](growth.svg)", ""]
    lines += ["| what grows | to | seconds |", "|---|---|---|"]
    lines += [f"| {over} | {size:,} | {seconds:.2f} |" for over, points in growth.items() for size, seconds in points]
    (folder / "growth.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
