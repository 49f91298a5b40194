"""The outbox: one nonce an intent, one intent a key, one owner a signer."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.errors import KeyBusy, KeyReused, LedgerError, NodeRefused, StoreUnavailable
from ledger.keys import SignedTransaction
from ledger.sending.fees import Fees
from ledger.settings import Secret
from ledger.store.engine import IN_MEMORY, Store, open_store
from ledger.store.intents import Attempt, Draft, Intent, State
from ledger.store.leases import LEASE_S
from ledger.store.outbox import Outbox
from ledger.store.spending import Budget

ALICE, BOB = "0x" + "a1" * 20, "0x" + "b0" * 20
TO = "0x" + "cc" * 20


class Wall:
    """The time of day, set by hand."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture(params=["memory", "file", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "postgres":
        opened = open_store(request.getfixturevalue("postgres_url"))
    else:
        opened = open_store(IN_MEMORY if request.param == "memory" else Secret(f"sqlite:///{tmp_path / 'outbox.db'}"))
    yield opened
    opened.close()


def draft(data: bytes, key: str | None = None, sender: str = ALICE, nonce: int = 0, relayed: bool = False) -> Draft:
    def signed(number: int) -> SignedTransaction:
        return SignedTransaction(data + bytes([number]), f"0x{sender[2:6]}{number:04x}{data.hex()}")

    return Draft(sender, TO, data, 21_000, Fees(10, 1), signed, key, nonce, relayed)


def outbox(store: Store, wall: Wall | None = None) -> Outbox:
    return Outbox(store, 1, wall or Wall())


def kept(results: Sequence[Intent | LedgerError]) -> list[Intent]:
    assert all(isinstance(one, Intent) for one in results), results
    return [one for one in results if isinstance(one, Intent)]


def test_keep_gives_each_the_next_nonce_of_its_sender(store: Store) -> None:
    """DRILLS.md mode 1."""
    box = outbox(store)
    first = kept(box.keep([draft(b"a"), draft(b"b", sender=BOB), draft(b"c")]))
    second = kept(box.keep([draft(b"d"), draft(b"e", sender=BOB)]))
    assert [one.nonce for one in first + second] == [0, 0, 1, 2, 1]
    assert len({one.number for one in first + second}) == 5
    assert box.next_nonce(ALICE) == 3
    assert {one.number: one for one in box.unfinished()} == {one.number: one for one in first + second}


def test_the_chains_nonce_is_a_floor_and_never_takes_one_back(store: Store) -> None:
    """DRILLS.md mode 9, 10."""
    box = outbox(store)
    nonces = [kept(box.keep([draft(bytes([floor]), nonce=floor)]))[0].nonce for floor in (5, 3, 0, 9)]
    assert nonces == [5, 6, 7, 9]


def test_same_key_and_call_is_the_same_intent_and_another_call_is_refused(store: Store) -> None:
    box = outbox(store)
    first = kept(box.keep([draft(b"a", "k")]))[0]
    again, other, elsewhere = box.keep([draft(b"a", "k"), draft(b"b", "k"), draft(b"a", "k", sender=BOB)])
    assert again == first
    assert isinstance(other, KeyReused)
    assert isinstance(elsewhere, KeyReused)
    assert kept(box.keep([draft(b"c")]))[0].nonce == 1
    assert box.find("k") == first
    assert box.find(first.number) == first
    assert box.find("nobody") is box.find(999) is None


def test_same_key_twice_in_one_transaction_is_one_intent(store: Store) -> None:
    box = outbox(store)
    one, twin, other = box.keep([draft(b"a", "k"), draft(b"a", "k"), draft(b"b", "k")])
    assert one == twin == box.find("k")
    assert isinstance(other, KeyReused)
    assert len(box.unfinished()) == 1


def test_keep_keeps_nothing_when_the_signer_fails(store: Store) -> None:
    """DRILLS.md mode 25: a nonce that was given and not used would be a gap."""

    def fails(_: int) -> SignedTransaction:
        raise RuntimeError("no key")

    box = outbox(store)
    with pytest.raises(RuntimeError):
        box.keep([draft(b"a"), Draft(ALICE, TO, b"b", 1, Fees(1, 1), fails)])
    assert box.unfinished() == []
    assert kept(box.keep([draft(b"c")]))[0].nonce == 0


def test_what_others_signed_takes_no_nonce_of_ours(store: Store) -> None:
    box = outbox(store)
    relayed, ours = kept(box.keep([draft(b"a", "r", nonce=0, relayed=True), draft(b"b")]))
    assert (relayed.relayed, relayed.nonce, ours.relayed, ours.nonce) == (True, 0, False, 0)


def test_record_and_add_are_read_back(store: Store) -> None:
    box = outbox(store)
    intent = kept(box.keep([draft(b"a", "k")]))[0]
    more = box.add(intent, Attempt("0x02", b"raw", 30_000, Fees(2**200, 2), cancels=True))
    assert more is not None
    changed = [field_changed(more, state) for state in (State.INCLUDED, State.FINAL)]
    for one in changed:
        box.record([one])
        assert box.find("k") == one
    assert box.unfinished() == []


