"""Blooms as eth_bloom, another's library, makes them."""

from typing import Any

from eth_bloom.bloom import BloomFilter
from hypothesis import given
from hypothesis import strategies as st

from ledger.history.bloom import bloom_of, may_hold

ADDRESSES = st.binary(min_size=20, max_size=20)
LOGS = st.lists(st.tuples(ADDRESSES, st.lists(st.binary(min_size=32, max_size=32), max_size=4)), max_size=6)


@given(LOGS, ADDRESSES)
def test_a_bloom_is_what_others_make_it(logs: list[tuple[bytes, list[bytes]]], other: bytes) -> None:
    entries: list[dict[str, Any]] = [
        {"address": "0x" + address.hex(), "topics": ["0x" + topic.hex() for topic in topics]}
        for address, topics in logs
    ]
    bloom = bloom_of(entries)
    theirs = BloomFilter.from_iterable(part for address, topics in logs for part in (address, *topics))
    assert bloom == int(theirs)
    assert all(may_hold(bloom, [address]) for address, _ in logs), "what is in it is never denied"
    assert may_hold(bloom, [other]) == (other in theirs)
    assert not may_hold(bloom, [])
