"""How long a plan and its check take, and how much memory: each size in a process of its own.

python -m tests.bench.planning KINDS JOBS SITES HOURS HOURS_OF_A_JOB
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ledger.areas import load_areas
from ledger.dispatch.certificate import verify
from ledger.dispatch.groups import group_jobs
from ledger.dispatch.planner import make_plan
from ledger.dispatch.problem import Latencies
from ledger.dispatch.tables import JOB_COLUMNS, JobTable, SupplyTable
from tests.bench.figures import Figure

HOUR = 490_000
PLAN_S_MAX, DISTINCT_S_MAX, DISTINCT_MIB_MAX = 5.0, 60.0, 4_096.0

_ROOT = Path(__file__).parents[2]
_KIB_PER_MIB = 1_024
_SEED = 20_260
_BOUNDS_US = 10_000, 20_000, 100_000
_NARROW = {"class_id": np.int8, "gang": np.int8, "grade": np.int8, "metro": np.int16, "hours": np.int16}


@dataclass(frozen=True, slots=True)
class Size:
    """So many jobs of so many kinds, sites and hours; a job wants at most `job_hours` hours."""

    kinds: int
    jobs: int
    sites: int
    hours: int
    job_hours: int


ALIKE = Size(1_000, 10_000_000, 100, 24, 2)
DISTINCT = Size(100_000, 100_000, 100, 24, 8)

GROWTH: dict[str, tuple[Size, ...]] = {
    "jobs, 1,000 kinds": tuple(Size(1_000, jobs, 100, 24, 2) for jobs in (10_000, 100_000, 1_000_000)),
    "jobs, all distinct": tuple(Size(jobs, jobs, 100, 24, 8) for jobs in (1_000, 3_000, 10_000, 30_000)),
    "sites": tuple(Size(10_000, 10_000, sites, 24, 8) for sites in (25, 50, 200, 400)),
    "hours": tuple(Size(10_000, 10_000, 100, hours, 8) for hours in (6, 12, 48, 96, 168)),
}


def figures() -> Iterator[Figure]:
    """Seconds to plan and verify, and peak memory; then how both grow. Sizes are in the names, for plots."""
    yield from _figures("10 million jobs in 1,000 kinds", ALIKE, PLAN_S_MAX, None)
    yield from _figures("the same, jobs of up to 8 hours", Size(1_000, 10_000_000, 100, 24, 8), None, None)
    yield from _figures("100,000 distinct jobs", DISTINCT, DISTINCT_S_MAX, DISTINCT_MIB_MAX)
    for over, sizes in GROWTH.items():
        for size in sizes:
            yield from _figures(f"growth over {over}", size, None, None)
    yield from _scarcity()


def _figures(name: str, size: Size, seconds_max: float | None, mib_max: float | None) -> Iterator[Figure]:
    found = _measured(size)
    name = f"{name}: {size.jobs:,} jobs of {size.kinds:,} kinds × {size.sites} sites × {size.hours} h"
    parts = f"plan {found['plan_s']:.2f} s, verify {found['verify_s']:.2f} s, {found['placements']:,} placements"
    yield Figure(
        f"{name}: planned and verified", found["plan_s"] + found["verify_s"], "s", seconds_max, smaller=True, note=parts
    )
    yield Figure(f"{name}: processor time", found["processor_s"], "s")
    yield Figure(f"{name}: memory", found["mib"], "MiB", mib_max, smaller=True)


def _measured(size: Size) -> dict[str, Any]:
    numbers = map(str, (size.kinds, size.jobs, size.sites, size.hours, size.job_hours))
    command = [sys.executable, "-m", "tests.bench.planning", *numbers]
    said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=_ROOT).stdout
    found: dict[str, Any] = json.loads(said)
    return found


# MARKETS


def market(size: Size, scarcity: float = 1.0) -> tuple[JobTable, SupplyTable, Latencies]:
    """A market by chance: origins and sites in real metros, capacity of 1/`scarcity` of what is wanted."""
    rng = np.random.default_rng(_SEED)
    areas = load_areas()
    metros = np.array([area.code for area in areas.all() if not area.is_hub])
    kinds = _kinds(rng, size, metros)
    chosen = np.arange(size.kinds) if size.jobs == size.kinds else rng.integers(0, size.kinds, size.jobs)
    jobs = _job_table({name: column[chosen] for name, column in kinds.items()})
    wanted = int((jobs.units.astype(np.int64) * jobs.hours).sum())
    lines = size.sites * size.hours
    site = np.repeat(np.arange(size.sites), size.hours)
    share = rng.integers(50, 151, lines)
    supplies = SupplyTable(
        site=site,
        class_id=np.ones(lines, dtype=np.int64),
        metro=rng.choice(metros, size.sites)[site],
        hour=HOUR + np.tile(np.arange(size.hours), size.sites),
        units=np.maximum(1, share * (wanted / scarcity) / share.sum()).astype(np.int64),
        price_micro=rng.integers(1_000, 4_000, size.sites)[site] + rng.integers(0, 300, lines),
        grade=rng.integers(1, 4, size.sites)[site],
        held=np.zeros(lines, dtype=np.int64),
        weight_bp=np.full(lines, 10_000),
    )
    return jobs, supplies, Latencies.of_areas(areas)


def _kinds(rng: np.random.Generator, size: Size, metros: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    hours = rng.integers(1, min(size.job_hours, size.hours) + 1, size.kinds)
    earliest = rng.integers(0, size.hours - hours + 1)
    deadline = np.minimum(size.hours, earliest + hours + rng.integers(0, 12, size.kinds))
    columns = {
        "class_id": np.ones(size.kinds),
        "gang": np.zeros(size.kinds),
        "metro": rng.choice(metros, size.kinds),
        "latency_max_us": rng.choice(_BOUNDS_US, size.kinds),
        "grade": rng.integers(1, 4, size.kinds),
        "earliest_hour": HOUR + earliest,
        "deadline_hour": HOUR + deadline,
        "units": rng.integers(1, 65, size.kinds),
        "hours": hours,
        "limit_micro": rng.integers(1_500, 6_000, size.kinds),
    }
    return {name: columns[name].astype(_NARROW.get(name, np.int32)) for name in JOB_COLUMNS}


def _job_table(columns: dict[str, Any]) -> JobTable:
    return JobTable(**columns)


# SCARCITY


def _scarcity() -> Iterator[Figure]:
    """Capacity equals demand, and a plan that serves all exists: each job is cut out of what the sites have."""
    jobs, supplies, latencies = planted(3_000, 100, 24)
    plan = make_plan(jobs, supplies, latencies)
    assert verify(jobs, supplies, latencies, plan) == []
    wanted = int((jobs.units.astype(np.int64) * jobs.hours).sum())
    by_price = greedy_unit_hours(jobs, supplies, latencies, np.arange(len(jobs)))
    tightest = greedy_unit_hours(jobs, supplies, latencies, np.lexsort((jobs.deadline_hour, jobs.latency_max_us)))
    name = "served where capacity equals demand and the optimum exists"
    best = max(by_price, tightest)
    note = f"greedy by price {100 * by_price / wanted:.1f} %, tightest first {100 * tightest / wanted:.1f} %"
    yield Figure(
        f"{name} ({note})", 100 * plan.unit_hours / wanted, "%", 100, yardstick=100 * best / wanted, beside="greedy"
    )


def planted(jobs: int, sites: int, hours: int) -> tuple[JobTable, SupplyTable, Latencies]:
    """Jobs for which a plan that serves all of them uses all that the sites have: it is drawn first, then forgotten."""
    rng = np.random.default_rng(_SEED)
    areas = load_areas()
    metros = np.array([area.code for area in areas.all() if not area.is_hub])
    latencies = Latencies.of_areas(areas)
    lines = sites * hours
    metro, price = rng.choice(metros, sites), rng.integers(1_000, 4_000, sites)
    used = np.zeros((sites, hours), dtype=np.int64)
    rows = []
    for _ in range(jobs):
        home, bound_us = int(rng.integers(0, sites)), int(rng.choice(_BOUNDS_US))
        near = [k for k in range(sites) if latencies.one_way_us(int(metro[k]), int(metro[home])) <= bound_us]
        first, units = int(rng.integers(0, hours - 4)), int(rng.integers(1, 65))
        chosen = np.sort(rng.choice(4, int(rng.integers(1, 5)), replace=False)) + first
        for hour in chosen.tolist():
            used[rng.choice(near), hour] += units
        rows.append((int(metro[home]), bound_us, HOUR + first, HOUR + first + 4, units, len(chosen)))
    names = ("metro", "latency_max_us", "earliest_hour", "deadline_hour", "units", "hours")
    columns = dict(zip(names, np.array(rows).T, strict=True))
    same = {"class_id": 1, "gang": 0, "grade": 1, "limit_micro": 5_000}
    table = _job_table(columns | {name: np.full(jobs, value) for name, value in same.items()})
    site = np.repeat(np.arange(sites), hours)
    supplies = SupplyTable(
        site=site,
        class_id=np.ones(lines, dtype=np.int64),
        metro=metro[site],
        hour=HOUR + np.tile(np.arange(hours), sites),
        units=used.ravel(),
        price_micro=price[site],
        grade=np.full(lines, 3),
        held=np.zeros(lines, dtype=np.int64),
        weight_bp=np.full(lines, 10_000),
    )
    return table, supplies, latencies


def greedy_unit_hours(jobs: JobTable, supplies: SupplyTable, latencies: Latencies, order: NDArray[np.int64]) -> int:
    """Unit-hours served when each job in turn takes the cheapest that it may use and that is free."""
    free = supplies.units.astype(np.int64)
    by_price = np.argsort(supplies.price_micro, kind="stable")
    served = 0
    for job in order.tolist():
        units, origin, bound_us = int(jobs.units[job]), int(jobs.metro[job]), int(jobs.latency_max_us[job])
        rest, in_hour = units * int(jobs.hours[job]), dict[int, int]()
        inside = (supplies.hour >= jobs.earliest_hour[job]) & (supplies.hour < jobs.deadline_hour[job]) & (free > 0)
        for line in by_price[inside[by_price]].tolist():
            if latencies.one_way_us(int(supplies.metro[line]), origin) > bound_us:
                continue
            hour = int(supplies.hour[line])
            taken = min(rest, int(free[line]), in_hour.setdefault(hour, units))
            free[line] -= taken
            in_hour[hour] -= taken
            rest -= taken
            served += taken
            if not rest:
                break
    return served


def _work(size: Size) -> None:
    jobs, supplies, latencies = market(size)
    # The first use of a library loads it, which no plan after it pays again.
    make_plan(jobs.only(np.arange(1)), supplies, latencies)
    began, started_s = time.process_time(), time.monotonic()
    plan = make_plan(jobs, supplies, latencies)
    planned_s = time.monotonic()
    wrong = verify(jobs, supplies, latencies, plan)
    done_s, used = time.monotonic(), time.process_time() - began
    assert wrong == [], wrong
    # Where hours are few, chance draws some kinds twice.
    assert len(group_jobs(jobs)) >= 0.99 * size.kinds
    found = {
        "plan_s": planned_s - started_s,
        "verify_s": done_s - planned_s,
        "processor_s": used,
        "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIB_PER_MIB,
        "placements": len(plan.placed),
        "served": plan.unit_hours / int((jobs.units.astype(np.int64) * jobs.hours).sum()),
    }
    print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    _work(Size(*map(int, sys.argv[1:])))
