"""Which steps follow from a plan."""

import json
from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ledger.dispatch.preview import Purchase, Where
from ledger.dispatch.steps import at_once, bid_steps, redeem_steps
from ledger.store.campaigns import StepKind
from tests.ledger.dispatch.made import HOUR, asked, bid, product, redeemed, split


@given(st.lists(st.integers(0, 5), max_size=40), st.integers(1, 20), st.integers(0, 10))
def test_steps_at_once_end_with_a_whole_job(jobs: list[int], most: int, bids: int) -> None:
    steps = [replace(redeemed(1, 2 + place), job=job) for place, job in enumerate(jobs)]
    found = at_once([*steps, *[bid(1, None, None)] * bids], most)
    assert len(found) <= most
    taken = Counter(step.job for step in found if step.kind is StepKind.REDEEM)
    cut = [one for one, count in taken.items() if count < jobs.count(one)]
    assert not cut or (list(taken) == cut and taken[cut[0]] == most)
    assert bool(found) == bool(jobs or bids)
    if any(step.kind is StepKind.BID for step in found):
        assert taken == Counter(jobs)


def test_what_is_held_is_used_before_more_is_bought_and_the_rest_is_sold() -> None:
    mixed = [asked(1, None), bid(1, None, None), redeemed(1), split(1)]
    kinds = [step.kind for step in at_once(mixed, 10)]
    assert kinds == [StepKind.SPLIT, StepKind.REDEEM, StepKind.BID, StepKind.ASK]


def where(units: int, hour: int = 2, number: int = 0, job_: int = 0, held: bool = True, site: int = 1) -> Where:
    return Where(job_, "job", site, 257, HOUR + hour, units, 0, number or product(hour), 0, held)


def test_held_hours_are_redeemed_for_their_jobs_once_per_site() -> None:
    found = list(redeem_steps([where(30), where(20, job_=1), where(5, site=2), where(9, held=False)], [0, 0], ["aa"]))
    assert [(step.kind, step.site, step.job, step.units, step.hash) for step in found] == [
        (StepKind.REDEEM, 1, 0, 50, "aa"),
        (StepKind.REDEEM, 2, 0, 5, "aa"),
    ]


def test_window_is_redeemed_whole_where_one_job_fills_it_and_the_rest_is_split() -> None:
    window = product(2, 2)
    placed = [where(30, 2, window), where(30, 3, window), where(10, 2, window, 1), where(15, 3, window, 1)]
    found = list(redeem_steps(placed, [0, 1], ["aa", "bb"]))
    assert [(step.kind, step.job, step.units) for step in found] == [
        (StepKind.REDEEM, 0, 30),
        (StepKind.REDEEM, 1, 10),
        (StepKind.SPLIT, -1, 5),
    ]


def test_nothing_is_split_where_whole_windows_and_hours_are_used() -> None:
    window = product(2, 2)
    filled = [where(30, 2, window), where(30, 3, window), where(20, 2), where(7, 2, job_=1)]
    assert Counter((step.kind, step.product, step.units) for step in redeem_steps(filled, [0, 1], ["aa", "bb"])) == {
        (StepKind.REDEEM, window, 30): 1,
        (StepKind.REDEEM, product(2), 20): 1,
        (StepKind.REDEEM, product(2), 7): 1,
    }


def test_bid_carries_what_it_is_for_by_the_job_it_belongs_to() -> None:
    purchase = Purchase(product(), "code", 100, 1, 90, 400, 3_000, 300_000, 0, None, 0, ((0, 40), (1, 30), (2, 20)))
    [step] = bid_steps([purchase], [5, 7, 5])
    assert (step.kind, step.units, step.tick, json.loads(step.shares)) == (StepKind.BID, 100, 400, {"5": 60, "7": 30})
