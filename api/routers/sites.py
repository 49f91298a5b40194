"""Sites: what was attested there, what they delivered, when they are free; and how to have one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from eth_utils.crypto import keccak
from fastapi import Path as InPath
from fastapi import Query
from pydantic import Field

from api.auth import Who, Work
from api.errors import NotThere, problems
from api.nouns import Noun
from api.reads import CursorText, PageSize, answer, page, start_of
from api.routers.leases import LeaseShape, lease_shape
from api.schemas import Address, Answer, AreaName, Body, Micro, Page, Shape, area_name, micro
from api.services import Services, View
from api.writes import Prepared, add_writes, owner_of
from ledger import Action, Grade, SiteRow, class_id_of, class_name, grade_of, past, queries

router = Noun(prefix="/sites", tags=["sites"], responses=problems(400, 404, 410, 422, 429, 502, 503))

SiteNumber = Annotated[int, InPath(ge=1, lt=2**32, examples=[1])]
_PROVIDER = frozenset({"provider"})
_HOURS_MAX = 168
_SECONDS_PER_HOUR = 3_600


class SiteShape(Shape):
    """A site. `derating_bp`: the part of its attestation that it may issue, by its delivery record; both capacities are
    per hour."""

    site: int
    provider: str
    device: str
    devices: int
    class_name: str = Field(serialization_alias="class")
    class_id: int
    metro: AreaName
    hub: AreaName
    attested_units: int
    issuable_units: int
    derating_bp: int
    grade: str | None
    valid_until_s: int
    uri: str
    delivered_milli_hours: str
    failed_milli_hours: str


class HourShape(Shape):
    """What of a site's hour is committed, and what is free."""

    hour: int
    committed_units: int
    free_units: int


class CalendarShape(Shape):
    """Consecutive hours since the epoch."""

    site: int
    hours: list[HourShape]


class EarningsShape(Shape):
    """A site's money: paid to its provider for leases, refunded to holders, standing behind what it owes."""

    site: int
    earned_micro: Micro
    refunded_micro: Micro
    bonds_micro: Micro
    margins_micro: Micro
    owed_units: int
    leases: list[LeaseShape]


@router.get("", summary="All sites, by number")
def list_sites(
    work: Work,
    provider: Annotated[Address | None, Query()] = None,
    cursor: CursorText = None,
    limit: PageSize = 100,
) -> Page[SiteShape]:
    with work.view() as view:
        start = start_of(view, cursor, "sites", 1)
        after = start.place[0] if start else 0
        rows = [row for row in queries.sites(view.store, provider) if row.site > after][: limit + 1]
        standings = _standings(work, view, rows)
        return page(
            view, "sites", rows, limit, lambda row: site_shape(row, work, standings[row.site]), lambda row: (row.site,)
        )


@router.get("/{n}", summary="One site")
def read_site(work: Work, n: SiteNumber) -> Answer[SiteShape]:
    with work.view() as view:
        row = _site(view, n)
        return answer(view, site_shape(row, work, _standings(work, view, [row])[n]))


@router.get("/{n}/calendar", summary="What is committed and free, hour by hour")
def read_calendar(
    work: Work,
    n: SiteNumber,
    start_hour: Annotated[int | None, Query(ge=0, lt=2**32 - _HOURS_MAX, description="by default the next")] = None,
    hours: Annotated[int, Query(ge=1, le=_HOURS_MAX)] = 48,
) -> Answer[CalendarShape]:
    with work.view() as view:
        _site(view, n)
        first = view.head.time_s // _SECONDS_PER_HOUR + 1 if start_hour is None else start_hour
        calls = [work.market.call("Capacity", "committedUnits", n, hour) for hour in range(first, first + hours)]
        calls += [work.market.call("Capacity", "issuableUnits", n)]
        *committed, cap = work.chain.call_many(calls, view.head.block)
        shapes = [
            HourShape(hour=first + place, committed_units=units, free_units=max(0, cap - units))
            for place, units in enumerate(committed)
        ]
        return answer(view, CalendarShape(site=n, hours=shapes))


