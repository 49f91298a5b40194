"""The stage of a day: who is there, what they bring, what is attested."""

import pytest

from ledger.demo.stage import FUNDS_MICRO, Stage, accounts_needed, start_s
from ledger.errors import InputError
from ledger.model import Kind
from tests.day import tiny_day, tiny_plan


def test_accounts_needed_counts_everybody_once() -> None:
    assert accounts_needed(tiny_plan()) == len(tiny_day().people) == len(tiny_day().names)


def test_start_lies_before_delivery() -> None:
    assert start_s(tiny_plan()) < min(product.start_s for product in tiny_plan().products)


def test_everybody_brought_the_same_money_and_nobody_made_any() -> None:
    day = tiny_day()
    owners = [*day.plan.providers, *day.plan.buyers]
    wallets = [day.market.wallet_micro(day.people[name].address) for name in owners]
    assert sum(wallets) == len(owners) * FUNDS_MICRO


def test_sites_are_attested_for_what_the_standard_says() -> None:
    day = tiny_day()
    for number, site in zip(day.sites, day.plan.sites, strict=True):
        found = day.market.site(number)
        assert (found.device, found.devices, found.class_id) == (site.device, site.devices, site.class_id)
        assert found.attested_units == site.units
        assert day.names[found.provider] == site.provider


def test_stage_refuses_a_chain_whose_clock_is_not_its_own() -> None:
    chain = tiny_day().chain
    clock, chain.clock = chain.clock, None
    try:
        with pytest.raises(InputError, match="clock"):
            Stage(chain, tiny_plan())
    finally:
        chain.clock = clock


def test_diary_holds_what_was_signed() -> None:
    day = tiny_day()
    bids = sum(order.kind is Kind.BID for trade in day.diary.trades for order in trade.orders)
    assert 0 < day.diary.signed < bids == len(day.plan.bids)
