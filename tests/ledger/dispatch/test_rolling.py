"""Dispatch over time: what runs never moves, nothing is over its capacity, no money is spent twice."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.areas import load_areas
from ledger.dispatch.certificate import verify
from ledger.dispatch.problem import JobSpec, Latencies, Supply, Why
from ledger.dispatch.rolling import FINAL_HOURS, MOST_HOURS, Held, Rolling
from ledger.errors import InputError
from ledger.product import Grade

CLASS_ID = 2
START = 1_000
NEAR, FAR = 1, 2
LATENCIES = Latencies.measured({(NEAR, NEAR): 0, (FAR, FAR): 0, (NEAR, FAR): 15_000}, load_areas())


def job(units: int, hours: int, start: int = START, slack: int = 0, **more: Any) -> JobSpec:
    """A job of the near metro that pays 100 at most."""
    asked = JobSpec("job", CLASS_ID, units, hours, start, start + hours + slack, limit_micro=100, metro=NEAR)
    return replace(asked, **more)


def supply(site: int, hour: int, units: int, price_micro: int = 10, metro: int = NEAR) -> Supply:
    return Supply(site, CLASS_ID, metro, hour, units, price_micro)


def hours_of(site: int, hours: Sequence[int], units: int, price_micro: int = 10) -> list[Supply]:
    return [supply(site, hour, units, price_micro) for hour in hours]


# ---- one step


def test_step_buys_only_what_begins_now() -> None:
    rolling = Rolling(LATENCIES, 10_000)
    one = rolling.add(job(4, 3))
    bought = rolling.step(START, hours_of(7, range(START, START + 3), 4)).buys
    assert [(buy.job, buy.supply.hour, buy.units) for buy in bought] == [(one, START, 4)]
    assert rolling.missing(one) == 8


def test_step_buys_all_hours_of_a_gang_that_begins() -> None:
    rolling = Rolling(LATENCIES, 10_000)
    gang = rolling.add(job(4, 3, gang=True))
    rolling.step(START, hours_of(7, range(START, START + 3), 4))
    assert [(held.supply.hour, held.units) for held in rolling.held()] == [(START + each, 4) for each in range(3)]
    assert rolling.missing(gang) == 0


@pytest.mark.parametrize("hours", [1, 12])
def test_step_takes_the_earlier_of_equal_hours_and_the_later_when_it_is_cheaper_than_waiting_costs(hours: int) -> None:
    for later_micro, expected in ((100, 4), (91, 4), (90, 0)):
        rolling = Rolling(LATENCIES, 10_000, wait_bp=1_000)
        rolling.add(job(4, hours, slack=1, gang=hours > 1))
        now = hours_of(7, range(START, START + hours), 4, 100)
        later = hours_of(8, range(START + 1, START + 1 + hours), 4, later_micro)
        bought = rolling.step(START, [*now, *later]).buys
        assert sum(buy.units for buy in bought) == expected * hours, later_micro


def test_step_never_pays_above_a_limit_nor_refuses_the_limit_itself() -> None:
    rolling = Rolling(LATENCIES, 10_000)
    rolling.add(job(4, 1))
    assert rolling.step(START, [supply(7, START, 4, 101)]).buys == ()
    assert [buy.units for buy in rolling.step(START, [supply(7, START, 4, 100)]).buys] == [4]


def test_step_lets_wait_who_can_wait_beyond_the_hours_on_offer() -> None:
    rolling = Rolling(LATENCIES, 10_000)
    rolling.add(job(4, 1, slack=9))
    urgent = rolling.add(job(4, 1))
    proposal = rolling.step(START, [supply(7, START, 4)])
    assert {buy.job for buy in proposal.buys} == {urgent}
    assert proposal.left == ()


def test_step_says_who_is_left_over() -> None:
    rolling = Rolling(LATENCIES, 10_000)
    one = rolling.add(job(4, 1))
    left = rolling.step(START, [supply(7, START, 3)]).left
    assert [(each.job, each.unit_hours, each.why) for each in left] == [(one, 1, Why.CAPACITY)]


def test_step_says_what_no_hour_is_left_for() -> None:
    rolling = Rolling(LATENCIES, 10_000)
    one = rolling.add(job(4, 3))
    rolling.step(START, [])
    left = rolling.step(START + 1, hours_of(7, range(START + 1, START + 3), 4)).left
    assert [(each.job, each.unit_hours, each.why) for each in left] == [(one, 4, Why.DEADLINE)]


def test_step_spends_no_more_than_the_purse_holds() -> None:
    rolling = Rolling(LATENCIES, 35)
    rolling.add(job(4, 1))
    proposal = rolling.step(START, [supply(7, START, 4)])
    assert [buy.units for buy in proposal.buys] == [3]
    assert [(left.unit_hours, left.why) for left in proposal.left] == [(1, Why.PRICE)]
    assert "35 micro" in proposal.left[0].text
    assert rolling.books.cash == 5


def test_step_buys_no_part_of_a_gang() -> None:
    rolling = Rolling(LATENCIES, 79)
    gang = rolling.add(job(4, 2, slack=5, gang=True))
    proposal = rolling.step(START, hours_of(7, range(START, START + 2), 4))
    assert (proposal.buys, rolling.books.cash) == ((), 79)
    rolling.pay_in(1)
    rolling.step(START + 1, hours_of(7, range(START + 1, START + 3), 4))
    assert (rolling.missing(gang), rolling.books.cash) == (0, 0)


def test_step_asks_what_verify_holds_true() -> None:
    rolling = Rolling(LATENCIES, 10_000)
    for units in range(1, 6):
        rolling.add(job(units, 2, slack=units))
    asked = rolling.step(START, hours_of(7, range(START, START + 3), 4)).asked
    assert verify(asked.jobs, asked.supplies, LATENCIES, asked.plan) == []


def test_propose_changes_nothing_and_an_old_proposal_buys_nothing() -> None:
    rolling = Rolling(LATENCIES, 10_000)
    rolling.add(job(4, 1))
    proposal = rolling.propose(START, [supply(7, START, 4)])
    assert rolling.held() == []
    rolling.add(job(4, 1))
    with pytest.raises(InputError, match="something has changed"):
        rolling.accept(proposal)
    assert rolling.held() == []


def test_propose_refuses_an_hour_that_has_passed() -> None:
    rolling = Rolling(LATENCIES, 0)
    rolling.step(START, [])
    with pytest.raises(InputError, match="has passed"):
        rolling.propose(START - 1, [])


@pytest.mark.parametrize(("purse_micro", "wait_bp"), [(-1, 5), (0, -1)])
def test_rolling_refuses_less_than_nothing(purse_micro: int, wait_bp: int) -> None:
    with pytest.raises(InputError):
        Rolling(LATENCIES, purse_micro, wait_bp=wait_bp)
    with pytest.raises(InputError):
        Rolling(LATENCIES, 0).pay_in(-1)


@pytest.mark.parametrize("site", [7, 8])
def test_step_goes_on_where_a_job_ran(site: int) -> None:
    rolling = Rolling(LATENCIES, 10_000)
    one = rolling.add(job(4, 3))
    rolling.step(START, [supply(site, START, 4)])
    rolling.add(job(4, 2, START + 1))
    buys = rolling.step(START + 1, [supply(7, START + 1, 4), supply(8, START + 1, 4)]).buys
    assert [buy.supply.site for buy in buys if buy.job == one] == [site]


@pytest.mark.parametrize(
    "bound",
    [{"latency_max_us": 10_000}, {"limit_micro": 10}, {"grade": Grade.PREMIUM}],
    ids=lambda bound: next(iter(bound)),
)
def test_step_sends_nobody_where_they_may_not_run_so_that_another_stays(bound: dict[str, Any]) -> None:
    rolling = Rolling(LATENCIES, 10_000)
    one = rolling.add(job(4, 3))
    far = replace(supply(7, START, 4, 11, metro=FAR), grade=Grade.BASIC)
    rolling.step(START, [supply(8, START, 4)])
    other = rolling.add(job(4, 2, START + 1, **bound))
    buys = rolling.step(START + 1, [supply(8, START + 1, 4), replace(far, hour=START + 1)]).buys
    assert {buy.job: buy.supply.site for buy in buys} == {one: 7, other: 8}


# ---- misses


def test_missed_gives_money_back_and_places_the_rest_elsewhere_from_it() -> None:
    rolling = Rolling(LATENCIES, 120)
    gang = rolling.add(job(4, 3, slack=9, gang=True))
    rolling.step(START, hours_of(7, range(START, START + 3), 4))
    assert rolling.books.cash == 0
    void = rolling.missed(7, START + 1)
    assert [held.supply.hour for held in void] == [START + 1, START + 2]
    assert (rolling.books.cash, rolling.missing(gang)) == (80, 8)
    rolling.step(
        START + 1, [*hours_of(7, range(START + 1, START + 4), 4), *hours_of(8, range(START + 1, START + 4), 4)]
    )
    assert [(held.supply.site, held.supply.hour) for held in rolling.held()] == [
        (7, START),
        (8, START + 1),
        (8, START + 2),
    ]
    assert rolling.books.cash == 0


def test_missed_gives_back_once() -> None:
    rolling = Rolling(LATENCIES, 40)
    rolling.add(job(4, 1))
    rolling.step(START, [supply(7, START, 4)])
    assert len(rolling.missed(7, START)) == 1
    assert rolling.missed(7, START) == ()
    assert rolling.books.cash == 40


def test_missed_of_one_job_leaves_the_others_where_they_are() -> None:
    rolling = Rolling(LATENCIES, 10_000)
    one, other = rolling.add(job(4, 1)), rolling.add(job(2, 1))
    rolling.step(START, [supply(7, START, 6)])
    rolling.missed(7, START, job=one, back_micro=50)
    assert [held.job for held in rolling.held()] == [other]
    assert rolling.books.came_back == 50


def test_a_site_that_misses_again_and_again_cools_off_twice_as_long_each_time_up_to_a_bound() -> None:
    rolling = Rolling(LATENCIES, 0)
    hour, waits = START, []
    for _ in range(9):
        rolling.step(hour, [])
        rolling.missed(7, hour)
        waits.append(rolling.cools_until(7) - hour)
        hour = rolling.cools_until(7)
    assert waits == [1, 2, 4, 8, 16, 32, 64, MOST_HOURS, MOST_HOURS]


def test_a_site_that_stood_as_long_as_it_cooled_off_begins_anew() -> None:
    for stood, expected in ((3, 8), (4, 1)):
        rolling = Rolling(LATENCIES, 0)
        hour = START
        for _ in range(3):
            rolling.missed(7, hour)
            hour = rolling.cools_until(7)
        rolling.missed(7, hour + stood)
        assert rolling.cools_until(7) == hour + stood + expected, stood


def test_a_failure_told_twice_cools_off_once() -> None:
    rolling = Rolling(LATENCIES, 0)
    rolling.missed(7, START)
    rolling.missed(7, START)
    assert rolling.cools_until(7) == START + 1


def test_what_is_final_is_forgotten_and_cannot_be_missed() -> None:
    rolling = Rolling(LATENCIES, 40)
    rolling.add(job(4, 1))
    rolling.step(START, [supply(7, START, 4)])
    rolling.step(START + FINAL_HOURS, [])
    assert len(rolling.held()) == 1
    rolling.step(START + FINAL_HOURS + 1, [])
    assert rolling.missed(7, START) == ()


# ---- hours to spare


def test_hours_of_a_job_that_ended_early_serve_others_at_no_price_and_once() -> None:
    rolling = Rolling(LATENCIES, 120)
    gang = rolling.add(job(4, 3, gang=True))
    rolling.step(START, hours_of(7, range(START, START + 3), 4))
    rolling.ended(gang, START + 1)
    first, second = rolling.add(job(4, 1, START + 1)), rolling.add(job(4, 1, START + 1))
    bought = rolling.step(START + 1, []).buys
    assert [(buy.job, buy.units, buy.supply.price_micro, buy.supply.held) for buy in bought] == [(first, 4, 0, True)]
    # What is used is no longer to spare, in the same hour as in the next.
    assert rolling.step(START + 1, []).buys == ()
    assert rolling.missing(second) == 4
    rolling.add(job(5, 1, START + 2))
    assert [[buy.units for buy in rolling.step(START + 2, []).buys] for _ in range(2)] == [[4], []]
    assert rolling.books.cash == 0


# ---- any life


@dataclass
class Life:
    """A world that a Rolling lives in: what each site has in each hour, and all that it was seen to do."""

    seed: int
    rolling: Rolling
    random: Random
    jobs: dict[int, JobSpec] = field(default_factory=dict)
    bought: list[Held] = field(default_factory=list)
    void: list[Held] = field(default_factory=list)
    over: dict[int, int] = field(default_factory=dict)

    def gross(self, site: int, hour: int) -> int:
        return Random(f"{self.seed} {site} {hour}").choice((0, 3, 5, 8))

    def live(self, hours: int) -> None:
        for hour in range(START, START + hours):
            self._arrivals(hour)
            self._troubles(hour)
            before = self.rolling.held()
            proposal = self.rolling.step(hour, self.free(hour))
            self.bought += proposal.buys
            # What ran or runs is where it was, to the unit.
            after = self.rolling.held()
            assert [held for held in after if held in before] == [
                held for held in before if held.supply.hour >= hour - FINAL_HOURS
            ]
            self.check(hour)

    def _arrivals(self, hour: int) -> None:
        for _ in range(self.random.randrange(3)):
            asked = job(
                units=self.random.randint(1, 6),
                hours=self.random.randint(1, 4),
                start=hour + self.random.randrange(3),
                slack=self.random.randrange(5),
                limit_micro=self.random.choice((8, 12, 20)),
                latency_max_us=self.random.choice((0, 10_000)),
                gang=self.random.random() < 0.4,
            )
            self.jobs[self.rolling.add(asked)] = asked

    def _troubles(self, hour: int) -> None:
        if self.random.random() < 0.3:
            self.void += self.rolling.missed(self.random.choice((1, 2, 3)), hour - self.random.randrange(2))
        if self.jobs and self.random.random() < 0.2:
            done = self.random.choice(sorted(self.jobs))
            self.over[done] = min(hour, self.over.get(done, hour))
            self.rolling.ended(done, hour)
        if self.random.random() < 0.2:
            self.rolling.pay_in(100)

    def free(self, hour: int) -> list[Supply]:
        """What the market offers: what is there, less what is held or was left to spare."""
        taken: defaultdict[tuple[int, int], int] = defaultdict(int)
        for held in self.bought:
            if not held.supply.held:
                taken[held.supply.site, held.supply.hour] += held.units
        for held in self.void:
            if not held.supply.held:
                taken[held.supply.site, held.supply.hour] -= held.units
        return [
            supply(site, at, self.gross(site, at) - taken[site, at], self.random.choice((9, 10, 11)), metro)
            for site, metro in ((1, NEAR), (2, NEAR), (3, FAR))
            for at in range(hour, hour + 6)
        ]

    def check(self, hour: int) -> None:
        held, books = self.rolling.held(), self.rolling.books
        assert books.cash >= 0
        assert books.spent == sum(each.cost_micro for each in self.bought)
        assert books.came_back == sum(each.cost_micro for each in self.void)
        used: defaultdict[tuple[int, int], int] = defaultdict(int)
        by_job: defaultdict[int, list[Held]] = defaultdict(list)
        for each in held:
            used[each.supply.site, each.supply.hour] += each.units
            by_job[each.job].append(each)
        assert all(units <= self.gross(*key) for key, units in used.items()), used
        for number, rows in by_job.items():
            self._check_job(number, rows)
        for each in (each for each in held if each.supply.hour >= hour):
            until = self.over.get(each.job)
            assert until is None or each.supply.hour < until

    def _check_job(self, number: int, rows: list[Held]) -> None:
        asked = self.jobs[number]
        assert sum(each.units for each in rows) <= asked.unit_hours
        by_hour: defaultdict[int, list[Held]] = defaultdict(list)
        for each in rows:
            assert asked.earliest_hour <= each.supply.hour < asked.deadline_hour
            assert each.supply.price_micro <= asked.limit_micro
            assert not asked.latency_max_us or each.supply.metro == NEAR
            by_hour[each.supply.hour].append(each)
        for there in by_hour.values():
            assert sum(each.units for each in there) <= asked.units
            if asked.gang:
                assert len({each.supply.site for each in there}) == 1
                assert sum(each.units for each in there) == asked.units


def lived(seed: int, hours: int) -> Life:
    life = Life(seed, Rolling(LATENCIES, 2_000), Random(seed))
    life.live(hours)
    return life


@settings(deadline=None)
@given(seed=st.integers(0, 2**32))
def test_in_any_life_what_runs_stays_capacity_holds_and_money_is_spent_once(seed: int) -> None:
    lived(seed, 14)


@pytest.mark.parametrize("seed", range(3))
def test_the_same_life_is_lived_twice_alike(seed: int) -> None:
    one, other = lived(seed, 14), lived(seed, 14)
    assert one.bought == other.bought
    assert len(one.bought) > 5
    assert one.rolling.books == other.rolling.books
