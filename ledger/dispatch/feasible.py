"""Whether a plan can be carried out: read off its placements, whoever made it."""

from collections.abc import Iterator

import numpy as np

from ledger.dispatch.columns import Column, Ints, chunks, counts, sums
from ledger.dispatch.problem import UNITS_MAX, Placed, Plan, Supply
from ledger.dispatch.rules import NEVER, Case, Rule, Violation
from ledger.dispatch.tables import Placements, SupplyTable


def rows(case: Case) -> Iterator[Violation]:
    for name, column, size in (
        ("job", case.placed.job, len(case.jobs)),
        ("supply", case.placed.supply, len(case.supplies)),
    ):
        if len(column) and not 0 <= int(column.min()) <= int(column.max()) < size:
            row = int(np.argmax((column < 0) | (column >= size)))
            yield Violation(Rule.ROW, f"placement {row} names {name} {column[row]}, and there are {size}")
    # What no supply can hold is refused before anything is added up: a sum of 64 bits begins anew.
    wrong = (case.placed.units <= 0) | (case.placed.units > UNITS_MAX)
    if wrong.any():
        row = int(np.argmax(wrong))
        yield Violation(Rule.ROW, f"placement {row} is of {case.placed.units[row]} units")


def _said(case: Case) -> Iterator[Violation]:
    """Whoever reads a row goes by its site, hour, price and product: they are those of its supply."""
    given, table = case.plan.placed, case.supplies
    if isinstance(given, Placements):
        row = None if given.supplies is table else _of_other(given, table)
    else:
        supply = case.placed.supply.tolist()
        row = next((row for row, one in enumerate(given) if _words(one) != _words(table.supply(supply[row]))), None)
    if row is not None:
        right = table.supply(int(case.placed.supply[row]))
        yield Violation(Rule.ROW, f"placement {row} says other things of its supply than {right}")


def _words(one: Placed | Supply) -> tuple[int, int, int, int, bool]:
    return one.site, one.hour, one.price_micro, one.product, one.held


def _of_other(given: Placements, table: SupplyTable) -> int | None:
    """A row made from a supply of another table that is not as the one of `table` in its place."""
    used, first = np.unique(given.supply, return_index=True)
    other = given.supplies
    if not len(used) or int(used[-1]) >= len(other):
        return None if not len(used) else int(first[-1])
    wrong = np.array([other.product(one) != table.product(one) for one in used.tolist()])
    for name in ("site", "hour", "price_micro", "held"):
        wrong |= getattr(other, name)[used] != getattr(table, name)[used]
    return int(first[np.argmax(wrong)]) if wrong.any() else None


def feasible(case: Case, job: Column, supply: Column) -> list[Violation]:
    """All rules of feasibility; admission is checked for these pairs of job and supply."""
    return [
        *_said(case),
        *_capacity(case),
        *_hours(case),
        *_whole_and_left(case),
        *admission(case, job, supply),
        *_gangs(case),
    ]


def _capacity(case: Case) -> Iterator[Violation]:
    taken = sums(case.placed.supply, case.placed.units, len(case.supplies))
    over = taken > case.supplies.units
    if over.any():
        one = int(np.argmax(over))
        yield Violation(
            Rule.CAPACITY,
            f"supply {one} (site {case.supplies.site[one]}, hour {case.supplies.hour[one]}) has "
            f"{case.supplies.units[one]} units, and {taken[one]} are placed on it",
        )


def _hours(case: Case) -> Iterator[Violation]:
    """No job takes more than its units in an hour."""
    hours, hour_of = np.unique(case.supplies.hour, return_inverse=True)
    rows = _suspects(case, hour_of, len(hours))
    job = case.placed.job[rows]
    distinct, of = np.unique(np.stack([job, hour_of[case.placed.supply[rows]]], axis=1), axis=0, return_inverse=True)
    units = sums(of, case.placed.units[rows], len(distinct))
    over = units > case.jobs.units[distinct[:, 0]]
    if over.any():
        first = int(np.argmax(over))
        one, hour = distinct[first].tolist()
        yield Violation(
            Rule.HOUR,
            f"job {one} takes {units[first]} units in hour {hours[hour]}, and wants {case.jobs.units[one]}",
        )


