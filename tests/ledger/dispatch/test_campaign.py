"""A campaign moves when it is advanced, by whomever, and a crash between any two of its steps changes nothing."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import get_ident
from typing import Any

import pytest

from ledger.delivery import Delivery
from ledger.dispatch import campaign as module
from ledger.dispatch import outcomes, taking
from ledger.dispatch.campaign import Campaign
from ledger.dispatch.problem import JobSpec
from ledger.dispatch.state import CampaignState, Phase
from ledger.errors import InputError, KeyReused, TakenElsewhere, UnknownName
from ledger.model import Kind
from ledger.product import Product
from ledger.sending.sender import Sender
from ledger.store.campaigns import StepKind, StepState, keep_plan
from ledger.store.engine import IN_MEMORY, Store, open_store
from ledger.store.queries import leases, orders_of
from ledger.units import MILLI_PER_UNIT
from tests.bazaar import FRANKFURT, TOKYO, VIRGINIA, Bazaar, wide
from tests.ledger.dispatch.driving import hours_ahead, kinds, settle, wanted
from tests.world import BUYER, PROVIDER, STRANGER

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


STRIDE = 9


class Trap:
    """Ends the process before the first effect of its number in each nine: between two of them nothing is done. It
    springs while a campaign is moved, not in what others do: other tests' markets trade in threads of this process."""

    def __init__(self, place: int) -> None:
        self.place, self.passed, self.crashes, self.is_set = place, 0, 0, False
        self._thread = get_ident()

    def around(self, effect: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*args: Any, **named: Any) -> Any:
            if self.is_set and get_ident() == self._thread:
                self.passed += 1
                if self.passed % STRIDE == self.place:
                    self.crashes += 1
                    raise Crash
            return effect(*args, **named)

        return guarded


EFFECTS = (
    (module, "keep_plan"),
    (module, "stop_campaign"),
    (taking, "note_step"),
    (outcomes, "note_step"),
    (Sender, "submit"),
    (Sender, "wait"),
)

Move = Callable[[Campaign], CampaignState]


def advance(one: Campaign) -> CampaignState:
    return one.advance(BUYER)


@dataclass
class Drive:
    """Moves a campaign, each time by a process that may die in it, and another that goes on."""

    fair: Bazaar
    store: Store
    trap: Trap

    def start(self, jobs: list[JobSpec]) -> int:
        return self.fair.campaigns(self.store).start(jobs, BUYER.address).number

    def __call__(self, number: int, move: Move = advance) -> CampaignState:
        while True:
            sender = Sender(self.fair.chain, self.store)
            try:
                self.trap.is_set = True
                return move(self.fair.campaigns(self.store, sender).open(number))
            except Crash:
                continue
            finally:
                self.trap.is_set = False
                # The dead process is known to be dead; here both live in one.
                sender.close()


def orders_on(fair: Bazaar, hours: list[int], kind: Kind) -> list[tuple[int, int]]:
    """The buyer's orders of these hours: the hour and the units of each."""
    fair.refresh()
    by_number = {wide(hour).id: hour for hour in hours}
    rows = [row for row in orders_of(fair.store, BUYER.address, limit=200) if row.product in by_number]
    return sorted((by_number[row.product], row.units) for row in rows if row.kind is kind)


def buys_and_redeems(fair: Bazaar, drive: Drive, hours: list[int]) -> None:
    before = {row.lease for row in leases(fair.store, holder=BUYER.address, limit=10_000)}
    number = drive.start([wanted(hours, 400)])
    drive(number)
    fair.end_round()
    state = [drive(number) for _ in range(2)][-1]
    assert orders_on(fair, hours, Kind.BID) == [(hour, 400) for hour in hours], "a bid was placed twice"
    mine = [row for row in leases(fair.store, holder=BUYER.address, limit=10_000) if row.lease not in before]
    assert sum(row.units for row in mine) == 800
    assert state.phase is Phase.RUNNING
    assert state.jobs[0].running == 800
    assert {row.lease for row in mine} == set(state.jobs[0].leases)
    assert kinds(state) == {(StepKind.BID, StepState.DONE): 2, (StepKind.REDEEM, StepState.STANDS): 2}


def is_stopped_and_sells(fair: Bazaar, drive: Drive, hours: list[int]) -> None:
    number, first = drive.start([wanted(hours, 400)]), wide(hours[0])
    drive(number)
    drive(number, Campaign.stop)
    fair.end_round()
    drive(number)
    fair.market.bid(first, 400, tick=700).send(STRANGER)
    fair.end_round()
    state = drive(number)
    assert orders_on(fair, hours, Kind.BID) == [(hour, 400) for hour in hours]
    # What nobody bid for came back, and is offered again when an eighth of the time is over.
    assert orders_on(fair, hours, Kind.ASK) == [(hour, 400) for hour in hours], "an ask was placed twice"
    assert kinds(state) == {(StepKind.BID, StepState.DONE): 2, (StepKind.ASK, StepState.DONE): 2}
    assert (state.phase, state.unused_units, state.sold_unit_hours) == (Phase.SELLING, 400, 400)
    assert [fair.market.units(BUYER.address, wide(hour)) for hour in hours] == [0, 400]


