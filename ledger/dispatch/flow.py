"""The best flow of one class from groups to lines: integer, at least cost, by OR-Tools.

All that costs stands at the sink: serving a unit on a line costs its price, leaving a unit-hour out costs more than
any price, and the more the higher its limit. A cycle of the residual network passes the sink once, so it trades one
line for another, one group for another, or serves one more: therefore the cheapest flow serves most unit-hours, among
those the highest limits, among those at least cost, and only the order of prices and limits counts. Ranks stand for
them.
"""

from dataclasses import dataclass, field

import numpy as np
from ortools.graph.python import min_cost_flow  # type: ignore[import-untyped]

from ledger.dispatch.columns import Ints
from ledger.dispatch.groups import Groups
from ledger.dispatch.reach import Reach, ranges
from ledger.errors import InputError

BRANCHES = 16
"""Pairs of a block, and nodes above them, that one node gathers: fewer make long paths, more make many arcs."""


@dataclass(frozen=True, slots=True, eq=False)
class Flows:
    """Group `group[k]` takes `units[k]` of line `line[k]` in `hour[k]`; in order of group, hour and line."""

    group: Ints
    hour: Ints
    line: Ints
    units: Ints


@dataclass(slots=True)
class _Network:
    """Arcs as they come."""

    nodes: int
    arcs: int = 0
    parts: list[tuple[Ints, Ints, Ints, Ints]] = field(default_factory=list)

    def add(self, tail: Ints, head: Ints, cap: Ints, cost: Ints | int = 0) -> slice:
        """Adds arcs and says where they stand."""
        self.parts.append((tail, head, cap, np.broadcast_to(np.int64(0) + cost, tail.shape)))
        self.arcs += len(tail)
        return slice(self.arcs - len(tail), self.arcs)

    def new(self, count: int) -> Ints:
        """Fresh nodes."""
        self.nodes += count
        return np.arange(self.nodes - count, self.nodes)


def best_flow(groups: Groups, reach: Reach) -> Flows:
    """The flow that the rule in this module's docstring names; of several, one that depends on the content alone."""
    members, member_of = np.unique(reach.group, return_inverse=True)
    if not len(members):
        return no_flow()
    lines, spec = reach.lines, groups.spec
    want = groups.count[members] * spec.units[members].astype(np.int64) * spec.hours[members]
    sink = len(members) + len(lines)
    network = _Network(sink + 1)
    line_node = len(members) + np.arange(len(lines))

    levels, pair_arcs = _gather(network, reach, line_node[reach.pair_line])
    entry, more = _enter(network, reach, levels)
    pair_arcs += more
    taken = network.add(member_of, entry, reach.cap)
    prices, price_rank = np.unique(lines.order, return_inverse=True)
    limit_rank = np.unique(spec.limit_micro[members], return_inverse=True)[1]
    network.add(line_node, np.full(len(lines), sink), lines.units, price_rank)
    network.add(np.arange(len(members)), np.full(len(members), sink), want, len(prices) + limit_rank)

    flow = _solved(network, members, want, sink)
    drawn = np.zeros(len(reach.pair_line), dtype=np.int64)
    for pairs, arcs in pair_arcs:
        np.add.at(drawn, pairs, flow[arcs])
    return _by_line(reach, flow[taken], drawn)


