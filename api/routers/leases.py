"""Leases: units that were redeemed, on the way from a job to money."""

from typing import Annotated, Any

from eth_utils.crypto import keccak
from fastapi import Path as InPath
from fastapi import Query
from pydantic import Field

from api.auth import Who, Work
from api.errors import NotThere, problems
from api.nouns import Noun
from api.reads import CursorText, PageSize, answer, page, start_of
from api.schemas import Address, Answer, Body, Hash, Micro, Page, ProductName, Shape, micro, product_name
from api.services import Services
from api.writes import BOTH, Prepared, add_writes, owner_of
from ledger import (
    Action,
    InputError,
    LeaseRow,
    LeaseState,
    Product,
    Reason,
    parse_bp,
    parse_milli_units,
    queries,
    share_down,
)

router = Noun(prefix="/leases", tags=["leases"], responses=problems(400, 404, 410, 422, 429, 502, 503))

LeaseNumber = Annotated[int, InPath(ge=1, lt=2**63, examples=[1])]
_BUYER, _PROVIDER = frozenset({"buyer"}), frozenset({"provider"})
_MILLI = 1_000


class LeaseShape(Shape):
    """A lease. Delivered and full amounts are in thousandths of units, averaged over the window; of the times only
    those that still come are there. `reason` says why it ended."""

    lease: int
    product: ProductName
    site: int
    provider: str
    holder: str
    units: int
    bond_micro: Micro
    held_micro: Micro
    state: str = Field(examples=["reported"])
    reason: str | None
    job_hash: str
    usage_root: str | None = Field(description="the Merkle root of the report's meter readings")
    redeemed_s: int
    report_due_s: int | None
    dispute_due_s: int | None
    ruling_due_s: int | None
    ended_s: int | None
    reported_milli: int | None
    delivered_milli: int | None
    full_milli: int
    to_provider_micro: Micro
    to_holder_micro: Micro


@router.get("", summary="Leases, newest first")
def list_leases(
    work: Work,
    holder: Annotated[Address | None, Query()] = None,
    site: Annotated[int | None, Query(ge=1, lt=2**32)] = None,
    state: Annotated[
        str | None, Query(pattern="^(active|reported|disputed|resolved|aborted)$", examples=["active"])
    ] = None,
    cursor: CursorText = None,
    limit: PageSize = 100,
) -> Page[LeaseShape]:
    with work.view() as view:
        start = start_of(view, cursor, "leases", 1)
        wanted = LeaseState[state.upper()] if state else None
        rows = queries.leases(view.store, holder, site, wanted, start.place[0] if start else None, limit + 1)
        return page(view, "leases", rows, limit, lambda row: lease_shape(row, work), lambda row: (row.lease,))


@router.get("/{n}", summary="One lease")
def read_lease(work: Work, n: LeaseNumber) -> Answer[LeaseShape]:
    with work.view() as view:
        row = queries.lease(view.store, n)
        if row is None:
            raise NotThere(f"There is no lease {n}.", "GET /leases lists them.")
        return answer(view, lease_shape(row, work))


def lease_shape(row: LeaseRow, work: Services) -> LeaseShape:
    """A lease, with the one clock that still runs."""
    due = {row.state: row.due_s}
    return LeaseShape(
        lease=row.lease,
        product=product_name(Product.from_id(row.product), work.areas),
        site=row.site,
        provider=row.provider,
        holder=row.holder,
        units=row.units,
        bond_micro=micro(row.bond_micro),
        held_micro=micro(row.held_micro),
        state=LeaseState(row.state).name.lower(),
        reason=Reason(row.reason).name.lower() if row.reason else None,
        job_hash=row.job_hash,
        usage_root=row.usage_root,
        redeemed_s=row.redeemed_s,
        report_due_s=due.get(LeaseState.ACTIVE),
        dispute_due_s=due.get(LeaseState.REPORTED),
        ruling_due_s=due.get(LeaseState.DISPUTED),
        ended_s=row.resolved_s,
        reported_milli=row.reported_milli,
        delivered_milli=row.delivered_milli,
        full_milli=row.units * _MILLI,
        to_provider_micro=micro(row.to_provider_micro),
        to_holder_micro=micro(row.to_holder_micro),
    )


