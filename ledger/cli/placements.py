"""How the command line shows a dispatch: where jobs would run, what is bought, how far it is."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console as Terminal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ledger.cli.session import Session
from ledger.dispatch.preview import DispatchPreview, Purchase
from ledger.dispatch.problem import Left, Why
from ledger.dispatch.state import CampaignState
from ledger.prices import REFERENCE_UNITS
from ledger.units import format_hour, format_usd


@contextmanager
def progress_bars(session: Session) -> Iterator[Callable[[CampaignState], None]]:
    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Terminal(stderr=True), transient=session.as_json) as bar:
        tasks = {name: bar.add_task(name, total=1, note="") for name in ("bought", "redeemed", "delivered")}

        def update(state: CampaignState) -> None:
            wanted = sum(job.wanted for job in state.jobs)
            delivered = sum(job.delivered for job in state.jobs)
            redeemed = delivered + sum(job.running for job in state.jobs)
            bidding = sum(job.bidding for job in state.jobs)
            bar.update(
                tasks["bought"], total=wanted, completed=redeemed + bidding, note=f"{format_usd(state.spent_micro)}"
            )
            bar.update(tasks["redeemed"], total=wanted, completed=redeemed, note="")
            back = f"{format_usd(state.refunded_micro)} came back" if state.refunded_micro else ""
            sold = f"{format_usd(state.sold_micro)} from resale" if state.sold_micro else ""
            note = ", ".join(text for text in (state.phase.value, back, sold, state.note[:80]) if text)
            bar.update(tasks["delivered"], total=wanted, completed=delivered, note=note)

        yield update


def show_preview(session: Session, found: DispatchPreview, our_limits: Collection[int] = ()) -> None:
    """`our_limits` are the positions of jobs that named no price and pay up to our default."""
    if session.as_json:
        session.console.document(preview_document(found, our_limits))
        return
    console = session.console
    rows = [
        (
            name,
            site,
            session.areas.area(metro).name,
            hours,
            units,
            price_text(price_micro),
            f"{latency_us / 1000:.1f} ms" if latency_us else "",
            "yes" if held else "",
        )
        for name, site, metro, hours, units, price_micro, latency_us, held in _stretches(found)
    ]
    header = ("job", "site", "metro", "hours", "units", "USD/H100h", "one way", "held")
    console.table(header, rows, f"Where the jobs would run (block {found.block})")
    bids = [
        (
            one.code,
            one.units,
            price_text(one.price_micro),
            format_usd(one.escrow_micro),
            one.expected_units,
            price_text(one.expected_price_micro),
        )
        for one in found.purchases
    ]
    console.table(("product", "units", "limit", "escrow", "trade", "at"), bids, "What is bought for it, in USD/H100h")
    if found.left:
        console.lines("What is left over", (_left_text(found, one, our_limits) for one in found.left))
    placed = f"{found.unit_hours:,} of {found.wanted_unit_hours:,}"
    totals: dict[str, Any] = {"unit-hours placed": placed, "cost at the offers' prices": format_usd(found.cost_micro)}
    totals |= {"expected by the books": format_usd(found.expected_micro), "escrow": format_usd(found.escrow_micro)}
    bought = sum(one.units * one.hours for one in found.purchases)
    if bought:
        used = sum(one.used_unit_hours for one in found.purchases)
        rest = format_usd(sum(_rest_micro(one) for one in found.purchases))
        totals["bought for it"] = f"{bought:,} unit-hours, used {used:,}, rest: {rest} by the books"
    totals |= {"gas of the bids": found.gas} if found.gas else {}
    console.record("Together", totals | {"proven": found.verified})


def _rest_micro(one: Purchase) -> int:
    """What the books expect to be paid for the part of a purchase that serves no job."""
    expected = one.expected_units * one.hours
    return one.expected_micro * max(0, expected - one.used_unit_hours) // expected if expected else 0


def _stretches(found: DispatchPreview) -> list[tuple[str, int, int, str, int, int, int, bool]]:
    """Placements whose hours follow one another at the same site, price and size, as one row."""
    rows: defaultdict[tuple[Any, ...], list[int]] = defaultdict(list)
    for one in found.placements:
        rows[one.name, one.site, one.metro, one.units, one.price_micro, one.latency_us, one.held].append(one.hour)
    shown = []
    for (name, site, metro, units, price_micro, latency_us, held), hours in rows.items():
        start = previous = min(hours)
        for hour in [*sorted(hours)[1:], -1]:
            if hour != previous + 1:
                span = f"{format_hour(start)} + {previous + 1 - start}h"
                shown.append((name, site, metro, span, units, price_micro, latency_us, held))
                start = hour
            previous = hour
    return shown


def _why_text(one: Left, our_limits: Collection[int]) -> str:
    ours = one.why is Why.PRICE and one.job in our_limits
    return f"{one.text} (our default; write a price to raise it)" if ours else one.text


def _left_text(found: DispatchPreview, one: Left, our_limits: Collection[int]) -> str:
    job = found.jobs[one.job]
    return f"{job.name}: {one.unit_hours:,} of {job.unit_hours:,} unit-hours. {_why_text(one, our_limits)}"


def preview_document(found: DispatchPreview, our_limits: Collection[int] = ()) -> dict[str, Any]:
    """A preview for machines."""
    return {
        "block": found.block,
        "block_hash": found.block_hash,
        "placements": [
            {
                "job": one.name,
                "site": one.site,
                "metro": one.metro,
                "hour": one.hour,
                "units": one.units,
                "price_micro": one.price_micro,
                "product": str(one.product),
                "latency_us": one.latency_us,
                "held": one.held,
            }
            for one in found.placements
        ],
        "purchases": [
            {
                "product": str(one.product),
                "code": one.code,
                "units": one.units,
                "tick": one.tick,
                "price_micro": one.price_micro,
                "escrow_micro": one.escrow_micro,
                "expected_units": one.expected_units,
                "expected_micro": one.expected_micro,
                "gas": one.preview.gas if one.preview else None,
            }
            for one in found.purchases
        ],
        "left": [
            {
                "job": found.jobs[one.job].name,
                "unit_hours": one.unit_hours,
                "why": one.why.value,
                "text": _why_text(one, our_limits),
            }
            for one in found.left
        ],
        "totals": {
            "unit_hours": found.unit_hours,
            "wanted_unit_hours": found.wanted_unit_hours,
            "cost_micro": found.cost_micro,
            "expected_micro": found.expected_micro,
            "escrow_micro": found.escrow_micro,
        },
        "refusals": [str(one) for one in found.refusals],
        "verified": found.verified,
    }


def show_state(session: Session, state: CampaignState) -> None:
    if session.as_json:
        session.console.document(
            {
                "number": state.number,
                "phase": state.phase.value,
                "jobs": [
                    {
                        "name": job.name,
                        "wanted": job.wanted,
                        "bidding": job.bidding,
                        "running": job.running,
                        "delivered": job.delivered,
                        "failed": job.failed,
                        "remaining": job.remaining,
                        "cost_micro": job.cost_micro,
                        "refunded_micro": job.refunded_micro,
                        "leases": list(job.leases),
                    }
                    for job in state.jobs
                ],
                "escrow_micro": state.escrow_micro,
                "spent_micro": state.spent_micro,
                "refunded_micro": state.refunded_micro,
                "sold_micro": state.sold_micro,
                "unused_units": state.unused_units,
                "unused_micro": state.unused_micro,
                "bought_unit_hours": state.bought_unit_hours,
                "used_unit_hours": state.used_unit_hours,
                "used_micro": state.used_micro,
                "sold_unit_hours": state.sold_unit_hours,
                "selling_unit_hours": state.selling_unit_hours,
                "balance_micro": state.balance_micro,
                "stopped": state.stopped,
                "note": state.note,
            }
        )
        return
    rows = [
        (
            job.name,
            job.wanted,
            job.bidding,
            job.running,
            job.delivered,
            job.failed,
            job.remaining,
            format_usd(job.cost_micro),
            format_usd(job.refunded_micro),
        )
        for job in state.jobs
    ]
    header = ("job", "unit-hours", "in bids", "running", "delivered", "failed", "remaining", "cost", "came back")
    session.console.table(header, rows, f"Dispatch {state.number}: {state.phase.value}")
    if state.note:
        click.echo(state.note, err=True)
    if state.bought_unit_hours:
        click.echo(bought_text(state), err=True)


def bought_text(state: CampaignState) -> str:
    """What was bought, used, sold again and left, in unit-hours (several products have no units in common) and
    dollars."""
    text = f"Bought {state.bought_unit_hours:,} unit-hours for {format_usd(state.spent_micro)}"
    text += f", used {state.used_unit_hours:,} for {format_usd(state.used_micro)}"
    if state.sold_unit_hours:
        text += f", sold {state.sold_unit_hours:,} again for {format_usd(state.sold_micro)}"
    left = state.bought_unit_hours - state.used_unit_hours - state.sold_unit_hours
    if left > 0:
        text += f", left {left:,} for {format_usd(state.unused_micro)}"
    if state.selling_unit_hours:
        text += f", of which {state.selling_unit_hours:,} are for sale now"
    return f"{text}."


def price_text(price_micro: int | None) -> str | None:
    """Dollars for an H100-hour, 1,000 unit-hours, as a number under a header that says so."""
    return None if price_micro is None else format_usd(price_micro * REFERENCE_UNITS).removesuffix(" USD")
