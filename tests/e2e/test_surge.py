"""A surge on the market: an hour of real requests to language models, fifty times as many, on capacity for three times
as many. Who pays more and who can wait is served, all that there is is used, and nothing breaks."""

from collections import Counter
from collections.abc import Iterator

import pytest

from ledger.dispatch.preview import DispatchPreview
from ledger.dispatch.problem import JobSpec, Why
from ledger.dispatch.state import Phase
from ledger.prices import price_micro
from ledger.product import Product
from ledger.store.campaigns import StepKind
from ledger.store.queries import orders_of
from tests.bazaar import FRANKFURT, TOKYO, VIRGINIA, Bazaar, bazaar, wide
from tests.bench.dispatch.surge import minutes
from tests.world import BUYER, PROVIDER

TIMES, TOKENS_PER_UNIT, PIECE = 50, 10_000, 20
TICKS = (300, 400, 500)
"""Three sites, dearer and dearer."""
QUARTERS, WAIT_HOURS = 4, {"conv": 2, "code": 4}
"""A quarter of the hour of requests stands for an hour of the market."""
HOURS = QUARTERS + max(WAIT_HOURS.values()) - 1
TICK_SIZE_MICRO = 2
PRICES_MICRO = [price_micro(tick, TICK_SIZE_MICRO) for tick in TICKS]
LIMITS_MICRO = (*PRICES_MICRO, 2 * PRICES_MICRO[-1])
"""Who pays least has the cheapest site alone."""


@pytest.fixture
def fair() -> Iterator[Bazaar]:
    """Each site offers a third of three times what an hour wants, in each hour."""
    with bazaar() as found:
        for place in (FRANKFURT, VIRGINIA, TOKYO):
            found.site(place, 1_000)
        found.new_round()
        first = found.now_hour + 2
        for tick, [site] in zip(TICKS, found.sites.values(), strict=True):
            found.offer(site, [wide(first + hour) for hour in range(HOURS)], usual_units(), tick)
        yield found


