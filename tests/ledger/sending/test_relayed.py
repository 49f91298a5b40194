"""What others signed: bytes that anybody may bring cost little, hold nobody up, and happen while their signer means
them to."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from random import Random
from threading import Event, Thread

import pytest
from eth_account import Account as Wallet
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ledger import NodeRefused, Secret, Sender
from ledger.errors import LedgerError
from ledger.keys import SignedTransaction
from ledger.sending.fees import Fees
from ledger.sending.places import Places
from ledger.sending.relayed import AHEAD_MOST, GIVEN_UP_AFTER_S, PAUSE_S_MAX, Pauses, require_carriable
from ledger.sending.wire import Account
from ledger.store import outbox
from ledger.store.engine import IN_MEMORY, Store, open_store
from ledger.store.intents import Draft, State
from ledger.store.outbox import RELAYED_MOST_OF_ONE, Outbox
from tests.ledger.simulation.runner import CHAIN_ID, Gates, Run
from tests.world import World

TO = "0x000000000000000000000000000000000000dEaD"


def draft(nonce: int, gas: int = 21_000, sender: str = TO, deadline_s: int | None = None) -> Draft:
    signed = SignedTransaction(b"%d" % nonce, f"0x{sender[2:10]}{nonce}")
    return Draft(
        sender, TO, b"", gas, Fees(10, 1), lambda _: signed, f"{sender} {nonce}", nonce, True, deadline_s=deadline_s
    )


def signed_by(wallet: object, world: World, nonce: int = 0, gas: int = 50_000) -> bytes:
    """A transaction of a wallet's that sends 5 wei."""
    assert hasattr(wallet, "sign_transaction")
    fields = {"type": 2, "nonce": nonce, "to": TO, "value": 5, "gas": gas, "chainId": world.chain.chain_id}
    return bytes(wallet.sign_transaction(fields | {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 1}).raw_transaction)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(Secret(f"sqlite:///{tmp_path / 'outbox.db'}"))
    yield opened
    opened.close()


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 300_000), st.integers(0, 100))
def test_carried_is_what_is_near_and_paid_for(mined: int, nonce: int, balance_wei: int, value_wei: int) -> None:
    carriable = mined <= nonce <= mined + AHEAD_MOST and balance_wei >= 210_000 + value_wei
    try:
        require_carriable(draft(nonce), value_wei, Account(mined, mined, balance_wei, False))
    except NodeRefused:
        assert not carriable
    else:
        assert carriable


def test_pauses_grow_and_end() -> None:
    pauses, now_s, waited = Pauses(), 0.0, []
    assert pauses.over("0x1", now_s)
    for _ in range(12):
        pauses.begin("0x1", now_s)
        start_s = now_s
        while not pauses.over("0x1", now_s):
            now_s += 1
        waited.append(now_s - start_s)
    assert waited[:4] == [1, 2, 4, 8]
    assert waited[-1] == PAUSE_S_MAX
    pauses.forget("0x1")
    assert pauses.over("0x1", 0)


def test_who_cannot_pay_is_not_kept_and_nothing_happens_when_he_can(anvil_world: World) -> None:
    sender, wallet = Sender(anvil_world.chain), Wallet.create()
    with pytest.raises(NodeRefused, match="insufficient funds"):
        sender.relay(signed_by(wallet, anvil_world))
    anvil_world.chain.request("anvil_setBalance", wallet.address, hex(10**18))
    sender.advance()
    assert sender.unfinished() == []
    with pytest.raises(NodeRefused, match="nonce"):
        sender.relay(signed_by(wallet, anvil_world, AHEAD_MOST + 1))
    assert sender.wait(sender.relay(signed_by(wallet, anvil_world))).succeeded


def test_refused_for_good_is_over(anvil_world: World) -> None:
    """Gas below what any transaction burns: the account's money is there, and no node takes it ever."""
    sender, wallet = Sender(anvil_world.chain), Wallet.create()
    anvil_world.chain.request("anvil_setBalance", wallet.address, hex(10**18))
    raw = signed_by(wallet, anvil_world, gas=20_000)
    for _ in range(2):
        with pytest.raises(NodeRefused, match="intrinsic gas"):
            sender.relay(raw)
    assert sender.advance() == 0


