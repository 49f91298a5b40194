"""What sites announced: found by the hours it touches, and in no other way."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select

from ledger.errors import InputError
from ledger.store import tables as t
from ledger.store.engine import IN_MEMORY, metadata, open_store
from ledger.store.maintenance import (
    STANDING_MAX,
    Maintenance,
    add,
    closed_hours,
    find,
    maintenance_of,
    provider_of,
    withdraw,
)
from tests.indexed import tiny_store

ONE = Maintenance(b"\x01" * 32, 1, 10, 12, "new fans", 5, "0x" + "aa" * 20, b"\x02" * 65, 6)
SPANS = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 40), st.integers(1, 12), st.booleans()), max_size=12)


@given(spans=SPANS, first=st.integers(0, 50), hours=st.integers(0, 20), sites=st.sets(st.integers(1, 4)))
def test_found_are_those_that_stand_and_share_an_hour(
    spans: list[tuple[int, int, int, bool]], first: int, hours: int, sites: set[int]
) -> None:
    store = open_store(IN_MEMORY)
    closed = set()
    for number, (site, start, length, withdrawn) in enumerate(spans):
        digest = number.to_bytes(32)
        add(store, replace(ONE, digest=digest, site=site, from_hour=start, to_hour=start + length), 0)
        if withdrawn:
            withdraw(store, digest, b"", 9)
        elif site in sites:
            closed |= {(site, hour) for hour in range(start, start + length) if first <= hour < first + hours}
    assert closed_hours(store, sites, first, first + hours) == closed
    found = maintenance_of(store, sites, first, first + hours)
    assert {site for site, _ in closed} == set(found) if hours else not closed
    for site, announced in found.items():
        assert [one.from_hour for one in announced] == sorted(one.from_hour for one in announced)
        assert {one.site for one in announced} == {site}
    store.close()


def test_announcement_is_kept_once_and_a_withdrawn_one_stays_withdrawn() -> None:
    store = open_store(IN_MEMORY)
    assert add(store, ONE, 0) == ONE == find(store, ONE.digest)
    assert withdraw(store, ONE.digest, b"sig", 9) == replace(ONE, withdrawn_s=9)
    assert withdraw(store, ONE.digest, b"other", 10) == replace(ONE, withdrawn_s=9)
    assert add(store, ONE, 0) == replace(ONE, withdrawn_s=9)
    assert maintenance_of(store, [1], 0, 100) == {}
    assert withdraw(store, bytes(32), b"", 9) is None
    store.close()


def test_one_site_announces_so_much_and_no_more() -> None:
    store = open_store(IN_MEMORY)
    for number in range(STANDING_MAX):
        add(store, replace(ONE, digest=number.to_bytes(32)), 0)
    more = replace(ONE, digest=b"\xff" * 32)
    with pytest.raises(InputError, match="64 announcements of site 1"):
        add(store, more, 0)
    assert add(store, replace(more, digest=b"\xfe" * 32, site=2), 0).site == 2
    # Those that have ended do not count, nor those that were taken back.
    with pytest.raises(InputError, match="64 announcements"):
        add(store, more, 11)
    withdraw(store, (7).to_bytes(32), b"sig", 9)
    assert add(store, replace(more, digest=b"\xfd" * 32), 0).site == 1
    assert add(store, more, 12) == more
    store.close()


def test_provider_of_is_the_sites_or_says_that_there_is_none() -> None:
    with tiny_store().read() as connection:
        provider = connection.execute(t.SITES.select().where(t.SITES.c.site == 1)).mappings().one()["provider"]
    assert provider_of(tiny_store(), 1) == provider
    with pytest.raises(InputError):
        provider_of(tiny_store(), 999)


def test_many_sites_are_asked_in_parts() -> None:
    store = open_store(IN_MEMORY)
    rows = [replace(ONE, digest=n.to_bytes(32), site=n) for n in range(1, 2_502)]
    table = metadata.tables["maintenance"]
    with store.write() as connection:
        values = [{name: getattr(row, name) for name in Maintenance.__slots__} for row in rows]
        connection.execute(insert(table), values)
    assert len(maintenance_of(store, range(1, 2_502), 11, 12)) == 2_501
    store.close()


def test_hours_that_only_meet_share_nothing() -> None:
    store = open_store(IN_MEMORY)
    add(store, ONE, 0)
    for first, last, shared in ((9, 10, 0), (9, 11, 1), (10, 11, 1), (11, 12, 1), (11, 99, 1), (12, 99, 0), (0, 99, 2)):
        assert set(maintenance_of(store, [1], first, last)) == ({1} if shared else set()), (first, last)
        assert len(closed_hours(store, [1], first, last)) == shared
    store.close()


def test_the_proof_of_a_withdrawal_is_kept() -> None:
    store = open_store(IN_MEMORY)
    for number in (1, 2):
        add(store, replace(ONE, digest=bytes([number]) * 32), 0)
    withdraw(store, ONE.digest, b"proof", 9)
    withdraw(store, ONE.digest, b"other", 10)
    of = metadata.tables["maintenance"].c
    with store.read() as connection:
        kept = connection.execute(select(of.withdrawn_s, of.withdrawal).order_by(of.digest)).all()
    assert [tuple(row) for row in kept] == [(9, b"proof"), (None, None)]
    store.close()