def _gather(
    network: _Network, reach: Reach, pair_node: Ints
) -> tuple[list[tuple[Ints, Ints]], list[tuple[Ints, slice]]]:
    """Nodes over the pairs of each block, level by level up to one; each level as its nodes and each block's first."""
    first, size, node = reach.block_first, reach.block_size, pair_node
    block = reach.pair_block
    levels, pair_arcs = [(node, first)], []
    while len(levels) == 1 or size.max() > 1:
        size_up = -(-size // BRANCHES)
        first_up = np.cumsum(size_up) - size_up
        node_up = network.new(int(size_up.sum()))
        parent = first_up[block] + (np.arange(len(node)) - first[block]) // BRANCHES
        cap = reach.lines.units[reach.pair_line] if len(levels) == 1 else np.full(len(node), reach.lines.units.sum())
        arcs = network.add(node_up[parent], node, cap)
        if len(levels) == 1:
            pair_arcs.append((np.arange(len(node)), arcs))
        block = np.repeat(np.arange(len(size)), size_up)
        first, size, node = first_up, size_up, node_up
        levels.append((node, first))
    return levels, pair_arcs


def _enter(network: _Network, reach: Reach, levels: list[tuple[Ints, Ints]]) -> tuple[Ints, list[tuple[Ints, slice]]]:
    """The node at which each group-hour enters its block: over the whole block, or a new one over its prefix."""
    width = int(reach.block_size.max()) + 1
    keys, key_of = np.unique(reach.block * width + reach.prefix, return_inverse=True)
    block, prefix = keys // width, keys % width
    whole = prefix == reach.block_size[block]
    top_node, top_first = levels[-1]
    entry = np.empty(len(keys), dtype=np.int64)
    entry[whole] = top_node[top_first[block[whole]]]
    entry[~whole] = network.new(int(np.count_nonzero(~whole)))
    node, block, prefix = entry[~whole], block[~whole], prefix[~whole]
    pair_arcs = []
    for level, (below, first) in enumerate(levels):
        count = prefix // BRANCHES**level
        which, place = ranges(count // BRANCHES * BRANCHES, count)
        child = first[block[which]] + place
        cap = reach.lines.units[reach.pair_line[child]] if level == 0 else np.full(len(child), reach.lines.units.sum())
        arcs = network.add(node[which], below[child], cap)
        if level == 0:
            pair_arcs.append((child, arcs))
    return entry[key_of], pair_arcs


def _solved(network: _Network, members: Ints, want: Ints, sink: int) -> Ints:
    tail, head, cap, cost = (np.concatenate(column) for column in zip(*network.parts, strict=True))
    solver = min_cost_flow.SimpleMinCostFlow()
    solver.add_arcs_with_capacity_and_unit_cost(tail, head, cap, cost)
    solver.set_nodes_supplies(np.arange(len(members)), want)
    solver.set_node_supply(sink, -int(want.sum()))
    status = solver.solve()
    if status != solver.OPTIMAL:
        raise InputError(
            f"No flow was found for {want.sum()} unit-hours over {len(tail)} arcs: {status.name}.",
            "Plan fewer unit-hours at once: sums must stay within 64 bits.",
        )
    flow: Ints = solver.flows(np.arange(len(tail)))
    return flow


def _by_line(reach: Reach, taken: Ints, drawn: Ints) -> Flows:
    """Who draws on which line. Inside a block whoever's limit admits fewest lines takes the cheapest first: since the
    flow through prefixes is possible, so is this."""
    by_prefix = np.lexsort((reach.group, reach.prefix, reach.block))
    by_prefix = by_prefix[taken[by_prefix] > 0]
    pairs = np.flatnonzero(drawn)
    taker, pair, units = overlay(taken[by_prefix], drawn[pairs])
    taker, pair = by_prefix[taker], pairs[pair]
    line, group, hour = reach.pair_line[pair], reach.group[taker], reach.hour[taker]
    order = np.lexsort((line, hour, group))
    return Flows(group[order], hour[order], line[order], units[order])


def overlay(takers: Ints, givers: Ints) -> tuple[Ints, Ints, Ints]:
    """Lays two rows of positive amounts with the same sum side by side: which taker takes how much from which giver.

    Linear in the takers; givers are few, or cost a logarithm each.
    """
    taker_end, giver_end = np.cumsum(takers), np.cumsum(givers)
    at = np.searchsorted(taker_end, giver_end)
    inside = taker_end[at] != giver_end
    # A taker that ends inside no giver is one row; each giver that ends inside a taker adds one before the taker's end.
    rows = 1 + np.bincount(at[inside], minlength=len(takers))
    taker, end = np.repeat(np.arange(len(takers)), rows), np.repeat(taker_end, rows)
    end[at[inside] + np.arange(np.count_nonzero(inside))] = giver_end[inside]
    stop = np.searchsorted(end, giver_end) + 1
    giver = np.repeat(np.arange(len(givers)), np.diff(stop, prepend=0))
    return taker, giver, np.diff(end, prepend=0)


def no_flow() -> Flows:
    """Nobody takes anything."""
    return Flows(*(np.zeros(0, dtype=np.int64) for _ in range(4)))
