"""Dispatches under way: started with an API key, moved by the API itself (api/moving.py) and by whoever asks, until all
is delivered or too late."""

from typing import Annotated

from fastapi import Path as InPath
from fastapi import Query, Request, Response
from pydantic import Field

from api.auth import Caller, Who, Work
from api.dispatching import JobsBody, fingerprint_of, owner_or_nobody, read_jobs
from api.errors import BadRequest, NotThere, TooMany, problems
from api.limits import address_of
from api.nouns import Noun
from api.routers.jobs import PRIVATE, Someone
from api.schemas import Micro, Shape, micro
from api.services import Services
from api.writes import IdempotencyKey, Links, once, signing_key, spending
from ledger import (
    Campaign,
    CampaignState,
    Product,
    StepRow,
    TakenElsewhere,
    Unavailable,
    UnknownName,
    count_unended,
)

router = Noun(
    prefix="/dispatch", tags=["dispatch"], responses=problems(400, 401, 403, 404, 409, 413, 422, 429, 502, 503)
)

UNDER_WAY_MAX = 100
"""How many dispatches of one owner may be under way."""

_BUYER = frozenset({"buyer"})


class JobStateShape(Shape):
    """One job of a dispatch, in unit-hours: what is wanted is in bids that stand, in leases that run, delivered, or
    remains to be placed; what failed (and was paid back) remains again."""

    job: int
    name: str
    wanted: int
    bidding: int
    running: int
    delivered: int
    failed: int
    remaining: int
    cost_micro: Micro
    refunded_micro: Micro
    leases: list[int]


class StepShape(Shape):
    """One step: a bid, a split, a redemption or an ask, and what came of it; `text` says why one was refused."""

    number: int
    kind: str
    state: str
    job: int | None
    product: str
    site: int | None
    units: int
    price_micro: int | None
    round: int | None
    slot: int | None
    filled: int | None
    cost_micro: Micro | None
    lease: int | None
    delivered_milli: int | None
    refund_micro: Micro | None
    text: str


class StateShape(Shape):
    """A dispatch as it stands. It moves by itself every few seconds, and at once by /advance. `note` says what it waits
    for. What it bought and no job needs is sold again, until its hours trade no more: `sold_micro` came of that,
    `unused_units` are left, which cost `unused_micro`, and `selling_unit_hours` stand in asks. `balance_micro` is what
    the owner's free cash is more than without it: what came back and was sold, less what was paid and is in escrow."""

    id: int
    owner: str
    phase: str = Field(examples=["buying"], description="buying, redeeming, running, selling, waiting or ended")
    ended: bool
    stopped: bool = Field(description="its owner wants no more of it")
    jobs: list[JobStateShape]
    steps: list[StepShape]
    escrow_micro: Micro
    spent_micro: Micro
    refunded_micro: Micro
    sold_micro: Micro
    balance_micro: Micro
    sold_unit_hours: int
    selling_unit_hours: int
    unused_units: int
    unused_micro: Micro
    note: str
    links: Links


class SummaryShape(Shape):
    """A dispatch in a line."""

    id: int
    owner: str
    created_s: int
    ended: bool
    note: str


InNumber = Annotated[int, InPath(ge=1, lt=2**63, examples=[1])]


@router.post(
    "",
    status_code=202,
    response_model=StateShape,
    summary="Start a dispatch: it buys and redeems by itself until all is delivered or too late",
)
def start_dispatch(
    body: JobsBody, work: Work, caller: Who, request: Request, idempotency_key: IdempotencyKey = None
) -> Response:
    key = signing_key(caller, _BUYER)
    owner_or_nobody(caller, body)
    if idempotency_key is None:
        raise BadRequest("A write names itself.", "Send a header Idempotency-Key, new for each thing to be done.")

    def do() -> str:
        kept, named = work.campaigns(), f"{key.key_id}:{idempotency_key}"
        known = kept.named(key.address, named)
        if known is not None:
            # Whoever had this request before ended before it could answer: what is relative counts from then.
            asked = read_jobs(body, work, known.created_s)
            made = kept.start(asked.jobs, key.address, named, asked.hashes, known.created_s)
        else:
            with work.view() as view:
                now_s = view.head.time_s
            asked = read_jobs(body, work, now_s)
            _refuse_too_many(work, key.address)
            with spending(work, key, asked.most_micro):
                made = kept.start(asked.jobs, key.address, named, asked.hashes, now_s)
        return state_shape(moved(made, work, key.address, address_of(request.scope))).model_dump_json()

    return once(work, key, idempotency_key, fingerprint_of(request.url.path, body), do)


