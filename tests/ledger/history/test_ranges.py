"""How many blocks to ask for: what nodes say when they refuse is read, and no answer makes the ranges run away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.history.ranges import RANGE_MAX, Ranges, suggested

SAID = [
    ("query returned more than 10000 results. Try with this block range [0x64, 0xc7].", 100),
    ("Log response size exceeded. this block range should work: [0x64, 0x64]", 1),
    ("eth_getLogs is limited to a 10,000 range", 10_000),
    ("ranges over 10000 blocks are not supported on freetier", 10_000),
    ("block range too large, max is 1024 blocks", 1_024),
    ("exceed maximum block range: 5000", 5_000),
    ("eth_getLogs block range limited to 2000 blocks", 2_000),
    ("block range exceeds 500 blocks", 500),
    ("You can make eth_getLogs requests with up to a 2000 block range", 2_000),
    ("block range greater than 10k blocks", 10_000),
    ("query timeout exceeded", None),
    ("query exceeds max results 20000", None),
    ("it knows no such block: [0x1, 0x2]", None),
]


@pytest.mark.parametrize(("text", "blocks"), SAID)
def test_suggested_reads_what_nodes_say(text: str, blocks: int | None) -> None:
    assert suggested(text, 100) == blocks


@given(st.text(), st.integers(0, 2**40))
def test_suggested_reads_any_text(text: str, from_block: int) -> None:
    found = suggested(text, from_block)
    assert found is None or found > 0


@given(st.integers(1, RANGE_MAX), st.lists(st.one_of(st.none(), st.integers(0, 100_000)), max_size=60))
def test_ranges_stay_within_bounds_and_get_smaller_when_refused(limit: int, answers: list[int | None]) -> None:
    ranges = Ranges()
    for logs in answers:
        asked = ranges.blocks
        if logs is None:
            assert ranges.refused(1, asked, "no") == (asked > 1)
            assert ranges.blocks < asked or asked == 1
        else:
            ranges.gave(1, asked, logs)
        assert 1 <= ranges.blocks <= RANGE_MAX
    ranges = Ranges(first=RANGE_MAX)
    tries = 0
    while ranges.blocks > limit:
        assert ranges.refused(1, ranges.blocks, "too much")
        tries += 1
    assert tries <= 20, "a range that is small enough is found in few steps"
