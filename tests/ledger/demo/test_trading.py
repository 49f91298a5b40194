"""The rounds of a day: as the rule says, with every kind of order; and loud where chain and rule differ."""

from collections import Counter
from dataclasses import replace

import pytest

from ledger.auction import run_auction
from ledger.demo.scenario import ROUNDS
from ledger.model import Kind
from tests.day import tiny_day


def test_rounds_trade_by_the_rule() -> None:
    trades = tiny_day().diary.trades
    assert len({trade.round for trade in trades}) == ROUNDS
    assert sum(trade.clearing.units for trade in trades) > 0
    for trade in trades:
        clearing, fills = run_auction(trade.orders)
        assert (clearing, tuple(fills)) == (trade.clearing, trade.fills)


def test_rounds_have_every_kind_of_order() -> None:
    day = tiny_day()
    kinds = Counter(order.kind for trade in day.diary.trades for order in trade.orders)
    assert kinds[Kind.OFFER] == len(day.plan.offers)
    assert kinds[Kind.BID] == len(day.plan.bids)
    assert kinds[Kind.ASK] > 0
    assert day.diary.split_units > 0


def test_compare_stops_when_a_price_is_not_the_rules() -> None:
    day = tiny_day()
    trade = next(trade for trade in day.diary.trades if trade.clearing.price_tick)
    traded = {order.index: fill for order, fill in zip(trade.orders, trade.fills, strict=True)}
    other = replace(trade.clearing, price_tick=(trade.clearing.price_tick or 0) + 1)
    with pytest.raises(AssertionError, match="by the rule"):
        day.compare(trade.product, trade.round, trade.orders, other, traded)


def test_compare_stops_when_a_fill_is_not_the_rules() -> None:
    day = tiny_day()
    trade = next(trade for trade in day.diary.trades if trade.clearing.units)
    traded = {order.index: fill for order, fill in zip(trade.orders, trade.fills, strict=True)}
    traded[trade.orders[0].index] += 1
    with pytest.raises(AssertionError, match="by the rule"):
        day.compare(trade.product, trade.round, trade.orders, trade.clearing, traded)
