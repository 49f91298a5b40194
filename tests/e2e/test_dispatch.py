"""Jobs are bought, cleared, redeemed at several sites, run and paid; a silent site pays back, and what it failed runs
somewhere else for that money."""

from collections.abc import Iterator

import pytest

from ledger.delivery import Delivery
from ledger.dispatch.campaign import Campaign
from ledger.dispatch.problem import JobSpec
from ledger.dispatch.state import CampaignState, Phase
from ledger.model import LeaseState
from ledger.product import Grade, Product
from ledger.store.campaigns import StepKind, StepState
from ledger.units import MILLI_PER_UNIT
from tests.bazaar import FRANKFURT, TERMS, TOKYO, VIRGINIA, Bazaar, bazaar, metro, wide
from tests.world import BUYER, PROVIDER


@pytest.fixture
def fair() -> Iterator[Bazaar]:
    with bazaar() as found:
        for place in (FRANKFURT, VIRGINIA, TOKYO):
            found.site(place)
        yield found


def run_hours(fair: Bazaar, state: CampaignState, silent: set[int]) -> int:
    """Each hour passes; after it each site but the silent ones reports what ran there as delivered, and the holder
    accepts. Gives the end of the last."""
    delivery = Delivery(fair.chain, fair.market.deployment, fair.market.sender)
    leases = [delivery.lease(number) for job in state.jobs for number in job.leases]
    running = [lease for lease in leases if lease.state is LeaseState.ACTIVE]
    ends_s = sorted({Product.from_id(lease.product).end_s for lease in running})
    for end_s in ends_s:
        fair.go_to(end_s + 1)
        for lease in running:
            if lease.site not in silent and Product.from_id(lease.product).end_s == end_s:
                delivery.report(lease.lease, lease.units * MILLI_PER_UNIT).send(PROVIDER)
                delivery.accept(lease.lease).send(BUYER)
    return ends_s[-1]


def sites_of(state: CampaignState) -> dict[int, set[int]]:
    """Where each job's leases are."""
    redeemed = [step for step in state.steps if step.kind is StepKind.REDEEM]
    return {job.job: {step.site for step in redeemed if step.job == job.job} for job in state.jobs}


def test_jobs_run_at_several_sites_and_what_a_silent_one_failed_runs_elsewhere(fair: Bazaar) -> None:
    cash_micro = fair.market.cash_micro(BUYER.address)
    campaign = begun(fair)
    state = bought(fair, campaign, cash_micro)
    ends_s = run_hours(fair, state, set(fair.sites[VIRGINIA]))
    state = campaign.advance(BUYER)
    assert [job.delivered for job in state.jobs] == [800, 900, 0]
    # The silent site's leases end once its time to report is over; others offer later hours.
    fair.go_to(ends_s + TERMS.report_period_s + TERMS.grace_s + 2)
    state = placed_again(fair, campaign)
    run_hours(fair, state, set())
    for _ in range(2):
        state = campaign.advance(BUYER)
    assert state.phase is Phase.ENDED
    assert [(job.delivered, job.remaining) for job in state.jobs] == [(800, 0), (2_700, 0), (0, 100)]
    assert fair.market.cash_micro(BUYER.address) == cash_micro - state.spent_micro + state.refunded_micro
    assert state.unused_units == 0


def begun(fair: Bazaar) -> Campaign:
    """Three sites offer three hours; of three jobs one may run next door alone, and one is too poor."""
    hours = [fair.now_hour + 2 + place for place in range(3)]
    fair.new_round()
    fair.offer(fair.sites[FRANKFURT][0], [metro(hour, FRANKFURT) for hour in hours], 500, tick=420)
    fair.offer(fair.sites[VIRGINIA][0], [wide(hour) for hour in hours], 600, tick=400)
    fair.offer(fair.sites[TOKYO][0], [wide(hour) for hour in hours], 600, tick=410)
    first = fair.now_hour + 1
    jobs = [
        JobSpec("serve", 1, 400, 2, first, first + 6, 4_000, metro=FRANKFURT, latency_max_us=15_000),
        JobSpec("sweep", 1, 900, 3, first, first + 12, 4_000),
        JobSpec("poor", 1, 100, 1, first, first + 6, 100),
    ]
    campaigns = fair.campaigns()
    preview = campaigns.desk.preview(jobs, BUYER.address)
    assert preview.verified
    assert preview.refusals == ()
    assert [(one.job, one.why.value) for one in preview.left] == [(2, "price")]
    assert preview.unit_hours == 800 + 2_700
    found = campaigns.start(jobs, BUYER.address, key="mine")
    assert campaigns.start(jobs, BUYER.address, key="mine").number == found.number
    return found


def bought(fair: Bazaar, campaign: Campaign, cash_micro: int) -> CampaignState:
    state = campaign.advance(BUYER)
    assert state.phase is Phase.BUYING
    assert state.escrow_micro == cash_micro - fair.market.cash_micro(BUYER.address) > 0
    # Again in the same round: nothing happens.
    assert campaign.advance(BUYER).steps == state.steps
    fair.end_round()
    state = campaign.advance(BUYER)
    assert state.phase is Phase.RUNNING
    assert [job.running for job in state.jobs] == [800, 2_700, 0]
    assert state.spent_micro == cash_micro - fair.market.cash_micro(BUYER.address)
    near, *others = (fair.sites[place][0] for place in (FRANKFURT, VIRGINIA, TOKYO))
    assert sites_of(state) == {0: {near}, 1: set(others), 2: set()}
    return state


def placed_again(fair: Bazaar, campaign: Campaign) -> CampaignState:
    """The silent site, which is cheaper, is left alone for a while: the other one gets what it failed."""
    [silent], [far] = fair.sites[VIRGINIA], fair.sites[TOKYO]
    before = {step.number for step in campaign.state().steps}
    fair.new_round()
    later = [fair.now_hour + 1 + place for place in range(3)]
    # Its record lets it promise no more than BASIC by now, which these jobs would take.
    fair.offer(silent, [wide(hour, grade=Grade.BASIC) for hour in later], 900, tick=390)
    fair.offer(far, [wide(hour) for hour in later], 900, tick=410)
    state = campaign.advance(BUYER)
    assert (state.jobs[1].failed, state.phase) == (1_800, Phase.BUYING)
    # What was not delivered came back with the penalty: more than it had cost.
    assert state.jobs[1].refunded_micro > state.jobs[1].cost_micro * 1_800 // 2_700
    fair.end_round()
    state = campaign.advance(BUYER)
    again = [step for step in state.steps if step.number not in before and step.kind is StepKind.REDEEM]
    assert {(step.site, step.state) for step in again} == {(far, StepState.STANDS)}
    assert state.jobs[1].running == 1_800
    return state
