"""Small markets for the dispatcher's properties, and what plainer ways of placing make of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from ledger.areas import load_areas
from ledger.dispatch.problem import JobSpec, Latencies, Plan, Supply
from ledger.product import Grade

AREAS = load_areas()
METROS = [AREAS.find(name).code for name in ("Frankfurt", "London", "Singapore", "Tokyo")]
HOUR = 490_000
HOURS = 4

# One way in microseconds: a tie, a metro, a hub, and far away.
LATENCIES = Latencies.measured(
    {
        **{(metro, metro): 1_000 for metro in METROS},
        (METROS[0], METROS[1]): 9_000,
        (METROS[0], METROS[2]): 80_000,
        (METROS[0], METROS[3]): 110_000,
        (METROS[1], METROS[2]): 85_000,
        (METROS[1], METROS[3]): 115_000,
        (METROS[2], METROS[3]): 35_000,
    },
    AREAS,
)


@dataclass(frozen=True)
class Instance:
    """Jobs and supplies; the latencies are the same in all."""

    jobs: list[JobSpec]
    supplies: list[Supply]


@st.composite
def jobs(draw: st.DrawFn, gangs: bool = False, classes: int = 1) -> JobSpec:
    """A job of few values, so that several compete for the same; mostly one that may use much."""
    earliest = draw(st.sampled_from([0, 0, *range(HOURS)]))
    return JobSpec(
        name="",
        class_id=draw(st.integers(1, classes)),
        units=draw(st.integers(1, 3)),
        hours=draw(st.integers(1, 3)),
        earliest_hour=HOUR + earliest,
        deadline_hour=HOUR + max(earliest + 1, draw(st.sampled_from([HOURS, HOURS, *range(1, HOURS)]))),
        limit_micro=draw(st.integers(1, 6)),
        metro=draw(st.sampled_from([0, *METROS[:3]])),
        latency_max_us=draw(st.sampled_from([0, 0, 1_000, 20_000, 100_000])),
        grade=draw(st.sampled_from([Grade.BASIC, Grade.STANDARD])),
        gang=draw(st.booleans()) if gangs else False,
    )


@st.composite
def supplies(draw: st.DrawFn, classes: int = 1, weights: bool = False) -> Supply:
    """A supply at one of four sites, each in a metro of its own."""
    site = draw(st.integers(0, 3))
    return Supply(
        site=site,
        class_id=draw(st.integers(1, classes)),
        metro=METROS[site],
        hour=HOUR + draw(st.integers(0, HOURS - 1)),
        units=draw(st.integers(0, 5)),
        price_micro=draw(st.integers(0, 6)),
        grade=draw(st.sampled_from([Grade.BASIC, Grade.PREMIUM])),
        weight_bp=draw(st.sampled_from([10_000, 9_000])) if weights else 10_000,
    )


@st.composite
def instances(draw: st.DrawFn, gangs: bool = False, classes: int = 1, weights: bool = False) -> Instance:
    """Some kinds of jobs, each some times over. Seldom few of either: where nothing is placed, little is tried."""
    kinds = draw(st.lists(st.tuples(jobs(gangs=gangs, classes=classes), st.integers(1, 4)), min_size=1, max_size=6))
    flat = [job for job, count in kinds for _ in range(count)]
    return Instance(flat, draw(st.lists(supplies(classes=classes, weights=weights), min_size=6, max_size=14)))


def admits(job: JobSpec, supply: Supply) -> bool:
    """Whether a job may use a supply: one bound after the other, as a person would check them."""
    if supply.class_id != job.class_id or supply.grade < job.grade or supply.price_micro > job.limit_micro:
        return False
    if not job.earliest_hour <= supply.hour < job.deadline_hour:
        return False
    return job.latency_max_us == 0 or LATENCIES.one_way_us(supply.metro, job.metro) <= job.latency_max_us


def greedy(instance: Instance, key: Callable[[JobSpec], object]) -> tuple[int, int]:
    """Unit-hours and cost in micro when jobs are served in order of `key`, each with the cheapest that is free."""
    free = [supply.units for supply in instance.supplies]
    by_price = sorted(range(len(free)), key=lambda k: instance.supplies[k].price_micro)
    unit_hours = cost_micro = 0
    for job in sorted(instance.jobs, key=key):  # type: ignore[arg-type]
        rest, in_hour = job.unit_hours, dict.fromkeys(range(HOUR, HOUR + HOURS), job.units)
        for k in by_price:
            supply = instance.supplies[k]
            if admits(job, supply):
                units = min(rest, free[k], in_hour[supply.hour])
                free[k] -= units
                rest -= units
                in_hour[supply.hour] -= units
                unit_hours += units
                cost_micro += units * supply.price_micro
    return unit_hours, cost_micro


def served(plan: Plan, specs: Sequence[JobSpec]) -> list[int]:
    """Limits of the unit-hours served, dearest first."""
    return sorted((specs[row.job].limit_micro for row in plan.placed for _ in range(row.units)), reverse=True)


def by_content(plan: Plan, instance: Instance) -> list[tuple[object, ...]]:
    """A plan's placements without names or positions: what kind of job runs on what kind of supply, and how often."""
    rows: dict[int, list[tuple[object, ...]]] = {}
    for row in plan.placed:
        rows.setdefault(row.job, []).append((row.site, row.hour, row.units, row.price_micro, row.product, row.held))
    return sorted((repr(instance.jobs[job]), *sorted(own)) for job, own in rows.items())
