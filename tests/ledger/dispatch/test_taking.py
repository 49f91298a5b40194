"""Steps are taken once, under their own names; what the market refuses ends as refused, and a stop leaves unsent what
was not sent."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from ledger.dispatch.taking import Taker
from ledger.sending.sender import Sender
from ledger.store.campaigns import (
    CampaignRow,
    StepKind,
    StepRow,
    StepState,
    campaign,
    create_campaign,
    draft,
    keep_plan,
    steps,
    stop_campaign,
)
from ledger.store.engine import IN_MEMORY, Store, open_store
from tests.bazaar import FRANKFURT, Bazaar, wide
from tests.ledger.dispatch.driving import hours_ahead, settle
from tests.world import BUYER, STRANGER


def planned(fair: Bazaar, store: Store, drafts: Iterable[StepRow]) -> CampaignRow:
    """A campaign with these steps planned."""
    place = (fair.chain.chain_id, fair.market.address("Exchange"))
    row = create_campaign(store, place, BUYER.address, "[]", 1)
    numbered = [replace(step, campaign=row.number, number=number) for number, step in enumerate(drafts)]
    assert keep_plan(store, row, numbered, "")
    return found(store, row.number)


def found(store: Store, number: int) -> CampaignRow:
    row = campaign(store, number)
    assert row is not None
    return row


def take(fair: Bazaar, store: Store, row: CampaignRow) -> list[StepRow]:
    taker = Taker(fair.market, store)
    taker.take(row, steps(store, row.number), BUYER)
    return steps(store, row.number)


def bought(fair: Bazaar, hour: int, hours: int = 1, units: int = 50) -> None:
    """The buyer has so many units, owed by the first site in Frankfurt."""
    product = wide(hour, hours)
    fair.offer(fair.sites[FRANKFURT][0], [product], units, tick=400)
    fair.market.bid(product, units, tick=400).send(BUYER)
    settle(fair, product)


def test_each_kind_does_what_it_says_and_is_noted(fair: Bazaar) -> None:
    hours, store = hours_ahead(fair, 2), open_store(IN_MEMORY)
    window, site = wide(hours[0], 2), fair.sites[FRANKFURT][0]
    bought(fair, hours[0], hours=2)
    row = planned(
        fair,
        store,
        [
            draft(StepKind.SPLIT, window.id, 30, site=site),
            draft(StepKind.REDEEM, window.id, 20, site=site, job=0, hash="05" * 32),
            draft(StepKind.BID, window.id, 40, tick=300),
            draft(StepKind.ASK, wide(hours[1]).id, 30, tick=900),
        ],
    )
    round_ = fair.market.current_round()
    split, redeemed, bid, ask = take(fair, store, row)
    assert (split.state, split.cost_micro) == (StepState.DONE, 0)
    assert redeemed.state is StepState.STANDS
    lease = fair.market.lease(redeemed.lease or 0)
    assert (lease.units, lease.site, lease.holder) == (20, site, BUYER.address)
    assert (bid.state, bid.round, ask.state, ask.round) == (StepState.STANDS, round_, StepState.STANDS, round_)
    assert fair.market.units(BUYER.address, window) == 0
    assert [fair.market.units(BUYER.address, wide(hour)) for hour in hours] == [30, 0]
    # Again: nothing is planned any more.
    assert take(fair, store, row) == [split, redeemed, bid, ask]


def test_what_a_split_adds_to_bonds_is_what_it_cost(fair: Bazaar) -> None:
    hours, store = hours_ahead(fair, 2), open_store(IN_MEMORY)
    window, site = wide(hours[0], 2), fair.sites[FRANKFURT][0]
    # Somebody's hour there is backed by more: whoever splits into it must not thin that out.
    fair.market.bid(wide(hours[0]), 50, tick=1_000).send(STRANGER)
    fair.offer(site, [wide(hours[0])], 50, tick=1_000)
    settle(fair, wide(hours[0]))
    bought(fair, hours[0], hours=2)
    before_micro = fair.market.cash_micro(BUYER.address)
    [split] = take(fair, store, planned(fair, store, [draft(StepKind.SPLIT, window.id, 30, site=site)]))
    assert split.cost_micro == before_micro - fair.market.cash_micro(BUYER.address) > 0


def test_what_the_market_refuses_is_told_and_holds_up_no_other(fair: Bazaar) -> None:
    [hour], store = hours_ahead(fair), open_store(IN_MEMORY)
    bought(fair, hour)
    too_many = draft(StepKind.ASK, wide(hour).id, 51, tick=400)
    refused, placed = take(fair, store, planned(fair, store, [too_many, replace(too_many, units=50)]))
    assert (refused.state, placed.state) == (StepState.REFUSED, StepState.STANDS)
    assert "50" in refused.text


def test_what_was_not_sent_when_it_was_stopped_is_left_undone_but_for_asks(
    fair: Bazaar, monkeypatch: pytest.MonkeyPatch
) -> None:
    [hour], store = hours_ahead(fair), open_store(IN_MEMORY)
    bought(fair, hour)
    bid = draft(StepKind.BID, wide(hour).id, 40, tick=300)
    row = planned(fair, store, [bid, replace(bid, tick=301), draft(StepKind.ASK, wide(hour).id, 50, tick=900)])

    class Crash(BaseException):
        """The process ends here."""

    def dies(*_: object) -> None:
        raise Crash

    # The first bid was sent, and nobody noted it.
    monkeypatch.setattr(Sender, "wait", dies)
    with pytest.raises(Crash):
        Taker(fair.market, store).take(row, steps(store, row.number)[:1], BUYER)
    monkeypatch.undo()
    stop_campaign(store, row.number)
    sent, unsent, ask = take(fair, store, found(store, row.number))
    assert (sent.state, ask.state) == (StepState.STANDS, StepState.STANDS)
    assert (unsent.state, unsent.text) == (StepState.REFUSED, "it was stopped")