def _suspects(case: Case, hour_of: Ints, width: int) -> Ints:
    """The placements that may be too much for their hour: alone, or one of several of the same job and hour. Where
    those always stand together, few are looked at twice; else all are."""
    placed = case.placed
    seen = np.zeros(len(case.jobs) * width, dtype=np.bool_)
    found, repeats, before = [], 0, -1
    for part in chunks(len(placed)):
        job = placed.job[part]
        key = job.astype(np.int64) * width
        key += hour_of[placed.supply[part]]
        seen[key] = True
        again = part.start + np.flatnonzero(np.diff(key, prepend=before) == 0)
        found += [again - 1, again, part.start + np.flatnonzero(placed.units[part] > case.jobs.units[job])]
        repeats, before = repeats + len(again), int(key[-1])
    if np.count_nonzero(seen) != len(placed) - repeats:
        return np.arange(len(placed))
    return np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *found]))


def _whole_and_left(case: Case) -> Iterator[Violation]:
    taken = sums(case.placed.job, case.placed.units, len(case.jobs))
    wanted = case.jobs.units.astype(np.int64)
    wanted *= case.jobs.hours
    over = taken > wanted
    if over.any():
        one = int(np.argmax(over))
        yield Violation(Rule.WHOLE, f"job {one} takes {taken[one]} unit-hours, and wants {wanted[one]}")
    wanted -= taken
    job, units = _left_columns(case.plan)
    if len(job) and not 0 <= int(job.min()) <= int(job.max()) < len(wanted):
        yield Violation(Rule.LEFT, f"what is left over names job {job.max()}, and there are {len(wanted)}")
        return
    wrong = (counts(job, len(wanted))[job] > 1) | (units <= 0)
    if wrong.any():
        one = int(np.argmax(wrong))
        yield Violation(Rule.LEFT, f"job {job[one]} is left over by {units[one]} unit-hours, or twice")
        return
    said = sums(job, units, len(wanted))
    wrong = np.maximum(wanted, 0) != said
    if wrong.any():
        one = int(np.argmax(wrong))
        yield Violation(Rule.LEFT, f"job {one} has {wanted[one]} unit-hours left over, and the plan says {said[one]}")


def _left_columns(plan: Plan) -> tuple[Ints, Ints]:
    left = plan.left
    job, units = getattr(left, "job", None), getattr(left, "unit_hours", None)
    if job is None or units is None:
        job, units = [row.job for row in left], [row.unit_hours for row in left]
    return np.asarray(job, dtype=np.int64), np.asarray(units, dtype=np.int64)


def admission(case: Case, job: Column, supply: Column) -> Iterator[Violation]:
    jobs, table = case.jobs, case.supplies
    hour, bound = table.hour[supply], jobs.latency_max_us[job]
    for rule, admitted in (
        (Rule.CLASS, jobs.class_id[job] == table.class_id[supply]),
        (Rule.LATENCY, (bound == 0) | (case.way_us(job, supply) <= bound)),
        (Rule.GRADE, jobs.grade[job] <= table.grade[supply]),
        (Rule.WINDOW, (jobs.earliest_hour[job] <= hour) & (hour < jobs.deadline_hour[job])),
        (Rule.LIMIT, table.price_micro[supply] <= jobs.limit_micro[job]),
    ):
        if not admitted.all():
            one = int(np.argmin(admitted))
            yield Violation(rule, f"{jobs.job(int(job[one]))} does not admit {table.supply(int(supply[one]))}")


def _gangs(case: Case) -> Iterator[Violation]:
    """A gang runs whole or not at all: at one site, in as many consecutive hours as it wants, all its units in each."""
    mine = case.gang_rows()
    job, supply = case.placed.job[mine], case.placed.supply[mine]
    members, of = np.unique(job, return_inverse=True)
    hour, site = case.supplies.hour[supply].astype(np.int64), case.supplies.site[supply].astype(np.int64)
    spans = []
    for column in (hour, site):
        least, most = np.full(len(members), NEVER), np.full(len(members), -1)
        np.minimum.at(least, of, column)
        np.maximum.at(most, of, column)
        spans.append(most - least)
    taken = sums(of, case.placed.units[mine], len(members))
    wanted = case.jobs.units[members].astype(np.int64) * case.jobs.hours[members]
    # With at most its units in any hour and all unit-hours inside so many hours, each hour has all its units.
    wrong = (spans[0] >= case.jobs.hours[members]) | (spans[1] > 0) | (taken != wanted)
    if wrong.any():
        one = int(np.argmax(wrong))
        yield Violation(
            Rule.GANG,
            f"gang {members[one]} takes {taken[one]} of {wanted[one]} unit-hours over {spans[0][one] + 1} hours, "
            f"{'at several sites' if spans[1][one] else 'at one site'}",
        )
