"""The evaluation on the package's small cut: it runs on what it is given, says what is wrong with it, and is the same
twice."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import datasets
from ledger.errors import BadData, InputError
from tests.bench.dispatch import gangs, measure, shares
from tests.bench.dispatch.evaluate import Evaluation, Wishes, evaluate, figures
from tests.bench.dispatch.measure import ALONE, BACKFILL, FIRST_COME, OURS, POOLED, SERVICE, STEPS, VIEWS
from tests.bench.dispatch.outcome import Outcome
from tests.bench.dispatch.world import City, Files, Work, World, load_world, mixed

PACKAGED = Files.of(Path(datasets.__file__).parent / "data")
MIXES = ("all-hub",)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """The first jobs of the package's day."""
    path = tmp_path_factory.mktemp("trace") / "jobs.csv"
    lines = PACKAGED.trace.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(lines[:120]) + "\n", encoding="utf-8")
    return replace(PACKAGED, trace=path)


@pytest.fixture(scope="module")
def found(small: Files) -> Evaluation:
    return evaluate(Wishes(files=small, days=0, mixes=MIXES))


@pytest.mark.slow
def test_evaluate_gives_every_policy_the_service_and_no_pool_more_than_the_providers_alone(found: Evaluation) -> None:
    for view in VIEWS:
        rows = {one.policy: one for one in found.needed if one.view == view}
        assert set(rows) == {*ALONE[view], *POOLED[view]}
        assert all(one.served >= SERVICE for one in rows.values())
        assert all(one.gpus <= rows[BACKFILL].gpus for policy, one in rows.items() if policy in POOLED[view])


@pytest.mark.slow
def test_evaluate_serves_all_where_capacity_is_demand(found: Evaluation) -> None:
    ours = [one for one in found.tight if one.policy == OURS]
    assert [(one.served, one.violations) for one in ours] == [(1.0, 0)] * 2


@pytest.mark.slow
def test_figures_write_a_report_with_its_plots_and_find_the_same_again(
    small: Files, found: Evaluation, tmp_path: Path
) -> None:
    said = list(figures(Wishes(files=small, days=0, mixes=MIXES, report=tmp_path)))
    assert {figure.name.rpartition(", ")[2] for figure in said} == set(MIXES)
    record = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    for name, rows in (("needed", found.needed), ("equal", found.equal), ("tight", found.tight)):
        # How long a plan took is the only thing that may differ.
        again = [one | {"plan_s_max": 0} for one in record[name]]
        assert again == [one.record() | {"plan_s_max": 0} for one in rows], name
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert text.index("## What is assumed") < text.index("## What it says") < text.index("## Capacity that")
    for plot in re.findall(r"\]\((.+?)\)", text):
        assert (tmp_path / plot).read_bytes().startswith(b"<?xml")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("trace", "submit_s,duration_s,gpus\n0,1,1\n", "no column 'cluster'"),
        ("trace", "submit_s,duration_s,gpus,cluster\n0,x,1,a\n", "line 2"),
        ("trace", "submit_s,duration_s,gpus,cluster\n0,0,1,a\n", "no job"),
        ("trace", "submit_s,duration_s,gpus,cluster\n0,-1,1,a\n", "for -1 s on 1 GPUs"),
        ("prices", "provider,region\n", "no region in it"),
        ("latency", "city\nBeijing\n", "no column 'city_lat'"),
        ("latency", "city,city_lat,city_lon,theory_oneway_ms,ip_private_2p6x_ms\n", "no latency above zero"),
    ],
)
def test_load_world_says_what_is_wrong_with_a_file(
    name: str, text: str, says: str, small: Files, tmp_path: Path
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadData, match=re.escape(says)) as raised:
        load_world(replace(small, **{name: path}), None, 1)
    assert str(path) in str(raised.value)


def test_load_world_says_which_file_is_missing(small: Files, tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"nowhere\.csv"):
        load_world(replace(small, prices=tmp_path / "nowhere.csv"), None, 1)


def test_load_world_takes_more_clusters_than_there_are_cities(tmp_path: Path) -> None:
    trace, latency = tmp_path / "jobs.csv", tmp_path / "latency.csv"
    rows = [f"{each},3601,2,c{each}" for each in range(7)]
    trace.write_text("\n".join(["submit_s,duration_s,gpus,cluster", *rows]), encoding="utf-8")
    latency.write_text(
        "city,city_lat,city_lon,theory_oneway_ms,ip_private_2p6x_ms\nA,39.9,116.4,1,3\nB,31.2,121.5,1,3\n",
        encoding="utf-8",
    )
    world = load_world(replace(PACKAGED, trace=trace, latency=latency), None, 1)
    assert (len(world.clusters), world.detour) == (7, 3.0)
    assert {city.name for city in world.cities} == {"A", "B"}
    assert {job.hours for job in world.jobs} == {2}


def test_mixed_refuses_a_mix_that_is_none(small: Files) -> None:
    with pytest.raises(InputError, match="all-near"):
        mixed(load_world(small, None, 1), "all-near", 1)


# ---- the policies on worlds small enough to think through


