"""When a slot is taken to be empty: what the node misses below one of ours, at every look, for long enough."""

from ledger.keys import SignedTransaction
from ledger.rpc import Block
from ledger.sending.fees import Fees
from ledger.sending.gaps import GAP_WAIT_S, Gaps, first_missed
from ledger.sending.wire import Look
from ledger.store.intents import Draft, Intent, new_intent

ALICE = "0x" + "a1" * 20


def looked(pending: int) -> Look:
    head = Block(9, "0x9", 1_000, 30_000_000, 10**9)
    return Look(head, 8, 7, 1, {ALICE: 0}, {ALICE: pending}, frozenset())


def intents(*nonces: int, relayed: bool = False) -> list[Intent]:
    draft = Draft(ALICE, None, b"", 1, Fees(1, 1), lambda _: SignedTransaction(b"", ""), relayed=relayed)
    return [new_intent(draft, nonce) for nonce in nonces]


def test_slot_is_due_when_it_was_empty_long_enough() -> None:
    gaps = Gaps()
    ours = intents(4, 6)
    assert gaps.due(ours, looked(3), 100) == []
    assert gaps.due(ours, looked(3), 100 + GAP_WAIT_S - 1) == []
    assert gaps.due(ours, looked(3), 100 + GAP_WAIT_S) == [(ALICE, 3)]
    # The next one was empty as long, and is the first that the node misses by now.
    assert gaps.due(ours, looked(5), 100 + GAP_WAIT_S) == [(ALICE, 5)]


def test_one_look_that_shows_it_filled_begins_the_wait_anew() -> None:
    gaps = Gaps()
    ours = intents(4)
    gaps.due(ours, looked(3), 0)
    gaps.due(ours, looked(4), 30)
    assert gaps.due(ours, looked(3), GAP_WAIT_S) == []
    assert gaps.due(ours, looked(3), 2 * GAP_WAIT_S) == [(ALICE, 3)]


def test_nothing_is_empty_that_an_intent_has_or_that_holds_up_none_of_ours() -> None:
    gaps = Gaps()
    for now_s in (0, 10 * GAP_WAIT_S):
        assert gaps.due(intents(3, 4), looked(3), now_s) == []
        assert gaps.due(intents(5, relayed=True), looked(3), now_s) == []
        assert gaps.due([*intents(3, relayed=True), *intents(4)], looked(3), now_s) == []
        assert gaps.due([], looked(3), now_s) == []


def test_first_missed_is_ours_or_none() -> None:
    assert first_missed(intents(3, 4), looked(3)) == {ALICE: 3}
    assert first_missed(intents(4, 5), looked(3)) == {}
    assert first_missed(intents(3, 4), looked(5)) == {}
