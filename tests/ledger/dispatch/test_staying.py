"""Exchange keeps work where it was, and changes nothing else."""

from collections import Counter
from copy import deepcopy

from hypothesis import given
from hypothesis import strategies as st

from ledger.dispatch.staying import Shares, stay

SITES = {0: 0, 1: 0, 2: 1, 3: 2}
"""Supplies 0 and 1 are of site 0."""

shares = st.dictionaries(
    st.integers(0, 5), st.dictionaries(st.integers(0, 3), st.integers(1, 6), min_size=1), min_size=1, max_size=6
)
before = st.dictionaries(st.integers(0, 5), st.dictionaries(st.integers(0, 2), st.integers(1, 9)), max_size=6)
allowed = st.sets(st.tuples(st.integers(0, 5), st.integers(0, 3)))


def stayed(shares: Shares, before: dict[int, dict[int, int]]) -> int:
    """Units that are where their job had units before."""
    total = 0
    for job, supplies in shares.items():
        at = Counter[int]()
        for supply, units in supplies.items():
            at[SITES[supply]] += units
        total += sum(min(units, before.get(job, {}).get(site, 0)) for site, units in at.items())
    return total


def test_stay_swaps_two_who_would_wander() -> None:
    found = {1: {0: 4}, 2: {2: 4}}
    assert stay(found, SITES, {1: {1: 4}, 2: {0: 4}}, lambda *_: True) == 4
    assert found == {1: {2: 4}, 2: {0: 4}}


def test_stay_swaps_a_newcomer_for_who_was_there() -> None:
    found = {1: {0: 4}, 2: {2: 3}}
    assert stay(found, SITES, {1: {1: 4}}, lambda *_: True) == 3
    assert found == {1: {0: 1, 2: 3}, 2: {0: 3}}


def test_stay_leaves_alone_whom_the_other_place_does_not_suit() -> None:
    found = {1: {0: 4}, 2: {2: 4}}
    assert stay(found, SITES, {1: {1: 4}}, lambda job, supply: (job, supply) != (2, 0)) == 0
    assert found == {1: {0: 4}, 2: {2: 4}}


def test_stay_takes_nobody_away_from_where_they_were() -> None:
    found = {1: {0: 4}, 2: {2: 4}}
    assert stay(found, SITES, {1: {1: 4}, 2: {1: 4}}, lambda *_: True) == 0


@given(shares, before, allowed)
def test_stay_changes_no_sum_gives_nobody_what_does_not_suit_and_never_makes_more_wander(
    found: Shares, before: dict[int, dict[int, int]], refused: set[tuple[int, int]]
) -> None:
    was = deepcopy(found)
    moved = stay(found, SITES, before, lambda job, supply: (job, supply) not in refused)
    assert {job: sum(row.values()) for job, row in found.items()} == {
        job: sum(row.values()) for job, row in was.items()
    }
    sums = [Counter[int](), Counter[int]()]
    for total, table in zip(sums, (was, found), strict=True):
        for row in table.values():
            total.update(row)
    assert sums[0] == sums[1]
    got = {(job, supply) for job, row in found.items() for supply in row if supply not in was[job]}
    assert not got & refused
    assert all(units > 0 for row in found.values() for units in row.values())
    assert stayed(found, before) >= stayed(was, before) + moved
