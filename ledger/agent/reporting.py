"""From what was metered to money: the report in time, once, and the result at the store."""

from contextlib import suppress
from dataclasses import replace

from ledger.abi import Call
from ledger.agent.folder import log_of, results_of
from ledger.agent.jobstore import result_of
from ledger.agent.setup import AgentSetup, reading_of
from ledger.errors import InputError, LedgerError, Reverted, UnknownIntent
from ledger.model import LeaseState
from ledger.product import Product
from ledger.store.agent import LeaseWork, Stage
from ledger.store.intents import State

_DEAD = frozenset({State.CANCELLED, State.CONSUMED, State.REVERTED})
_FOR_GOOD = ("DeadlinePassed", "UnknownLease", "NotProvider")


class Reporting:
    """Reports what is sealed, and brings results."""

    def __init__(self, setup: AgentSetup) -> None:
        self._setup = setup

    def reported(self, work: LeaseWork, now_s: int) -> LeaseWork:
        """The report on its way, until the chain has it."""
        if not work.uploaded:
            # The holder may look before it accepts; a store that is away, or what a job left, holds no report up.
            with suppress(Exception):
                work = self._uploaded(work)
        if work.ended_early and now_s >= Product.from_id(work.product).end_s:
            work = self._setup.kept(replace(work, ended_early=False))
        try:
            if self._setup.delivery.lease(work.lease).state is LeaseState.ACTIVE:
                call = self._report_of(work)
                self._setup.delivery.sender.submit(call, self._setup.signer, self._report_key(work))
                self._setup.at("submitted")
            if self._setup.delivery.lease(work.lease).state is LeaseState.ACTIVE:
                return work
        except Reverted as error:
            # Nothing that is tried again would help: the window of reports is over, or the lease is not ours.
            if error.name not in _FOR_GOOD:
                raise
            return self._setup.kept(replace(work, stage=Stage.GONE, why=str(error)))
        self._setup.at("reported")
        return self._setup.kept(replace(work, stage=Stage.REPORTED))

    def _report_of(self, work: LeaseWork) -> Call:
        delivered_milli, root = work.delivered_milli or 0, work.root or bytes(32)
        if work.ended_early:
            return self._setup.delivery.abort(work.lease, delivered_milli).call
        return self._setup.delivery.report(work.lease, delivered_milli, root).call

    def _report_key(self, work: LeaseWork) -> str:
        """The name under which it is sent once; another where what had it came to nothing for good."""
        verb = "abort" if work.ended_early else "report"
        key = f"{verb} {self._setup.run_id(work)}"
        for again in range(100):
            name = f"{key} {again}" if again else key
            try:
                if self._setup.delivery.sender.status(name).state not in _DEAD:
                    return name
            except UnknownIntent:
                return name
        return key

    def brought(self, work: LeaseWork, now_s: int) -> None:
        """The result at the store; then what strangers left here goes."""
        end_s = Product.from_id(work.product).end_s
        if not work.uploaded:
            try:
                work = self._uploaded(work)
            except Exception:
                if now_s < end_s + self._setup.limits.upload_s:
                    raise
        if now_s >= end_s:
            self._setup.kept(replace(work, stage=Stage.DONE))
            self._setup.clear(work)

    def _uploaded(self, work: LeaseWork) -> LeaseWork:
        folder, patterns = self._setup.run_folder(work), tuple[str, ...]()
        with suppress(LedgerError):
            document = self._setup.document(work)
            patterns = document.results if document is not None else ()
        files, left_out = results_of(folder, patterns)
        notes = [f"[agent] {one}\n" for one in ([work.why] if work.why else []) + left_out]
        rows = self._setup.book.readings(work)
        readings = [reading_of(row).json() for row in rows]
        log = "".join(notes) + log_of(folder)
        result = result_of(work.exit_code, log, files, readings, [row.signature for row in rows])
        try:
            self._setup.jobs.put_result(work.lease, result)
        except InputError as error:
            work = replace(work, why=f"{work.why} (the store does not take the result: {error})".strip())
        self._setup.at("uploaded")
        return self._setup.kept(replace(work, uploaded=True))
