"""The audit that runs in this process: at most one at a time, its progress, and what the last one came to."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock, Thread

from ledger import LedgerError, Market, Report, run_audit

log = logging.getLogger("api.audits")


@dataclass(frozen=True, slots=True)
class Audit:
    """An audit: `none`, `running`, `clean`, `faults`, or `failed` with why; `done` of `whole` of its present `step`."""

    state: str = "none"
    step: str = ""
    done: int = 0
    whole: int = 0
    started_s: int | None = None
    took_ms: int | None = None
    report: Report | None = None
    why: str | None = None


class Audits:
    """Starts audits of one market, and remembers the last. Anybody may start one, and it takes a processor: so the next
    begins no sooner than that much later than the last took."""

    def __init__(self, market: Market, clock: Callable[[], float] = time.monotonic) -> None:
        self._market = market
        self._clock = clock
        self._rests_until_s = float("-inf")
        self._lock = Lock()
        self._last = Audit()

    @property
    def last(self) -> Audit:
        return self._last

    def start(self) -> bool:
        """Starts one; False where one runs already, or ended a moment ago."""
        with self._lock:
            if self._last.state == "running" or self._clock() < self._rests_until_s:
                return False
            self._last = Audit("running", started_s=int(time.time()), report=self._last.report)
        Thread(target=self._run, name="audit", daemon=True).start()
        return True

    def _run(self) -> None:
        begun_s, before = self._clock(), self._last
        try:
            report, _ = run_audit(self._market, watch=self._watch)
            state = "clean" if report.clean else "faults"
            took_ms = int((self._clock() - begun_s) * 1_000)
            last = Audit(state, "done", 1, 1, before.started_s, took_ms, report)
        except LedgerError as error:
            last = Audit("failed", started_s=before.started_s, report=before.report, why=str(error))
        except Exception:
            log.exception("the audit failed")
            why = "the audit failed at something of its own"
            last = Audit("failed", started_s=before.started_s, report=before.report, why=why)
        ended_s = self._clock()
        self._rests_until_s = ended_s + (ended_s - begun_s)
        self._last = last

    def _watch(self, step: str, done: int, whole: int) -> None:
        self._last = Audit("running", step, done, whole, self._last.started_s, None, self._last.report)
