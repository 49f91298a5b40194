"""Whether no plan of the divisible jobs is better: what the certificate of a plan must hold."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ledger.dispatch.columns import Column, Ints, chunks, counts, sums
from ledger.dispatch.feasible import admission
from ledger.dispatch.problem import UNITS_MAX
from ledger.dispatch.rules import NEVER, Case, Mask, Rule, Violation
from ledger.dispatch.tables import JOB_COLUMNS, JobTable, SupplyTable

_CHUNK_CELLS = 2**22


def alike(case: Case) -> list[Violation]:
    """The jobs of a group are alike, gangs are in none, and every name of a group or supply stands for one."""
    given, jobs = case.certificate, case.jobs
    of = given.group_of
    if len(of) != len(jobs):
        return [Violation(Rule.GROUP, f"the certificate groups {len(of)} jobs, and there are {len(jobs)}")]
    columns = (given.gross, given.due_group, given.due_supply)
    if any(len(column) != len(case.supplies) for column in columns):
        return [Violation(Rule.PRICE, f"the certificate does not price each of {len(case.supplies)} supplies")]
    unreadable = list(_unreadable(case))
    if unreadable:
        return unreadable
    member = _members(of)
    most = len(member) - 1
    for name, column, size in (
        ("flow", given.flow_group, most + 1),
        ("due", given.due_group[given.due_group >= 0], most + 1),
    ):
        if len(column) and (int(column.min()) < 0 or int(column.max()) >= size or np.any(member[column] < 0)):
            return [Violation(Rule.GROUP, f"a {name} of the certificate names a group that no job is in")]
    return list(_unlike(jobs, of, member))


def _unreadable(case: Case) -> Iterator[Violation]:
    """Numbers that count from the end of a table, or lie beyond it, mean nothing: whoever made the plan chose them."""
    given = case.certificate
    for rule, name, column, size in (
        (Rule.GROUP, "a job is in", given.group_of, len(case.jobs)),
        (Rule.GROUP, "a worth is due to", given.due_group, len(case.jobs)),
        (Rule.PRICE, "a worth is due at", given.due_supply, len(case.supplies)),
    ):
        if len(column) and not -1 <= int(column.min()) <= int(column.max()) < size:
            what = "supply" if rule is Rule.PRICE else "group"
            yield Violation(
                rule, f"{name} a {what} from {column.min()} to {column.max()}, and there are {size} at most"
            )
    lengths = {len(given.flow_group), len(given.flow_supply), len(given.flow_units)}
    if len(lengths) > 1:
        yield Violation(Rule.FLOW, f"the columns of the flows are {sorted(lengths)} long")
    elif len(given.flow_units) and not 0 < int(given.flow_units.min()) <= int(given.flow_units.max()) <= UNITS_MAX:
        yield Violation(Rule.FLOW, f"a flow is of {given.flow_units.min()} units, or one of {given.flow_units.max()}")
    size = len(case.supplies)
    if len(given.flow_supply) and not 0 <= int(given.flow_supply.min()) <= int(given.flow_supply.max()) < size:
        yield Violation(Rule.FLOW, f"a flow names a supply that is none of {size}")


def _members(of: Column) -> Ints:
    """A job of each group, −1 where there is none."""
    member = np.full(int(of.max(initial=-1)) + 2, -1)
    # The number of gangs, −1, is the last place, which is then cut off.
    for part in chunks(len(of)):
        member[of[part]] = np.arange(part.start, part.stop)
    return member[:-1]


def _unlike(jobs: JobTable, of: Column, member: Ints) -> Iterator[Violation]:
    for part in chunks(len(jobs)):
        grouped = of[part] >= 0
        wrong = grouped == (jobs.gang[part] != 0)
        for name in JOB_COLUMNS:
            column = getattr(jobs, name)
            wrong |= grouped & (column[member][of[part]] != column[part]) if len(member) else wrong
        if wrong.any():
            job = part.start + int(np.argmax(wrong))
            group = of[job]
            yield Violation(Rule.GROUP, f"job {job} does not belong in group {group}: {jobs.job(job)}")
            return


@dataclass(frozen=True, slots=True, eq=False)
class Proof:
    """The certificate, with what its checks share: a member of each group, free capacity, and flows by group-hour."""

    case: Case
    member: Ints
    order: Ints
    free: Ints
    hours: Column
    hour_of: Ints
    taken: Ints
    most: Ints
    out: Ints

    @classmethod
    def of(cls, case: Case) -> "Proof":
        given, jobs, supplies = case.certificate, case.jobs, case.supplies
        of = given.group_of
        member = _members(of)
        gangs = case.gang_rows()
        used = sums(case.placed.supply[gangs], case.placed.units[gangs], len(supplies))
        hours, hour_of = np.unique(supplies.hour, return_inverse=True)
        taken = np.zeros((len(member), len(hours)), dtype=np.int64)
        np.add.at(taken, (given.flow_group, hour_of[given.flow_supply]), given.flow_units)
        # Gangs have the number −1, and are counted where nobody looks.
        count = counts(of + 1, len(member) + 1)[1:]
        most = count * jobs.units[member].astype(np.int64)
        out = most * jobs.hours[member] - taken.sum(axis=1)
        free = supplies.units - used
        return cls(case, member, _order(supplies, given.scale), free, hours, hour_of, taken, most, out)

    @property
    def leaving(self) -> Ints:
        """What leaving out a unit-hour of each group counts for."""
        given = self.case.certificate
        return given.service + self.case.jobs.limit_micro[self.member].astype(np.int64) * given.scale


def _order(supplies: SupplyTable, scale: int) -> Ints:
    price, weight = supplies.price_micro.astype(np.int64), supplies.weight_bp.astype(np.int64)
    return price if scale == 1 else price * 10_000 * 10_000 // weight + 10_000 - weight


def flows_as_placed(proof: Proof) -> Iterator[Violation]:
    """The flows are what the placements of each group come to."""
    case, given = proof.case, proof.case.certificate
    size = len(case.supplies)
    cells = [given.flow_group.astype(np.int64) * size + given.flow_supply]
    units = [-given.flow_units.astype(np.int64)]
    for part in chunks(len(case.placed)):
        cell = given.group_of[case.placed.job[part]].astype(np.int64) * size + case.placed.supply[part]
        # Neighbours that draw on the same flow are one: in a plan as it is made, that leaves few.
        starts = np.flatnonzero(np.diff(cell, prepend=-size - 1))
        cells.append(cell[starts])
        units.append(np.add.reduceat(case.placed.units[part], starts, dtype=np.int64))
    names, of = np.unique(np.concatenate(cells), return_inverse=True)
    more = sums(of, np.concatenate(units), len(names))
    # Gangs have the group −1, and are in no flow.
    wrong = (more != 0) & (names >= 0)
    if wrong.any():
        one = int(np.argmax(wrong))
        group, supply = divmod(int(names[one]), size)
        yield Violation(Rule.FLOW, f"the jobs of group {group} take {more[one]} more of supply {supply} than its flow")


def prices(proof: Proof) -> Iterator[Violation]:
    """Worths are at least what supplies cost, and service is above them all."""
    given, weights = proof.case.certificate, proof.case.supplies.weight_bp
    scale = 1 if np.all(weights == 10_000) else 10_000
    service = int(proof.order.max(initial=0)) + 1
    if (given.scale, given.service) != (scale, service):
        yield Violation(
            Rule.PRICE,
            f"service counts {given.service} at a scale of {given.scale}, and should {service} at {scale}",
        )
    low = given.gross < proof.order
    if low.any():
        one = int(np.argmax(low))
        yield Violation(Rule.PRICE, f"supply {one} costs {proof.order[one]} and is worth {given.gross[one]}")


def slack(proof: Proof) -> Iterator[Violation]:
    """What is worth more than it costs is full."""
    given = proof.case.certificate
    spare = proof.free - sums(given.flow_supply, given.flow_units, len(proof.free))
    wrong = (given.gross > proof.order) & (spare > 0)
    if wrong.any():
        one = int(np.argmax(wrong))
        yield Violation(
            Rule.SLACK,
            f"supply {one} costs {proof.order[one]} and is worth {given.gross[one]}, though {spare[one]} are free",
        )


def best(proof: Proof) -> Iterator[Violation]:
    """At these worths, no group would rather use another supply, another hour, or none."""
    given = proof.case.certificate
    for first, cheapest in _cheapest(proof):
        part = slice(first, first + len(cheapest))
        taken, most, leaving = proof.taken[part], proof.most[part, None], proof.leaving[part]
        dearest = np.where(taken > 0, cheapest, -1).max(axis=1, initial=-1)
        next_best = np.where(taken < most, cheapest, NEVER).min(axis=1, initial=NEVER)
        wrong = (next_best < dearest) | (dearest > leaving) | ((proof.out[part] > 0) & (next_best < leaving))
        if wrong.any():
            one = int(np.argmax(wrong))
            yield Violation(
                Rule.BEST,
                f"group {first + one} (job {proof.member[first + one]}) uses hours worth up to {dearest[one]} "
                f"and leaves {proof.out[first + one]} out, where one worth {next_best[one]} would take more",
            )
            return
        mine = np.flatnonzero((given.flow_group >= first) & (given.flow_group < first + len(cheapest)))
        supply = given.flow_supply[mine]
        wrong = given.gross[supply] != cheapest[given.flow_group[mine] - first, proof.hour_of[supply]]
        if wrong.any():
            one = int(mine[np.argmax(wrong)])
            yield Violation(
                Rule.BEST,
                f"group {given.flow_group[one]} uses supply {given.flow_supply[one]}, worth "
                f"{given.gross[given.flow_supply[one]]}, where it may use a better one of that hour",
            )
            return


def _cheapest(proof: Proof) -> Iterator[tuple[int, Ints]]:
    """For some groups at a time: the first, and the least worth that each may use in each hour."""
    jobs, given, table = proof.case.jobs, proof.case.certificate, proof.case.supplies
    by_hour = np.lexsort((given.gross, table.hour))
    by_hour = by_hour[proof.free[by_hour] > 0]
    hour_of = proof.hour_of[by_hour]
    starts = np.flatnonzero(np.diff(hour_of, prepend=-1))
    origins, origin_of = np.unique(jobs.metro[proof.member], return_inverse=True)
    columns = [np.ascontiguousarray(getattr(table, name)[by_hour]) for name in ("class_id", "grade", "price_micro")]
    ways = np.array([proof.case.way_us_from(origin, by_hour) for origin in origins.tolist()], dtype=np.int64).reshape(
        len(origins), len(by_hour)
    )
    step = max(1, _CHUNK_CELLS // max(1, len(by_hour)))
    for first in range(0, len(proof.member), step):
        member = proof.member[first : first + step]
        bound = np.where(jobs.latency_max_us[member] == 0, NEVER, jobs.latency_max_us[member])[:, None]
        admitted = ways[origin_of[first : first + step]] <= bound
        admitted &= columns[0] == jobs.class_id[member, None]
        admitted &= columns[1] >= jobs.grade[member, None]
        admitted &= columns[2] <= jobs.limit_micro[member, None]
        cheapest = np.full((len(member), len(proof.hours)), NEVER)
        if len(starts):
            worth = np.where(admitted, given.gross[by_hour], NEVER)
            cheapest[:, hour_of[starts]] = np.minimum.reduceat(worth, starts, axis=1)
        outside = (proof.hours < jobs.earliest_hour[member, None]) | (proof.hours >= jobs.deadline_hour[member, None])
        cheapest[outside] = NEVER
        yield first, cheapest


def least(proof: Proof) -> Iterator[Violation]:
    """Each worth above a supply's own price is due to a group that would use one more unit and gain as much."""
    given = proof.case.certificate
    dear = (given.gross > proof.order) & (proof.free > 0)
    wrong = ~dear & ((given.gross != proof.order) | (given.due_group >= 0) | (given.due_supply >= 0))
    wrong |= dear & (given.due_group < 0)
    if not wrong.any():
        wrong[np.flatnonzero(dear)[~_due(proof, np.flatnonzero(dear))]] = True
    if wrong.any():
        one = int(np.argmax(wrong))
        yield Violation(
            Rule.LEAST,
            f"supply {one} costs {proof.order[one]} and is worth {given.gross[one]}, "
            f"which is not due to group {given.due_group[one]} at supply {given.due_supply[one]}",
        )


