"""The evaluation of dispatch: every policy, view and mix on one world, into figures, JSON and a report."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from tests.bench.dispatch.measure import (
    ALONE,
    ALONE_URGENT,
    BACKFILL,
    BY_PRICE,
    GREEDY,
    OURS,
    POOLED,
    SERVICE,
    STEPS,
    TIGHTEST,
    VIEWS,
    Result,
    Runs,
    own_capacity,
    result_of,
    scaled,
)
from tests.bench.dispatch.report import write_report
from tests.bench.dispatch.tight import Tight, tight
from tests.bench.dispatch.world import MIXES, Files, World, load_world, mixed
from tests.bench.figures import Figure

LESS_MIN = 30.0
DAYS = 7
WORKERS_MAX = 2


@dataclass(frozen=True, slots=True)
class Wishes:
    """What to evaluate: the files, so many busiest days of the trace (0: all of it), which mixes, and where to."""

    files: Files = field(default_factory=Files.default)
    days: int = DAYS
    mixes: tuple[str, ...] = tuple(MIXES)
    seed: int = 1
    report: Path | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All that was found. `equal` holds the policies on one and the same capacity: what ours needs, and twice that."""

    world: World
    needed: tuple[Result, ...]
    equal: tuple[Result, ...]
    tight: tuple[Tight, ...]


def figures(wishes: Wishes | None = None, tell: Callable[[str], None] = lambda _: None) -> Iterator[Figure]:
    """Evaluates, writes the report where one is wanted, and gives the figures that something was promised of. `tell` is
    called with each part that is done."""
    wishes = wishes or Wishes()
    found = evaluate(wishes, tell)
    if wishes.report is not None:
        write_report(found.world, found.needed, found.equal, found.tight, wishes.report)
        path = wishes.report / "evaluation.json"
        path.write_text(json.dumps(record(found, wishes), indent=1) + "\n", encoding="utf-8")
    for view in VIEWS:
        for mix in wishes.mixes:
            yield from _promised(found.needed, view, mix)
    for one in found.tight:
        if (one.policy, one.times) == (OURS, 1):
            best = max(
                other.served
                for other in found.tight
                if (other.mix, other.times) == (one.mix, 1) and other.policy in (BY_PRICE, TIGHTEST)
            )
            name = f"served at capacity = demand, {one.mix}"
            yield Figure(name, 100 * one.served, "%", goal=100.0, yardstick=100 * best, beside="best greedy")


def record(found: Evaluation, wishes: Wishes) -> dict[str, object]:
    """For machines."""
    return {
        "days": wishes.days,
        "seed": wishes.seed,
        "service": SERVICE,
        "jobs": len(found.world.jobs),
        "needed": [one.record() for one in found.needed],
        "equal": [one.record() for one in found.equal],
        "tight": [one.record() for one in found.tight],
    }


def evaluate(wishes: Wishes, tell: Callable[[str], None] = lambda _: None) -> Evaluation:
    """Runs it all, on as many processors as there are, two at most. Raises BadData and InputError."""
    world = load_world(wishes.files, wishes.days or None, wishes.seed)
    own = {view: {policy: own_capacity(world, run) for policy, run in ALONE[view].items()} for view in VIEWS}
    needed = [
        result_of(world, world.jobs, (view, "", policy), scaled(world, gpus, STEPS), outcome, needed=True)
        for view in VIEWS
        for policy, gpus in own[view].items()
        for outcome in (ALONE[view][policy](world, world.jobs, scaled(world, gpus, STEPS)),)
    ]
    tasks = [(world, view, mix, own[view][BACKFILL], wishes.seed) for view in VIEWS for mix in wishes.mixes]
    tell(f"{len(world.jobs):,} jobs of {len(world.clusters)} providers")
    pooled = []
    with _pool() as pool:
        for (_, view, mix, *_), found in zip(tasks, pool.map(_pooled, *zip(*tasks, strict=True)), strict=True):
            pooled += found
            tell(f"{view}, {mix}")
    hard = [one for mix in wishes.mixes for one in tight(world, mixed(world, mix, wishes.seed), mix, wishes.seed)]
    needed += [one for one in pooled if one.needed]
    return Evaluation(world, tuple(needed), tuple(one for one in pooled if not one.needed), tuple(hard))


def _pool() -> ProcessPoolExecutor:
    # A fresh interpreter each: a forked one would share the solver's threads.
    return ProcessPoolExecutor(min(WORKERS_MAX, os.cpu_count() or 1), mp_context=get_context("spawn"))


def _pooled(world: World, view: str, mix: str, own_gpus: Sequence[int], seed: int) -> list[Result]:
    jobs = mixed(world, mix, seed)
    runs = {policy: Runs(world, jobs, own_gpus, run) for policy, run in POOLED[view].items()}
    found: list[Result] = []

    def note(policy: str, scale: int, needed: bool) -> None:
        names, capacity = (view, mix, policy), runs[policy].capacity(scale)
        found.append(result_of(world, jobs, names, capacity, runs[policy].at(scale), needed))

    scale: int | None = None
    for policy, run in runs.items():
        scale = run.needed(near=scale)
        note(policy, scale, needed=True)
    for quarters in (3, 4, 8):
        for policy in runs:
            note(policy, quarters * (scale or STEPS) // 4, needed=False)
    return found


def _promised(needed: Sequence[Result], view: str, mix: str) -> Iterator[Figure]:
    alone = next(one for one in needed if (one.view, one.policy) == (view, BACKFILL))
    ours = next(one for one in needed if (one.view, one.mix, one.policy) == (view, mix, OURS))
    greedy = min(one.gpus for one in needed if (one.view, one.mix) == (view, mix) and one.policy in GREEDY)
    urgent = next(one for one in needed if (one.view, one.policy) == (view, ALONE_URGENT))
    less = 100 * (1 - ours.gpus / alone.gpus)
    goal = LESS_MIN if mix == "all-hub" else None
    yield Figure(f"less capacity than alone with backfill, {view}, {mix}", less, "%", goal=goal)
    less = 100 * (1 - ours.gpus / urgent.gpus)
    yield Figure(f"less than alone, most urgent first, {view}, {mix}", less, "%", goal=goal)
    beside = "best greedy"
    name = f"capacity for {100 * SERVICE:.0f} % on time, {view}, {mix}"
    yield Figure(name, ours.gpus, "GPUs", goal=float(greedy), smaller=True, yardstick=greedy, beside=beside)