@router.get("/{n}/earnings", summary="Its money, and the leases that brought it")
def read_earnings(work: Work, n: SiteNumber) -> Answer[EarningsShape]:
    with work.view() as view:
        _site(view, n)
        leases, owed = queries.leases(view.store, site=n, limit=1_000), queries.obligations(view.store, site=n)
        earned = sum(one.to_provider_micro for one in leases) + past.expired_micro(view.store, n, work.decode)
        return answer(
            view,
            EarningsShape(
                site=n,
                earned_micro=micro(earned),
                refunded_micro=micro(sum(one.to_holder_micro for one in leases)),
                bonds_micro=micro(sum(one.bond_micro for one in owed) + sum(one.held_micro for one in leases)),
                margins_micro=micro(sum(one.margin_micro for one in owed)),
                owed_units=sum(one.units for one in owed),
                leases=[lease_shape(one, work) for one in leases[:100]],
            ),
        )


def _site(view: View, number: int) -> SiteRow:
    found = [row for row in queries.sites(view.store) if row.site == number]
    if not found:
        raise NotThere(f"There is no site {number}.", "GET /sites lists them.")
    return found[0]


@dataclass(frozen=True, slots=True)
class Standing:
    """What a site may issue in an hour, and which part of its attestation that is, by its record."""

    issuable_units: int
    derating_bp: int


def _standings(work: Services, view: View, rows: Sequence[SiteRow]) -> dict[int, Standing]:
    calls = [work.market.call("Capacity", "issuableUnits", row.site) for row in rows]
    calls += [work.market.call("Delivery", "standingOf", row.site) for row in rows]
    found = work.chain.call_many(calls, view.head.block)
    pairs = zip(rows, found[: len(rows)], found[len(rows) :], strict=True)
    return {row.site: Standing(issuable, derating_bp) for row, issuable, (derating_bp, _) in pairs}


def site_shape(row: SiteRow, work: Services, standing: Standing) -> SiteShape:
    """A site; its device by name where the standard knows it."""
    return SiteShape(
        site=row.site,
        provider=row.provider,
        device=work.device_names.get(row.device, row.device),
        devices=row.devices,
        class_name=class_name(row.class_id),
        class_id=row.class_id,
        metro=area_name(row.metro, work.areas),
        hub=area_name(row.hub, work.areas),
        attested_units=row.attested_units,
        issuable_units=standing.issuable_units,
        derating_bp=standing.derating_bp,
        grade=Grade(row.grade).name if row.grade else None,
        valid_until_s=row.valid_until_s,
        uri=row.uri,
        delivered_milli_hours=str(row.delivered_milli_hours),
        failed_milli_hours=str(row.failed_milli_hours),
    )


# ---- writes


class SiteBody(Body):
    """Devices to register: `device` as people write it, with how many ('8x H100'), in a metro by name or code."""

    device: str = Field(min_length=1, max_length=100, examples=["8x H100 SXM"])
    metro: str = Field(min_length=1, max_length=60, examples=["N. Virginia"])
    class_: str | None = Field(default=None, alias="class", max_length=40, examples=["AI_LARGE"])
    uri: str = Field(default="", max_length=200, examples=["https://provider.example/site"])
    owner: Address | None = None


class AttestBody(Body):
    """What an auditor measured at a site; `evidence` is the text whose hash goes on chain."""

    units: int = Field(ge=1, lt=2**32, examples=[8000])
    grade: str = Field(default="STANDARD", max_length=10)
    evidence: str = Field(min_length=1, max_length=4_000, examples=["https://auditor.example/report/17"])
    valid_until_s: int = Field(ge=0, lt=2**40)
    owner: Address | None = None


def site_write(body: SiteBody, work: Work, caller: Who) -> Prepared:
    owner = owner_of(caller, body.owner)

    def make() -> Action[Any]:
        amount = work.standard.amount(body.device, class_id_of(body.class_) if body.class_ else None)
        device = amount.device or work.standard.device(body.device)
        metro = work.areas.find(body.metro).code
        return work.market.register_site(device, amount.count or 1, amount.class_id, metro, body.uri)

    return Prepared(make, owner, _PROVIDER, body.model_dump(by_alias=True) | {"owner": owner})


def attest_write(n: SiteNumber, body: AttestBody, work: Work, caller: Who) -> Prepared:
    owner = owner_of(caller, body.owner)
    evidence = keccak(text=body.evidence)

    def make() -> Action[Any]:
        return work.market.attest(n, body.units, grade_of(body.grade), evidence, body.valid_until_s)

    return Prepared(make, owner, _PROVIDER, body.model_dump() | {"owner": owner})


add_writes(router, "", site_write, "register a site")
add_writes(router, "/{n}/attest", attest_write, "attest a site")