# ---- writes


class RedeemBody(Body):
    """Units to use at a site that owes them. `job` says what is to be run; only its hash goes on chain. Or
    `job_hash` names a document (PUT /jobs/{hash}) that the site's agent will run."""

    product: str = Field(max_length=100, examples=["AI_LARGE.METRO.257.STANDARD.2026-01-21T14.24h"])
    site: int = Field(ge=1, lt=2**32)
    units: int = Field(ge=1, lt=2**32)
    job: str = Field(default="", max_length=4_000, examples=["train resnet50"])
    job_hash: Hash | None = None
    owner: Address | None = None


class OwnerBody(Body):
    """Only whose it is, where no API key says so."""

    owner: Address | None = None


class DisputeBody(OwnerBody):
    """`evidence` is the text whose hash goes on chain."""

    evidence: str = Field(min_length=1, max_length=4_000)


class DeliveredBody(OwnerBody):
    """What was delivered: '99.5 %' of the lease, or '495.5 units', averaged over the window."""

    delivered: str = Field(min_length=1, max_length=40, examples=["100 %"])


def redeem_write(body: RedeemBody, work: Work, caller: Who) -> Prepared:
    owner = owner_of(caller, body.owner)

    def make() -> Action[Any]:
        job_hash = bytes.fromhex(body.job_hash[2:]) if body.job_hash else None
        return work.delivery.redeem(Product.from_code(body.product), body.site, body.units, body.job.encode(), job_hash)

    if body.job and body.job_hash:
        raise InputError("The job is said in words and by its hash.", "Give one of `job` and `job_hash`.")
    return Prepared(make, owner, _BUYER, body.model_dump(exclude_none=True) | {"owner": owner})


def accept_write(n: LeaseNumber, body: OwnerBody, work: Work, caller: Who) -> Prepared:
    owner = owner_of(caller, body.owner)
    return Prepared(lambda: work.delivery.accept(n), owner, _BUYER, {"owner": owner})


def dispute_write(n: LeaseNumber, body: DisputeBody, work: Work, caller: Who) -> Prepared:
    owner = owner_of(caller, body.owner)
    said = body.model_dump() | {"owner": owner}
    return Prepared(lambda: work.delivery.dispute(n, keccak(text=body.evidence)), owner, _BUYER, said)


def report_write(n: LeaseNumber, body: DeliveredBody, work: Work, caller: Who) -> Prepared:
    owner = owner_of(caller, body.owner)
    said = body.model_dump() | {"owner": owner}
    return Prepared(lambda: work.delivery.report(n, delivered_milli(work, n, body.delivered)), owner, _PROVIDER, said)


def abort_write(n: LeaseNumber, body: DeliveredBody, work: Work, caller: Who) -> Prepared:
    owner = owner_of(caller, body.owner)
    said = body.model_dump() | {"owner": owner}
    return Prepared(lambda: work.delivery.abort(n, delivered_milli(work, n, body.delivered)), owner, _PROVIDER, said)


def resolve_write(n: LeaseNumber, body: OwnerBody, work: Work, caller: Who) -> Prepared:
    owner = owner_of(caller, body.owner)
    return Prepared(lambda: work.delivery.resolve(n), owner, BOTH, {"owner": owner})


def delivered_milli(work: Services, lease: int, text: str) -> int:
    """Thousandths of units from a share of the lease or an amount. Raises InputError."""
    if text.rstrip().endswith(("%", "bp", "％")):
        share_bp = parse_bp(text)
        if share_bp > 10_000:
            raise InputError(f"{text} is more than all of it.", "Say at most 100 %.")
        return share_down(work.delivery.lease(lease).units * _MILLI, share_bp)
    return parse_milli_units(text)


add_writes(router, "", redeem_write, "redeem units")
add_writes(router, "/{n}/accept", accept_write, "accept a report")
add_writes(router, "/{n}/dispute", dispute_write, "dispute a report")
add_writes(router, "/{n}/report", report_write, "report what was delivered")
add_writes(router, "/{n}/abort", abort_write, "give up early")
add_writes(router, "/{n}/resolve", resolve_write, "end a lease that is due")