def test_one_process_carries_and_others_leave_it_alone(
    anvil_world: World, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A keeper on the same database spends nothing on what the API was handed."""
    wallet, offered = Wallet.create(), []
    anvil_world.chain.request("anvil_setBalance", wallet.address, hex(10**18))
    api, keeper = Sender(anvil_world.chain, store), Sender(anvil_world.chain, store)
    # Its nonce is not next: it waits.
    api.relay(signed_by(wallet, anvil_world, 1))
    placed = Places.placed

    def counted(self: Places, *args: object) -> object:
        offered.append(self)
        return placed(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Places, "placed", counted)
    assert keeper.advance() == 1
    assert offered == []
    assert api.advance() == 1
    assert len(offered) == 1
    api.close()
    assert keeper.advance(orphans=True) == 1
    assert len(offered) == 2


def test_who_runs_carries_what_another_process_was_handed(anvil_world: World, store: Store) -> None:
    """An API that only answers, and a service that sends, on one database; or one that was begun anew."""
    wallet = Wallet.create()
    anvil_world.chain.request("anvil_setBalance", wallet.address, hex(10**18))
    api, service, stop = Sender(anvil_world.chain, store), Sender(anvil_world.chain, store), Event()
    sent = api.relay(signed_by(wallet, anvil_world))
    runs = Thread(target=service.run, args=(stop,))
    runs.start()
    try:
        due_s = time.monotonic() + 60
        while api.status(sent.number).block is None and time.monotonic() < due_s:
            time.sleep(0.02)
    finally:
        stop.set()
        runs.join()
    assert api.status(sent.number).block is not None


def test_refused_is_offered_less_and_less_often() -> None:
    """A node that says no, though not for good, is not asked at every pass."""
    run = Run(0, open_store(IN_MEMORY), Gates(Random(1)), 0)
    kept = Outbox(run.store, CHAIN_ID, lambda: run.now_s)
    kept.keep([draft(0, sender=run.signers[0].address, deadline_s=run.wire.time_s + 10**6)])
    offered: list[float] = []

    def refuse(raws: Sequence[bytes]) -> list[LedgerError | None]:
        offered.append(run.now_s)
        return [NodeRefused("the pool is full")] * len(raws)

    run.wire.send = refuse  # type: ignore[method-assign]
    for _ in range(60):
        run.sender.advance(orphans=True)
        run.now_s += 1
    gaps = [later - earlier for earlier, later in pairwise(offered)]
    assert gaps == [1, 2, 4, 8, 16]


def test_what_no_node_takes_is_given_up(anvil_world: World, store: Store) -> None:
    wallet = Wallet.create()
    anvil_world.chain.request("anvil_setBalance", wallet.address, hex(10**18))
    sender = Sender(anvil_world.chain, store)
    sent = sender.relay(signed_by(wallet, anvil_world, 1))
    sender.advance()
    assert sender.status(sent.number).state is State.BROADCAST
    anvil_world.chain.request("evm_increaseTime", hex(GIVEN_UP_AFTER_S + 60))
    anvil_world.chain.request("evm_mine")
    assert sender.advance() == 0
    assert sender.status(sent.number).state is State.CANCELLED


def test_one_sender_has_so_many_under_way_and_all_together_too(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Outbox(store, 1, lambda: 0.0)
    for nonce in range(RELAYED_MOST_OF_ONE):
        kept.keep([draft(nonce)])
    [refused] = kept.keep([draft(RELAYED_MOST_OF_ONE)])
    assert isinstance(refused, NodeRefused)
    [again] = kept.keep([draft(0)])
    assert not isinstance(again, NodeRefused), "what is kept already is found"
    monkeypatch.setattr(outbox, "RELAYED_MOST", RELAYED_MOST_OF_ONE)
    [crowded] = kept.keep([draft(0, sender="0x" + "11" * 20)])
    assert isinstance(crowded, NodeRefused)
    assert "Try again later" in crowded.remedy


def test_a_few_senders_keep_out_nobody(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "RELAYED_MOST", 40)
    kept = Outbox(store, 1, lambda: 0.0)

    def taken(sender: int) -> int:
        found = kept.keep([draft(nonce, sender=f"0x{sender:08x}" + "0" * 32) for nonce in range(64)])
        return sum(not isinstance(one, NodeRefused) for one in found)

    assert [taken(sender) for sender in range(7)] == [20, 4, 4, 4, 4, 4, 0]


def test_what_comes_in_one_batch_counts_in_it(store: Store) -> None:
    kept = Outbox(store, 1, lambda: 0.0)
    found = kept.keep([draft(nonce) for nonce in range(RELAYED_MOST_OF_ONE + 3)])
    assert [isinstance(one, NodeRefused) for one in found] == [False] * RELAYED_MOST_OF_ONE + [True] * 3


def test_many_threads_at_once_are_each_told_of_their_own(anvil_world: World, store: Store) -> None:
    sender, wallets = Sender(anvil_world.chain, store), [Wallet.create() for _ in range(6)]
    for wallet in wallets[:-1]:
        anvil_world.chain.request("anvil_setBalance", wallet.address, hex(10**18))
    raws = [signed_by(wallet, anvil_world, nonce) for wallet in wallets for nonce in range(3)]

    def relay(raw: bytes) -> str:
        try:
            return sender.relay(raw).transaction
        except NodeRefused as refused:
            return refused.problem

    with ThreadPoolExecutor(2 * len(raws)) as threads:
        told = list(threads.map(relay, [*raws, *raws]))
    assert told[: len(raws)] == told[len(raws) :]
    assert told[:15] == ["0x" + keccak(raw).hex() for raw in raws[:15]]
    assert all("insufficient funds" in one for one in told[15:18])
    assert sorted(one.last.hash for one in sender.unfinished()) == sorted(told[:15])
