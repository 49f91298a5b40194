"""`compute-ledger site record` and `site maintenance`: how well sites deliver, and when they will not."""

from collections.abc import Sequence
from typing import Any

import click

from ledger.cli.session import HOUR, HOURS, Reading, Session, in_session
from ledger.errors import InputError, UnreadableText
from ledger.history.index import Index
from ledger.maintenance import (
    Announcement,
    announce,
    maintenance_domain,
    sign_withdrawal,
    withdraw_announcement,
)
from ledger.store.engine import Store
from ledger.store.maintenance import Maintenance, maintenance_of
from ledger.store.quality import SiteRecord, WindowRecord, delivery_weight, records_of, site_record
from ledger.units import SECONDS_PER_HOUR, format_bp, format_hour, format_milli_units, format_time

_EVER = 2**32 - 1


# ---- records


@click.command(cls=Reading)
@click.argument("number", type=int, required=False)
@in_session
def record(session: Session, number: int | None) -> None:
    """What site NUMBER delivered, failed to deliver, and was disputed for; without NUMBER, all sites in a line each."""
    store, floor_bp = _history(session), session.market.deployment.terms.derating_floor_bp
    if number is None:
        found = records_of(store, None, None, floor_bp)
        header = (
            "site",
            "delivered",
            "failed",
            "uptime 1 d",
            "uptime 7 d",
            "uptime 30 d",
            "derating",
            "grade",
            "weight",
        )
        session.console.table(header, [_line(session, one) for one in found.values()], "Delivery records")
        return
    one = site_record(store, number, None, floor_bp)
    if session.as_json:
        session.console.document(one)
        return
    session.console.record(f"Site {number}, as of block {one.block} ({format_time(one.time_s)})", _facts(one))
    columns = ("window", "leases", "leased", "delivered", "failed", "disputed", "not over")
    session.console.table(columns, [_window(row) for row in one.windows], "By window, in unit-hours")
    steps = [
        (format_time(step.time_s), step.lease, format_bp(step.derating_bp), step.grade.name) for step in one.standings
    ]
    session.console.table(("since", "lease", "derating", "grade at most"), steps, "What its record allowed")
    said = [
        (format_time(row.time_s), row.units, row.grade.name, format_time(row.valid_until_s)) for row in one.attestations
    ]
    session.console.table(("since", "units", "grade", "valid until"), said, "What was attested")


def _history(session: Session) -> Store:
    """The index's tables, brought up to date."""
    for _ in Index(session.market, session.store).advance():
        pass
    return session.store


def _line(session: Session, one: SiteRecord) -> Sequence[Any]:
    shares = [share.share_bp for share in one.uptimes]
    sums = one.delivered_milli_hours, one.failed_milli_hours
    numbers = (one.derating_bp, one.grade, delivery_weight(one))
    if session.as_json:
        return (one.site, *sums, *shares, *numbers)
    shown = [_share(share) for share in shares]
    grade = one.grade.name if one.grade else ""
    return (one.site, *map(_hours, sums), *shown, format_bp(one.derating_bp), grade, format_bp(delivery_weight(one)))


def _facts(one: SiteRecord) -> dict[str, Any]:
    facts = {
        "delivered": f"{_hours(one.delivered_milli_hours)} unit-hours",
        "failed": f"{_hours(one.failed_milli_hours)} unit-hours",
        "disputed": f"{_hours(one.disputed_milli_hours)} unit-hours",
        "not over": f"{_hours(one.pending_milli_hours)} unit-hours",
        "may issue": f"{format_bp(one.derating_bp)} of {one.attested_units:,} units",
        "grade at most": one.grade.name if one.grade else "none: no attestation is valid",
        "weight in dispatch": format_bp(delivery_weight(one)),
    }
    return facts | {f"uptime, {share.days} d": _share(share.share_bp) for share in one.uptimes}


def _window(one: WindowRecord) -> Sequence[Any]:
    parts = (
        one.leased_milli_hours,
        one.delivered_milli_hours,
        one.failed_milli_hours,
        one.disputed_milli_hours,
        one.pending_milli_hours,
    )
    return (f"{format_hour(one.start_hour)}, {one.hours}h", one.leases, *map(_hours, parts))


