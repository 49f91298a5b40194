"""One thread's turns: rates by processor time, and the share of the time that it was given."""

import os
import subprocess
import sys

import pytest

from ledger.agent import turns as module
from ledger.agent.turns import main, turns


def test_turns_have_a_rate_and_a_share() -> None:
    found = list(turns("fp64", 3, 0.01, 64))
    assert len(found) == 3
    assert all(rate > 0 and 0 < share_bp <= 10_000 for rate, share_bp in found)


def test_a_rate_is_operations_for_each_second_of_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1_000))
    monkeypatch.setattr("ledger.agent.turns.time.thread_time", lambda: float(next(clock)))
    monkeypatch.setattr("ledger.agent.turns.time.perf_counter", lambda: 10.0 * next(clock))
    # By this clock, which goes on by one whenever it is read, a turn of four seconds has three products and takes five.
    [(rate, share_bp)] = turns("fp32", 1, 4.0, 16)
    assert rate == 3 * 2 * 16**3 / 5 / 1e6
    assert share_bp == round(5 / 70 * 10_000)


def test_it_runs_alone_on_its_processor() -> None:
    words = [sys.executable, "-I", module.__file__, "fp32", "2", "0.01", "32", str(min(os.sched_getaffinity(0)))]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env={}, timeout=60)
    assert len(done.stdout.split()) == 4
    assert done.stderr == ""


def test_a_thread_that_waits_for_its_turn_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    before = os.sched_getaffinity(0)
    beside = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        os.sched_setaffinity(beside.pid, [min(before)])
        main("fp32", 3, 0.1, 64, min(before))
    finally:
        os.sched_setaffinity(0, before)
        beside.kill()
        beside.wait()
    shares = [int(line.split()[1]) for line in capsys.readouterr().out.splitlines()]
    assert sorted(shares)[1] < 9_000