def _due(proof: Proof, dear: Ints) -> Mask:
    """Of the supplies worth more than they cost: which are so for the reason given."""
    given, case = proof.case.certificate, proof.case
    group, from_ = given.due_group[dear], given.due_supply[dear]
    job, hour = proof.member[group], proof.hour_of[dear]
    roomy = proof.taken[group, hour] < proof.most[group]
    served = (from_ < 0) & roomy & (proof.out[group] > 0) & (given.gross[dear] == proof.leaving[group])
    using = set(zip(given.flow_group.tolist(), given.flow_supply.tolist(), strict=True))
    uses = np.array([pair in using for pair in zip(group.tolist(), from_.tolist(), strict=True)], dtype=np.bool_)
    moves = uses & (roomy | (proof.hour_of[from_] == hour)) & (given.gross[from_] == given.gross[dear])
    admitted = ~np.isin(np.arange(len(dear)), _refused(case, job, dear))
    due: Mask = (served | moves) & admitted & _ends(given.due_supply)[dear]
    return due


def _refused(case: Case, job: Ints, supply: Ints) -> list[int]:
    return [k for k in range(len(job)) if any(admission(case, job[k : k + 1], supply[k : k + 1]))]


def _ends(following: Column) -> Mask:
    """Which of the chains end, rather than go round."""
    at = np.append(following, -1).astype(np.int64)
    for _ in range(len(at).bit_length()):
        at = at[at]
    ends: Mask = at[:-1] < 0
    return ends