def _hours(milli_hours: int) -> str:
    return format_milli_units(milli_hours).removesuffix(" units").removesuffix(" unit")


def _share(share_bp: int | None) -> str:
    return "no lease in that time" if share_bp is None else format_bp(share_bp)


# ---- maintenance


@click.group()
def maintenance() -> None:
    """Hours in which a site serves nothing, as its provider announced them."""


@maintenance.command("list", cls=Reading)
@click.argument("numbers", type=int, nargs=-1)
@click.option("--all", "ended", is_flag=True, help="Those that are over, too.")
@in_session
def list_(session: Session, numbers: Sequence[int], ended: bool) -> None:
    """What is announced of sites NUMBERS (default: of all)."""
    store = _history(session)
    wanted = numbers or range(1, session.market.site_count() + 1)
    first_hour = 0 if ended else session.chain.time_s() // SECONDS_PER_HOUR
    found = maintenance_of(store, wanted, first_hour, _EVER)
    rows = [_row(session, one) for announced in found.values() for one in announced]
    session.console.table(("site", "from", "to", "note", "announced", "digest"), rows, "Maintenance")


@maintenance.command("announce", cls=Reading)
@click.argument("number", type=int)
@click.option("--start", "from_hour", type=HOUR, required=True, help="The first hour: '2026-01-21 14:00' (UTC).")
@click.option("--for", "hours", type=HOURS, required=True, help="How long: 4h, '2 days'.")
@click.option("--note", default="", help="Why, in a line of 200 characters at most.")
@click.option("--sign", is_flag=True, help="Only sign it, for `POST /sites/NUMBER/maintenance` of an API elsewhere.")
@in_session
def announce_(session: Session, number: int, from_hour: int, hours: int, note: str, sign: bool) -> None:
    """Say that site NUMBER of yours serves nothing for a time: nobody plans new work into it. What is owed in those
    hours stays owed."""
    now_s = session.chain.time_s()
    said = Announcement(number, from_hour, from_hour + hours, note, now_s)
    domain = maintenance_domain(session.chain.chain_id, session.market.address("Capacity"))
    signature = said.sign(domain, session.signer)
    if sign:
        facts = {name: getattr(said, name) for name in ("site", "from_hour", "to_hour", "note", "signed_s")}
        session.console.document(facts | {"signature": signature})
        return
    kept = announce(_history(session), said, signature, domain, now_s)
    session.console.record(f"Site {number} serves nothing", _told(session, kept))


@maintenance.command(cls=Reading)
@click.argument("digest")
@in_session
def withdraw(session: Session, digest: str) -> None:
    """Take back what was announced as DIGEST."""
    try:
        named = bytes.fromhex(digest.removeprefix("0x"))
    except ValueError:
        raise UnreadableText("an announcement", digest, "it is not hex", "0x5f…") from None
    if len(named) != 32:
        raise InputError(f"An announcement's digest has 32 bytes, {digest!r} has {len(named)}.", "See the list.")
    domain = maintenance_domain(session.chain.chain_id, session.market.address("Capacity"))
    signature = sign_withdrawal(named, domain, session.signer)
    kept = withdraw_announcement(session.store, named, signature, domain, session.chain.time_s())
    session.console.record(f"Site {kept.site} serves again", _told(session, kept))


def _row(session: Session, one: Maintenance) -> Sequence[Any]:
    if session.as_json:
        return (one.site, one.from_hour, one.to_hour, one.note, one.announced_s, one.digest)
    hours = format_hour(one.from_hour), format_hour(one.to_hour)
    return (one.site, *hours, one.note, format_time(one.announced_s), "0x" + one.digest.hex())


def _told(session: Session, one: Maintenance) -> dict[str, Any]:
    return dict(zip(("site", "from", "to", "note", "announced", "digest"), _row(session, one), strict=True))


COMMANDS = (record, maintenance)
"""To stand below `site`."""
