"""Who may read a document, how much is kept, and when it goes."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import String, Table, insert, update

from ledger.errors import InputError, Unavailable
from ledger.settings import Secret
from ledger.store import tables as t
from ledger.store.engine import IN_MEMORY, Store, open_store
from ledger.store.jobs import KEPT_S, UNBACKED_S, WAITING_S, JobLimits, Jobs

HASH = "0x" + "ab" * 32
OWNER, PROVIDER, THIEF, NOBODY, LATE = ("0x" + one * 40 for one in "abcde")
NOW_S = 10_000_000
LIMITS = JobLimits(
    owner_bytes=100, owner_documents=3, all_bytes=250, lease_bytes=95, provider_bytes=100, all_results_bytes=150
)


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    store = open_store(IN_MEMORY)
    yield Jobs(store, LIMITS)
    store.close()


def add_lease(store: Store, number: int, holder: str, provider: str, hash_: str = HASH) -> None:
    zeros = {
        one.name: 0
        for one in t.LEASES.columns
        if not one.nullable and one.name not in ("lease", "holder", "provider", "job_hash")
    }
    row = zeros | {"lease": number, "holder": holder, "provider": provider, "job_hash": hash_, "state": 1}
    with store.write() as connection:
        connection.execute(insert(t.LEASES), row | {"aborted": False})


def add_row(store: Store, table: Table, **values: object) -> None:
    """A row with these values, and zero for all others."""
    zeros = {one.name: "" if isinstance(one.type, String) else 0 for one in table.columns if not one.nullable}
    with store.write() as connection:
        connection.execute(insert(table), zeros | values)


def back(store: Store, *owners: str) -> None:
    """Some money in the market for each."""
    for owner in owners:
        add_row(store, t.CASH, owner=owner, free_micro=1)


def end_lease(store: Store, number: int, at_s: int) -> None:
    with store.write() as connection:
        connection.execute(update(t.LEASES).where(t.LEASES.c.lease == number).values(resolved_s=at_s))


def test_a_document_is_its_owners_until_somebody_must_run_it(jobs: Jobs) -> None:
    assert jobs.put(HASH, OWNER, b"job", NOW_S)
    assert [jobs.document(HASH, who) for who in (OWNER, PROVIDER, THIEF)] == [b"job", None, None]
    add_lease(jobs.store, 1, OWNER, PROVIDER)
    assert [jobs.document(HASH, who) for who in (OWNER, PROVIDER, THIEF)] == [b"job", b"job", None]


def test_a_lease_with_the_same_hash_opens_nobody_elses_document(jobs: Jobs) -> None:
    jobs.put(HASH, OWNER, b"job", NOW_S)
    add_lease(jobs.store, 1, THIEF, THIEF)
    add_lease(jobs.store, 2, OWNER, PROVIDER, "0x" + "00" * 32)
    assert jobs.document(HASH, THIEF) is None
    assert jobs.document(HASH, PROVIDER) is None


def test_a_document_that_two_keep_is_each_ones_own(jobs: Jobs) -> None:
    assert (jobs.put(HASH, OWNER, b"job", NOW_S), jobs.put(HASH, THIEF, b"job", NOW_S)) == (True, True)
    assert jobs.put(HASH, OWNER, b"job", NOW_S + 1) is False
    assert jobs.drop(HASH, OWNER)
    assert not jobs.drop(HASH, OWNER)
    assert [jobs.document(HASH, who) for who in (OWNER, THIEF)] == [None, b"job"]


def test_a_running_lease_keeps_its_document(jobs: Jobs) -> None:
    jobs.put(HASH, OWNER, b"job", NOW_S)
    add_lease(jobs.store, 4, OWNER, PROVIDER)
    with pytest.raises(InputError, match="Lease 4 has not ended"):
        jobs.drop(HASH, OWNER)
    end_lease(jobs.store, 4, NOW_S + 5)
    assert [(one.hash, one.bytes, one.used) for one in jobs.documents_of(OWNER)] == [(HASH, 3, True)]
    assert jobs.drop(HASH, OWNER)


def test_a_strangers_lease_neither_uses_nor_keeps_a_document_of_mine(jobs: Jobs) -> None:
    back(jobs.store, OWNER)
    add_lease(jobs.store, 1, THIEF, PROVIDER)
    jobs.put(HASH, OWNER, b"job", NOW_S)
    assert [one.used for one in jobs.documents_of(OWNER)] == [False]
    assert jobs.drop(HASH, OWNER)
    jobs.put(HASH, OWNER, b"job", NOW_S)
    jobs.put("0x01", PROVIDER, b"x", NOW_S + WAITING_S)
    assert jobs.document(HASH, OWNER)
    jobs.put("0x02", PROVIDER, b"x", NOW_S + WAITING_S + 1)
    assert jobs.document(HASH, OWNER) is None


def test_what_is_kept_may_be_kept_again_where_there_is_no_room(jobs: Jobs) -> None:
    jobs.limits = JobLimits(owner_bytes=100, owner_documents=2, all_bytes=100)
    for hash_, size in (("0x01", 60), ("0x02", 40)):
        assert jobs.put(hash_, OWNER, b"x" * size, NOW_S)
    assert not jobs.put("0x01", OWNER, b"x" * 60, NOW_S + 1)
    assert {one.hash: one.stored_s for one in jobs.documents_of(OWNER)} == {"0x01": NOW_S + 1, "0x02": NOW_S}
    with pytest.raises(InputError, match="keeps 2 documents of 100 bytes"):
        jobs.put("0x03", OWNER, b"x", NOW_S + 1)


def test_what_no_lease_needs_goes_by_itself(jobs: Jobs) -> None:
    other = "0x" + "cd" * 32
    jobs.put(HASH, OWNER, b"job", NOW_S)
    jobs.put(other, OWNER, b"idle", NOW_S)
    add_lease(jobs.store, 1, OWNER, PROVIDER)
    jobs.put("0x01", THIEF, b"x", NOW_S + WAITING_S)
    assert jobs.document(other, OWNER) == b"idle"
    jobs.put("0x02", THIEF, b"x", NOW_S + WAITING_S + 1)
    assert (jobs.document(other, OWNER), jobs.document(HASH, OWNER)) == (None, b"job")
    end_lease(jobs.store, 1, NOW_S + WAITING_S)
    jobs.put("0x03", PROVIDER, b"x", NOW_S + WAITING_S + KEPT_S - 1)
    assert jobs.document(HASH, OWNER) == b"job"
    jobs.put("0x04", PROVIDER, b"x", NOW_S + WAITING_S + KEPT_S)
    assert jobs.document(HASH, OWNER) is None


def test_a_result_is_kept_until_its_lease_is_long_over(jobs: Jobs) -> None:
    add_lease(jobs.store, 1, OWNER, PROVIDER)
    assert jobs.put_result(1, PROVIDER, b"first", NOW_S)
    assert not jobs.put_result(1, PROVIDER, b"second", NOW_S + 1)
    end_lease(jobs.store, 1, NOW_S + 2)
    with pytest.raises(InputError, match="has ended"):
        jobs.put_result(1, PROVIDER, b"third", NOW_S + 3)
    kept = jobs.result(1)
    assert kept is not None
    assert (kept.body, kept.provider, kept.stored_s) == (b"second", PROVIDER, NOW_S + 1)
    jobs.put_result(2, PROVIDER, b"x", NOW_S + 2 + KEPT_S)
    assert jobs.result(1) is None


def test_a_first_result_is_welcome_after_the_leases_end(jobs: Jobs) -> None:
    add_lease(jobs.store, 1, OWNER, PROVIDER)
    end_lease(jobs.store, 1, NOW_S)
    assert jobs.put_result(1, PROVIDER, b"late", NOW_S + 1)
    with pytest.raises(InputError, match="has ended"):
        jobs.put_result(1, PROVIDER, b"later", NOW_S + 2)
    kept = jobs.result(1)
    assert kept is not None
    assert kept.body == b"late"


@given(sizes=st.lists(st.tuples(st.sampled_from((OWNER, PROVIDER, THIEF)), st.integers(1, 60)), max_size=14))
def test_nobody_keeps_more_than_the_limits(sizes: list[tuple[str, int]]) -> None:
    store = open_store(IN_MEMORY)
    jobs = Jobs(store, LIMITS)
    for place, (who, size) in enumerate(sizes):
        before = jobs.documents_of(who)
        fits = len(before) < 3 and sum(one.bytes for one in before) + size <= 100
        try:
            jobs.put(f"0x{place:064x}", who, b"x" * size, NOW_S)
            assert fits
        except InputError:
            assert not fits
        except Unavailable:
            assert fits
    kept = {who: jobs.documents_of(who) for who in (OWNER, PROVIDER, THIEF)}
    assert all(len(one) <= 3 and sum(each.bytes for each in one) <= 100 for one in kept.values())
    assert sum(each.bytes for one in kept.values() for each in one) <= 250
    store.close()


def test_results_of_one_provider_are_bounded(jobs: Jobs) -> None:
    jobs.put_result(1, PROVIDER, b"x" * 60, NOW_S)
    with pytest.raises(InputError, match="keeps 60 bytes"):
        jobs.put_result(2, PROVIDER, b"x" * 41, NOW_S)
    # Another version of the same lease's counts once.
    jobs.put_result(1, PROVIDER, b"x" * 90, NOW_S)


def test_a_provider_may_fill_what_it_has_to_the_byte(jobs: Jobs) -> None:
    assert jobs.put_result(1, PROVIDER, b"x" * 60, NOW_S)
    assert jobs.put_result(2, PROVIDER, b"x" * 40, NOW_S)
    with pytest.raises(InputError, match="keeps 100 bytes"):
        jobs.put_result(3, PROVIDER, b"x", NOW_S)


def test_one_result_and_all_together_are_bounded(jobs: Jobs) -> None:
    with pytest.raises(InputError, match="96 bytes long, and may be 95"):
        jobs.put_result(1, PROVIDER, b"x" * 96, NOW_S)
    assert jobs.result(1) is None
    jobs.put_result(1, PROVIDER, b"x" * 95, NOW_S)
    with pytest.raises(Unavailable, match="150 bytes together"):
        jobs.put_result(2, THIEF, b"x" * 56, NOW_S)
    jobs.put_result(2, THIEF, b"x" * 55, NOW_S)
    assert jobs.limits.lease_bytes <= JobLimits().lease_bytes < JobLimits().provider_bytes


@pytest.mark.parametrize(
    ("table", "values", "backed"),
    [
        (t.CASH, {"owner": OWNER, "free_micro": 1}, True),
        (t.CASH, {"owner": OWNER, "deposited_micro": 5, "withdrawn_micro": 5}, False),
        (t.CASH, {"owner": THIEF, "free_micro": 1}, False),
        (t.BALANCES, {"owner": OWNER, "units": 1}, True),
        (t.BALANCES, {"owner": OWNER, "held_units": 1}, True),
        (t.BALANCES, {"owner": OWNER}, False),
        (t.ORDERS, {"owner": OWNER, "settled": False}, True),
        (t.ORDERS, {"owner": OWNER, "settled": True}, False),
        (t.LEASES, {"holder": OWNER, "aborted": False}, True),
        (t.LEASES, {"provider": OWNER, "aborted": False}, False),
    ],
)
def test_who_has_nothing_in_the_market_keeps_little_for_an_hour(
    jobs: Jobs, table: Table, values: dict[str, object], backed: bool
) -> None:
    jobs.limits = JobLimits(unbacked_bytes=20)
    add_row(jobs.store, table, **values)
    jobs.put("0x01", OWNER, b"x" * 20, NOW_S)
    if backed:
        jobs.put("0x02", OWNER, b"x", NOW_S)
    else:
        with pytest.raises(InputError, match=r"may keep 1000 of 20 bytes\. .*bring money into the market"):
            jobs.put("0x02", OWNER, b"x", NOW_S)
    jobs.put("0x03", PROVIDER, b"x", NOW_S + UNBACKED_S)
    assert jobs.document("0x01", OWNER)
    jobs.put("0x04", PROVIDER, b"x", NOW_S + UNBACKED_S + 1)
    assert (jobs.document("0x01", OWNER) is not None) is backed


def full(store: Store) -> Jobs:
    """250 bytes of 250: THIEF's are the newest and the most."""
    jobs = Jobs(store, LIMITS)
    back(store, OWNER, PROVIDER, THIEF)
    for place, (owner, size) in enumerate([(OWNER, 60), (PROVIDER, 60), (NOBODY, 30), (THIEF, 60), (THIEF, 40)]):
        jobs.put(f"0x{place}", owner, b"x" * size, NOW_S + place)
    return jobs


