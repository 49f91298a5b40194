"""Jobs of leases that are due: begun once, with their share of the site, and metered for what was there."""

from dataclasses import replace

import pytest

from ledger.agent.executor import Capacity, RunState, Usage
from ledger.errors import Unavailable
from ledger.product import Grade
from ledger.store.agent import Job
from tests.ledger.agent.stand import HOUR, UNITS, Away, Hand, Stand, survived

FULL = UNITS * 1_000


def test_with_nothing_to_run_capacity_stands_ready_while_the_agent_is_awake(real: Stand) -> None:
    lease, product = real.lease(b"", Grade.BASIC)
    real.tick(product.start_s - 10)
    real.tick(product.start_s)
    real.tick(product.start_s + HOUR // 2)
    # Nobody saw the machine for an hour: what passed meanwhile is not claimed.
    real.tick(product.start_s + HOUR * 3 // 4, passed_s=3_600)
    real.tick(product.end_s)
    [(delivered_milli, _)] = real.reported(lease)
    assert delivered_milli == FULL * 3 // 4
    assert "nothing to run" in real.result(lease)["log"]
    assert [one.delivered_milli for one in real.check_result(lease)] == [FULL, 0, FULL]


@pytest.mark.parametrize("kind", ["missing", "wrong", "unreadable", "image"])
def test_what_the_holder_did_not_bring_is_no_fault_of_the_site(real: Stand, kind: str) -> None:
    content = {"unreadable": b"{}", "image": b""}.get(kind, b"something")
    if kind == "image":
        content = real.job("true").replace(b'"image":""', b'"image":"a:b"')
    lease, product = real.lease(content)
    if kind != "missing":
        job_hash = real.shelf.put_document(content)
        if kind == "wrong":
            (real.folder / "store" / "jobs" / f"0x{job_hash.hex()}.json").write_bytes(b"other")
    for time_s in (product.start_s - 10, product.start_s, product.start_s + 1_000, product.end_s):
        assert real.tick(time_s).troubles == ()
    assert [one for one, _ in real.reported(lease)] == [FULL]
    why = {"unreadable": "job document", "image": "no containers"}.get(kind, "no document of this hash")
    assert why in real.result(lease)["log"]


def test_a_document_that_comes_late_is_run_late(real: Stand) -> None:
    content = real.job("sleep 600")
    path = next((real.folder / "store" / "jobs").iterdir())
    path.unlink()
    lease, product = real.lease(content)
    real.tick(product.start_s)
    assert real.work(lease).job is Job.WANTED
    real.shelf.put_document(content)
    real.tick(product.start_s + 100)
    assert real.work(lease).job is Job.STARTED


def test_while_the_store_or_the_executor_is_away_nothing_counts(hand: Stand) -> None:
    lease, product = hand.lease(hand.job("true"))
    hand.tick(product.start_s - 10)
    executor = hand.executor
    assert isinstance(executor, Hand)
    executor.refusal = Unavailable("The cluster is away.", "Ask later.")
    hand.tick(product.start_s)
    hand.tick(product.start_s + 900)
    executor.refusal = None
    hand.tick(product.start_s + 1_800)
    hand.tick(product.end_s)
    assert [one for one, _ in hand.reported(lease)] == [FULL // 2]
    other, product = hand.lease(hand.job("false"))
    hand.jobs = Away()
    hand.wake()
    hand.tick(product.start_s)
    assert "The store is away" in hand.work(other).why
    hand.tick(product.end_s)
    assert [one for one, _ in hand.reported(other)] == [0]


def test_a_run_that_waits_too_long_in_the_queue_is_not_delivered(hand: Stand) -> None:
    assert isinstance(hand.executor, Hand)
    hand.executor.state = RunState.QUEUED
    lease, product = hand.lease(hand.job("true"))
    hand.tick(product.start_s - 10)
    for minutes in range(31):
        hand.tick(product.start_s + 60 * minutes)
    hand.executor.state = RunState.RUNNING
    for minutes in range(31, 61):
        hand.tick(product.start_s + 60 * minutes)
    # The last of the queue's minutes is not told from those before it.
    assert [one for one, _ in hand.reported(lease)] == [FULL * 29 // 60]


@pytest.mark.parametrize("ran_s", [0, 900])
def test_a_run_that_was_ordered_before_a_crash_counts_where_it_did_run(hand: Stand, ran_s: int) -> None:
    assert isinstance(hand.executor, Hand)
    lease, product = hand.lease(hand.job("true"))
    hand.deadly = "started"
    assert not survived(hand, lambda: hand.tick(product.start_s, passed_s=3_600))
    hand.executor.usage = Usage(wall_ms=1_000 * ran_s)
    hand.tick(product.start_s + 900, passed_s=3_600)
    hand.tick(product.end_s)
    assert [one for one, _ in hand.reported(lease)] == [FULL if ran_s else FULL * 3 // 4]


def test_less_than_a_device_is_refused_before_it_runs_and_says_so(hand: Stand) -> None:
    assert isinstance(hand.executor, Hand)
    hand.limits = replace(hand.limits, gpus=None)
    hand.wake()
    lease, product = hand.lease(hand.job("true"))
    hand.tick(product.start_s)
    hand.tick(product.end_s)
    assert hand.executor.starts == []
    assert "100 units are less than one H100" in hand.result(lease)["log"]


def test_a_share_is_of_what_the_executor_has_or_of_what_the_limits_say(hand: Stand) -> None:
    assert hand.agent.capacity() == Capacity(64, 2**38)
    hand.limits = replace(hand.limits, cpus=8)
    assert hand.wake().capacity() == Capacity(8, 2**38)
    hand.limits = replace(hand.limits, memory_bytes=7)
    assert isinstance(hand.executor, Hand)
    hand.executor.refusal = Unavailable("The cluster is away.", "Ask later.")
    assert hand.wake().capacity() == Capacity(8, 7)


def test_a_silent_executor_at_the_end_is_asked_again_until_the_report_would_be_late(hand: Stand) -> None:
    assert isinstance(hand.executor, Hand)
    lease, product = hand.lease(hand.job("true"))
    hand.tick(product.start_s)
    hand.tick(product.start_s + 1_800)
    hand.executor.refusal = Unavailable("The cluster is away.", "Ask later.")
    assert "The cluster is away" in hand.tick(product.end_s).troubles[0]
    assert hand.reported(lease) == []
    period_s = hand.world.market.deployment.terms.report_period_s
    hand.tick(product.end_s + period_s // 2 + 1)
    assert [one for one, _ in hand.reported(lease)] == [FULL // 2]


def test_a_start_that_fails_as_nobody_foresaw_is_tried_again(hand: Stand) -> None:
    assert isinstance(hand.executor, Hand)
    lease, product = hand.lease(hand.job("true"))
    hand.tick(product.start_s - 10)
    hand.executor.refusal = OSError("No space left on device")
    assert hand.tick(product.start_s).troubles == ()
    assert "No space left" in hand.work(lease).why
    hand.executor.refusal = None
    hand.tick(product.start_s + 900)
    hand.tick(product.end_s)
    assert [one for one, _ in hand.reported(lease)] == [FULL * 3 // 4]
