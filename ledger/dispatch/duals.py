"""What capacity is worth to a plan: the least prices that support it, read from the residual network.

One more unit of a line is worth the best use that is denied it now: a group that left unit-hours out and would take
one more in that hour, or one that would leave a dearer line for it. A worth travels from there through whoever could
move, and never falls on the way, so it is a greatest label that spreads until nothing changes: the least fixed point,
which no other prices that support the plan undercut, and which does not depend on the order of the work.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ledger.dispatch.columns import Ints
from ledger.dispatch.flow import Flows
from ledger.dispatch.groups import Groups
from ledger.dispatch.reach import Reach


@dataclass(frozen=True, slots=True, eq=False)
class Worth:
    """By line: its gross price in 1/scale micro, the group it is due to, and the line that this group would leave for
    it (each −1: none)."""

    gross: Ints
    group: Ints
    line: Ints


@dataclass(frozen=True, slots=True, eq=False)
class _Spread:
    """Labels: a rank of worth, and after it how few moves lie between it and its source, in one integer."""

    line: Ints
    entrant: Ints
    by_pair: Ints


def least_prices(groups: Groups, reach: Reach, flows: Flows, service: int, scale: int) -> Worth:
    """The least gross prices of the reach's lines that support the flows, each with what it is due to."""
    left = wanted(groups)
    np.subtract.at(left, flows.group, flows.units)
    out = np.where(left > 0, service + groups.spec.limit_micro.astype(np.int64) * scale, -1)
    values = np.unique(np.concatenate([reach.lines.order, out, [-1]]))
    width = len(reach.lines) + 2
    own = np.searchsorted(values, reach.lines.order) * width
    source = np.searchsorted(values, out) * width
    at = _group_hours(reach, flows)
    taken = np.bincount(at, flows.units, len(reach.group)).astype(np.int64)
    spread = _settled(reach, flows, at, taken < reach.cap, (own, source))
    return Worth(values[-(-spread.line // width)], *_dues(reach, flows, at, taken < reach.cap, (own, spread)))


def wanted(groups: Groups) -> Ints:
    """Unit-hours that each group wants."""
    return groups.count * groups.spec.units.astype(np.int64) * groups.spec.hours


def _group_hours(reach: Reach, flows: Flows) -> Ints:
    """The group-hour of each flow."""
    key = reach.group * 2**32 + reach.hour
    order = np.argsort(key)
    return order[np.searchsorted(key[order], flows.group * 2**32 + flows.hour)]


def _settled(reach: Reach, flows: Flows, at: Ints, roomy: NDArray[np.bool_], start: tuple[Ints, Ints]) -> _Spread:
    line, source = start
    block_last_first = len(reach.block_first) - reach.pair_block
    entry = reach.block_first[reach.block] + reach.prefix - 1
    while True:
        used = np.zeros(len(reach.group), dtype=np.int64)
        np.maximum.at(used, at, line[flows.line])
        best = source.copy()
        np.maximum.at(best, flows.group, line[flows.line])
        entrant = np.where(roomy, np.maximum(used, best[reach.group]), used)
        by_pair = np.zeros(len(reach.pair_line), dtype=np.int64)
        np.maximum.at(by_pair, entry, entrant)
        # Whoever may use a pair may use the cheaper ones before it: a greatest value from the block's end. Offsets that
        # grow from block to block keep one block's values out of the next.
        offset = block_last_first * (int(by_pair.max(initial=0)) + 1)
        by_pair = np.maximum.accumulate((by_pair + offset)[::-1])[::-1] - offset
        settled = line.copy()
        np.maximum.at(settled, reach.pair_line, by_pair - 1)
        if np.array_equal(settled, line):
            return _Spread(line, entrant, by_pair)
        line = settled


def _dues(
    reach: Reach, flows: Flows, at: Ints, roomy: NDArray[np.bool_], labels: tuple[Ints, _Spread]
) -> tuple[Ints, Ints]:
    """The group that each line's worth is due to, and the line which that group would leave for it."""
    own, spread = labels
    due_group, due_line = np.full(len(own), -1), np.full(len(own), -1)
    shows = np.flatnonzero(
        (spread.line[reach.pair_line] > own[reach.pair_line]) & (spread.by_pair - 1 == spread.line[reach.pair_line])
    )
    lines, place = np.unique(reach.pair_line[shows], return_index=True)
    by_block = np.argsort(reach.block, kind="stable")
    block_start = np.searchsorted(reach.block[by_block], np.arange(len(reach.block_first) + 1))
    flow_start = np.searchsorted(flows.group, np.arange(flows.group.max(initial=0) + 2))
    for line, pair in zip(lines.tolist(), shows[place].tolist(), strict=True):
        block = reach.pair_block[pair]
        there = by_block[block_start[block] : block_start[block + 1]]
        may = reach.prefix[there] > pair - reach.block_first[block]
        entrant = there[may & (spread.entrant[there] == spread.by_pair[pair])][0]
        group = reach.group[entrant]
        due_group[line] = group
        if group + 1 < len(flow_start):
            own_flows = np.arange(flow_start[group], flow_start[group + 1])
            leaves = own_flows[
                (spread.line[flows.line[own_flows]] == spread.by_pair[pair])
                & (roomy[entrant] | (at[own_flows] == entrant))
            ]
            # A group that left something out may be both: then it is the service that counts.
            if len(leaves):
                due_line[line] = flows.line[leaves[0]]
    return due_group, due_line
