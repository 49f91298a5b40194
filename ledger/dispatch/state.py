"""Where a campaign stands, job by job and in money, by what was kept of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ledger.dispatch.holdings import Paid, filled_unit_hours, unit_hours, unused_units
from ledger.dispatch.progress import Progress, jobs_of
from ledger.store.campaigns import CampaignRow, StepKind, StepRow, StepState


class Phase(StrEnum):
    """What a campaign does now, the earliest stage that anything of it is in."""

    BUYING = "buying"
    REDEEMING = "redeeming"
    RUNNING = "running"
    SELLING = "selling"
    WAITING = "waiting"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class JobState:
    """One job in unit-hours: what is wanted is in bids that stand, in leases that run, delivered, or remains to be
    placed; what failed (and was paid back) remains again. Money is micro: what its leases cost when they were bought,
    and what came back for failures."""

    job: int
    name: str
    wanted: int
    bidding: int
    running: int
    delivered: int
    failed: int
    remaining: int
    cost_micro: int
    refunded_micro: int
    leases: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CampaignState:
    """A campaign as it stands. `escrow_micro` is in bids that stand, `spent_micro` was paid (at clearings, and into
    bonds for windows that were split), `refunded_micro` came back for what was not delivered, `sold_micro` for units
    that no job needed. `unused_units` are bought and neither redeemed nor sold; `unused_micro` is what they cost.
    `stopped`: its owner wants no more of it. `note` says what it waits for, or why the last plan placed no more."""

    number: int
    owner: str
    phase: Phase
    jobs: tuple[JobState, ...]
    steps: tuple[StepRow, ...]
    escrow_micro: int
    spent_micro: int
    refunded_micro: int
    sold_micro: int
    unused_units: int
    unused_micro: int
    stopped: bool
    note: str

    @property
    def ended(self) -> bool:
        return self.phase is Phase.ENDED

    @property
    def balance_micro(self) -> int:
        """What its owner's free cash is more than without it; less, where it is below zero."""
        return self.refunded_micro + self.sold_micro - self.spent_micro - self.escrow_micro

    @property
    def bought_unit_hours(self) -> int:
        """What its bids got: units times the hours of their product."""
        return sum(filled_unit_hours(one) for one in self.steps if one.kind is StepKind.BID)

    @property
    def used_unit_hours(self) -> int:
        """What of it was redeemed, whether it was delivered or failed."""
        return sum(job.running + job.delivered + job.failed for job in self.jobs)

    @property
    def sold_unit_hours(self) -> int:
        """What of it was sold again."""
        return sum(filled_unit_hours(one) for one in self.steps if one.kind is StepKind.ASK)

    @property
    def selling_unit_hours(self) -> int:
        """What of it stands in asks."""
        return sum(unit_hours(one) for one in self.steps if one.kind is StepKind.ASK and one.state.is_open)

    @property
    def used_micro(self) -> int:
        """What the leases cost."""
        return sum(job.cost_micro for job in self.jobs)


def state_of(row: CampaignRow, taken: Sequence[StepRow]) -> CampaignState:
    """A campaign as it stands by what was kept of it."""
    jobs, _ = jobs_of(row)
    progress, paid, unused = Progress(jobs, taken), Paid(taken), unused_units(taken)
    rows = tuple(_job_state(place, progress, paid) for place in range(len(jobs)))
    bids = [step for step in taken if step.kind is StepKind.BID and step.state.is_open]
    sold = [step for step in taken if step.kind is StepKind.ASK]
    back_micro, sold_micro = (sum(step.refund_micro or 0 for step in some) for some in (taken, sold))
    over = row.stopped or not any(one.remaining for one in rows)
    return CampaignState(
        number=row.number,
        owner=row.owner,
        phase=Phase.ENDED if row.ended else _phase(taken, bool(unused) and over),
        jobs=rows,
        steps=tuple(taken),
        escrow_micro=sum(unit_hours(step) * step.price_micro for step in bids),
        spent_micro=sum(step.cost_micro or 0 for step in taken),
        refunded_micro=back_micro - sold_micro,
        sold_micro=sold_micro,
        unused_units=sum(unused.values()),
        unused_micro=sum(paid.micro(product, units) for product, units in unused.items()),
        stopped=row.stopped,
        note=row.note,
    )


def _phase(taken: Sequence[StepRow], has_spare: bool) -> Phase:
    open_ = [step for step in taken if step.state.is_open]
    kinds = {step.kind for step in open_}
    if StepKind.BID in kinds:
        return Phase.BUYING
    if any(step.state is StepState.PLANNED and step.kind is not StepKind.ASK for step in open_):
        return Phase.REDEEMING
    if StepKind.REDEEM in kinds:
        return Phase.RUNNING
    return Phase.SELLING if StepKind.ASK in kinds or has_spare else Phase.WAITING


def _job_state(place: int, progress: Progress, paid: Paid) -> JobState:
    mine = [
        step
        for step in progress.taken
        if step.kind is StepKind.REDEEM and step.job == place and step.state is not StepState.REFUSED
    ]
    return JobState(
        job=place,
        name=progress.jobs[place].name,
        wanted=progress.jobs[place].unit_hours,
        bidding=progress.bidding[place],
        running=progress.running[place],
        delivered=progress.delivered[place],
        failed=progress.failed[place],
        remaining=progress.remaining(place),
        cost_micro=sum(paid.micro(step.product, step.units) for step in mine),
        refunded_micro=sum(step.refund_micro or 0 for step in mine),
        leases=tuple(step.lease for step in mine if step.lease is not None),
    )
