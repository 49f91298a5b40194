"""Leases, and the transactions that are begun anew."""

from collections.abc import Callable, Iterator
from threading import Barrier, Thread

import pytest
from sqlalchemy import Connection

from ledger.errors import KeyBusy, StoreUnavailable
from ledger.settings import Secret
from ledger.store.engine import IN_MEMORY, TRIES, Store, open_store
from ledger.store.leases import Leases

ALICE = "0x" + "a1" * 20
Opener = Callable[[Secret], Leases]


@pytest.fixture
def leases() -> Iterator[Opener]:
    """Of a process of its own each, in the database of that address."""
    stores: list[Store] = []

    def opened(url: Secret) -> Leases:
        stores.append(open_store(url))
        return Leases(stores[-1], 1, lambda: 1_000.0)

    yield opened
    for store in stores:
        store.close()


def test_two_that_collide_on_postgresql_both_end(leases: Opener, postgres_url: Secret) -> None:
    """Each reads before the other wrote: one of them is told so by the database, and begins anew."""
    first, second = leases(postgres_url), leases(postgres_url)
    for one in (first, second):
        one.write(lambda connection: connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS sums (n int)"))
    first.write(lambda connection: connection.exec_driver_sql("INSERT INTO sums VALUES (0)"))
    meet = Barrier(2, timeout=60)
    tries: list[int] = []

    def raised(place: int) -> Callable[[Connection], None]:
        def work(connection: Connection) -> None:
            connection.exec_driver_sql("SELECT n FROM sums").scalar()
            tries.append(place)
            if len(tries) <= 2:
                meet.wait()
            connection.exec_driver_sql("UPDATE sums SET n = n + 1")

        return work

    threads = [Thread(target=one.write, args=(raised(place),)) for place, one in enumerate((first, second))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(tries) >= 3, "they did not collide"
    with first.store.read() as connection:
        assert connection.exec_driver_sql("SELECT n FROM sums").scalar() == 2


def test_collision_without_end_is_told(leases: Opener, postgres_url: Secret) -> None:
    one = leases(postgres_url)
    tries: list[int] = []

    def work(connection: Connection) -> None:
        tries.append(len(tries))
        connection.exec_driver_sql("DO $$ BEGIN RAISE EXCEPTION 'in the way' USING ERRCODE = '40001'; END $$")

    with pytest.raises(StoreUnavailable):
        one.write(work)
    assert len(tries) == TRIES


def test_other_failures_are_told_at_once(leases: Opener, postgres_url: Secret) -> None:
    tries: list[int] = []

    def work(connection: Connection) -> None:
        tries.append(len(tries))
        connection.exec_driver_sql("SELECT * FROM nowhere")

    with pytest.raises(StoreUnavailable):
        leases(postgres_url).write(work)
    assert len(tries) == 1


def test_claim_of_a_transaction_that_failed_is_no_claim(leases: Opener) -> None:
    """Another process may get the same token after that."""
    first = leases(IN_MEMORY)
    second = Leases(first.store, 1, lambda: 1_000.0)

    def fails(connection: Connection) -> None:
        first.claim(connection, ALICE)
        raise StoreUnavailable("the disk is full")

    with pytest.raises(StoreUnavailable):
        first.write(fails)
    assert second.hold([ALICE]) == {ALICE}
    assert first.hold([ALICE]) == set()
    with pytest.raises(KeyBusy):
        first.write(lambda connection: first.fence(connection, [ALICE]))
    second.write(lambda connection: second.fence(connection, [ALICE]))
