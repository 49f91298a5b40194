"""Drill 3: a node that drops one log in a hundred, serves a stale head, loses replies, or gives another chain's number.
The audit names what it does, the index keeps nothing of it unseen, and the sender's intents have one effect each."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import pytest

from ledger.abi import Call
from ledger.artifacts import Deployment
from ledger.audit.books import Finding
from ledger.audit.run import run_audit
from ledger.audit.stored import Stored
from ledger.chain import Chain, connect
from ledger.errors import LedgerError, Unavailable, WrongChain
from ledger.history.index import Index
from ledger.keys import Signer
from ledger.node import local_node
from ledger.sending.sender import Sender
from ledger.store.engine import IN_MEMORY, Store, open_store
from ledger.view import View
from tests.day import tiny_day, tiny_url
from tests.faults import Fault, Proxy, faulty
from tests.forging import tiny_entries
from tests.indexed import dump, tiny_store
from tests.world import ADMIN, BUYER

T = TypeVar("T")

SEEDS = 1, 2, 3
INTENTS = 40
TO = "0x" + "77" * 20
CHAIN_ID, OTHER_CHAIN_ID = 31_337, 5


@pytest.fixture(params=SEEDS)
def proxy(request: pytest.FixtureRequest) -> Iterator[Proxy]:
    """In front of the node with the tiny day; the seed is the test's name."""
    with faulty(tiny_url(), seed=request.param) as found:
        yield found


def seen_through(proxy: Proxy) -> View:
    return View(connect(proxy.url), deployment())


def deployment() -> Deployment:
    return tiny_day().market.deployment


def dropped(proxy: Proxy) -> set[tuple[int, str]]:
    """Block and transaction of each of our logs that the proxy denies."""
    return {
        (entry.block, entry.transaction)
        for entry in tiny_entries()
        if proxy.drops({"transactionHash": entry.transaction, "logIndex": hex(entry.log)})
    }


def places(findings: tuple[Finding, ...]) -> set[int | None]:
    return {finding.block for finding in findings}


# ---- logs that are missing


def test_audit_names_every_block_whose_logs_were_dropped(proxy: Proxy) -> None:
    """DRILLS.md mode 29."""
    proxy.drop_logs = 0.01
    denied = dropped(proxy)
    assert denied, "nothing was dropped: there was no drill"
    report, _ = run_audit(seen_through(proxy))
    assert {one.block for one in report.findings if one.rule == "RECEIPTS"} >= {block for block, _ in denied}
    proxy.heal()
    assert run_audit(seen_through(proxy))[0].clean


def test_index_of_dropped_logs_stops_or_is_found_out(proxy: Proxy) -> None:
    """What follows from a log that is missing often makes no sense; where it does, the audit of the database says
    which block's events are not all there."""
    proxy.drop_logs = 0.01
    denied = dropped(proxy)
    with opened() as store:
        try:
            list(Index(seen_through(proxy), store).advance())
        except LedgerError as error:
            # Stopped aloud, with nothing kept of the range that makes no sense.
            assert error.problem
            return
        honest = tiny_day().market
        stored = Stored(honest, store)
        report, _ = run_audit(honest, stored.block_to_audit(None), stored=stored)
        ours = {entry.block for entry in tiny_entries() if entry.address != deployment().address("Token")}
        assert places(report.findings) & ours >= {block for block, _ in denied} & ours


@contextmanager
def opened() -> Iterator[Store]:
    """A database in memory, for as long as a `with` block lasts."""
    store = open_store(IN_MEMORY)
    yield store
    store.close()


# ---- a head that is stale


def test_audit_says_that_a_stale_node_lacks_the_block(proxy: Proxy) -> None:
    head = tiny_day().market.chain.block().number
    proxy.stale_blocks = 7
    report, _ = run_audit(seen_through(proxy))
    assert (report.block, report.clean) == (head - 7, True)
    report, _ = run_audit(seen_through(proxy), head)
    assert not report.clean
    assert places(report.findings) >= {head}


