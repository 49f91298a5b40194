"""The evaluation as a report: assumptions first, then figures, where ours does not help, and plots."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from ledger.units import MICRO_PER_USD
from tests.bench.dispatch.measure import (
    ALONE,
    ALONE_URGENT,
    BACKFILL,
    BY_PRICE,
    GREEDY,
    OURS,
    POOLED,
    SERVICE,
    TIGHTEST,
    URGENT,
    VIEWS,
    Result,
)
from tests.bench.dispatch.surge import LIMITS_MICRO, TIMES, WAIT_HOURS, Surge, run_surge
from tests.bench.dispatch.tight import Tight
from tests.bench.dispatch.words import assumptions
from tests.bench.dispatch.world import World

COLOURS = {BY_PRICE: "#92c5de", TIGHTEST: "#2166ac", URGENT: "#4d9221", OURS: "#b2182b"}
ALIKE = 0.01
"""Within one per cent is no difference."""

_HEAD = (
    "policy",
    "GPUs",
    "of alone",
    "served",
    "used",
    "USD per GPU-hour",
    "wait median, p99 (h)",
    "in another city",
    "worst provider",
    "changes of site",
)


def write_report(
    world: World, needed: Sequence[Result], equal: Sequence[Result], hard: Sequence[Tight], folder: Path
) -> None:
    """`README.md` and its plots, into a folder that is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    # The same picture from the same figures, byte by byte.
    with mpl.rc_context({"svg.hashsalt": "dispatch", "svg.fonttype": "none", "font.family": "sans-serif"}):
        _needed_plot(needed, folder / "capacity.svg")
        _tight_plot(hard, folder / "tight.svg")
    text = "\n".join(_lines(world, needed, equal, hard))
    (folder / "README.md").write_text(text + "\n", encoding="utf-8")


def _lines(world: World, needed: Sequence[Result], equal: Sequence[Result], hard: Sequence[Tight]) -> Iterator[str]:
    yield "# One dispatcher over all providers: what it is worth, and where it is worth nothing"
    yield ""
    yield "Written by `scripts/bench dispatch --report FOLDER`; every figure is measured by that run."
    yield ""
    yield "## What is assumed"
    yield ""
    yield from (f"- {line}" for line in assumptions(world))
    yield ""
    yield "## What it says"
    yield ""
    yield from (f"- {line}" for line in findings(needed, equal, hard))
    yield ""
    yield f"## Capacity that {SERVICE:.0%} on time takes"
    yield ""
    yield "![capacity needed by policy](capacity.svg)"
    for view in VIEWS:
        yield from _view_table(world, view, needed)
    yield ""
    yield "## The same capacity for all"
    yield ""
    yield "What ours needs, three quarters and twice of it."
    for view in VIEWS:
        yield from _equal_table(world, view, equal)
    yield ""
    yield "## Capacity equals demand"
    yield ""
    yield "Divisible jobs of one day; the capacity is exactly what one hidden way of serving all of them takes."
    yield ""
    yield "![served where capacity equals demand](tight.svg)"
    yield ""
    yield from _table(("mix", "capacity", "policy", "served", "USD per GPU-hour"), _tight_rows(world, hard))
    yield ""
    yield "## A surge"
    yield ""
    yield from surge_lines(run_surge())


def surge_lines(surge: Surge) -> Iterator[str]:
    """What a surge does to whom."""
    yield (
        f"An hour of requests to language models (Azure, 2023), a minute of it as an hour of the market, then {TIMES} "
        "times as many, then as they were; capacity is three times what the hour needs."
    )
    rush = [hour for hour in surge.hours if hour.phase == "surge"]
    sold = sum(hour.sold for hour in rush) / sum(hour.capacity for hour in rush)
    yield (
        f"Of the capacity in the surge {sold:.1%} is sold (the trace begins and ends with part of a minute); hours in "
        f"which a unit is free that somebody who waits would pay: {sum(1 for hour in surge.hours if hour.denied)}. "
        f"At most {max(hour.open_jobs for hour in surge.hours):,} jobs wait."
    )
    yield ""
    head = ("came", "service", *(f"limit {limit} micro" for limit in LIMITS_MICRO))
    yield from _table(
        head,
        (
            (phase, service, *(f"{surge.share(phase, service, limit):.0%}" for limit in LIMITS_MICRO))
            for phase in ("before", "surge", "after")
            for service in WAIT_HOURS
        ),
    )