def world_of(jobs: Sequence[Work], prices: Sequence[int] = (10, 20), away_us: int = 15_000) -> World:
    cities = tuple(City(f"city {site}", 0, 0, price, "") for site, price in enumerate(prices))
    ways = tuple(tuple(0 if a == b else away_us for b in range(len(prices))) for a in range(len(prices)))
    return World(tuple(city.name for city in cities), cities, ways, 1, tuple(jobs), 1)


def work(number: int, units: int, hours: int, arrival: int = 0, slack: int = 9, home: int = 0) -> Work:
    return Work(
        number=number,
        home=home,
        arrival=arrival,
        hours=hours,
        stated=hours,
        units=units,
        rate=units,
        deadline=arrival + hours + slack,
        latest=arrival + slack,
        bound_us=20_000,
    )


def starts(policy: gangs.Policy, jobs: Sequence[Work], capacity: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Hour and site of each job's start."""
    noted = {}

    def watching(hour: int, waiting: list[Work], floor: gangs.Floor) -> gangs.Starts:
        for job, site in policy(hour, waiting, floor):
            noted[job.number] = hour, site
            yield job, site

    gangs.run_gangs(world_of(jobs), jobs, capacity, watching)
    return noted


def test_alone_first_come_lets_nobody_pass() -> None:
    jobs = [work(0, 3, 4), work(1, 4, 1), work(2, 1, 1)]
    assert starts(gangs.alone_first_come, jobs, (4, 4)) == {0: (0, 0), 1: (4, 0), 2: (5, 0)}


def test_alone_backfilled_lets_pass_who_delays_nobody() -> None:
    jobs = [work(0, 3, 4), work(1, 4, 1), work(2, 1, 4), work(3, 1, 5)]
    assert starts(gangs.alone_backfilled, jobs, (4, 4)) == {0: (0, 0), 1: (4, 0), 2: (0, 0), 3: (5, 0)}


def test_pooled_by_price_goes_to_the_cheapest_with_room() -> None:
    jobs = [work(0, 3, 2, home=1), work(1, 3, 2, home=1), work(2, 3, 2, home=1)]
    assert starts(gangs.pooled_by_price, jobs, (4, 4)) == {0: (0, 0), 1: (0, 1), 2: (2, 0)}


def test_pooled_tightest_first_serves_the_tightest_before_who_came_earlier() -> None:
    tight = replace(work(1, 4, 2), bound_us=10_000)
    assert starts(gangs.pooled_tightest_first, [work(0, 4, 2), tight], (4, 3)) == {1: (0, 0), 0: (2, 0)}


def test_a_job_that_cannot_be_on_time_is_dropped_under_every_policy() -> None:
    jobs = [work(0, 4, 3), work(1, 4, 1, slack=2)]
    for policy in (gangs.alone_first_come, gangs.alone_backfilled):
        assert starts(policy, jobs, (4, 4)) == {0: (0, 0)}


def test_pooled_shares_take_from_several_sites_and_count_switches() -> None:
    jobs = [work(0, 6, 2)]
    outcome = shares.run_shares(world_of(jobs), jobs, (4, 4), shares.by_price)
    assert (outcome.served, outcome.cost_micro, outcome.away, outcome.switches) == (12, 2 * (40 + 40), 4, 0)


@settings(deadline=None, max_examples=25)
@given(
    drawn=st.lists(
        st.tuples(st.integers(1, 6), st.integers(1, 5), st.integers(0, 6), st.integers(0, 6), st.integers(0, 1)),
        min_size=1,
        max_size=12,
    )
)
def test_no_policy_is_late_or_serves_more_than_was_wanted(drawn: list[tuple[int, int, int, int, int]]) -> None:
    drawn = sorted(drawn, key=lambda job: job[2])
    jobs = [work(number, *job) for number, job in enumerate(drawn)]
    world, capacity = world_of(jobs), (5, 6)
    for view in VIEWS:
        for name, run in {**ALONE[view], **POOLED[view]}.items():
            outcome: Outcome = run(world, jobs, capacity)
            assert outcome.served <= outcome.wanted, (view, name)
            assert max(outcome.by_hour.values(), default=0) <= sum(capacity), (view, name)
            assert all(0 <= wait <= 6 for wait, _ in outcome.waits), (view, name)


# ---- the search for a capacity


@given(answer=st.integers(1, 900), near=st.integers(1, 400), step=st.sampled_from((4, 200)))
def test_bracket_and_least_find_the_least_that_serves(answer: int, near: int, step: int) -> None:
    low, high = measure.bracket(lambda scale: scale >= answer, near, step)
    assert low < answer <= high
    assert measure.least(lambda scale: scale >= answer, low + 1, high) == answer


def test_providers_alone_need_what_their_own_customers_need() -> None:
    jobs = [work(0, 3, 4, slack=1), work(1, 3, 4, slack=1), work(2, 5, 1, home=1)]
    world = world_of(jobs)
    assert measure.own_capacity(world, ALONE["gangs"][FIRST_COME]) == (6, 5)
    assert measure.scaled(world, (6, 5), STEPS // 2) == (3, 2)
