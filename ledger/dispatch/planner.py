"""Jobs × sites × hours into a plan: most unit-hours first, then the highest limits, then at least cost.

Interchangeable jobs are one group, one integer flow a class serves the divisible groups as well as can be, and the
least prices that support the flow prove it. Gangs, which no flow can keep whole, are placed before it, as many of a
kind as a flow that divides them would serve and along its prices, which say what else the capacity could do; those that
found no place then, after it. Of them the plan promises that they run as asked and that none is left over that would
still fit, not that no more could run.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ledger.dispatch.columns import Column, Ints, sums
from ledger.dispatch.duals import Worth, least_prices
from ledger.dispatch.flow import Flows, best_flow, no_flow
from ledger.dispatch.gangs import Seating, seated_rows
from ledger.dispatch.groups import Groups, group_jobs
from ledger.dispatch.problem import Certificate, JobSpec, Latencies, Plan, Supply
from ledger.dispatch.reach import lines_of, order_prices, reach_of
from ledger.dispatch.reasons import Lefts, Reasons
from ledger.dispatch.split import split
from ledger.dispatch.tables import JobTable, Placements, SupplyTable


def make_plan(
    jobs: Sequence[JobSpec] | JobTable, supplies: Sequence[Supply] | SupplyTable, latencies: Latencies
) -> Plan:
    """The plan for these jobs on these supplies: the same on any machine, and for any order of either."""
    return _Planning(group_jobs(JobTable.of(jobs)), SupplyTable.of(supplies), latencies).plan()


@dataclass(frozen=True, slots=True, eq=False)
class _Served:
    """Flows by position of the supply, and what each supply is worth."""

    flows: Flows
    worth: Worth


class _Planning:
    def __init__(self, groups: Groups, supplies: SupplyTable, latencies: Latencies) -> None:
        self._groups, self._supplies, self._latencies = groups, supplies, latencies
        self._order, self._scale = order_prices(supplies)
        self._service = int(self._order.max(initial=0)) + 1

    def plan(self) -> Plan:
        groups = self._groups
        gangs = groups.spec.gang == 1
        seating = Seating(groups, self._supplies, self._latencies, self._supplies.units.astype(np.int64))
        if gangs.all():
            seating.seat(groups.count, self._order)
            served = self._serve(np.flatnonzero(~gangs), seating.free)
        elif gangs.any():
            guide = self._serve(np.arange(len(groups)), seating.free)
            whole = self._taken(guide.flows) // (groups.spec.units.astype(np.int64) * groups.spec.hours)
            seated = seating.seat(whole, guide.worth.gross)
            served = self._serve(np.flatnonzero(~gangs), seating.free)
            seating.free -= sums(served.flows.line, served.flows.units, len(self._order))
            seating.seat(groups.count - seated, served.worth.gross)
        else:
            served = self._serve(np.arange(len(groups)), seating.free)
        columns = [split(groups, served.flows), seated_rows(groups, seating.seats)]
        job, supply, units = (
            np.concatenate(parts) if len(parts[1]) else parts[0] for parts in zip(*columns, strict=True)
        )
        placed = Placements(job, supply, units, self._supplies)
        return Plan(placed, self._left(placed, self._spare(placed)), self._certificate(served, gangs))

    def _serve(self, chosen: Ints, free: Ints) -> _Served:
        """The best flow of the chosen groups, class by class."""
        lines, spec = lines_of(self._supplies, free), self._groups.spec
        parts = []
        worth = Worth(self._order.copy(), np.full(len(self._order), -1), np.full(len(self._order), -1))
        for class_id in np.unique(spec.class_id[chosen]).tolist():
            own = lines.of_class(class_id)
            reach = reach_of(self._groups, chosen[spec.class_id[chosen] == class_id], own, self._latencies)
            flows = best_flow(self._groups, reach)
            found = least_prices(self._groups, reach, flows, self._service, self._scale)
            worth.gross[own.supply], worth.group[own.supply] = found.gross, found.group
            worth.line[own.supply] = np.where(found.line < 0, -1, own.supply[found.line])
            parts.append(Flows(flows.group, flows.hour, own.supply[flows.line], flows.units))
        columns = (np.concatenate([getattr(part, name) for part in parts]) for name in Flows.__slots__)
        flows = Flows(*columns) if parts else no_flow()
        return _Served(flows, worth)

    def _spare(self, placed: Placements) -> Ints:
        return self._supplies.units.astype(np.int64) - sums(placed.supply, placed.units, len(self._supplies))

    def _taken(self, flows: Flows) -> Ints:
        return sums(flows.group, flows.units, len(self._groups))

    def _left(self, placed: Placements, spare: Ints) -> Lefts:
        groups, spec = self._groups, self._groups.spec
        wanted = (spec.units.astype(np.int64) * spec.hours)[groups.of]
        wanted -= sums(placed.job, placed.units, len(wanted))
        job = np.flatnonzero(wanted)
        return Lefts(job, wanted[job], groups, Reasons(groups, self._supplies, self._latencies, spare))

    def _certificate(self, served: _Served, gangs: Column) -> Certificate:
        groups, flows, worth = self._groups, served.flows, served.worth
        of = groups.of.astype(np.int32)
        if gangs.any():
            of[gangs[of]] = -1
        return Certificate(
            of,
            flows.group,
            flows.line,
            flows.units,
            gross=worth.gross,
            due_group=worth.group,
            due_supply=worth.line,
            service=self._service,
            scale=self._scale,
        )
