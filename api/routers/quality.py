"""How well a site delivers, and when its provider says that it will serve nothing."""

from typing import Annotated, Any

from fastapi import Path as InPath
from fastapi import Query, Response
from pydantic import Field

from api.auth import Caller, Who, Work
from api.errors import BadRequest, NotThere, problems
from api.nouns import Noun
from api.reads import answer
from api.routers.sites import SiteNumber
from api.schemas import Answer, Body, Hash, Shape
from api.services import Services, View
from api.writes import signing_key
from ledger import (
    Announcement,
    Domain,
    InputError,
    Maintenance,
    SiteRecord,
    announce,
    delivery_weight,
    maintenance_domain,
    maintenance_of,
    sign_withdrawal,
    site_record,
    withdraw_announcement,
    withdrawal_typed_data,
)

router = Noun(prefix="/sites", tags=["quality"], responses=problems(400, 401, 403, 404, 422, 429, 503))

_PROVIDER = frozenset({"provider"})
_DAYS_SHOWN = 366
_OPEN: dict[str, Any] = {"security": [{}]}
_Hour = Annotated[int, Field(ge=0, lt=2**32, examples=[494_808], description="hours since the epoch")]
_Signature = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{130}$")]


# ---- records


class WindowShape(Shape):
    """What the leases of one delivery window came to, in thousandths of unit-hours."""

    start_hour: int
    hours: int
    leases: int
    leased_milli_hours: str
    delivered_milli_hours: str
    failed_milli_hours: str
    disputed_milli_hours: str
    pending_milli_hours: str


class UptimeShape(Shape):
    """The leased hours of the last `days` days, of leases that ended; `share_bp` is null where none was leased."""

    days: int
    leased_milli_hours: str
    delivered_milli_hours: str
    share_bp: int | None = Field(description="delivered of leased, in basis points")


class StandingShape(Shape):
    """The record after a lease ended: the part of the attestation that may be issued since, and the best grade."""

    time_s: int
    block: int
    lease: int
    derating_bp: int
    grade: str
    delivered_milli_hours: str
    failed_milli_hours: str


class AttestedShape(Shape):
    """What an auditor said of the site."""

    time_s: int
    block: int
    units: int
    grade: str
    valid_until_s: int
    evidence: str


class RecordShape(Shape):
    """How well a site delivers; lists are newest first, a hundred at most. `weight_bp`: what its offers are worth to
    the dispatcher beside those of a site that never fails."""

    site: int
    attested_units: int
    derating_bp: int
    grade: str | None
    weight_bp: int
    delivered_milli_hours: str
    failed_milli_hours: str
    disputed_milli_hours: str
    pending_milli_hours: str
    uptimes: list[UptimeShape]
    windows: list[WindowShape]
    standings: list[StandingShape]
    attestations: list[AttestedShape]


@router.get("/{n}/record", summary="What a site delivered and failed, its uptime, derating and grade")
def read_record(work: Work, n: SiteNumber) -> Answer[RecordShape]:
    with work.view() as view:
        floor_bp = work.deployment.terms.derating_floor_bp
        try:
            record = site_record(view.store, n, view.head.time_s, floor_bp)
        except InputError as error:
            raise NotThere(error.problem, "GET /sites lists them.") from None
        return answer(view, record_shape(record))


def record_shape(record: SiteRecord) -> RecordShape:
    """A record as it is told."""
    return RecordShape.model_validate(
        _told(record, "site", "attested_units", "derating_bp", *_HOURS)
        | {
            "grade": record.grade.name if record.grade else None,
            "weight_bp": delivery_weight(record),
            "uptimes": [_told(one, "days", "share_bp", *_HOURS[:1], "leased_milli_hours") for one in record.uptimes],
            "windows": [
                _told(one, "start_hour", "hours", "leases", *_HOURS, "leased_milli_hours") for one in record.windows
            ],
            "standings": [
                _told(one, "time_s", "block", "lease", "derating_bp", *_HOURS[:2]) | {"grade": one.grade.name}
                for one in record.standings
            ],
            "attestations": [
                _told(one, "time_s", "block", "units", "valid_until_s", "evidence") | {"grade": one.grade.name}
                for one in record.attestations
            ],
        }
    )


_HOURS = ("delivered_milli_hours", "failed_milli_hours", "disputed_milli_hours", "pending_milli_hours")


def _told(one: object, *names: str) -> dict[str, Any]:
    """These fields by their names; sums over hours, which may pass 2^53, as texts."""
    values = {name: getattr(one, name) for name in names}
    return {name: str(value) if name.endswith("milli_hours") else value for name, value in values.items()}


# ---- maintenance


class MaintenanceShape(Shape):
    """Hours in which a site serves nothing: from `from_hour` up to `to_hour`, which is not in it (hours since the
    epoch). `digest` names it; `signature` is the provider's."""

    digest: str
    site: int
    from_hour: int
    to_hour: int
    note: str
    provider: str
    signature: str
    signed_s: int
    announced_s: int
    withdrawn_s: int | None


