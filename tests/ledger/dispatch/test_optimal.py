"""A certificate is refused where a single number of it is changed."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.dispatch.certificate import verify
from ledger.dispatch.planner import make_plan
from ledger.dispatch.problem import Certificate, JobSpec, Left, Placed, Plan, Supply, Why
from ledger.dispatch.rules import Rule
from ledger.dispatch.tables import JOB_COLUMNS
from ledger.product import Grade
from tests.ledger.dispatch.instances import HOUR, LATENCIES, METROS, Instance, instances


def broken(instance: Instance, plan: Plan, **values: Any) -> set[Rule]:
    other = Plan(plan.placed, plan.left, replace(plan.certificate, **values))
    return {one.rule for one in verify(instance.jobs, instance.supplies, LATENCIES, other)}


def moved(certificate: Certificate, name: str, place: int, by: int) -> dict[str, Any]:
    column = np.array(getattr(certificate, name), dtype=np.int64)
    column[place] += by
    return {name: column}


@given(instances(weights=True), st.data())
def test_certificate_is_refused_when_a_worth_is_changed(instance: Instance, data: st.DataObject) -> None:
    plan = make_plan(instance.jobs, instance.supplies, LATENCIES)
    if instance.supplies:
        place = data.draw(st.integers(0, len(instance.supplies) - 1))
        by = data.draw(st.integers(-20, 20).filter(bool))
        assert broken(instance, plan, **moved(plan.certificate, "gross", place, by))


@given(instances(gangs=True), st.data())
def test_certificate_is_refused_when_a_flow_is_changed(instance: Instance, data: st.DataObject) -> None:
    plan = make_plan(instance.jobs, instance.supplies, LATENCIES)
    if len(plan.certificate.flow_units):
        place = data.draw(st.integers(0, len(plan.certificate.flow_units) - 1))
        name = data.draw(st.sampled_from(["flow_units", "flow_group", "flow_supply"]))
        by = data.draw(st.integers(-3, 3).filter(bool))
        found = broken(instance, plan, **moved(plan.certificate, name, place, by))
        assert found if name != "flow_units" else Rule.FLOW in found


@given(instances(gangs=True), st.data())
def test_certificate_is_refused_when_a_job_is_put_in_another_group(instance: Instance, data: st.DataObject) -> None:
    plan = make_plan(instance.jobs, instance.supplies, LATENCIES)
    groups = int(plan.certificate.group_of.max(initial=-1)) + 1
    if groups > 0:
        place = data.draw(st.integers(0, len(instance.jobs) - 1))
        own = int(plan.certificate.group_of[place])
        other = data.draw(st.integers(-1, groups).filter(lambda group: group != own))
        values = moved(plan.certificate, "group_of", place, other - own)
        # A group cut in two proves as much, where it fits the flows.
        assert broken(instance, plan, **values) or other == groups


@given(instances())
def test_certificate_is_refused_when_service_or_scale_is_changed(instance: Instance) -> None:
    plan = make_plan(instance.jobs, instance.supplies, LATENCIES)
    assert Rule.PRICE in broken(instance, plan, service=plan.certificate.service + 1)
    assert Rule.PRICE in broken(instance, plan, scale=10_000)


@given(instances(gangs=True), st.data())
def test_plan_is_refused_when_a_placement_is_changed(instance: Instance, data: st.DataObject) -> None:
    plan = make_plan(instance.jobs, instance.supplies, LATENCIES)
    rows = list(plan.placed)
    if rows:
        place = data.draw(st.integers(0, len(rows) - 1))
        name = data.draw(st.sampled_from(["units", "supply", "job"]))
        by = data.draw(st.integers(-2, 2).filter(bool))
        rows[place] = replace(rows[place], **{name: getattr(rows[place], name) + by})
        plain = Plan(rows, list(plan.left), plan.certificate)
        found = verify(instance.jobs, instance.supplies, LATENCIES, plain)
        # A gang may sit elsewhere: of gangs only that they sit is certified.
        assert found or (name == "supply" and instance.jobs[rows[place].job].gang)


def test_plan_that_is_not_the_best_is_refused_with_the_prices_of_the_best() -> None:
    jobs = [JobSpec("a", 1, 2, 1, HOUR, HOUR + 2, 5)]
    supplies = [Supply(1, 1, METROS[0], HOUR, 2, 1), Supply(1, 1, METROS[0], HOUR + 1, 2, 3)]
    best = make_plan(jobs, supplies, LATENCIES)
    dearer = [replace(best.placed[0], supply=1, hour=HOUR + 1, price_micro=3)]
    certificate = replace(best.certificate, flow_supply=np.array([1]))
    found = verify(jobs, supplies, LATENCIES, Plan(dearer, (), certificate))
    assert [one.rule for one in found] == [Rule.BEST]


def test_what_is_left_out_counts_in_unit_hours() -> None:
    # Of two units for two hours, one unit-hour is placed: as many as units of it would be left in each hour.
    jobs = [JobSpec("a", 1, 2, 2, HOUR, HOUR + 2, 5)]
    supplies = [Supply(1, 1, METROS[0], HOUR + hour, 1, price) for hour, price in ((0, 1), (1, 3))]
    full = make_plan(jobs, supplies, LATENCIES)
    assert verify(jobs, supplies, LATENCIES, full) == []
    (first,) = (row for row in full.placed if row.supply == 0)
    nobody = np.array([-1, -1])
    certificate = replace(
        full.certificate,
        gross=np.array([1, 3]),
        due_group=nobody,
        due_supply=nobody,
        flow_group=np.array([0]),
        flow_supply=np.array([0]),
        flow_units=np.array([1]),
    )
    found = verify(jobs, supplies, LATENCIES, Plan([first], [Left(0, 3, Why.CAPACITY, "")], certificate))
    assert [one.rule for one in found] == [Rule.BEST]
    assert "leaves 3 out" in found[0].text


def test_a_worth_that_is_due_in_a_circle_is_refused() -> None:
    # Both could be worth 3 as far as the plan goes: but nobody says so except one for the sake of the other.
    jobs = [JobSpec("a", 1, 1, 1, HOUR, HOUR + 1, 5), JobSpec("b", 1, 1, 1, HOUR, HOUR + 1, 4)]
    supplies = [Supply(site, 1, METROS[0], HOUR, 1, 1) for site in (1, 2)]
    plan = make_plan(jobs, supplies, LATENCIES)
    assert plan.certificate.gross.tolist() == [1, 1]
    using = {int(s): int(g) for g, s in zip(plan.certificate.flow_group, plan.certificate.flow_supply, strict=True)}
    values = {
        "gross": np.array([3, 3]),
        "due_group": np.array([using[1], using[0]]),
        "due_supply": np.array([1, 0]),
    }
    assert broken(Instance(jobs, supplies), plan, **values) == {Rule.LEAST}


@pytest.mark.parametrize("name", ["gross", "due_group", "due_supply", "group_of"])
def test_certificate_of_another_length_is_refused(name: str) -> None:
    jobs = [JobSpec("a", 1, 2, 1, HOUR, HOUR + 2, 5)]
    supplies = [Supply(1, 1, METROS[0], HOUR, 2, 1)]
    plan = make_plan(jobs, supplies, LATENCIES)
    assert broken(Instance(jobs, supplies), plan, **{name: np.array([0, 0])})


def test_a_worth_above_its_price_is_refused_where_units_are_free() -> None:
    jobs = [JobSpec("a", 1, 2, 1, HOUR, HOUR + 2, 5)]
    supplies = [Supply(1, 1, METROS[0], HOUR, 3, 1)]
    plan = make_plan(jobs, supplies, LATENCIES)
    assert Rule.SLACK in broken(Instance(jobs, supplies), plan, gross=np.array([2]))


@pytest.mark.parametrize("name", JOB_COLUMNS)
def test_only_jobs_that_are_alike_in_every_column_are_one_group(name: str) -> None:
    job = JobSpec("a", 1, 2, 1, HOUR, HOUR + 2, 5, METROS[0], 20_000)
    others = {"metro": METROS[1], "gang": True, "grade": Grade.STANDARD, "class_id": 2, "deadline_hour": HOUR + 3}
    other = replace(job, **{name: others.get(name, getattr(job, name) + 1)})
    jobs, supplies = [job, other], [Supply(1, 1, METROS[0], HOUR, 9, 1)]
    plan = make_plan(jobs, supplies, LATENCIES)
    found = verify(jobs, supplies, LATENCIES, plan)
    assert found == []
    one = {"group_of": np.array([0, 0]), "flow_group": np.zeros_like(plan.certificate.flow_group)}
    due = np.minimum(plan.certificate.due_group, 0)
    assert Rule.GROUP in broken(Instance(jobs, supplies), plan, **one, due_group=due)


def test_a_divisible_job_in_no_group_is_refused_and_so_is_a_gang_in_one() -> None:
    """What is in no group is proven of nobody: a plan could leave it out beside free capacity."""
    supplies, nobody = [Supply(1, 1, METROS[0], HOUR, 9, 1)], np.zeros(0, dtype=np.int64)
    for gang, group in ((False, -1), (True, 0)):
        jobs = [JobSpec("a", 1, 2, 1, HOUR, HOUR + 2, 5, gang=gang)]
        plan = make_plan(jobs, supplies, LATENCIES)
        given_ = replace(
            plan.certificate,
            group_of=np.array([group]),
            flow_group=nobody,
            flow_supply=nobody,
            flow_units=nobody,
        )
        empty = Plan((), [Left(0, 2, Why.CAPACITY, "")], given_)
        assert Rule.GROUP in {one.rule for one in verify(jobs, supplies, LATENCIES, empty)}, gang


def test_what_a_gang_takes_is_not_free() -> None:
    # Two of the cheap five are a gang's, the divisible job has the rest and some of the dear ones: all is worth 3.
    jobs = [JobSpec("gang", 1, 2, 1, HOUR, HOUR + 1, 9, gang=True), JobSpec("a", 1, 6, 1, HOUR, HOUR + 1, 9)]
    supplies = [Supply(site, 1, METROS[0], HOUR, 5, price) for site, price in ((1, 1), (2, 3))]
    plan = make_plan(jobs, supplies, LATENCIES)
    assert [(row.site, row.units) for row in plan.placed if row.job == 0] == [(1, 2)]
    assert plan.certificate.gross.tolist() == [3, 3]
    assert verify(jobs, supplies, LATENCIES, plan) == []


Sizes = list[tuple[int, int]]
Takes = list[tuple[int, int, int]]


def judged(jobs: list[JobSpec], sizes: Sizes, taken: Takes, gross: list[int], due: int = -1) -> set[Rule]:
    """The rules that a plan breaks. Supplies are (hour, units), at 1, 3, 5 …, of which jobs take (job, supply, units);
    each job is a group, and all worths are due to one of them, who was left out."""
    supplies = [Supply(k, 1, METROS[0], HOUR + hour, size, 1 + 2 * k) for k, (hour, size) in enumerate(sizes)]
    wanted = dict(enumerate(job.unit_hours for job in jobs))
    rows = []
    for place, k, size in taken:
        one = supplies[k]
        rows.append(Placed(place, one.site, one.hour, size, one.price_micro, 0, False, k))
        wanted[place] -= size
    left = [Left(place, hours, Why.CAPACITY, "") for place, hours in wanted.items() if hours]
    divisible = [row for row in taken if not jobs[row[0]].gang]
    group, supply, units = np.array(divisible, dtype=np.int64).reshape(len(divisible), 3).T
    groups = np.array([-1 if job.gang else place for place, job in enumerate(jobs)])
    nobody = np.full(len(supplies), -1)
    service = max(one.price_micro for one in supplies) + 1
    given_ = Certificate(groups, group, supply, units, np.array(gross), np.full(len(supplies), due), nobody, service, 1)
    return {one.rule for one in verify(jobs, supplies, LATENCIES, Plan(rows, left, given_))}


def job(units: int, limit_micro: int = 9, hours: int = 1) -> JobSpec:
    return JobSpec("", 1, units, hours, HOUR, HOUR + 3, limit_micro)


@pytest.mark.parametrize(
    ("jobs", "sizes", "taken", "gross"),
    [
        # The lower limit is served, at a worth that only the higher one pays.
        ([job(1, 5), job(1, 6)], [(0, 1)], [(0, 0, 1)], [2 + 6]),
        # One unit-hour is left beside a free unit.
        ([job(1)], [(0, 1)], [], [1]),
        # The cheap hour is not full, and the dear one is used.
        ([job(2)], [(0, 2), (1, 2)], [(0, 0, 1), (0, 1, 1)], [1, 3]),
        # Of two in the same hour the dear one is used.
        ([job(1)], [(0, 1), (0, 1)], [(0, 1, 1)], [1, 3]),
    ],
)
def test_what_could_be_better_is_refused_by_that_rule_alone(
    jobs: list[JobSpec], sizes: Sizes, taken: Takes, gross: list[int]
) -> None:
    assert judged(jobs, sizes, taken, gross) - {Rule.LEAST} == {Rule.BEST}


@pytest.mark.parametrize(
    ("jobs", "sizes", "taken", "gross"),
    [
        ([job(1, 5), job(1, 6)], [(0, 1)], [(1, 0, 1)], [2 + 5]),
        ([job(1)], [(0, 1)], [(0, 0, 1)], [1]),
        ([job(2)], [(0, 2), (1, 2)], [(0, 0, 2)], [1, 3]),
        # Of what has no units nobody can use more, however cheap it is.
        ([job(2)], [(0, 0), (0, 2)], [(0, 1, 2)], [1, 3]),
    ],
)
def test_what_could_not_is_taken(jobs: list[JobSpec], sizes: Sizes, taken: Takes, gross: list[int]) -> None:
    assert judged(jobs, sizes, taken, gross) - {Rule.LEAST} == set()


@pytest.mark.parametrize("gross", [0, 2])
def test_a_worth_is_the_price_where_units_are_free(gross: int) -> None:
    assert judged([job(1)], [(0, 2)], [(0, 0, 1)], [1]) == set()
    found = judged([job(1)], [(0, 2)], [(0, 0, 1)], [gross])
    assert found == {Rule.LEAST, Rule.SLACK if gross else Rule.PRICE}


@pytest.mark.parametrize(
    ("jobs", "sizes", "taken", "gross", "due"),
    [
        # Due to one who was left nothing out.
        ([job(1, 5)], [(0, 1)], [(0, 0, 1)], [2 + 5], 0),
        # Due to one who was left something out, and can take no more in that hour.
        ([job(1, 5, hours=2)], [(0, 1)], [(0, 0, 1)], [2 + 5], 0),
        # Of what a gang has nothing is anybody's to have more of.
        ([job(1, 5), replace(job(1), gang=True)], [(0, 1)], [(1, 0, 1)], [2 + 5], 0),
    ],
)
def test_a_worth_is_due_to_who_would_take_more(
    jobs: list[JobSpec], sizes: Sizes, taken: Takes, gross: list[int], due: int
) -> None:
    assert judged(jobs, sizes, taken, gross, due) == {Rule.LEAST}
    assert judged([job(1, 5), job(1, 6)], [(0, 1)], [(1, 0, 1)], [2 + 5], 0) == set()
