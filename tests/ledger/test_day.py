"""A day that was played: everything happened that the story promises, and nothing is left in the market."""

from collections import Counter

import pytest

from ledger.auction import run_auction
from ledger.day import FATES, Day, accounts_needed
from ledger.delivery import Reason
from ledger.errors import InputError
from ledger.model import Kind
from tests.day import tiny_day, tiny_plan


def test_day_trades_by_the_rule() -> None:
    trades = tiny_day().books.trades
    assert sum(trade.clearing.units for trade in trades) > 0
    for trade in trades:
        clearing, fills = run_auction(trade.orders)
        assert (clearing, tuple(fills)) == (trade.clearing, trade.fills)


def test_day_has_every_kind_of_order_relayed_and_sent() -> None:
    day = tiny_day()
    kinds = Counter(order.kind for trade in day.books.trades for order in trade.orders)
    assert set(kinds) == set(Kind)
    assert kinds[Kind.OFFER] == len(day.plan.offers)
    assert kinds[Kind.BID] == len(day.plan.bids)
    assert day.books.signed == sum(not bid.direct for bid in day.plan.bids) > 0


def test_day_ends_leases_in_every_way() -> None:
    leases = tiny_day().books.leases
    assert {lease.story for lease in leases} == {fate.words for fate in FATES}
    assert {lease.end.reason for lease in leases} >= {
        Reason.ACCEPTED,
        Reason.UNDISPUTED,
        Reason.UNREPORTED,
        Reason.RULED,
    }


def test_day_leaves_nothing_in_the_market() -> None:
    day = tiny_day()
    assert day.market.wallet_micro(day.market.address("Treasury")) == 0
    assert all(day.market.cash_micro(signer.address) == 0 for signer in day.people.values())
    assert day.books.split_units > 0
    assert day.books.expired_units > 0


def test_day_refuses_a_chain_whose_clock_is_not_its_own() -> None:
    chain = tiny_day().chain
    clock, chain.clock = chain.clock, None
    try:
        with pytest.raises(InputError, match="clock"):
            Day(chain, tiny_plan())
    finally:
        chain.clock = clock


def test_accounts_needed_counts_everybody_once() -> None:
    assert accounts_needed(tiny_plan()) == len(tiny_day().people)
