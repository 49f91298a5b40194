"""Measures what was promised, on this machine: `scripts/bench ledger`. A table for people, JSON for machines."""

import json
import os
import platform
import sys
import time
from pathlib import Path

import click
from rich.console import Console

from tests.bench.figures import Figure, show
from tests.bench.suites import SUITES


@click.command()
@click.argument("suite", type=click.Choice(sorted(SUITES)))
@click.option("--only", help="Only the parts whose name contains this.")
@click.option("--json", "path", type=click.Path(dir_okay=False, path_type=Path), help="Where the JSON goes.")
def main(suite: str, only: str | None, path: Path | None) -> None:
    """Runs the benchmarks of SUITE one after the other, each alone."""
    console = Console(stderr=True, highlight=False)
    figures: list[Figure] = []
    for name, measure in SUITES[suite].items():
        if only and only not in name:
            continue
        started = time.monotonic()
        console.print(f"{name} …", style="dim")
        figures += measure()
        console.print(f"{name}: {time.monotonic() - started:.0f} s", style="dim")
    show(figures, Console(highlight=False))
    record = {
        "suite": suite,
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()},
        "figures": [figure.record() for figure in figures],
    }
    path = path or Path("run") / f"bench-{suite}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    console.print(f"JSON: {path}", style="dim")
    sys.exit(1 if any(figure.met is False for figure in figures) else 0)


if __name__ == "__main__":
    main()
