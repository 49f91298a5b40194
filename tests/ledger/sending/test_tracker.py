"""What the tracker does with what waits: how much it offers at once, when it pays more, and when it gives up."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from ledger.abi import Call
from ledger.errors import Cancelled, LedgerError, NodeRefused, refusal
from ledger.sending.drafts import Sent, with_spare
from ledger.sending.fees import FeePolicy, tenth_more
from ledger.sending.gaps import GAP_WAIT_S
from ledger.sending.tracker import REPUBLISH_S
from ledger.store.engine import IN_MEMORY, open_store
from ledger.store.intents import State
from ledger.store.outbox import Outbox
from tests.ledger.simulation.chain import FINAL_DEPTH, GWEI, FakeSigner
from tests.ledger.simulation.runner import CHAIN_ID, CONTRACT, Gates, Run

POLICY = FeePolicy(bump_after_s=30, cap_wei=10**15, window=4)


def quiet(fees: FeePolicy = POLICY) -> Run:
    """A run without faults, in which nothing happens by itself."""
    gates = Gates(Random(1))
    return Run(0, open_store(IN_MEMORY), gates, 0, fees)


def submitted(run: Run, count: int = 1, deadline_s: int | None = None) -> list[Sent]:
    calls = [(Call("Thing", CONTRACT, b"thing %d" % place), run.signers[0]) for place in range(count)]
    return run.sender.submit_many(calls, deadline_s=deadline_s)


def blocks(run: Run, count: int) -> None:
    for _ in range(count):
        run.wire.mine(0)


def test_no_more_than_the_window_is_offered_at_once() -> None:
    """DRILLS.md mode 15: nodes keep 16 of an account, and forget the rest."""
    run = quiet()
    sents = submitted(run, 6)
    assert {run.sender.status(sent.number).state for sent in sents} == {State.BROADCAST, State.SIGNED}
    assert [one.nonce for one in sorted(run.wire.waiting.values(), key=lambda one: one.nonce)] == [0, 1, 2, 3]
    run.sender.advance()
    assert len(run.wire.waiting) == 4
    run.wire.mine(2)
    run.sender.advance()
    run.sender.advance()
    assert sorted(nonce for _, nonce in run.wire.waiting) == [2, 3, 4, 5]
    assert {run.sender.status(sent.number).state for sent in sents} == {State.INCLUDED, State.BROADCAST}


def test_delegated_key_sends_one_at_a_time() -> None:
    """DRILLS.md mode 16 (EIP-7702)."""
    run = quiet()
    run.wire.delegated = frozenset({run.signers[0].address})
    submitted(run, 3)
    for place in range(3):
        run.sender.advance()
        assert [nonce for _, nonce in run.wire.waiting] == [place]
        run.wire.mine()
        run.sender.advance()


def test_passed_over_is_replaced_by_a_tenth_more_and_no_less_gas() -> None:
    """DRILLS.md mode 11, 19."""
    run = quiet()
    [sent] = submitted(run)
    run.wire.base_fee_wei = 10 * GWEI
    blocks(run, 3)
    run.sender.advance()
    assert len(run.sender.status(sent.number).attempts) == 1, "too early"
    run.now_s += POLICY.bump_after_s
    run.wire.estimated = 90_000
    run.sender.advance()
    first, second = run.sender.status(sent.number).attempts
    assert second.fees.max_fee_wei >= max(tenth_more(first.fees.max_fee_wei), 10 * GWEI)
    assert second.gas == with_spare(90_000) > first.gas
    run.wire.base_fee_wei = 200 * GWEI
    run.wire.estimated = 30_000
    blocks(run, 3)
    run.now_s += POLICY.bump_after_s
    run.sender.advance()
    assert run.sender.status(sent.number).last.gas == second.gas
    run.wire.mine()
    assert run.sender.wait(sent).succeeded
    assert run.wire.effects() == [b"thing 0"]


def test_nothing_is_replaced_while_no_block_is_made() -> None:
    run = quiet()
    [sent] = submitted(run)
    run.now_s += 10 * POLICY.bump_after_s
    run.sender.advance()
    assert len(run.sender.status(sent.number).attempts) == 1


def test_at_the_ceiling_the_same_is_offered_again() -> None:
    """DRILLS.md mode 12, 13, 14."""
    run = quiet(replace(POLICY, cap_wei=5 * GWEI))
    [sent] = submitted(run)
    run.wire.base_fee_wei = 100 * GWEI
    blocks(run, 3)
    run.now_s += POLICY.bump_after_s
    run.sender.advance()
    run.wire.drop()
    assert not run.wire.waiting
    run.now_s += REPUBLISH_S
    run.sender.advance()
    assert [one.hash for one in run.wire.waiting.values()] == [sent.transaction]
    assert len(run.sender.status(sent.number).attempts) == 1


def test_budget_of_the_day_holds_replacements_back() -> None:
    """DRILLS.md mode 13."""
    first = with_spare(50_000) * 3 * GWEI
    run = quiet(replace(POLICY, daily_budget_wei=first + 1))
    [sent] = submitted(run)
    run.wire.base_fee_wei = 50 * GWEI
    blocks(run, 3)
    run.now_s += POLICY.bump_after_s
    run.sender.advance()
    assert len(run.sender.status(sent.number).attempts) == 1
    with pytest.raises(NodeRefused, match="budget of the day"):
        submitted(run)


def test_call_that_would_fail_now_is_replaced_only_at_the_head_of_the_line() -> None:
    """DRILLS.md mode 20: no limit is invented, and nothing is blocked for ever."""
    run = quiet()
    head, follower = submitted(run, 2)
    run.wire.base_fee_wei = 10 * GWEI
    run.wire.estimated = refusal("Unknown", {"data": "nothing"})
    blocks(run, 3)
    run.now_s += POLICY.bump_after_s
    run.sender.advance()
    assert len(run.sender.status(follower.number).attempts) == 1
    old, new = run.sender.status(head.number).attempts
    assert new.gas == old.gas


def test_slot_that_another_took_is_given_up_when_that_is_final_and_not_before() -> None:
    """DRILLS.md mode 3, 4, 5: the intent is told lost, and is not sent under another nonce."""
    run = quiet()
    stranger = FakeSigner(run.signers[0].address).sign_transaction(
        {"nonce": 0, "data": b"other", "gas": 1, "maxFeePerGas": 90 * GWEI, "maxPriorityFeePerGas": 9 * GWEI}
    )
    [sent] = submitted(run)
    assert run.wire.send([stranger.raw]) == [None]
    run.wire.mine()
    for _ in range(20):
        assert run.sender.status(sent.number).state is State.BROADCAST or len(run.wire.blocks) > FINAL_DEPTH
        run.sender.advance()
        blocks(run, 1)
        run.now_s += 13
    status = run.sender.status(sent.number)
    assert status.state is State.CONSUMED
    assert run.wire.effects() == [b"other"]
    with pytest.raises(Cancelled, match="another transaction has its nonce"):
        run.sender.wait(sent)


def test_deadline_of_the_chains_time_cancels() -> None:
    """DRILLS.md mode 24."""
    run = quiet()
    [sent] = submitted(run, deadline_s=run.wire.time_s + 30)
    run.wire.base_fee_wei = 50 * GWEI
    blocks(run, 4)
    run.sender.advance()
    run.wire.mine()
    with pytest.raises(Cancelled):
        run.sender.wait(sent)
    blocks(run, 20)
    for _ in range(3):
        run.sender.advance()
    assert run.sender.status(sent.number).state is State.CANCELLED
    assert run.wire.effects() == []
    assert run.sender.unfinished() == []


def test_reorganisation_takes_it_back_and_offers_the_same_again() -> None:
    """DRILLS.md mode 8."""
    run = quiet()
    [sent] = submitted(run)
    run.wire.mine()
    run.sender.advance()
    assert run.sender.status(sent.number).state is State.INCLUDED
    run.wire.reorganise(2)
    run.wire.waiting.clear()
    was_taken_back = sent.transaction not in {one.hash for block in run.wire.blocks for one in block.transactions}
    run.sender.advance()
    if was_taken_back:
        assert [one.hash for one in run.wire.waiting.values()] == [sent.transaction]
        assert run.sender.status(sent.number).state is State.BROADCAST
    run.finish()
    assert run.sender.status(sent.number).state is State.FINAL


def test_what_is_over_is_forgotten_here() -> None:
    run = quiet()
    for _ in range(3):
        sents = submitted(run, 3)
        run.finish()
        assert {run.sender.status(sent.number).state for sent in sents} == {State.FINAL}
    assert run.sender.advance() == 0


def test_slot_that_a_stranger_left_empty_is_filled() -> None:
    """DRILLS.md mode 1, 10: somebody used the key too, and its transaction was dropped with ours behind it."""
    run = quiet()
    for _ in range(2):
        run.wire.stranger(run.signers[0].address)
    sents = submitted(run, 2)
    assert [sent.nonce for sent in sents] == [2, 3]
    for nonce in range(2):
        del run.wire.waiting[run.signers[0].address, nonce]
    for _ in range(GAP_WAIT_S // 10):
        run.sender.advance()
        run.wire.mine()
        run.now_s += 10
    assert run.wire.effects() == [], "somebody's own wallet has a minute"
    for _ in range(3):
        run.sender.advance()
        run.wire.mine()
    fillers = [one for one in run.sender.unfinished() if one.to == one.sender]
    assert [(one.nonce, one.last.cancels) for one in fillers] == [(0, True), (1, True)]
    run.finish()
    assert run.wire.effects() == [b"thing 0", b"thing 1"]
    assert {run.sender.status(sent.number).state for sent in sents} == {State.FINAL}
    for one in fillers:
        status = run.sender.status(one.number)
        assert (status.state, status.reason) == (State.CANCELLED, "it took a slot that was left empty")
    assert run.sender.unfinished() == []


def test_slot_that_a_stranger_uses_is_left_to_it() -> None:
    run = quiet()
    run.wire.stranger(run.signers[0].address)
    submitted(run)
    for _ in range(5):
        run.sender.advance()
        run.now_s += GAP_WAIT_S
    assert [one.to for one in run.sender.unfinished()] == [CONTRACT]


def test_what_a_reorganisation_dropped_before_anybody_looked_is_offered_at_the_next_pass() -> None:
    """DRILLS.md mode 8, 14: it was in a block between two passes, and waits for no timer now."""
    run = quiet()
    sents = submitted(run, 3)
    run.wire.mine()
    run.wire.blocks = run.wire.blocks[:-1]
    blocks(run, 2)
    assert not run.wire.waiting
    run.now_s += 1
    run.sender.advance()
    assert [one.hash for one in run.wire.waiting.values()] == [sent.transaction for sent in sents]


def test_what_was_reserved_and_not_spent_returns_to_its_day() -> None:
    """DRILLS.md mode 13: 92,500 gas at 3 gwei were reserved, 40,000 were burnt."""
    reserved_wei, paid_wei = with_spare(50_000) * 3 * GWEI, 40_000 * 3 * GWEI
    run = quiet(replace(POLICY, daily_budget_wei=reserved_wei + paid_wei))
    submitted(run)
    with pytest.raises(NodeRefused, match="budget of the day"):
        submitted(run)
    run.finish()
    submitted(run)
    run.finish()
    with pytest.raises(NodeRefused, match="budget of the day"):
        submitted(run)


def test_another_sender_of_the_same_database_reads_what_changed() -> None:
    """A pass reads only what it does not know: what others wrote meanwhile is in it all the same."""
    run = quiet()
    [sent] = submitted(run)
    run.sender.advance()
    Outbox(run.store, CHAIN_ID, lambda: run.now_s).cancel(sent.number)
    assert [one.cancel for one in run.sender.unfinished()] == [True]


def test_one_answer_from_the_past_is_no_proof_of_a_loss() -> None:
    """DRILLS.md mode 3, 9: the nonce is used in a final block, and a node that lags knows no receipt of ours."""
    run = quiet()
    [sent] = submitted(run)
    run.wire.mine()
    blocks(run, FINAL_DEPTH + 1)
    knows, run.wire.receipts = run.wire.receipts, lambda wanted: [None] * len(wanted)  # type: ignore[method-assign, assignment]
    run.sender.advance()
    assert run.sender.status(sent.number).state is State.BROADCAST
    run.wire.receipts = knows  # type: ignore[method-assign]
    run.sender.advance()
    assert run.sender.status(sent.number).state is State.INCLUDED


def test_what_one_node_still_has_is_offered_to_all_again_in_time() -> None:
    """DRILLS.md mode 14: another endpoint may have forgotten it, and this one does not make blocks."""
    run = quiet()
    submitted(run)
    sent: list[int] = []
    take = run.wire.send

    def counted(raws: Sequence[bytes]) -> list[LedgerError | None]:
        sent.append(len(raws))
        return take(raws)

    run.wire.send = counted  # type: ignore[method-assign]
    run.now_s += REPUBLISH_S - 1
    run.sender.advance()
    assert sent == []
    run.now_s += 1
    run.sender.advance()
    assert sent == [1]


def test_slot_that_waits_with_anothers_offer_is_outbid_at_once() -> None:
    """DRILLS.md mode 5: `underpriced` says that another transaction has the slot, never that ours is there."""
    run = quiet()
    [sent] = submitted(run)
    run.wire.drop()
    run.wire.stranger(run.signers[0].address)
    run.now_s += REPUBLISH_S
    for _ in range(2):
        run.sender.advance()
    assert len(run.sender.status(sent.number).attempts) == 2
    run.wire.mine()
    assert run.wire.effects() == [b"thing 0"]
