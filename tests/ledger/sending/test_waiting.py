"""Whoever waits is told the receipt, what took its place, or that the time is over; and asks no more than needed."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from ledger.errors import Cancelled, NotIncluded, Unreachable
from ledger.sending.drafts import Sent
from ledger.sending.tracker import Clock
from ledger.sending.waiting import PASS_S, Waiting
from ledger.store.intents import State
from tests.ledger.sending.test_tracker import quiet, submitted
from tests.ledger.simulation.runner import Run

TIMEOUT_S = 20


def waiting(
    run: Run, advance: Callable[[], object] = lambda: None, between: Callable[[], None] = lambda: None
) -> Waiting:
    """On the run's chain; `between` happens whenever it pauses."""

    def sleep(seconds: float) -> None:
        run.now_s += seconds
        between()

    clock = Clock(lambda: run.now_s, lambda: run.now_s, sleep)
    return Waiting(run.wire, clock, TIMEOUT_S, False, run.sender.status, advance)


def test_receipts_come_in_the_order_that_was_asked() -> None:
    run = quiet()
    sents = submitted(run, 3)
    receipts = waiting(run, between=run.wire.mine).wait_all(sents[::-1])
    assert [one.transaction for one in receipts] == [sent.transaction for sent in sents[::-1]]


def test_time_out_is_told_and_the_pauses_grow() -> None:
    run = quiet()
    [sent] = submitted(run)
    pauses: list[float] = []
    began_s = last_s = run.now_s

    def between() -> None:
        nonlocal last_s
        pauses.append(run.now_s - last_s)
        last_s = run.now_s

    with pytest.raises(NotIncluded, match=sent.transaction):
        waiting(run, between=between).wait_all([sent])
    assert TIMEOUT_S <= run.now_s - began_s < TIMEOUT_S + 2
    assert pauses == sorted(pauses)
    assert pauses[-1] == pytest.approx(1.0)


def test_pass_is_made_once_a_second_and_a_node_that_is_away_is_waited_for() -> None:
    run, passes = quiet(), list[float]()
    [sent] = submitted(run)

    def advance() -> None:
        passes.append(run.now_s)
        raise Unreachable("the test", "nobody is there")

    def between() -> None:
        if len(passes) >= 3:
            run.wire.mine()

    waiting(run, advance, between).wait_all([sent])
    assert 3 <= len(passes) <= 4
    assert all(later - earlier >= PASS_S - 1e-6 for earlier, later in pairwise(passes))


def test_what_took_its_place_is_told() -> None:
    run = quiet()
    [sent] = submitted(run)
    status = run.sender.status(sent.number)
    over = replace(status, state=State.CONSUMED, reason="another transaction has its nonce")
    told = Waiting(run.wire, Clock(), TIMEOUT_S, False, lambda _: over, lambda: None)
    with pytest.raises(Cancelled, match="another transaction has its nonce"):
        told.wait_all([sent])
    run.wire.mine()
    cancels = replace(status, attempts=(replace(status.last, cancels=True),))
    told = Waiting(run.wire, Clock(), TIMEOUT_S, False, lambda _: cancels, lambda: None)
    with pytest.raises(Cancelled, match="it was cancelled"):
        told.wait_all([sent])


def test_receipt_of_another_attempt_is_the_intents() -> None:
    """It was replaced by one that pays more; whoever waits for the first is given the second's receipt."""
    run = quiet()
    [sent] = submitted(run)
    status = run.sender.status(sent.number)
    first = Sent(sent.call, sent.sender, "0xold", sent.nonce, sent.gas, sent.number)
    run.wire.mine()
    known = replace(status, attempts=(replace(status.last, hash="0xold"), status.last))
    [receipt] = Waiting(run.wire, Clock(), TIMEOUT_S, False, lambda _: known, lambda: None).wait_all([first])
    assert receipt.transaction == sent.transaction