@pytest.mark.slow
@pytest.mark.parametrize("place", range(STRIDE))
@pytest.mark.parametrize("scenario", [buys_and_redeems, is_stopped_and_sells])
def test_crash_between_any_two_steps_changes_nothing(
    fair: Bazaar,
    monkeypatch: pytest.MonkeyPatch,
    scenario: Callable[[Bazaar, Drive, list[int]], None],
    place: int,
) -> None:
    hours, store, trap = hours_ahead(fair, 2), open_store(IN_MEMORY), Trap(place)
    fair.offer(fair.sites[FRANKFURT][0], [wide(hour) for hour in hours], 500, tick=400)
    for owner, name in EFFECTS:
        monkeypatch.setattr(owner, name, trap.around(getattr(owner, name)))
    cash_micro = fair.market.cash_micro(BUYER.address)
    scenario(fair, Drive(fair, store, trap), hours)
    monkeypatch.undo()
    # Plans, orders, redemptions, what is noted of each, and the stop: at each of them a process died once.
    assert trap.crashes >= 2
    [row] = fair.campaigns(store).list()
    state = fair.campaigns(store).open(row.number).state()
    assert state.balance_micro == fair.market.cash_micro(BUYER.address) - cash_micro, "its books do not balance"
    store.close()


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
    kept, delivery = campaign._kept, Delivery(fair.chain, fair.market.deployment, fair.market.sender)
    plan = kept.desk.plan

    def raced(*args: Any, **named: Any) -> Any:
        found = plan(*args, **named)
        [site] = {row.site for row in found.placements}
        delivery.redeem(product, site, 100).send(STRANGER)
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


def test_job_document_is_named_on_chain(fair: Bazaar) -> None:
    hours = hours_ahead(fair)
    fair.offer(fair.sites[FRANKFURT][0], [wide(hours[0])], 300, tick=400)
    hashes = {0: b"\x07" * 32}
    campaign = fair.campaigns(open_store(IN_MEMORY)).start([wanted(hours, 100)], BUYER.address, hashes=hashes)
    campaign.advance(BUYER)
    settle(fair, wide(hours[0]))
    state = campaign.advance(BUYER)
    fair.refresh()
    [row] = [row for row in leases(fair.store, holder=BUYER.address) if row.lease in state.jobs[0].leases]
    assert row.job_hash == "0x" + "07" * 32


# ---- what its owner stops


def test_what_did_nothing_yet_has_ended_when_it_is_stopped(fair: Bazaar) -> None:
    campaign = fair.campaigns(open_store(IN_MEMORY)).start([wanted(hours_ahead(fair), 100)], BUYER.address)
    for _ in range(2):
        state = campaign.stop()
        assert (state.phase, state.stopped, state.note) == (Phase.ENDED, True, "it was stopped")
    assert campaign.advance(BUYER).steps == ()


def test_stopped_campaign_buys_no_more_and_ends_with_its_leases(fair: Bazaar) -> None:
    hours = hours_ahead(fair, 2)
    fair.offer(fair.sites[FRANKFURT][0], [wide(hours[0])], 300, tick=400)
    campaign = fair.campaigns(open_store(IN_MEMORY)).start([wanted(hours, 100)], BUYER.address)
    campaign.advance(BUYER)
    settle(fair, wide(hours[0]))
    state = campaign.advance(BUYER)
    assert state.jobs[0].running == 100
    stopped = campaign.stop()
    assert (stopped.phase, stopped.stopped) == (Phase.RUNNING, True)
    fair.offer(fair.sites[FRANKFURT][0], [wide(hours[1])], 300, tick=400)
    assert campaign.advance(BUYER).steps == state.steps
    [lease] = state.jobs[0].leases
    delivery = Delivery(fair.chain, fair.market.deployment, fair.market.sender)
    fair.go_to(Product.from_id(delivery.lease(lease).product).end_s + 1)
    delivery.report(lease, 100 * MILLI_PER_UNIT).send(PROVIDER)
    fair.refresh()
    assert campaign.accept(BUYER) == 1
    campaign.advance(BUYER)
    state = campaign.advance(BUYER)
    assert (state.phase, state.jobs[0].delivered, state.note) == (Phase.ENDED, 100, "it was stopped")


def test_what_was_planned_when_it_was_stopped_is_never_sent(fair: Bazaar, monkeypatch: pytest.MonkeyPatch) -> None:
    hours, store = hours_ahead(fair), open_store(IN_MEMORY)
    fair.offer(fair.sites[FRANKFURT][0], [wide(hours[0])], 300, tick=400)
    campaign = fair.campaigns(store).start([wanted(hours, 100)], BUYER.address)

    def then_stopped(*args: Any, **named: Any) -> bool:
        kept = keep_plan(*args, **named)
        monkeypatch.undo()
        campaign.stop()
        return kept

    monkeypatch.setattr(module, "keep_plan", then_stopped)
    state = campaign.advance(BUYER)
    [step] = state.steps
    assert (step.kind, step.state, step.text) == (StepKind.BID, StepState.REFUSED, "it was stopped")
    assert campaign.advance(BUYER).phase is Phase.ENDED
    assert orders_on(fair, hours, Kind.BID) == []


def test_plan_that_was_made_before_the_stop_is_not_kept(fair: Bazaar, monkeypatch: pytest.MonkeyPatch) -> None:
    hours = hours_ahead(fair)
    fair.offer(fair.sites[FRANKFURT][0], [wide(hours[0])], 300, tick=400)
    kept = fair.campaigns(open_store(IN_MEMORY))
    campaign = kept.start([wanted(hours, 100)], BUYER.address)
    plan = kept.desk.plan

    def then_stopped(*args: Any, **named: Any) -> Any:
        found = plan(*args, **named)
        assert campaign.stop().phase is Phase.ENDED
        return found

    monkeypatch.setattr(kept.desk, "plan", then_stopped)
    state = campaign.advance(BUYER)
    assert (state.phase, state.steps) == (Phase.ENDED, ())