def kept_by(jobs: Jobs) -> dict[str, list[str]]:
    return {one: [each.hash for each in jobs.documents_of(one)] for one in (OWNER, PROVIDER, NOBODY, THIEF, LATE)}


def require_that_the_right_ones_give_way(store: Store) -> None:
    jobs = full(store)
    with pytest.raises(Unavailable, match="250 bytes together"):
        jobs.put("0x5", LATE, b"x", NOW_S + 9)
    back(store, LATE)
    jobs.put("0x5", LATE, b"x" * 20, NOW_S + 9)
    assert kept_by(jobs) == {OWNER: ["0x0"], PROVIDER: ["0x1"], NOBODY: [], THIEF: ["0x4", "0x3"], LATE: ["0x5"]}
    jobs.put("0x6", LATE, b"x" * 20, NOW_S + 9)
    assert kept_by(jobs) == {OWNER: ["0x0"], PROVIDER: ["0x1"], NOBODY: [], THIEF: ["0x4"], LATE: ["0x5", "0x6"]}
    jobs.put("0x7", OWNER, b"x" * 40, NOW_S + 9)
    # Nobody keeps more than OWNER now: who comes first is driven out by nobody who takes as much.
    with pytest.raises(Unavailable):
        jobs.put("0x8", LATE, b"x" * 60, NOW_S + 9)
    with pytest.raises(Unavailable):
        jobs.put("0x8", THIEF, b"x" * 60, NOW_S + 9)
    assert jobs.document("0x0", OWNER)


