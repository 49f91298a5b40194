"""Campaigns and their steps: kept once, planned by one at a time, and what ended stays as it ended."""

from dataclasses import replace

import pytest

from ledger.errors import KeyReused
from ledger.store.campaigns import (
    StepKind,
    StepRow,
    StepState,
    campaign,
    campaigns,
    count_unended,
    create_campaign,
    keep_plan,
    named_campaign,
    note_step,
    open_steps,
    steps,
    stop_campaign,
    unended,
)
from ledger.store.engine import Store

PLACE = (31_337, "0x" + "e" * 40)
OWNER, OTHER = "0x" + "a" * 40, "0x" + "b" * 40
STEP = StepRow(1, 0, StepKind.BID, StepState.PLANNED, -1, 2**87 + 5, 0, 100, 400, 2_000, "", '{"0":100}', 1_000)


def test_same_key_is_the_same_campaign_and_other_jobs_under_it_are_refused(store: Store) -> None:
    first = create_campaign(store, PLACE, OWNER, "[1]", 5, "mine")
    assert create_campaign(store, PLACE, OWNER, "[1]", 9, "mine") == first
    assert create_campaign(store, PLACE, OTHER, "[2]", 5, "mine").number != first.number
    with pytest.raises(KeyReused):
        create_campaign(store, PLACE, OWNER, "[2]", 5, "mine")
    unnamed = [create_campaign(store, PLACE, OWNER, "[1]", 5).number for _ in range(2)]
    assert len({first.number, *unnamed}) == 3
    assert len({row.name for row in campaigns(store, PLACE)}) == 4
    assert [one.number for one in campaigns(store, PLACE, OWNER)] == [*reversed(unnamed), first.number]
    assert [one.number for one in campaigns(store, PLACE, OWNER, before=unnamed[0])] == [first.number]
    assert campaigns(store, (1, PLACE[1])) == []


def test_a_campaign_is_found_by_its_key_and_while_it_goes_on(store: Store) -> None:
    first = create_campaign(store, PLACE, OWNER, "[1]", 5, "mine")
    other = create_campaign(store, PLACE, OTHER, "[2]", 6, "mine")
    create_campaign(store, (1, PLACE[1]), OWNER, "[3]", 7, "mine")
    assert named_campaign(store, PLACE, OWNER, "mine") == first
    assert named_campaign(store, PLACE, OTHER, "mine") == other
    assert named_campaign(store, PLACE, OWNER, "none") is None
    # A list has no jobs in it: they may be large.
    assert unended(store, PLACE) == [replace(first, jobs=""), replace(other, jobs="")]
    assert {row.jobs for row in campaigns(store, PLACE)} == {""}
    assert [count_unended(store, PLACE, owner) for owner in (OWNER, OTHER)] == [1, 1]
    keep_plan(store, first, [], "over", ended=True)
    assert unended(store, PLACE) == [replace(other, jobs="")]
    assert [count_unended(store, PLACE, owner) for owner in (OWNER, OTHER)] == [0, 1]


def test_plan_on_an_older_version_keeps_nothing(store: Store) -> None:
    seen = create_campaign(store, PLACE, OWNER, "[]", 5)
    mine = replace(STEP, campaign=seen.number)
    assert keep_plan(store, seen, [mine], "bids")
    assert not keep_plan(store, seen, [replace(mine, number=1)], "twice")
    assert steps(store, seen.number) == [mine]
    after = campaign(store, seen.number)
    assert after is not None
    assert (after.version, after.note, after.ended) == (1, "bids", False)
    assert keep_plan(store, after, [], "over", ended=True)
    assert campaign(store, seen.number) == replace(after, version=2, note="over", ended=True)


def test_step_keeps_what_came_of_it_and_an_end_is_final(store: Store) -> None:
    seen = create_campaign(store, PLACE, OWNER, "[]", 5)
    mine = replace(STEP, campaign=seen.number)
    keep_plan(store, seen, [mine], "")
    note_step(store, mine, StepState.STANDS, round=7, slot=3)
    note_step(store, mine, StepState.DONE, filled=60, cost_micro=2**70)
    note_step(store, mine, StepState.REFUSED, text="too late")
    expected = replace(mine, state=StepState.DONE, round=7, slot=3, filled=60, cost_micro=2**70)
    assert steps(store, seen.number) == [expected]


def test_open_steps_are_those_of_campaigns_that_run(store: Store) -> None:
    rows = [create_campaign(store, PLACE, OWNER, "[]", 5) for _ in range(2)]
    for row, ended in zip(rows, (False, True), strict=True):
        keep_plan(store, row, [replace(STEP, campaign=row.number)], "", ended)
    assert [step.campaign for step in open_steps(store, PLACE, OWNER)] == [rows[0].number]
    assert open_steps(store, PLACE, OTHER) == []


def test_a_stop_is_kept_beside_it_and_no_plan_takes_it_back(store: Store) -> None:
    seen, other = (create_campaign(store, PLACE, OWNER, "[]", 5, key) for key in ("a", "b"))
    for row in (seen, other):
        keep_plan(store, row, [replace(STEP, campaign=row.number)], "")
    for _ in range(2):
        stop_campaign(store, seen.number)
    assert [row.stopped for row in unended(store, PLACE)] == [True, False]
    assert [row.stopped for row in campaigns(store, PLACE)] == [False, True]
    named = named_campaign(store, PLACE, OWNER, "a")
    assert named is not None
    assert named.stopped
    assert create_campaign(store, PLACE, OWNER, "[]", 9, "a") == named
    # Its units are no longer meant for it.
    assert [step.campaign for step in open_steps(store, PLACE, OWNER)] == [other.number]
    assert keep_plan(store, named, [], "planned meanwhile")
    after = campaign(store, seen.number)
    assert after is not None
    assert (after.stopped, after.note) == (True, "planned meanwhile")


def test_unknown_campaign_is_none(store: Store) -> None:
    assert campaign(store, 99) is None