def test_record_does_not_overrule_who_called_it_off_meanwhile(store: Store) -> None:
    box = outbox(store)
    intent = kept(box.keep([draft(b"a", "k")]))[0]
    box.cancel(intent.number)
    box.record([replace(intent, state=State.BROADCAST)])
    found = box.find("k")
    assert found is not None
    assert (found.cancel, found.state) == (True, State.BROADCAST)


def field_changed(intent: Intent, state: State) -> Intent:
    return replace(intent, state=state, block=7, block_hash="0xb", counted="0x02", succeeded=True, reason="why")


def test_second_owner_is_refused_until_the_lease_ends(store: Store) -> None:
    """DRILLS.md mode 17."""
    wall = Wall()
    first, second = outbox(store, wall), outbox(store, wall)
    intent = kept(first.keep([draft(b"a")]))[0]
    assert isinstance(second.keep([draft(b"b")])[0], KeyBusy)
    assert second.hold([ALICE, BOB]) == {BOB}
    wall.now_s += LEASE_S + 1
    assert kept(second.keep([draft(b"b")]))[0].nonce == 1
    # The first is late: what it writes now would go over what the second knows.
    with pytest.raises(KeyBusy):
        first.record([intent])
    with pytest.raises(KeyBusy):
        first.add(intent, Attempt("0x02", b"", 1, Fees(1, 1)))
    assert first.hold([ALICE]) == set()


def test_lease_is_renewed_while_its_owner_works(store: Store) -> None:
    wall = Wall()
    first, second = outbox(store, wall), outbox(store, wall)
    first.keep([draft(b"a")])
    for _ in range(10):
        wall.now_s += LEASE_S / 3
        assert first.hold([ALICE]) == {ALICE}
    assert second.hold([ALICE]) == set()


def test_released_key_is_free_at_once(store: Store) -> None:
    wall = Wall()
    first, second = outbox(store, wall), outbox(store, wall)
    first.keep([draft(b"a")])
    first.release()
    assert second.hold([ALICE]) == {ALICE}


def test_lease_of_a_process_that_is_gone_needs_no_waiting(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'outbox.db'}"
    program = (
        "import json, sys\n"
        "from tests.ledger.store.test_outbox import *\n"
        "box = Outbox(open_store(Secret(sys.argv[1])), 1, Wall())\n"
        "print(json.dumps([one.nonce for one in kept(box.keep([draft(b'a')]))]))\n"
    )
    said = subprocess.run([sys.executable, "-c", program, url], capture_output=True, check=True, timeout=60)
    assert json.loads(said.stdout) == [0]
    assert kept(outbox(open_store(Secret(url))).keep([draft(b"b")]))[0].nonce == 1


def test_budget_of_the_day_holds_what_is_signed_on_it(store: Store) -> None:
    """DRILLS.md mode 13."""
    box = outbox(store)
    budget = Budget(day=1, most_wei=2 * 21_000 * 10)
    first, _, third = box.keep([draft(b"a"), draft(b"b"), draft(b"c")], budget)
    assert isinstance(third, NodeRefused)
    assert isinstance(first, Intent)
    assert box.add(first, Attempt("0x02", b"", 21_000, Fees(11, 2)), budget) is None
    assert box.add(first, Attempt("0x03", b"", 21_000, Fees(11, 2)), Budget(2, 10**9)) is not None
    assert kept(box.keep([draft(b"d")], Budget(3, 10**9)))[0].nonce == 2


def test_nothing_is_signed_where_nothing_can_be_kept(store: Store) -> None:
    """DRILLS.md mode 27."""
    signed = []

    def sign(nonce: int) -> SignedTransaction:
        signed.append(nonce)
        return SignedTransaction(b"", "0x")

    box = outbox(store)
    with store.write() as connection:
        connection.exec_driver_sql("DROP TABLE sending_keys")
    with pytest.raises(StoreUnavailable):
        box.keep([Draft(ALICE, TO, b"", 1, Fees(1, 1), sign)])
    assert signed == []


def test_slot_is_filled_once_and_only_where_no_intent_has_it(store: Store) -> None:
    """DRILLS.md mode 1, 10: what is over has its slot for ever."""
    box = outbox(store)
    taken, free = (replace(draft(data, nonce=nonce), fills=True) for data, nonce in ((b"f", 5), (b"g", 4)))
    box.keep([draft(b"a", nonce=5)])
    assert box.fill(taken) is None
    filled = box.fill(free)
    assert filled is not None
    assert (filled.nonce, filled.cancel, filled.last.cancels) == (4, True, True)
    assert box.find(filled.number) == filled
    assert box.fill(free) is None


def test_each_chain_has_keys_and_numbers_of_its_own(store: Store) -> None:
    """The same invoice on two chains is two payments; neither finds nor cancels the other's."""
    here, there = outbox(store), Outbox(store, 2, Wall())
    [mine] = kept(here.keep([draft(b"a", "invoice 7")]))
    [theirs] = kept(there.keep([draft(b"b", "invoice 7", BOB)]))
    assert mine.number != theirs.number
    assert (here.find("invoice 7"), there.find("invoice 7")) == (mine, theirs)
    assert there.find(mine.number) is None
    there.cancel(mine.number)
    assert [one.cancel for one in here.unfinished()] == [False]
