"""A campaign moves when it is advanced, by whomever, and a crash between any two of its steps changes nothing."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ledger.dispatch import campaign as module
from ledger.dispatch.campaign import Campaign
from ledger.dispatch.problem import JobSpec
from ledger.dispatch.progress import CampaignState, Phase
from ledger.errors import InputError, KeyReused, TakenElsewhere, UnknownName
from ledger.maintenance import Announcement, announce, maintenance_domain
from ledger.model import Kind
from ledger.product import Product
from ledger.sending.sender import Sender
from ledger.store.campaigns import StepKind, StepState, keep_plan
from ledger.store.engine import IN_MEMORY, Store, open_store
from ledger.store.queries import leases, orders_of
from tests.bazaar import FRANKFURT, TOKYO, VIRGINIA, Bazaar, wide
from tests.world import BUYER, PROVIDER, STRANGER


def hours_ahead(fair: Bazaar, count: int = 1) -> list[int]:
    """Hours that no other test trades."""
    fair.go_to(fair.chain.time_s() + 24 * 3_600)
    fair.new_round()
    return [fair.now_hour + 3 + place for place in range(count)]


def wanted(hours: list[int], units: int, **said: Any) -> JobSpec:
    """A job that may run in just these hours."""
    name = said.pop("name", "job")
    length = said.pop("hours", len(hours))
    return JobSpec(name, 1, units, length, hours[0], hours[-1] + 1, said.pop("limit_micro", 4_000), **said)


def settle(fair: Bazaar, *products: Product) -> None:
    """Somebody else clears and settles the round that stands."""
    round_ = fair.market.current_round()
    fair.end_round()
    for product in products:
        fair.market.clear(product, round_).send(STRANGER)
        for part in fair.market.settlements(product, round_):
            part.send(STRANGER)


def kinds(state: CampaignState) -> Counter[tuple[StepKind, StepState]]:
    return Counter((step.kind, step.state) for step in state.steps)


# ---- keeping


def test_campaign_is_kept_with_its_jobs_and_found_by_its_number(fair: Bazaar) -> None:
    kept = fair.campaigns(open_store(IN_MEMORY))
    jobs = [wanted(hours_ahead(fair), 100)]
    first = kept.start(jobs, BUYER.address, key="a")
    assert kept.open(first.number).jobs == jobs
    assert kept.start(jobs, BUYER.address, key="a").number == first.number
    with pytest.raises(KeyReused):
        kept.start([replace(jobs[0], units=5)], BUYER.address, key="a")
    assert [row.number for row in kept.list(BUYER.address)] == [first.number]
    with pytest.raises(UnknownName):
        kept.open(99)
    with pytest.raises(InputError):
        kept.start([], BUYER.address)


def test_only_its_owner_advances_it(fair: Bazaar) -> None:
    campaign = fair.campaigns(open_store(IN_MEMORY)).start([wanted(hours_ahead(fair), 100)], BUYER.address)
    with pytest.raises(InputError, match=BUYER.address):
        campaign.advance(STRANGER)


# ---- crashes


class Crash(BaseException):
    """The process ends here."""


class Trap:
    """Lets so many effects happen, and ends the process before the next one: between two of them nothing is done."""

    def __init__(self, after: int) -> None:
        self.left = after
        self.sprung = False

    def around(self, effect: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*args: Any, **named: Any) -> Any:
            self._step()
            return effect(*args, **named)

        return guarded

    def _step(self) -> None:
        if not self.left and not self.sprung:
            self.sprung = True
            raise Crash
        self.left -= 1


EFFECTS = ("keep_plan", "note_step")


def drive(fair: Bazaar, store: Store, jobs: list[JobSpec], trap: Trap, patch: pytest.MonkeyPatch) -> CampaignState:
    """From nothing to leases, each advance by a process that may die in it, and another that goes on."""
    for name in EFFECTS:
        patch.setattr(module, name, trap.around(getattr(module, name)))
    patch.setattr(Sender, "submit", trap.around(Sender.submit))
    patch.setattr(Sender, "wait", trap.around(Sender.wait))
    number = fair.campaigns(store).start(jobs, BUYER.address).number
    state = None
    for place in range(3):
        if place == 1:
            fair.end_round()
        state = alive(fair, store, lambda campaign: campaign.advance(BUYER), number)
    patch.undo()
    assert state is not None
    return state


def alive(fair: Bazaar, store: Store, work: Callable[[Campaign], CampaignState], number: int) -> CampaignState:
    """What `work` gives, begun anew by another process where one died."""
    while True:
        sender = Sender(fair.chain, store)
        try:
            return work(fair.campaigns(store, sender).open(number))
        except Crash:
            continue
        finally:
            # The dead process is known to be dead; here both live in one.
            sender.close()


def scenario(fair: Bazaar, after: int, patch: pytest.MonkeyPatch) -> bool:
    """Runs one, with a crash at that effect; whether there was one that far."""
    hours = hours_ahead(fair, 2)
    fair.offer(fair.sites[FRANKFURT][0], [wide(hour) for hour in hours], 500, tick=400)
    store, trap = open_store(IN_MEMORY), Trap(after)
    before = {row.lease for row in leases(fair.store, holder=BUYER.address, limit=10_000)}
    state = drive(fair, store, [wanted(hours, 400)], trap, patch)
    fair.refresh()
    numbers = {wide(hour).id for hour in hours}
    bids = [row for row in orders_of(fair.store, BUYER.address, limit=50) if row.product in numbers]
    assert Counter({row.product: row.units for row in bids if row.kind is Kind.BID}) == dict.fromkeys(numbers, 400)
    assert len(bids) == len(hours), f"effect {after}: a bid was placed twice"
    mine = [row for row in leases(fair.store, holder=BUYER.address, limit=10_000) if row.lease not in before]
    assert sum(row.units for row in mine) == 800, f"effect {after}"
    assert state.phase is Phase.RUNNING
    assert state.jobs[0].running == 800
    assert {row.lease for row in mine} == set(state.jobs[0].leases)
    assert kinds(state) == {(StepKind.BID, StepState.DONE): 2, (StepKind.REDEEM, StepState.STANDS): 2}
    store.close()
    return trap.sprung


@pytest.mark.slow
def test_crash_between_any_two_steps_buys_and_redeems_nothing_twice(
    fair: Bazaar, monkeypatch: pytest.MonkeyPatch
) -> None:
    after = 0
    while scenario(fair, after, monkeypatch):
        after += 1
    # Two plans, two bids, two redemptions, and what is noted of each: all of it is passed.
    assert after > 15


def test_who_comes_while_another_moves_it_is_turned_away_and_buys_nothing(
    fair: Bazaar, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = hours_ahead(fair)
    fair.offer(fair.sites[FRANKFURT][0], [wide(hours[0])], 300, tick=400)
    store = open_store(IN_MEMORY)
    kept = fair.campaigns(store)
    campaign = kept.start([wanted(hours, 100)], BUYER.address)
    plan = kept.desk.plan

    def slowly(*args: Any, **named: Any) -> Any:
        found = plan(*args, **named)
        monkeypatch.undo()
        with pytest.raises(TakenElsewhere):
            campaign.advance(BUYER)
        return found

    monkeypatch.setattr(kept.desk, "plan", slowly)
    state = campaign.advance(BUYER)
    assert kinds(state) == {(StepKind.BID, StepState.STANDS): 1}


# ---- what may go otherwise


def test_what_did_not_fill_is_bought_in_the_next_round(fair: Bazaar) -> None:
    hours = hours_ahead(fair)
    product = wide(hours[0])
    fair.offer(fair.sites[FRANKFURT][0], [product], 60, tick=400)
    fair.market.bid(product, 50, tick=600).send(STRANGER)
    campaign = fair.campaigns(open_store(IN_MEMORY)).start([wanted(hours, 50)], BUYER.address)
    assert campaign.advance(BUYER).jobs[0].bidding == 50
    settle(fair, product)
    fair.offer(fair.sites[TOKYO][0], [product], 60, tick=410)
    # Ten units are redeemed where they are owed, and the rest is bid for.
    state = campaign.advance(BUYER)
    assert (state.jobs[0].running, state.jobs[0].bidding) == (10, 40)
    settle(fair, product)
    state = campaign.advance(BUYER)
    assert (state.jobs[0].running, state.jobs[0].bidding) == (50, 0)


def test_units_that_others_redeemed_first_are_found_elsewhere(fair: Bazaar, monkeypatch: pytest.MonkeyPatch) -> None:
    hours = hours_ahead(fair)
    product = wide(hours[0])
    first, second = fair.sites[FRANKFURT][0], fair.sites[VIRGINIA][0]
    fair.offer(first, [product], 100, tick=400)
    fair.offer(second, [product], 100, tick=400)
    fair.market.bid(product, 100, tick=500).send(STRANGER)
    campaign = fair.campaigns(open_store(IN_MEMORY)).start([wanted(hours, 100)], BUYER.address)
    campaign.advance(BUYER)
    settle(fair, product)
    plan = fair.desk().plan
    kept = campaign._kept
    plan = kept.desk.plan

    def raced(*args: Any, **named: Any) -> Any:
        found = plan(*args, **named)
        [site] = {row.site for row in found.placements}
        campaign._delivery.redeem(product, site, 100).send(STRANGER)
        monkeypatch.undo()
        return found

    monkeypatch.setattr(kept.desk, "plan", raced)
    state = campaign.advance(BUYER)
    assert kinds(state)[StepKind.REDEEM, StepState.REFUSED] == 1
    fair.end_round()
    state = campaign.advance(BUYER)
    [lease] = [step for step in state.steps if step.lease]
    [refused] = [step for step in state.steps if step.state is StepState.REFUSED]
    assert {lease.site, refused.site} == {first, second}
    assert state.jobs[0].running == 100


def test_no_job_is_cut_off_in_the_middle_where_steps_are_many(fair: Bazaar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STEPS_AT_ONCE", 5)
    hours = hours_ahead(fair, 4)
    fair.offer(fair.sites[FRANKFURT][0], [wide(hour) for hour in hours], 22, tick=400)
    jobs = [replace(wanted(hours, 10, name=str(place)), hours=2) for place in range(4)]
    campaign = fair.campaigns(open_store(IN_MEMORY)).start(jobs, BUYER.address)
    campaign.advance(BUYER)
    settle(fair, *map(wide, hours))
    state = campaign.advance(BUYER)
    assert {job.running for job in state.jobs} == {0, 20}
    while any(job.running == 0 for job in state.jobs):
        before, state = state, campaign.advance(BUYER)
        assert len(before.steps) < len(state.steps)
    assert [job.running for job in state.jobs] == [20] * 4
    assert (state.unused_units, kinds(state)[StepKind.BID, StepState.DONE]) == (0, 4)


def test_window_that_serves_some_of_its_hours_is_split_and_redeemed_by_the_hour(fair: Bazaar) -> None:
    hours = hours_ahead(fair, 3)
    window = wide(hours[0], 3)
    fair.offer(fair.sites[FRANKFURT][0], [window], 300, tick=400)
    jobs = [
        wanted(hours, 100, name="all", gang=True),
        wanted(hours[1:2], 50, name="one", limit_micro=20_000),
    ]
    campaign = fair.campaigns(open_store(IN_MEMORY)).start(jobs, BUYER.address)
    campaign.advance(BUYER)
    settle(fair, window)
    state = campaign.advance(BUYER)
    assert kinds(state)[StepKind.SPLIT, StepState.DONE] == 1
    state = campaign.advance(BUYER)
    assert [job.running for job in state.jobs] == [300, 50]
    whole, hour = (step for step in state.steps if step.kind is StepKind.REDEEM)
    assert (Product.from_id(whole.product).hours, Product.from_id(hour.product).hours) == (3, 1)
    # What the hour cost is what its window cost; its unused hours are nobody's.
    assert state.jobs[1].cost_micro == 50 * state.jobs[0].cost_micro // 300


def test_note_and_numbers_tell_bids_from_leases(fair: Bazaar) -> None:
    hours = hours_ahead(fair)
    fair.offer(fair.sites[FRANKFURT][0], [wide(hours[0])], 300, tick=400)
    campaign = fair.campaigns(open_store(IN_MEMORY)).start([wanted(hours, 100)], BUYER.address)
    campaign.advance(BUYER)
    state = campaign.advance(BUYER)
    [job] = state.jobs
    assert (job.bidding, job.running, job.remaining) == (100, 0, 0)
    assert (state.phase, state.note) == (Phase.BUYING, "its bids wait to be cleared and settled")
    settle(fair, wide(hours[0]))
    campaign.advance(BUYER)
    state = campaign.advance(BUYER)
    [job] = state.jobs
    assert (job.bidding, job.running, job.remaining) == (0, 100, 0)
    assert (state.phase, state.note) == (Phase.RUNNING, "its leases run")


def test_job_document_is_named_on_chain_and_stopped_campaigns_buy_no_more(fair: Bazaar) -> None:
    hours = hours_ahead(fair, 2)
    fair.offer(fair.sites[FRANKFURT][0], [wide(hours[0])], 300, tick=400)
    campaign = fair.campaigns(open_store(IN_MEMORY)).start(
        [wanted(hours, 100)], BUYER.address, hashes={0: b"\x07" * 32}
    )
    campaign.advance(BUYER)
    settle(fair, wide(hours[0]))
    state = campaign.advance(BUYER)
    fair.refresh()
    [row] = [row for row in leases(fair.store, holder=BUYER.address) if row.lease in state.jobs[0].leases]
    assert row.job_hash == "0x" + "07" * 32
    state = campaign.stop()
    assert state.phase is Phase.ENDED
    fair.offer(fair.sites[FRANKFURT][0], [wide(hours[1])], 300, tick=400)
    assert campaign.advance(BUYER).steps == state.steps


def test_stop_ends_it_though_another_process_plans_meanwhile(fair: Bazaar, monkeypatch: pytest.MonkeyPatch) -> None:
    hours, store = hours_ahead(fair), open_store(IN_MEMORY)
    fair.offer(fair.sites[FRANKFURT][0], [wide(hours[0])], 300, tick=400)
    campaign = fair.campaigns(store).start([wanted(hours, 100)], BUYER.address)

    def late(*args: Any, **named: Any) -> bool:
        monkeypatch.undo()
        assert fair.campaigns(store).open(campaign.number).advance(BUYER).phase is Phase.BUYING
        return keep_plan(*args, **named)

    monkeypatch.setattr(module, "keep_plan", late)
    state = campaign.stop()
    assert (state.phase, state.note) == (Phase.ENDED, "it was stopped")
    settle(fair, wide(hours[0]))
    assert campaign.advance(BUYER).jobs[0].running == 0


def test_campaign_ends_where_nothing_can_be_bought_in_time(fair: Bazaar) -> None:
    hours = hours_ahead(fair)
    campaign = fair.campaigns(open_store(IN_MEMORY)).start([wanted(hours, 100)], BUYER.address)
    state = campaign.advance(BUYER)
    assert (state.phase, state.steps) == (Phase.WAITING, ())
    assert "100 unit-hours of job" in state.note
    fair.go_to(hours[0] * 3_600 - 60)
    assert campaign.advance(BUYER).phase is Phase.ENDED


def test_units_that_another_campaign_bought_are_left_to_it(fair: Bazaar) -> None:
    hours = hours_ahead(fair)
    product, store = wide(hours[0]), open_store(IN_MEMORY)
    fair.offer(fair.sites[FRANKFURT][0], [product], 300, tick=400)
    first = fair.campaigns(store).start([wanted(hours, 100)], BUYER.address)
    first.advance(BUYER)
    settle(fair, product)
    fair.refresh()
    first._observe(BUYER)
    second = fair.campaigns(store).start([wanted(hours, 100, limit_micro=10)], BUYER.address)
    assert second.advance(BUYER).jobs[0].running == 0
    assert first.advance(BUYER).jobs[0].running == 100


def test_what_was_bought_is_redeemed_though_its_site_then_says_that_it_is_closed(fair: Bazaar) -> None:
    hours = hours_ahead(fair)
    product, closing = wide(hours[0]), fair.site(FRANKFURT)
    fair.offer(closing, [product], 100, tick=100)
    campaign = fair.campaigns(open_store(IN_MEMORY)).start([wanted(hours, 100)], BUYER.address)
    campaign.advance(BUYER)
    settle(fair, product)
    domain = maintenance_domain(fair.chain.chain_id, fair.market.deployment.address("Capacity"))
    said = Announcement(closing, hours[0], hours[0] + 1, "new cooling", fair.chain.time_s())
    announce(fair.store, said, said.sign(domain, PROVIDER), domain, fair.chain.time_s())
    state = campaign.advance(BUYER)
    assert (state.jobs[0].running, state.unused_units) == (100, 0)
    [redeemed] = [step for step in state.steps if step.kind is StepKind.REDEEM]
    assert redeemed.site == closing


def test_what_lapsed_is_bought_again_only_within_what_the_jobs_would_pay_in_all(
    fair: Bazaar, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours, campaigns = hours_ahead(fair, 2), fair.campaigns(open_store(IN_MEMORY))
    fair.offer(fair.sites[FRANKFURT][0], [wide(hour) for hour in hours], 100, tick=400)
    price_micro = fair.market.price_micro(wide(hours[0]), 400)
    campaign = campaigns.start([replace(wanted(hours, 100, limit_micro=price_micro), hours=1)], BUYER.address)
    bought = campaign.advance(BUYER).steps[0].product
    settle(fair, Product.from_id(bought))
    # Whatever kept it from being redeemed: another hour is all that is left, and its price was spent already.
    monkeypatch.setattr(module, "redeem_steps", lambda *_: iter(()))
    fair.go_to(Product.from_id(bought).start_s)
    fair.new_round()
    fair.offer(fair.sites[TOKYO][0], [wide(hours[1])], 100, tick=300)
    state = campaign.advance(BUYER)
    assert kinds(state) == {(StepKind.BID, StepState.DONE): 1}
    assert state.spent_micro == 100 * price_micro