def test_index_undoes_nothing_for_a_stale_node_and_reads_on_when_it_is_well(proxy: Proxy) -> None:
    """DRILLS.md mode 30."""
    with opened() as store:
        proxy.stale_blocks = 40
        index = Index(seen_through(proxy), store)
        list(index.advance())
        behind = index.head.block
        proxy.stale_blocks = 90
        assert list(index.advance()) == []
        assert index.head.block == behind
        proxy.heal()
        list(index.advance())
        assert dump(store) == dump(tiny_store())


# ---- replies that are lost


def test_index_through_lost_replies_is_whole(proxy: Proxy) -> None:
    """DRILLS.md mode 35, 36: no hole, nothing twice."""
    proxy.shares = {Fault.LOSE_REPLY: 0.25, Fault.TOO_MANY: 0.1, Fault.GARBAGE: 0.05}
    with opened() as store:
        index = again(lambda: Index(seen_through(proxy), store))
        again(lambda: list(index.advance()))
        assert dump(store) == dump(tiny_store())


def again(work: Callable[[], T]) -> T:
    """Until it was answered."""
    for _ in range(200):
        try:
            return work()
        except Unavailable:
            continue
    raise AssertionError("nobody ever answered")


# ---- another chain


def test_nobody_takes_another_chain_for_ours(proxy: Proxy) -> None:
    """DRILLS.md mode 22."""
    proxy.chain_id = OTHER_CHAIN_ID
    with pytest.raises(WrongChain), opened() as store:
        list(Index(View(connect(proxy.url, CHAIN_ID), deployment()), store).advance())
    with pytest.raises(WrongChain):
        run_audit(View(connect(proxy.url, CHAIN_ID), deployment()))
    with pytest.raises(WrongChain):
        Sender(connect(proxy.url, CHAIN_ID)).submit(thing(0), ADMIN)


# ---- the sender behind all of it


def thing(place: int) -> Call:
    return Call("Thing", TO, b"thing %06d" % place, gas=60_000)


def effects(chain: Chain) -> list[str]:
    """The data of every transaction on the chain, in its order."""
    numbers = range(1, chain.block().number + 1)
    blocks = chain.batch([("eth_getBlockByNumber", (hex(number), True)) for number in numbers])
    return [one["input"] for block in blocks for one in block["transactions"] if one["input"] != "0x"]


def submit_somehow(sender: Sender, place: int, proxy: Proxy) -> None:
    """Submits, and goes back to our chain where it is told that this is another."""
    try:
        sender.submit(thing(place), signer_of(place), f"thing {place}")
    except WrongChain:
        assert proxy.chain_id == OTHER_CHAIN_ID
        proxy.chain_id = None
        sender.submit(thing(place), signer_of(place), f"thing {place}")


def signer_of(place: int) -> Signer:
    return BUYER if place % 2 else ADMIN


@pytest.mark.parametrize("seed", SEEDS)
def test_each_intent_has_one_effect_behind_a_node_that_fails_in_every_way(seed: int) -> None:
    """DRILLS.md mode 2, 9, 18, 22: requests and replies lost, nonsense for answers, a head that is stale now and then,
    another chain's number, and the same intent asked for again and again."""
    with local_node() as node, faulty(node.url, seed) as proxy, opened() as store:
        honest = connect(node.url)
        sender = Sender(connect(proxy.url, CHAIN_ID), store, timeout_s=20)
        again(lambda: sender.submit(thing(0), ADMIN, "thing 0"))
        proxy.shares = dict.fromkeys(Fault, 0.06) | {Fault.LOSE_REPLY: 0.15, Fault.NONE: 0.0}
        for place in range(INTENTS):
            proxy.stale_blocks = place % 4
            if place % 10 == 7:
                proxy.chain_id = OTHER_CHAIN_ID
            again(partial(submit_somehow, sender, place, proxy))
            if place % 5 == 0:
                again(sender.advance)
        proxy.heal()
        sents = [sender.submit(thing(place), signer_of(place), f"thing {place}") for place in range(INTENTS)]
        sender.advance()
        assert all(receipt.succeeded for receipt in sender.wait_all(sents))
        assert sorted(effects(honest)) == ["0x" + thing(place).data.hex() for place in range(INTENTS)]
        assert honest.nonce(ADMIN.address) == honest.nonce(BUYER.address) == INTENTS // 2
