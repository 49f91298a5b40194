"""Where a transaction stands: as the blocks say, and never by what somebody failed to find once."""

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from ledger.sending.places import Places
from ledger.store.engine import IN_MEMORY, open_store
from ledger.store.intents import Intent, State
from tests.ledger.sending.test_tracker import blocks, quiet, submitted
from tests.ledger.simulation.chain import FINAL_DEPTH, GWEI, SAFE_DEPTH, FakeSigner
from tests.ledger.simulation.runner import Gates, Run


def look(run: Run, places: Places, intent: Intent) -> Intent:
    [found] = places.placed([intent], run.wire.look([intent.sender]))
    return found


@given(depth=st.integers(0, FINAL_DEPTH + 2))
def test_transaction_in_a_block_is_as_final_as_its_block(depth: int) -> None:
    run = quiet()
    [sent] = submitted(run)
    places, intent = Places(run.wire), run.sender.status(sent.number)
    assert look(run, places, intent) == intent, "it waits"
    run.wire.mine()
    found = look(run, places, intent)
    assert (found.state, found.counted, found.succeeded) == (State.INCLUDED, sent.transaction, True)
    blocks(run, depth)
    expected = State.FINAL if depth >= FINAL_DEPTH else State.SAFE if depth >= SAFE_DEPTH else State.INCLUDED
    assert look(run, places, found).state is expected


def test_transaction_whose_block_is_gone_waits_again() -> None:
    run = quiet()
    [sent] = submitted(run)
    places = Places(run.wire)
    run.wire.mine()
    found = look(run, places, run.sender.status(sent.number))
    run.wire.blocks = run.wire.blocks[:-1]
    assert look(run, places, found) == found, "a node that lacks a block says nothing of it"
    blocks(run, 1)
    again = look(run, places, found)
    assert (again.state, again.block, again.counted) == (State.BROADCAST, None, None)


def test_nonce_that_is_gone_is_doubted_once_and_believed_twice() -> None:
    run = quiet()
    [sent] = submitted(run)
    places, intent = Places(run.wire), run.sender.status(sent.number)
    fees = {"maxFeePerGas": 90 * GWEI, "maxPriorityFeePerGas": 9 * GWEI}
    other = FakeSigner(intent.sender).sign_transaction({"nonce": intent.nonce, "data": b"other", "gas": 1} | fees)
    assert run.wire.send([other.raw]) == [None]
    run.wire.mine()
    early = run.wire.look([intent.sender])
    blocks(run, FINAL_DEPTH)
    late = run.wire.look([intent.sender])
    assert places.placed([intent], late) == [intent], "the first time it may be an old answer"
    assert places.placed([intent], early) == [intent], "and so it was: the count begins anew"
    assert places.placed([intent], late) == [intent]
    places.forget(intent.number)
    assert places.placed([intent], late) == [intent]
    [gone] = places.placed([intent], late)
    assert gone == replace(intent, state=State.CONSUMED, reason=gone.reason)
    assert "another transaction has its nonce" in str(gone.reason)


def test_many_are_looked_up_with_one_question_of_a_kind() -> None:
    gates = Gates(Random(1))
    run = Run(0, open_store(IN_MEMORY), gates, 0)
    sents = submitted(run, 3)
    run.wire.mine(most=2)
    intents = [run.sender.status(sent.number) for sent in sents]
    sight = run.wire.look([intents[0].sender])
    gates.names.clear()
    found = Places(run.wire).placed(intents, sight)
    assert [one.state for one in found] == [State.INCLUDED, State.INCLUDED, intents[2].state]
    assert gates.names == ["ask receipts", "hear receipts"]
    gates.names.clear()
    Places(run.wire).placed(found, sight)
    assert gates.names.count("ask hashes") == gates.names.count("ask receipts") == 1
