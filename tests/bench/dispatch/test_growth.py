"""The plot of growth is made of the figures that the planner's benchmark really gives."""

from pathlib import Path

from tests.bench.dispatch.growth import growth_of, write_growth
from tests.bench.figures import Figure
from tests.bench.planning import GROWTH


def test_growth_is_read_from_the_names_that_planning_gives(tmp_path: Path) -> None:
    figures = [Figure("100,000 distinct jobs", 1, "s")]
    for over, sizes in GROWTH.items():
        for seconds, size in enumerate(reversed(sizes), 1):
            name = (
                f"growth over {over}: {size.jobs:,} jobs of {size.kinds:,} kinds × {size.sites} sites × {size.hours} h"
            )
            figures += [Figure(f"{name}: planned and verified", seconds, "s"), Figure(f"{name}: memory", 9, "MiB")]
    growth = growth_of(figures)
    assert {over: len(points) for over, points in growth.items()} == {over: len(size) for over, size in GROWTH.items()}
    assert growth["sites"] == [(25, 4), (50, 3), (200, 2), (400, 1)]
    write_growth(growth, tmp_path)
    assert "| hours | 168 | 1.00 |" in (tmp_path / "growth.md").read_text(encoding="utf-8")
    assert (tmp_path / "growth.svg").read_bytes().startswith(b"<?xml")
