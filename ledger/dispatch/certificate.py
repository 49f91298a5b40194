"""Checks a plan without solving anything, in time linear in jobs, placements and pairs of group and supply.

Feasibility is read off the placements. Optimality of the divisible jobs follows from prices: if every supply that is
worth more than it costs is full, and no group could do better at these worths than it does, then by duality no plan
serves more unit-hours, or higher limits with as many, or costs less with the same. That the worths are the least that
do this is checked too: each that lies above its supply's own price must be due to somebody, over a chain that ends.

Of gangs feasibility is certified, and that none is left over that would still fit in what stays free: that no more of
them could run if others ran elsewhere, or cheaper, is not. Nor are the reasons of what is left over, of which only the
amounts are checked.

Nothing here is shared with the planner but the values, and how columns are added up.
"""

from collections.abc import Sequence

import numpy as np

from ledger.dispatch.feasible import feasible, rows
from ledger.dispatch.optimal import Proof, alike, best, flows_as_placed, least, prices, slack
from ledger.dispatch.problem import JobSpec, Latencies, Plan, Supply
from ledger.dispatch.rules import Case, Violation
from ledger.dispatch.tables import JobTable, Placements, SupplyTable
from ledger.dispatch.vacant import vacant


def verify(
    jobs: Sequence[JobSpec] | JobTable,
    supplies: Sequence[Supply] | SupplyTable,
    latencies: Latencies,
    plan: Plan,
) -> list[Violation]:
    """What is wrong with a plan for these jobs and supplies: the first violation of each rule; none for a right one."""
    job_table, supply_table = JobTable.of(jobs), SupplyTable.of(supplies)
    placed = Placements.of(plan.placed, supply_table)
    case = Case(job_table, supply_table, latencies, placed, plan)
    unreadable = list(rows(case))
    if unreadable:
        return unreadable
    groups = alike(case)
    if groups:
        # Without groups that can be trusted, nothing that is said of groups says anything of jobs.
        return [*feasible(case, case.placed.job, case.placed.supply), *groups]
    proof = Proof.of(case)
    flows = list(flows_as_placed(proof))
    if flows:
        return [*feasible(case, case.placed.job, case.placed.supply), *flows]
    gangs = case.gang_rows()
    job = np.concatenate([proof.member[case.certificate.flow_group], placed.job[gangs]])
    supply = np.concatenate([case.certificate.flow_supply, placed.supply[gangs]])
    found = feasible(case, job, supply)
    found += vacant(case)
    return [*found, *(one for check in (prices, slack, best, least) for one in check(proof))]