# ---- what it says, in sentences


def findings(needed: Sequence[Result], equal: Sequence[Result], hard: Sequence[Tight]) -> Iterator[str]:
    """Where pooling and the planner help and where they do not, in so many words."""
    for view in VIEWS:
        alone, urgent = _one(needed, view, "", BACKFILL), _one(needed, view, "", ALONE_URGENT)
        for mix in _mixes(needed):
            ours, greedy = _one(needed, view, mix, OURS), _best_greedy(needed, view, mix)
            less = 1 - ours.gpus / alone.gpus
            yield (
                f"{_view(view)}, {mix}: {ours.gpus:,} GPUs instead of {alone.gpus:,} of the providers alone, "
                f"{abs(less):.0%} {'less' if less >= 0 else 'more'} ({urgent.gpus:,} if each serves the most urgent "
                f"first: {1 - ours.gpus / urgent.gpus:.0%}); {_beside(ours.gpus, greedy.gpus, greedy.policy)}. The "
                f"provider whose customers fare worst: {ours.worst_provider:.1%} served, alone {SERVICE:.0%}."
            )
    yield from _losses(equal)
    for mix in _mixes(needed):
        at_twice = [one for one in hard if (one.mix, one.times) == (mix, 2)]
        ours_2 = next(one for one in at_twice if one.policy == OURS)
        best_2 = min(one.cost_micro for one in at_twice if one.policy != OURS)
        at_once = {one.policy: one for one in hard if (one.mix, one.times) == (mix, 1)}
        yield (
            f"Capacity = demand, {mix}: ours serves {at_once[OURS].served:.1%}, greedy by price "
            f"{at_once[BY_PRICE].served:.1%}, tightest first {at_once[TIGHTEST].served:.1%}. At twice the "
            f"capacity ours is {1 - ours_2.cost_micro / best_2:.2%} cheaper than the cheaper greedy, and that is all."
        )


def _losses(equal: Sequence[Result]) -> Iterator[str]:
    """How often no greedy pool serves more with the same capacity, and where one does."""
    for view in VIEWS:
        below, cases = [], 0
        for mix in _mixes(equal):
            rows = [one for one in equal if (one.view, one.mix) == (view, mix)]
            for gpus in dict.fromkeys(one.gpus for one in rows):
                cases += 1
                ours = next(one for one in rows if (one.gpus, one.policy) == (gpus, OURS))
                best = max(
                    (one for one in rows if one.gpus == gpus and one.policy in GREEDY), key=lambda one: one.served
                )
                if best.served > ours.served:
                    below.append(
                        f"{_view(view)}, {mix}, {gpus:,} GPUs: ours serves {ours.served:.2%}, LESS than {best.policy}, "
                        f"{best.served:.2%}."
                    )
        yield (
            f"{_view(view)}, the same capacity for all: in {cases - len(below)} of {cases} cases no greedy pool serves "
            "more than ours."
        )
        yield from below


def _beside(ours: int, greedy: int, policy: str) -> str:
    if abs(ours / greedy - 1) <= ALIKE:
        return f"the planner itself adds nothing to pooling: {policy} needs {greedy:,}"
    if ours < greedy:
        return f"the planner saves {1 - ours / greedy:.1%} of what {policy} needs, {greedy:,}"
    return f"the planner needs {ours / greedy - 1:.1%} MORE than {policy}, {greedy:,}"


def _best_greedy(found: Sequence[Result], view: str, mix: str) -> Result:
    return min((_one(found, view, mix, policy) for policy in GREEDY), key=lambda one: one.gpus)


def _one(found: Sequence[Result], view: str, mix: str, policy: str) -> Result:
    return next(one for one in found if (one.view, one.mix, one.policy) == (view, mix, policy))


def _mixes(found: Iterable[Result]) -> list[str]:
    return list(dict.fromkeys(one.mix for one in found if one.mix))


def _view(view: str) -> str:
    return {"gangs": "Gangs", "fungible": "Fungible units"}[view]


# ---- tables


