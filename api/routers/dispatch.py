"""Dispatch: jobs to sites over all providers. What a plan would do, looked at before anything is bought."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from pydantic import Field

from api.auth import Who, Work
from api.dispatching import Asked, JobsBody, body_of, desk_of, owner_or_nobody, read_jobs
from api.errors import Problem, problem_of, problems
from api.limits import address_of
from api.nouns import Noun
from api.schemas import AreaName, Micro, Shape, area_name, micro
from api.services import Services
from ledger import DispatchPreview, Product, Purchase, StepKind, StepRow, redeem_steps

router = Noun(prefix="/dispatch", tags=["dispatch"], responses=problems(400, 401, 403, 404, 409, 413, 422, 429, 503))

_OPEN: dict[str, Any] = {"security": [{}]}


class PlacementShape(Shape):
    """Units of a job in one hour (since the epoch) at one site, at this price per unit-hour: 0 for what is `held`,
    which is bought already and only to be redeemed."""

    job: int = Field(description="the job's place in the request, from 0")
    name: str
    site: int
    metro: AreaName
    hour: int
    units: int
    price_micro: int
    latency_us: int = Field(description="one way, in microseconds; 0 where the job names no metro")
    product: str = Field(description="the product's code")
    held: bool


class TriedShape(Shape):
    """What the chain says of a bid now."""

    gas: int | None
    fee_wei: str | None
    refusal: Problem | None


class PurchaseShape(Shape):
    """One bid for what several jobs take of a product. `price_micro` is its limit per unit-hour, `expected_micro` what
    would be paid if the round ended now, `used_unit_hours` what of the units serves the jobs. `body` can be posted to
    /orders/preview, /orders/build and /orders as it is."""

    product: str = Field(description="the product's code")
    units: int
    hours: int
    used_unit_hours: int
    tick: int
    price_micro: int
    escrow_micro: Micro
    expected_units: int
    expected_micro: Micro
    preview: TriedShape | None
    body: dict[str, Any]


class NextShape(Shape):
    """What a wallet does with units that it holds already: `body` can be posted to `path`/preview and `path`/build as
    it is. A window of which several jobs take hours is split first; look again after that."""

    path: str = Field(examples=["/leases"])
    job: int | None
    body: dict[str, Any]


class LeftShape(Shape):
    """What of a job is left over, and why: latency, grade, deadline, price, gang or capacity. `our_limit`: the price
    that was too low is the ledger's own default, since the job named none."""

    job: int
    name: str
    unit_hours: int
    why: str
    text: str
    our_limit: bool = False


class WorthShape(Shape):
    """What one more unit at a site in an hour would be worth to this plan, per unit-hour: 0 where some is left over."""

    site: int
    hour: int
    price_micro: int
    scarce: bool = Field(description="jobs are left out that could use it: the price is the best limit among them")


class TotalsShape(Shape):
    """Sums of it all; `most_micro` is what the jobs would pay at the most, which counts against a key's limit."""

    unit_hours: int
    wanted_unit_hours: int
    cost_micro: Micro
    escrow_micro: Micro
    expected_micro: Micro
    most_micro: Micro
    gas: int
    fee_wei: str


class DispatchShape(Shape):
    """Where jobs would run, by the market at a block.

    `verified`: the plan's certificate was checked, so that of work that may be divided nothing serves more, or as much
    for less; gangs and whole windows are placed by rule. `body` says the same jobs with all that was left open filled
    in."""

    block: int
    block_hash: str
    time_s: int
    placements: list[PlacementShape]
    purchases: list[PurchaseShape]
    redemptions: list[NextShape]
    left: list[LeftShape]
    prices: list[WorthShape]
    totals: TotalsShape
    refusals: list[Problem]
    verified: bool
    body: dict[str, Any]


