"""From groups back to jobs: each job whole before the next where that can be, in order of position."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from ledger.dispatch.columns import CHUNK_ROWS, Column, Ints, narrow
from ledger.dispatch.flow import Flows, overlay
from ledger.dispatch.groups import Groups

Batch = tuple[int, int, int, int]
"""So many jobs that each take the same: place of the hour among a group's, first job, jobs, units each."""


def split(groups: Groups, flows: Flows) -> tuple[Column, Column, Column]:
    """Job (position), line and units of each placement: what the flows of groups come to for their jobs."""
    if not len(flows.group):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    starts = np.flatnonzero(np.diff(flows.group, prepend=-1) | np.diff(flows.hour, prepend=-1))
    taken = np.add.reduceat(flows.units, starts)
    group = flows.group[starts]
    alone = groups.count[group] == 1
    hours = np.flatnonzero(alone)
    single = np.stack([hours, groups.first[group[hours]], np.ones_like(hours), taken[hours]], axis=1)
    shared = np.array(list(_batches(groups, group, taken, alone)), dtype=np.int64).reshape(-1, 4)
    batches = np.concatenate([single, shared])
    batches = batches[np.lexsort((batches[:, 1], batches[:, 0]))]
    parts = [_handed(groups, flows, starts, some) for some in _pieces(batches)]
    job, line, units = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return job, line, units


def _pieces(batches: Ints) -> Iterator[Ints]:
    """Batches by whole group-hours, so many that they come to about a chunk of jobs."""
    jobs = np.cumsum(batches[:, 2])
    last = np.flatnonzero(np.diff(batches[:, 0], append=-1))
    piece = jobs[last] // CHUNK_ROWS
    bounds = [0, *(last[np.flatnonzero(np.diff(piece, append=-1))] + 1).tolist()]
    return (batches[start:stop] for start, stop in pairwise(bounds))


def _handed(groups: Groups, flows: Flows, starts: Ints, batches: Ints) -> tuple[Column, Column, Column]:
    """Job, line and units of each placement of these batches."""
    place, first, count, each = batches.T
    start = starts[place[0]]
    stop = starts[place[-1] + 1] if place[-1] + 1 < len(starts) else len(flows.units)
    rank = np.arange(int(count.sum())) + np.repeat(first - (np.cumsum(count) - count), count)
    taker, flow, units = overlay(np.repeat(each, count), flows.units[start:stop])
    return narrow(groups.order[rank[taker]]), narrow(flows.line[start:stop][flow]), narrow(units)


def _batches(groups: Groups, group: Ints, taken: Ints, alone: Column) -> Iterator[Batch]:
    bounds = np.flatnonzero(np.diff(group, prepend=-1, append=-1))
    for start, stop in zip(bounds.tolist(), bounds[1:].tolist(), strict=False):
        if alone[start]:
            continue
        g = int(group[start])
        units, hours = int(groups.spec.units[g]), int(groups.spec.hours[g])
        first = int(groups.first[g])
        for job, jobs, shares in shares_of(taken[start:stop].tolist(), int(groups.count[g]), units, hours):
            for place, each in shares:
                yield start + place, first + job, jobs, each


def shares_of(taken: list[int], jobs: int, units: int, hours: int) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
    """Hands a group's units per hour to its `jobs`: (first job, how many jobs, their hours and units in each).

    A job takes at most `units` in an hour and `units` × `hours` in all, and as much as that allows. What the others
    could not take in an hour even together, it must: then it takes from the fullest hours first. So nothing is left,
    as long as no hour has more than jobs × units and the sum is at most jobs × units × hours.
    """
    job, rest = 0, list(taken)
    while any(rest):
        share = _share(rest, jobs - job, units, hours)
        # As many jobs do the same as stay within what is there, and leave no hour too much for those after them.
        same = jobs - job
        for place, each in share:
            same = min(same, rest[place] // each)
        held = dict(share)
        for place, amount in enumerate(rest):
            each = held.get(place, 0)
            if each < units:
                same = min(same, 1 + (each - (amount - (jobs - job - 1) * units)) // (units - each))
        for place, each in share:
            rest[place] -= same * each
        yield job, same, share
        job += same


def _share(rest: list[int], jobs: int, units: int, hours: int) -> list[tuple[int, int]]:
    """What the first of so many jobs takes in each hour, by place."""
    share = [max(0, amount - (jobs - 1) * units) for amount in rest]
    room = units * hours - sum(share)
    for place in sorted(range(len(rest)), key=lambda place: (-rest[place], place)):
        more = min(room, min(units, rest[place]) - share[place])
        share[place] += more
        room -= more
    return [(place, each) for place, each in enumerate(share) if each]
