"""An agent and its leases: run once, metered by the chain's clock, reported once, whatever happens in between."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.agent import agent
from ledger.agent.agent import Agent
from ledger.agent.executor import RunState, Usage
from ledger.agent.finding import Gone, gone
from ledger.agent.folder import log_of
from ledger.agent.local import LocalExecutor
from ledger.agent.readings import read_reading
from ledger.delivery import Delivery
from ledger.errors import InputError, Unavailable
from ledger.model import LeaseState
from ledger.product import Grade
from ledger.store.agent import AgentBook, Job, LeaseWork, Stage
from tests.ledger.agent.stand import UNITS, Away, Hand, Stand, survived

FULL = UNITS * 1_000


def until_over(made: Stand, lease: int) -> None:
    """Until the run has ended by itself."""
    handle, end_s = made.work(lease).handle, time.monotonic() + 30
    while not LocalExecutor().poll(handle).state.is_over:
        assert time.monotonic() < end_s
        time.sleep(0.01)


# ---- the whole way


def test_a_job_is_run_metered_reported_and_brought(real: Stand) -> None:
    lease, product = real.lease(real.job("echo hello; mkdir out; echo 42 > out/answer.txt", ("out/*",)))
    assert real.tick(product.start_s - 10).leases == {"open": 1}
    assert real.work(lease).started_s is None
    real.tick(product.start_s)
    until_over(real, lease)
    real.tick(product.start_s + 1_000)
    assert real.reported(lease) == []
    assert real.tick(product.end_s).troubles == ()
    assert real.on_chain(lease).state is LeaseState.REPORTED
    assert real.work(lease).stage is Stage.DONE
    [(delivered_milli, _)] = real.reported(lease)
    assert delivered_milli == FULL
    said = real.result(lease)
    assert (said["exit_code"], said["log"], said["files"]) == (0, "hello\n", {"out/answer.txt": "NDIK"})
    assert [one.to_s for one in real.check_result(lease)] == [product.start_s + 1_000, product.end_s]
    # What strangers left is gone.
    assert not list((real.folder / "agent" / "runs").iterdir())
    assert not list((real.folder / "agent" / "documents").iterdir())
    ended = real.world.delivery.accept(lease).send(real.world.buyer).value
    assert (ended.to_holder_micro, ended.delivered_milli) == (0, FULL)


def test_a_job_that_still_runs_at_the_windows_end_is_stopped_and_was_delivered(real: Stand) -> None:
    lease, product = real.lease(real.job("echo up; sleep 600"))
    real.tick(product.start_s)
    real.tick(product.end_s + 100)
    assert [one for one, _ in real.reported(lease)] == [FULL]
    assert (real.result(lease)["exit_code"], real.work(lease).job) == (None, Job.ENDED)


def test_a_job_that_fails_by_itself_is_delivered_capacity_and_says_so(real: Stand) -> None:
    lease, product = real.lease(real.job("echo oh; exit 3"))
    real.tick(product.start_s)
    until_over(real, lease)
    real.tick(product.end_s)
    assert [one for one, _ in real.reported(lease)] == [FULL]
    assert (real.result(lease)["exit_code"], real.result(lease)["log"]) == (3, "oh\n")


# ---- lost


def test_a_run_that_is_lost_is_aborted_at_once_for_what_ran(hand: Stand) -> None:
    assert isinstance(hand.executor, Hand)
    lease, product = hand.lease(hand.job("true"))
    before = hand.world.market.cash_micro(hand.world.buyer.address)
    bond_micro = hand.on_chain(lease).bond_micro
    hand.tick(product.start_s)
    hand.executor.state, hand.executor.usage = RunState.LOST, Usage(wall_ms=900_000)
    assert hand.tick(product.start_s + 1_800).troubles == ()
    # A quarter ran; the rest is the holder's before the window is over.
    found = hand.on_chain(lease)
    assert (found.state, found.delivered_milli) == (LeaseState.REPORTED, FULL // 4)
    assert hand.world.market.cash_micro(hand.world.buyer.address) - before == bond_micro - bond_micro // 4
    hand.tick(product.start_s + 1_900)
    hand.tick(product.end_s)
    assert hand.work(lease).stage is Stage.DONE
    assert "the run was lost" in hand.result(lease)["log"]
    assert len(hand.executor.starts) == 1


def test_a_run_lost_when_enough_was_delivered_is_reported_whole(hand: Stand) -> None:
    assert isinstance(hand.executor, Hand)
    lease, product = hand.lease(hand.job("true"), Grade.BASIC)
    hand.tick(product.start_s)
    hand.tick(product.start_s + 3_500)
    hand.executor.state = RunState.LOST
    hand.tick(product.start_s + 3_550)
    assert hand.on_chain(lease).state is LeaseState.ACTIVE
    hand.tick(product.end_s)
    assert [one for one, _ in hand.reported(lease)] == [FULL * 3_500 // 3_600]
    ended = hand.world.delivery.accept(lease).send(hand.world.buyer).value
    assert ended.to_holder_micro == 0


def test_an_abort_that_comes_after_the_window_is_a_report(hand: Stand) -> None:
    assert isinstance(hand.executor, Hand)
    lease, product = hand.lease(hand.job("true"))
    hand.tick(product.start_s)
    hand.executor.state, hand.executor.usage = RunState.LOST, Usage(wall_ms=900_000)
    hand.deadly = "sealed"
    assert not survived(hand, lambda: hand.tick(product.start_s + 1_800))
    hand.tick(product.end_s)
    assert [one for one, _ in hand.reported(lease)] == [FULL // 4]


# ---- away, late, and other people's


def test_a_run_goes_on_while_its_agent_is_dead_and_counts(real: Stand) -> None:
    lease, product = real.lease(real.job("sleep 600"))
    real.tick(product.start_s)
    real.wake()
    real.tick(product.end_s, passed_s=3_600)
    assert [one for one, _ in real.reported(lease)] == [FULL]


def test_what_an_agent_slept_through_is_reported_as_nothing(real: Stand) -> None:
    lease, product = real.lease(real.job("true"))
    real.tick(product.end_s + 10, passed_s=10_000)
    assert [one for one, _ in real.reported(lease)] == [0]
    assert "was not there" in real.result(lease)["log"]


def test_a_report_that_would_come_too_late_is_given_up(real: Stand) -> None:
    lease, product = real.lease(b"")
    real.tick(product.start_s)
    real.tick(product.end_s + real.world.market.deployment.terms.report_period_s + 1)
    assert real.work(lease).stage is Stage.GONE
    assert "DeadlinePassed" in real.work(lease).why
    assert real.tick().leases == {}


def test_what_was_reported_by_hand_is_left_so(hand: Stand) -> None:
    lease, product = hand.lease(hand.job("true"))
    hand.tick(product.start_s)
    hand.tick(product.start_s + 10)
    hand.world.delivery.report(lease, 5).send(hand.world.provider)
    hand.tick(product.end_s)
    assert hand.work(lease).stage is Stage.DONE
    assert hand.reported(lease) == [(5, bytes(32))]


def test_a_lease_that_ended_before_its_start_is_not_run(hand: Stand) -> None:
    assert isinstance(hand.executor, Hand)
    lease, product = hand.lease(hand.job("true"))
    hand.world.delivery.abort(lease).send(hand.world.provider)
    hand.tick(product.start_s)
    assert (hand.work(lease).stage, hand.executor.starts) == (Stage.GONE, [])
    hand.tick(product.start_s + 10)
    assert hand.work(lease).stage is Stage.GONE


@pytest.mark.parametrize("how", ["given up", "given up in part", "disputed", "accepted"])
def test_a_lease_that_others_end_in_mid_window_is_stopped_and_not_reported_again(hand: Stand, how: str) -> None:
    assert isinstance(hand.executor, Hand)
    lease, product = hand.lease(hand.job("true"))
    hand.tick(product.start_s)
    hand.tick(product.start_s + 900)
    delivery, provider = hand.world.delivery, hand.world.provider
    if how.startswith("given up"):
        delivery.abort(lease, FULL // 8 if how.endswith("part") else 0).send(provider)
    else:
        delivery.report(lease, FULL).send(provider)
        hand.tick()
        # Its holder has paid for the whole window.
        assert hand.executor.stops == []
        ending = delivery.accept(lease) if how == "accepted" else delivery.dispute(lease, b"\x01" * 32)
        ending.send(hand.world.buyer)
    reports = hand.reported(lease)
    # A cluster that does not answer is told again, though no block came.
    hand.executor.refusal = Unavailable("The cluster is away.", "Ask later.")
    assert "The cluster is away" in hand.tick(product.start_s + 1_000).troubles[0]
    hand.executor.refusal = None
    assert hand.tick().troubles == ()
    assert len(hand.executor.stops) == 1
    words = {"accepted": "it has ended", "disputed": "it is disputed"}.get(how, "it was given up")
    assert hand.work(lease).why == f"the run was stopped: {words}"
    # What there is of it comes to the store: a dispute may turn on it.
    readings = [read_reading(one) for one in hand.result(lease)["readings"]]
    assert readings[-1].to_s == product.start_s + 1_000
    assert words in hand.result(lease)["log"]
    hand.tick(product.end_s + 10)
    assert hand.work(lease).stage is Stage.DONE
    assert hand.reported(lease) == reports
    assert len(hand.executor.starts) == len(hand.executor.stops) == 1


def test_the_processes_of_a_lease_that_was_given_up_end(real: Stand) -> None:
    lease, product = real.lease(real.job("echo up; sleep 600"))
    real.tick(product.start_s)
    handle = real.work(lease).handle
    real.world.delivery.abort(lease).send(real.world.provider)
    real.tick(product.start_s + 60)
    assert LocalExecutor().poll(handle).text == "stopped"
    assert real.result(lease)["log"].endswith("up\n")


@pytest.mark.parametrize("point", ["noted", "started", "let go"])
def test_a_run_that_was_ordered_by_an_agent_that_died_is_stopped_when_its_lease_is_given_up(
    real: Stand, point: str
) -> None:
    count = real.folder / "count"
    lease, product = real.lease(real.job(f"echo x >> {count}; sleep 600"))
    real.deadly = point
    survived(real, lambda: real.tick(product.start_s))
    real.world.delivery.abort(lease).send(real.world.provider)
    for seconds in (60, 120):
        survived(real, lambda seconds=seconds: real.tick(product.start_s + seconds))  # type: ignore[misc]
    assert real.reported(lease) == []
    assert not (real.folder / "agent" / "runs").exists() or not [
        one
        for one in (real.folder / "agent" / "runs").iterdir()
        if LocalExecutor().poll(str(one)).state is RunState.RUNNING
    ]
    began = point != "noted"
    assert real.work(lease).stage is (Stage.REPORTED if began else Stage.GONE)
    real.tick(product.end_s)
    assert real.work(lease).stage is (Stage.DONE if began else Stage.GONE)
    assert not count.exists() or count.read_text() == "x\n"
    assert real.reported(lease) == []


def test_what_became_of_leases_is_asked_once_a_block_for_all(hand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    first, product = hand.lease(hand.job("true"))
    second, later = hand.lease(hand.job("false"))
    asked: list[list[int]] = []

    def noted(delivery: Delivery, works: list[LeaseWork]) -> dict[int, Gone]:
        asked.append([work.lease for work in works])
        return gone(delivery, works)

    monkeypatch.setattr(agent, "gone", noted)
    hand.tick(product.start_s - 10)
    assert asked == []
    hand.tick(product.start_s)
    hand.tick()
    hand.tick()
    assert asked == [[first]]
    hand.tick(later.start_s)
    assert asked[-1] == [second] or later.start_s < product.end_s


def test_a_store_that_is_away_holds_no_report_up_and_gets_the_result_later(hand: Stand) -> None:
    lease, product = hand.lease(hand.job("true"))
    hand.tick(product.start_s)
    hand.jobs = Away()
    hand.wake()
    work = hand.tick(product.end_s)
    assert hand.on_chain(lease).state is LeaseState.REPORTED
    assert hand.work(lease).stage is Stage.REPORTED
    assert "The store is away" in work.troubles[0]
    hand.jobs = None
    hand.wake()
    hand.tick()
    assert hand.work(lease).stage is Stage.DONE
    hand.check_result(lease)


def test_a_store_that_stays_away_is_given_up(hand: Stand) -> None:
    lease, product = hand.lease(b"")
    hand.jobs, hand.limits = Away(), replace(hand.limits, upload_s=1_000)
    hand.wake()
    hand.tick(product.end_s)
    hand.tick(product.end_s + 1_000)
    assert hand.work(lease).stage is Stage.DONE


def test_the_run_of_a_lease_that_the_chain_forgot_is_stopped(hand: Stand) -> None:
    assert isinstance(hand.executor, Hand)
    lease, product = hand.lease(hand.job("true"))
    hand.tick(product.start_s)
    assert len(hand.executor.starts) == 1
    # As after a reorganisation: the database knows of a lease that no block has.
    work, book = hand.work(lease), AgentBook(hand._store)  # type: ignore[arg-type]
    ghost = replace(work, lease=99_999, block=hand.world.chain.block().number + 1, handle="ghost")
    book.save(ghost)
    hand.tick(product.start_s + 10)
    assert hand.executor.stops == ["ghost"]
    assert hand.work(99_999).stage is Stage.FORGOTTEN


def test_another_providers_site_is_refused(hand: Stand) -> None:
    setup = replace(hand.agent._setup, signer=hand.world.stranger)
    with pytest.raises(InputError, match="Use the provider's key"):
        Agent(setup)


@pytest.mark.parametrize(
    "error", [OSError("odd"), RecursionError("odd"), UnicodeEncodeError("utf-8", "\ud800", 0, 1, "odd")]
)
def test_what_nobody_foresaw_in_one_lease_ends_no_other_and_is_reported_in_time(hand: Stand, error: Exception) -> None:
    assert isinstance(hand.executor, Hand)
    lease, product = hand.lease(hand.job("true"))
    other, later = hand.lease(b"")
    hand.tick(product.start_s)
    hand.tick(product.start_s + 1_800)
    hand.executor.refusal = error
    [trouble] = hand.tick(product.end_s).troubles
    assert f"lease {lease}: Unforeseen: {type(error).__name__}" in trouble
    hand.tick(later.start_s)
    hand.tick(later.end_s)
    until_s = time.monotonic() + 20
    while hand.on_chain(other).state is LeaseState.ACTIVE:
        assert time.monotonic() < until_s
        hand.tick()
    assert [one for one, _ in hand.reported(other)] == [FULL]
    hand.tick(product.end_s + hand.world.market.deployment.terms.report_period_s // 2 + 1)
    assert [one for one, _ in hand.reported(lease)] == [FULL // 2]


def test_logs_of_a_run_are_read_before_its_folder_goes(real: Stand) -> None:
    lease, product = real.lease(real.job("echo kept"))
    real.tick(product.start_s)
    until_over(real, lease)
    assert log_of(Path(real.work(lease).handle)) == "kept\n"
    real.tick(product.end_s)
    assert real.result(lease)["log"] == "kept\n"
