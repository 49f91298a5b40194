"""A day that was played: everything happened that the story promises, and nothing is left in the market."""

from ledger.delivery import Reason
from ledger.demo.day import FATES
from tests.day import tiny_day


def test_day_ends_leases_in_every_way() -> None:
    leases = tiny_day().diary.leases
    assert {lease.story for lease in leases} == {fate.words for fate in FATES}
    assert {lease.end.reason for lease in leases} == {
        Reason.ACCEPTED,
        Reason.UNDISPUTED,
        Reason.UNREPORTED,
        Reason.RULED,
    }


def test_day_refunds_what_was_not_delivered() -> None:
    day = tiny_day()
    whole = {FATES[-1].words, FATES[-2].words}
    for lease in day.diary.leases:
        kept = day.replay.leases[lease.lease]
        assert (kept.to_holder_micro == 0) == (lease.story in whole)
        assert (kept.to_provider_micro == 0) == (lease.end.reason is Reason.UNREPORTED)


def test_day_leaves_nothing_in_the_market() -> None:
    day = tiny_day()
    assert day.market.wallet_micro(day.market.address("Treasury")) == 0
    assert all(day.market.cash_micro(signer.address) == 0 for signer in day.people.values())
    assert day.diary.expired_units > 0


def test_day_is_checked_when_most_is_at_stake_and_at_the_end() -> None:
    diary = tiny_day().diary
    assert len(diary.checks) == 2
    assert diary.findings == []