@router.get("", summary="The caller's dispatches, newest first")
def list_dispatches(
    work: Work,
    caller: Someone,
    response: Response,
    before: Annotated[int | None, Query(ge=1, lt=2**63, description="the last number of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> list[SummaryShape]:
    response.headers.update(PRIVATE)
    rows = work.campaigns().list(caller.address, before, limit)
    return [
        SummaryShape(id=one.number, owner=one.owner, created_s=one.created_s, ended=one.ended, note=one.note)
        for one in rows
    ]


@router.get("/{id}", summary="Where a dispatch stands")
def read_dispatch(
    work: Work, caller: Someone, number: Annotated[InNumber, InPath(alias="id")], response: Response
) -> StateShape:
    response.headers.update(PRIVATE)
    return state_shape(_mine(work, caller, number).state())


@router.post("/{id}/advance", summary="Do all that can be done now, without waiting for it to happen by itself")
def advance_dispatch(
    work: Work, caller: Someone, number: Annotated[InNumber, InPath(alias="id")], request: Request
) -> StateShape:
    key = signing_key(caller, _BUYER)
    found = _mine(work, caller, number)
    try:
        with work.plans.turn(address_of(request.scope)):
            return state_shape(found.advance(work.vault.signer(key.address)))
    except TakenElsewhere:
        # It is being moved, which is what was asked for.
        return state_shape(found.state())


@router.post("/{id}/stop", summary="Buy and redeem no more: what it holds is sold, what runs takes its course")
def stop_dispatch(work: Work, caller: Someone, number: Annotated[InNumber, InPath(alias="id")]) -> StateShape:
    signing_key(caller, _BUYER)
    return state_shape(_mine(work, caller, number).stop())


def moved(made: Campaign, work: Services, owner: str, address: str) -> CampaignState:
    """Takes its first steps at once. It is kept by now: what fails for the moment is for the next advance."""
    try:
        with work.plans.turn(address):
            return made.advance(work.vault.signer(owner))
    except (Unavailable, TooMany):
        return made.state()


def _refuse_too_many(work: Services, owner: str) -> None:
    """Each is looked at again every few seconds, until its last deadline."""
    if count_unended(work.store, work.campaigns().place, owner) >= UNDER_WAY_MAX:
        raise TooMany(
            f"{owner} has {UNDER_WAY_MAX} dispatches under way.",
            "Stop one (POST /dispatch/{id}/stop), wait for an end, or put more jobs into one dispatch.",
        )


def _mine(work: Services, caller: Caller, number: int) -> Campaign:
    try:
        found = work.campaigns().open(number)
    except UnknownName:
        found = None
    # Whether somebody else has one of that number is nobody's business.
    if found is None or found.row.owner != caller.address:
        raise NotThere(f"The caller has no dispatch {number}.", "GET /dispatch lists them.")
    return found


def state_shape(found: CampaignState) -> StateShape:
    """A campaign as it is told."""
    return StateShape(
        id=found.number,
        owner=found.owner,
        phase=str(found.phase),
        ended=found.ended,
        stopped=found.stopped,
        jobs=[
            JobStateShape(
                job=one.job,
                name=one.name,
                wanted=one.wanted,
                bidding=one.bidding,
                running=one.running,
                delivered=one.delivered,
                failed=one.failed,
                remaining=one.remaining,
                cost_micro=micro(one.cost_micro),
                refunded_micro=micro(one.refunded_micro),
                leases=list(one.leases),
            )
            for one in found.jobs
        ],
        steps=[step_shape(one) for one in found.steps],
        escrow_micro=micro(found.escrow_micro),
        spent_micro=micro(found.spent_micro),
        refunded_micro=micro(found.refunded_micro),
        sold_micro=micro(found.sold_micro),
        balance_micro=micro(found.balance_micro),
        sold_unit_hours=found.sold_unit_hours,
        selling_unit_hours=found.selling_unit_hours,
        unused_units=found.unused_units,
        unused_micro=micro(found.unused_micro),
        note=found.note,
        links=Links(status=f"/dispatch/{found.number}"),
    )


def step_shape(one: StepRow) -> StepShape:
    return StepShape(
        number=one.number,
        kind=str(one.kind),
        state=str(one.state),
        job=one.job if one.job >= 0 else None,
        product=Product.from_id(one.product).code,
        site=one.site or None,
        units=one.units,
        price_micro=one.price_micro or None,
        round=one.round,
        slot=one.slot,
        filled=one.filled,
        cost_micro=None if one.cost_micro is None else micro(one.cost_micro),
        lease=one.lease,
        delivered_milli=one.delivered_milli,
        refund_micro=None if one.refund_micro is None else micro(one.refund_micro),
        text=one.text,
    )
