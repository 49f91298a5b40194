"""One audit at a time; one that fails says why."""

from threading import Event
from time import monotonic, sleep
from typing import Any, cast

import pytest

from api import audits as module
from api.audits import Audits
from ledger import Market, Unreachable


def wait(audits: Audits) -> None:
    deadline_s = monotonic() + 10
    while audits.last.state == "running":
        assert monotonic() < deadline_s
        sleep(0.01)


def test_only_one_runs_at_a_time_and_shows_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    go = Event()

    class Report:
        clean = False

    def run(_: Any, watch: Any) -> tuple[Report, None]:
        watch("blocks", 3, 9)
        go.wait(10)
        return Report(), None

    monkeypatch.setattr(module, "run_audit", run)
    now_s = [100.0]
    audits = Audits(cast("Market", None), lambda: now_s[0])
    assert audits.last.state == "none"
    assert [audits.start(), audits.start()] == [True, False]
    sleep(0.05)
    assert (audits.last.step, audits.last.done, audits.last.whole) == ("blocks", 3, 9)
    now_s[0] += 7
    go.set()
    wait(audits)
    assert (audits.last.state, audits.last.took_ms) == ("faults", 7_000)
    # Anybody may start one: it rests for as long as it took.
    now_s[0] += 6.9
    assert not audits.start()
    assert audits.last.state == "faults"
    now_s[0] += 0.2
    assert audits.start()
    wait(audits)


@pytest.mark.parametrize("error", [Unreachable("here", "no"), ValueError("a bug")])
def test_one_that_fails_says_why(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def run(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(module, "run_audit", run)
    audits = Audits(cast("Market", None))
    audits.start()
    wait(audits)
    assert audits.last.state == "failed"
    assert audits.last.why
    assert "a bug" not in audits.last.why
