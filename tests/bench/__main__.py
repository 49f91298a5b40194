"""Measures what was promised, on this machine: `scripts/bench ledger`. A table for people, JSON for machines.

`scripts/bench dispatch --only evaluation --trace jobs.csv --prices prices.csv --report folder` evaluates dispatch on
files of the columns of the data folder's own.
"""

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from ledger.errors import InputError
from tests.bench import soak
from tests.bench.dispatch.evaluate import DAYS, Wishes
from tests.bench.dispatch.evaluate import figures as evaluated
from tests.bench.dispatch.growth import growth_of, write_growth
from tests.bench.dispatch.world import MIXES, Files
from tests.bench.figures import Figure, Suite, show
from tests.bench.suites import SUITES

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("suite", type=click.Choice(sorted(SUITES)))
@click.option("--only", help="Only the parts whose name contains this.")
@click.option("--json", "path", type=click.Path(dir_okay=False, path_type=Path), help="Where the JSON goes.")
@click.option("--trace", type=FILE, help="dispatch: jobs as in jobs_philly.csv.")
@click.option("--prices", type=FILE, help="dispatch: prices as in cloud_prices.csv.")
@click.option("--latency", type=FILE, help="dispatch: cities as in cn_city_hub_latency_model.csv.")
@click.option("--datasheets", type=FILE, help="dispatch: devices as in device_datasheets.csv.")
@click.option("--report", type=click.Path(file_okay=False, path_type=Path), help="dispatch: where the report goes.")
@click.option("--days", type=click.IntRange(min=0), default=DAYS, show_default=True, help="Busiest days; 0: all.")
@click.option("--mix", "mixes", type=click.Choice(list(MIXES)), multiple=True, help="Only these mixes of tiers.")
@click.option("--seed", type=int, default=1, show_default=True, help="dispatch: deals cities and tiers.")
@click.option("--minutes", type=float, default=soak.minutes, show_default=True, help="soak: how long it lasts.")
@click.option("--postgresql", is_flag=True, help="soak: on a PostgreSQL of its own, not on SQLite.")
def main(suite: str, only: str | None, path: Path | None, **evaluation: Any) -> None:
    """Runs the benchmarks of SUITE one after the other, each alone."""
    console = Console(stderr=True, highlight=False)
    figures: list[Figure] = []
    for name, measure in _parts(suite, evaluation, lambda text: console.print(f"  {text}", style="dim")).items():
        if only and only not in name:
            continue
        started = time.monotonic()
        console.print(f"{name} …", style="dim")
        try:
            figures += measure()
        except InputError as error:
            raise click.ClickException(str(error)) from None
        console.print(f"{name}: {time.monotonic() - started:.0f} s", style="dim")
    show(figures, Console(highlight=False))
    if evaluation["report"] and (growth := growth_of(figures)):
        write_growth(growth, evaluation["report"])
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


def _parts(suite: str, evaluation: dict[str, Any], tell: Callable[[str], None]) -> Mapping[str, Suite]:
    """The suite's, the evaluation of dispatch with what was asked of it, and the soak for as long as it shall last."""
    soak.minutes, soak.on_postgresql = evaluation["minutes"], evaluation["postgresql"]
    if "evaluation" not in SUITES[suite]:
        return SUITES[suite]
    named = {name: evaluation[name] for name in ("trace", "prices", "latency", "datasheets") if evaluation[name]}
    wishes = Wishes(
        files=replace(Files.default(), **named),
        days=evaluation["days"],
        mixes=evaluation["mixes"] or tuple(MIXES),
        seed=evaluation["seed"],
        report=evaluation["report"],
    )
    return {**SUITES[suite], "evaluation": partial(evaluated, wishes, tell)}


if __name__ == "__main__":
    main()