def test_where_all_is_full_those_who_keep_most_for_nothing_give_way(jobs: Jobs) -> None:
    require_that_the_right_ones_give_way(jobs.store)


def test_on_postgresql_the_same_give_way(postgres_url: Secret) -> None:
    store = open_store(postgres_url)
    require_that_the_right_ones_give_way(store)
    store.close()


def test_documents_may_fill_all_to_the_byte_even_of_who_may_displace_nobody(jobs: Jobs) -> None:
    for place, owner in enumerate((OWNER, PROVIDER, NOBODY)):
        jobs.put(f"0x{place}", owner, b"x" * 80, NOW_S)
    assert jobs.put("0x3", LATE, b"x" * 10, NOW_S)
    with pytest.raises(Unavailable, match="250 bytes together"):
        jobs.put("0x4", LATE, b"x", NOW_S)


def test_what_a_lease_refers_to_gives_way_to_nothing(jobs: Jobs) -> None:
    jobs.limits = JobLimits(all_bytes=100)
    add_lease(jobs.store, 1, OWNER, PROVIDER, "0x0")
    back(jobs.store, LATE)
    jobs.put("0x0", OWNER, b"x" * 40, NOW_S)
    jobs.put("0x1", OWNER, b"x" * 60, NOW_S + 1)
    jobs.put("0x2", LATE, b"x", NOW_S + 2)
    assert [one.hash for one in jobs.documents_of(OWNER)] == ["0x0"]