def _view_table(world: World, view: str, needed: Sequence[Result]) -> Iterator[str]:
    yield ""
    yield f"### {_view(view)}"
    alone = _one(needed, view, "", BACKFILL)
    rows = [_row(world, one, alone.gpus) for one in needed if one.view == view and one.policy in ALONE[view]]
    for mix in _mixes(needed):
        rows.append((f"**{mix}**", *[""] * (len(_HEAD) - 1)))
        rows += [_row(world, _one(needed, view, mix, policy), alone.gpus) for policy in POOLED[view]]
    yield ""
    yield from _table(_HEAD, rows)


def _equal_table(world: World, view: str, equal: Sequence[Result]) -> Iterator[str]:
    yield ""
    yield f"### {_view(view)}, the same capacity"
    yield ""
    head = ("mix", "GPUs", "policy", *_HEAD[3:8])
    rows = []
    for one in equal:
        if one.view == view:
            cells = _row(world, one, 1)
            rows.append((one.mix, cells[1], cells[0], *cells[3:8]))
    yield from _table(head, rows)


def _row(world: World, one: Result, alone: int) -> tuple[str, ...]:
    return (
        one.policy,
        f"{one.gpus:,}",
        f"{one.gpus / alone:.1%}",
        f"{one.served:.2%}",
        f"{one.utilisation:.1%}",
        f"{one.cost_micro * world.units_per_gpu / MICRO_PER_USD:.4f}",
        f"{one.wait_median_h:g}, {one.wait_p99_h:g}",
        f"{one.away:.1%}",
        f"{one.worst_provider:.1%}",
        f"{one.switches:,}",
    )


def _tight_rows(world: World, hard: Sequence[Tight]) -> Iterator[tuple[str, ...]]:
    for one in hard:
        usd = one.cost_micro * world.units_per_gpu / MICRO_PER_USD
        yield one.mix, f"{one.times} × demand", one.policy, f"{one.served:.2%}", f"{usd:.4f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    yield from ("| " + " | ".join(row) + " |" for row in rows)


# ---- plots


def _needed_plot(needed: Sequence[Result], path: Path) -> None:
    canvas = Canvas(figsize=(10, 4))
    for axes, view in zip(canvas.subplots(1, len(VIEWS), squeeze=False)[0], VIEWS, strict=True):
        alone = _one(needed, view, "", BACKFILL).gpus
        bars = {policy: [_one(needed, view, mix, policy).gpus for mix in _mixes(needed)] for policy in POOLED[view]}
        _bars(axes, _mixes(needed), bars)
        axes.axhline(alone, color="#444444", linestyle="--", linewidth=1, label="providers alone, EASY backfill")
        axes.set_title(f"{_view(view)}: GPUs for {SERVICE:.0%} on time", loc="left", fontsize=10)
        axes.set_ylim(0, alone * 1.05)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    _save(canvas, path)


def _tight_plot(hard: Sequence[Tight], path: Path) -> None:
    canvas = Canvas(figsize=(6, 3.5))
    axes = canvas.subplots()
    at_once = [one for one in hard if one.times == 1]
    mixes = list(dict.fromkeys(one.mix for one in at_once))
    policies = dict.fromkeys(one.policy for one in at_once)
    bars = {policy: [100 * one.served for one in at_once if one.policy == policy] for policy in policies}
    _bars(axes, mixes, bars)
    axes.set_ylim(80, 100)
    axes.set_title("Capacity = demand: % of unit-hours served", loc="left", fontsize=10)
    axes.legend(frameon=True, fontsize=8, loc="lower right")
    _save(canvas, path)


def _bars(axes: Axes, groups: Sequence[str], bars: Mapping[str, Sequence[float]]) -> None:
    width = 0.8 / len(bars)
    for each, (policy, values) in enumerate(bars.items()):
        places = [group + (each - (len(bars) - 1) / 2) * width for group in range(len(groups))]
        axes.bar(places, values, width, label=policy, color=COLOURS[policy])
    axes.set_xticks(range(len(groups)), groups, rotation=20, fontsize=8)
    axes.grid(axis="y", alpha=0.25)


def _save(canvas: Canvas, path: Path) -> None:
    canvas.tight_layout()
    canvas.savefig(path, metadata={"Date": None})
