"""Steps of a campaign by hand: what tests of its books and its progress are made of."""

import json
from dataclasses import replace

from ledger.dispatch.problem import JobSpec
from ledger.dispatch.progress import jobs_text
from ledger.product import Grade, Product, Tier
from ledger.store.campaigns import CampaignRow, StepKind, StepRow, StepState, draft
from ledger.units import SECONDS_PER_HOUR

HOUR = 490_000
NOW_S = HOUR * SECONDS_PER_HOUR
OWNER = "0x" + "a" * 40


def product(hour: int = 2, hours: int = 1) -> int:
    return Product(1, Tier.WIDE, 0, Grade.STANDARD, HOUR + hour, hours).id


def job(units: int = 100, hours: int = 4, room: int = 10, gang: bool = False) -> JobSpec:
    return JobSpec("job", 1, units, hours, HOUR + 1, HOUR + 1 + room, 5_000, gang=gang)


def redeemed(units: int, hour: int = 2, state: StepState = StepState.STANDS, hours: int = 1, **came: int) -> StepRow:
    step = draft(StepKind.REDEEM, product(hour, hours), units, site=1, job=0, hash="00")
    return replace(step, state=state, **came)  # type: ignore[arg-type]


def bid(units: int, filled: int | None, cost_micro: int | None, hours: int = 1) -> StepRow:
    state = StepState.STANDS if filled is None else StepState.DONE
    step = draft(
        StepKind.BID, product(hours=hours), units, tick=400, price_micro=3_000, shares=json.dumps({"0": units})
    )
    return replace(step, state=state, filled=filled, cost_micro=cost_micro)


def asked(units: int, sold: int | None, sold_micro: int = 0, hour: int = 2, made_s: int = NOW_S) -> StepRow:
    """An ask, in the round of `made_s` (of a minute); it stands where nothing is known of what it `sold`."""
    step = replace(draft(StepKind.ASK, product(hour), units, tick=300, price_micro=1_000), made_s=made_s)
    if sold is None:
        return replace(step, state=StepState.STANDS, round=made_s // 60)
    return replace(step, state=StepState.DONE, round=made_s // 60, filled=sold, refund_micro=sold_micro)


def split(units: int, hours: int = 3, state: StepState = StepState.DONE) -> StepRow:
    return replace(draft(StepKind.SPLIT, product(2, hours), units, site=1), state=state)


def row(jobs: list[JobSpec], ended: bool = False, stopped: bool = False) -> CampaignRow:
    text = jobs_text(jobs, {0: b"\x05" * 32}, bytes(32))
    return CampaignRow(7, 1, "0x", OWNER, None, "name", text, 0, 3, ended, "note", stopped)