class HoursBody(Body):
    """What is announced."""

    from_hour: _Hour
    to_hour: _Hour
    note: str = Field(default="", max_length=200, examples=["new cooling"])
    signed_s: int | None = Field(default=None, ge=0, le=2**40, description="by default the chain's time now")


class AnnounceBody(HoursBody):
    """What is announced, with the provider's signature of it; without one, an API key of the provider signs here."""

    signature: _Signature | None = None


class WithdrawBody(Body):
    """The provider's signature of the withdrawal; without one, an API key of the provider signs here."""

    signature: _Signature | None = None


class TypedShape(Shape):
    """What a wallet's eth_signTypedData_v4 takes, and the body to send with its signature."""

    typed_data: dict[str, Any]
    body: dict[str, Any]


Digest = Annotated[Hash, InPath(description="as announcing it gave it")]


@router.get("/{n}/maintenance", summary="Hours in which a site will serve nothing")
def list_maintenance(
    work: Work,
    n: SiteNumber,
    response: Response,
    from_hour: Annotated[int | None, Query(ge=0, lt=2**32, description="by default this hour")] = None,
    hours: Annotated[int, Query(ge=1, le=24 * _DAYS_SHOWN)] = 24 * _DAYS_SHOWN,
) -> Answer[list[MaintenanceShape]]:
    # Announcements come between blocks too.
    response.headers["Cache-Control"] = "no-store"
    with work.view() as view:
        first = view.head.time_s // 3_600 if from_hour is None else from_hour
        found = maintenance_of(view.store, [n], first, first + hours).get(n, ())
        return answer(view, [maintenance_shape(one) for one in found])


@router.post("/{n}/maintenance/typed-data", summary="For a wallet to sign: an announcement", openapi_extra=_OPEN)
def build_announcement(work: Work, n: SiteNumber, body: HoursBody) -> TypedShape:
    with work.view() as view:
        said = _announcement(n, body, view)
    more = {"from_hour": said.from_hour, "to_hour": said.to_hour, "note": said.note, "signed_s": said.signed_s}
    return TypedShape(typed_data=said.typed_data(_domain(work)), body=more)


@router.post("/{n}/maintenance", status_code=201, summary="Announce hours without service", openapi_extra=_OPEN)
def add_maintenance(work: Work, n: SiteNumber, body: AnnounceBody, caller: Who) -> MaintenanceShape:
    if body.signature is not None and body.signed_s is None:
        raise BadRequest("A signed announcement says when it was signed.", "Send `signed_s` as it was signed.")
    with work.view() as view:
        said, now_s = _announcement(n, body, view), view.head.time_s
    signature = _given(body.signature) or said.sign(_domain(work), work.vault.signer(_signs_here(caller)))
    return maintenance_shape(announce(work.store, said, signature, _domain(work), now_s))


@router.post(
    "/{n}/maintenance/{digest}/withdraw/typed-data",
    summary="For a wallet to sign: an announcement's end",
    openapi_extra=_OPEN,
)
def build_withdrawal(work: Work, n: SiteNumber, digest: Digest) -> TypedShape:  # noqa: ARG001 - as below
    return TypedShape(typed_data=withdrawal_typed_data(bytes.fromhex(digest[2:]), _domain(work)), body={})


@router.post("/{n}/maintenance/{digest}/withdraw", summary="Take an announcement back", openapi_extra=_OPEN)
def end_maintenance(
    work: Work,
    n: SiteNumber,  # noqa: ARG001 - it is in the path, and the digest says it
    digest: Digest,
    body: WithdrawBody,
    caller: Who,
) -> MaintenanceShape:
    named = bytes.fromhex(digest[2:])
    signature = _given(body.signature)
    if signature is None:
        signature = sign_withdrawal(named, _domain(work), work.vault.signer(_signs_here(caller)))
    with work.view() as view:
        now_s = view.head.time_s
    return maintenance_shape(withdraw_announcement(work.store, named, signature, _domain(work), now_s))


def maintenance_shape(one: Maintenance) -> MaintenanceShape:
    return MaintenanceShape(
        digest="0x" + one.digest.hex(),
        site=one.site,
        from_hour=one.from_hour,
        to_hour=one.to_hour,
        note=one.note,
        provider=one.provider,
        signature="0x" + one.signature.hex(),
        signed_s=one.signed_s,
        announced_s=one.announced_s,
        withdrawn_s=one.withdrawn_s,
    )


def _announcement(site: int, body: HoursBody, view: View) -> Announcement:
    signed_s = view.head.time_s if body.signed_s is None else body.signed_s
    return Announcement(site, body.from_hour, body.to_hour, body.note, signed_s)


def _domain(work: Services) -> Domain:
    return maintenance_domain(work.chain.chain_id, work.deployment.address("Capacity"))


def _given(signature: str | None) -> bytes | None:
    return None if signature is None else bytes.fromhex(signature[2:])


def _signs_here(caller: Caller) -> str:
    return signing_key(caller, _PROVIDER).address