@router.post("/preview", summary="Where jobs would run, and what it costs", openapi_extra=_OPEN)
def preview_dispatch(body: JobsBody, work: Work, caller: Who, request: Request) -> DispatchShape:
    owner = owner_or_nobody(caller, body)
    with work.plans.turn(address_of(request.scope)), work.view() as view:
        asked = read_jobs(body, work, view.head.time_s)
        found = desk_of(work, view).preview(asked.jobs, owner)
    return dispatch_shape(found, asked, owner, work)


def dispatch_shape(found: DispatchPreview, asked: Asked, owner: str, work: Services) -> DispatchShape:
    """A preview as it is told."""
    names, whose = [job.name for job in found.jobs], {"owner": owner} if owner else {}
    codes = {number: Product.from_id(number).code for number in {one.product for one in found.placements}}
    return DispatchShape(
        block=found.block,
        block_hash=found.block_hash,
        time_s=found.time_s,
        placements=[
            PlacementShape(
                job=one.job,
                name=one.name,
                site=one.site,
                metro=area_name(one.metro, work.areas),
                hour=one.hour,
                units=one.units,
                price_micro=one.price_micro,
                latency_us=one.latency_us,
                product=codes[one.product],
                held=one.held,
            )
            for one in found.placements
        ],
        purchases=[purchase_shape(one, whose) for one in found.purchases],
        redemptions=redemptions(found, asked, whose),
        left=[
            LeftShape(
                job=one.job,
                name=names[one.job],
                unit_hours=one.unit_hours,
                why=str(one.why),
                text=one.text,
                our_limit=str(one.why) == "price" and one.job in asked.our_limits,
            )
            for one in found.left
        ],
        prices=[
            WorthShape(site=one.site, hour=one.hour, price_micro=one.price_micro, scarce=one.scarce)
            for one in found.prices
        ],
        totals=TotalsShape(
            unit_hours=found.unit_hours,
            wanted_unit_hours=found.wanted_unit_hours,
            cost_micro=micro(found.cost_micro),
            escrow_micro=micro(found.escrow_micro),
            expected_micro=micro(found.expected_micro),
            most_micro=micro(asked.most_micro),
            gas=found.gas,
            fee_wei=str(found.fee_wei),
        ),
        refusals=[problem_of(one) for one in found.refusals],
        verified=found.verified,
        body=body_of(asked) | whose,
    )


def purchase_shape(one: Purchase, whose: Mapping[str, str]) -> PurchaseShape:
    """A bid, with what the chain says of it and the body that makes it."""
    said = one.preview
    refusal = problem_of(said.refusal) if said and said.refusal else None
    fee_wei = None if said is None or said.fee_wei is None else str(said.fee_wei)
    return PurchaseShape(
        product=one.code,
        units=one.units,
        hours=one.hours,
        used_unit_hours=one.used_unit_hours,
        tick=one.tick,
        price_micro=one.price_micro,
        escrow_micro=micro(one.escrow_micro),
        expected_units=one.expected_units,
        expected_micro=micro(one.expected_micro),
        preview=TriedShape(gas=said.gas, fee_wei=fee_wei, refusal=refusal) if said else None,
        body={"kind": "bid", "product": one.code, "units": one.units, "tick": one.tick, **whose},
    )


def redemptions(found: DispatchPreview, asked: Asked, whose: Mapping[str, str]) -> list[NextShape]:
    """What is to be done with units that are held: as a campaign does it."""
    places = range(len(found.jobs))
    hashes = ["0x" + asked.hashes[place].hex() if place in asked.hashes else "" for place in places]
    return [_next(step, whose) for step in redeem_steps(found.placements, list(places), hashes)]


def _next(step: StepRow, whose: Mapping[str, str]) -> NextShape:
    said = {"product": Product.from_id(step.product).code, "site": step.site, "units": step.units, **whose}
    if step.kind is StepKind.SPLIT:
        return NextShape(path="/units/split", job=None, body=said)
    return NextShape(path="/leases", job=step.job, body=said | ({"job_hash": step.hash} if step.hash else {}))