def tokens_by_quarter() -> list[dict[str, int]]:
    """Generated tokens of each service."""
    trace = minutes()
    size = -(-len(trace) // QUARTERS)
    parts = [trace[start : start + size] for start in range(0, len(trace), size)]
    return [{name: sum(minute.get(name, 0) for minute in part) for name in WAIT_HOURS} for part in parts]


def usual_units() -> int:
    """What an hour of the market wants without a surge."""
    return sum(sum(part.values()) for part in tokens_by_quarter()) // (QUARTERS * TOKENS_PER_UNIT)


def jobs(fair: Bazaar, times: int) -> list[JobSpec]:
    """Of each hour and service an equal part at each limit, in pieces."""
    first, found = fair.now_hour + 2, []
    for hour, part in enumerate(tokens_by_quarter(), first):
        for service, tokens in part.items():
            for limit_micro in LIMITS_MICRO:
                left = max(1, tokens * times // (TOKENS_PER_UNIT * len(LIMITS_MICRO)))
                name, until = f"{service} {hour} {limit_micro}", hour + WAIT_HOURS[service]
                while left > 0:
                    size = min(PIECE, left)
                    found.append(JobSpec(f"{name} {left}", 1, size, 1, hour, until, limit_micro))
                    left -= size
    return found


def shares(found: DispatchPreview) -> list[float]:
    """What is served of what is wanted, by limit."""
    wanted: Counter[int] = Counter()
    served: Counter[int] = Counter()
    for job in found.jobs:
        wanted[job.limit_micro] += job.unit_hours
    for one in found.placements:
        served[found.jobs[one.job].limit_micro] += one.units
    return [served[limit_micro] / wanted[limit_micro] for limit_micro in LIMITS_MICRO]


def denied(found: DispatchPreview) -> list[str]:
    """Jobs that are left over beside units that are free in one of their hours, at a price that they would pay."""
    free = {(one.site, one.hour): one.units for one in found.supplies}
    used: Counter[tuple[int, int]] = Counter()
    for one in found.placements:
        free[one.site, one.hour] -= one.units
        used[one.job, one.hour] += one.units
    return [
        found.jobs[left.job].name
        for left in found.left
        for one in found.supplies
        if (job := found.jobs[left.job]).earliest_hour <= one.hour < job.deadline_hour
        and one.price_micro <= job.limit_micro
        and free[one.site, one.hour] > 0
        and used[left.job, one.hour] < job.units
    ]


@pytest.mark.slow
def test_a_surge_is_served_by_price_and_deadline_and_breaks_nothing(fair: Bazaar) -> None:
    desk = fair.desk()
    calm = desk.preview(jobs(fair, 1), BUYER.address)
    assert (calm.verified, calm.left, shares(calm)) == (True, (), [1.0] * len(LIMITS_MICRO))
    rush = jobs(fair, TIMES)
    surge = desk.preview(rush, BUYER.address)
    assert sum(job.unit_hours for job in rush) > 5 * 3 * usual_units() * HOURS
    assert (surge.verified, surge.refusals, denied(surge)) == (True, (), [])
    by_hour = Counter[int]()
    for one in surge.placements:
        by_hour[one.hour] += one.units
    # While conversations come, all that there is is used; after that what is too dear for who is left is not.
    rush_hours = sorted(by_hour)[: QUARTERS + 1]
    assert [by_hour[hour] for hour in rush_hours] == [3 * usual_units()] * len(rush_hours)
    served = shares(surge)
    assert served == sorted(served), served
    assert served[0] < served[-1], served
    assert {one.why for one in surge.left} <= {Why.PRICE, Why.DEADLINE, Why.CAPACITY}
    # However many jobs there are, each product is bid for once.
    assert len(surge.purchases) == len({one.product for one in surge.placements}) == HOURS
    check_campaign(fair, rush, surge.unit_hours)


def offer_again(fair: Bazaar, round_: int) -> None:
    """What the sites did not sell in a round they offer in this one."""
    for row in orders_of(fair.store, PROVIDER.address, limit=1_000):
        if row.round == round_ and row.settled and row.filled < row.units:
            fair.offer(row.site, [Product.from_id(row.product)], row.units - row.filled, row.tick)


def check_campaign(fair: Bazaar, rush: list[JobSpec], placed: int) -> None:
    """The same jobs in one dispatch: all that was bought is used, by jobs that pay what it cost, and it ends."""
    cash_micro = fair.market.cash_micro(BUYER.address)
    campaign = fair.campaigns().start(rush, BUYER.address)
    state = campaign.advance(BUYER)
    assert sum(step.kind is StepKind.BID for step in state.steps) == HOURS
    # A bid is at the least limit of its jobs: what that leaves unfilled is bid for again, while sites go on offering.
    rounds = 0
    while state.phase in (Phase.BUYING, Phase.REDEEMING):
        rounds += 1
        assert rounds < 10, state.note
        round_ = fair.market.current_round()
        fair.end_round()
        state = campaign.advance(BUYER)
        offer_again(fair, round_)
    before = -1
    while before < len(state.steps):
        before, state = len(state.steps), campaign.advance(BUYER)
    assert state.bought_unit_hours == placed
    # Bids of several rounds may leave less than a least order, which nobody can sell.
    running = sum(job.running for job in state.jobs)
    assert running + state.unused_units == placed
    assert state.unused_units < fair.market.terms_of(1).min_order_units
    assert all(job.running <= job.wanted for job in state.jobs)
    assert state.spent_micro <= sum(job.running * spec.limit_micro for job, spec in zip(state.jobs, rush, strict=True))
    assert state.balance_micro == fair.market.cash_micro(BUYER.address) - cash_micro
    last = max(Product.from_id(step.product).end_s for step in state.steps)
    terms = fair.market.deployment.terms
    fair.go_to(last + terms.report_period_s + terms.grace_s + 2)
    campaign.advance(BUYER)
    state = campaign.advance(BUYER)
    # Nobody reported: all of it came back, and nothing is left to be done.
    assert (state.phase, sum(job.failed for job in state.jobs)) == (Phase.ENDED, running)
    assert state.refunded_micro >= state.spent_micro - state.unused_micro
    assert state.balance_micro == fair.market.cash_micro(BUYER.address) - cash_micro
