"""Whether a gang that a plan leaves over would still fit whole in what the plan leaves free."""

from collections.abc import Iterator

import numpy as np

from ledger.dispatch.columns import Ints, sums
from ledger.dispatch.rules import NEVER, Case, Rule, Violation
from ledger.dispatch.tables import JOB_COLUMNS


def vacant(case: Case) -> Iterator[Violation]:
    """No gang is left over that fits: linear in the pairs of supplies and kinds of gangs left over."""
    jobs, table = case.jobs, case.supplies
    left = _left(case)
    free = table.units - sums(case.placed.supply, case.placed.units, len(table))
    rows = np.lexsort((table.hour, table.site))[: len(table) if len(left) else 0]
    rows = rows[free[rows] > 0]
    if not len(rows):
        return
    cells = _Cells(table.site[rows].astype(np.int64), table.hour[rows].astype(np.int64))
    columns = {name: getattr(table, name)[rows] for name in ("class_id", "grade", "price_micro", "hour")}
    for job in left.tolist():
        way_us = case.way_us_from(int(jobs.metro[job]), rows)
        bound_us = int(jobs.latency_max_us[job]) or NEVER
        admitted = (columns["class_id"] == jobs.class_id[job]) & (columns["grade"] >= jobs.grade[job])
        admitted &= (columns["price_micro"] <= jobs.limit_micro[job]) & (way_us <= bound_us)
        admitted &= (columns["hour"] >= jobs.earliest_hour[job]) & (columns["hour"] < jobs.deadline_hour[job])
        end = cells.first_run(np.where(admitted, free[rows], 0), int(jobs.units[job]), int(jobs.hours[job]))
        if end >= 0:
            yield Violation(
                Rule.VACANT,
                f"gang {job} is left over, though {jobs.units[job]} units are free for it at site {cells.site[end]} "
                f"in the {jobs.hours[job]} hours up to hour {cells.hour[end]}",
            )
            return


def _left(case: Case) -> Ints:
    """One gang of each kind that has no placement."""
    gangs = np.flatnonzero(case.jobs.gang != 0)
    placed = np.zeros(len(case.jobs), dtype=np.bool_)
    placed[case.placed.job[case.gang_rows()]] = True
    gangs = gangs[~placed[gangs]]
    kinds = np.stack([getattr(case.jobs, name)[gangs].astype(np.int64) for name in JOB_COLUMNS], axis=1)
    return gangs[np.unique(kinds, axis=0, return_index=True)[1]] if len(gangs) else gangs


class _Cells:
    """The hours of sites in which anything is free, from rows in order of site and hour."""

    def __init__(self, site: Ints, hour: Ints) -> None:
        self._first = np.flatnonzero(np.diff(site, prepend=site[0] - 1) | np.diff(hour, prepend=hour[0]))
        self.site, self.hour = site[self._first], hour[self._first]
        self._follows = (np.diff(self.site, prepend=self.site[0] - 1) == 0) & (
            np.diff(self.hour, prepend=self.hour[0]) == 1
        )

    def first_run(self, units: Ints, least: int, hours: int) -> int:
        """The cell that ends the first run of so many consecutive hours of a site in each of which the rows' `units`
        come to `least`; −1 if there is none."""
        enough = np.add.reduceat(units, self._first) >= least
        at = np.arange(len(enough))
        # A run begins after a cell that has too little, and where an hour does not follow on the one before it.
        begins = np.maximum.accumulate(np.where(~enough, at + 1, np.where(self._follows, 0, at)))
        ends = np.flatnonzero(at - begins + 1 >= hours)
        return int(ends[0]) if len(ends) else -1
