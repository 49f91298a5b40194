"""The commands that act: each makes an Action, and previews, builds or sends it."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from eth_utils.crypto import keccak

from ledger.cli.session import (
    ADDRESS,
    CLASS,
    FILE,
    GRADE,
    MONEY,
    PRODUCT,
    TIER,
    Acting,
    Reading,
    Session,
    delivering,
    in_session,
    ordering,
)
from ledger.delivery import NO_READINGS, Resolution
from ledger.errors import InputError, UnreadableText
from ledger.market import Placement
from ledger.model import Kind
from ledger.orders import OrderTerms, SignedOrder, signed_order
from ledger.product import Grade, Product, Tier
from ledger.units import HOURS_PER_DAY, SECONDS_PER_HOUR, format_time, format_usd


def _order_facts(session: Session, product: Product, units: int) -> Callable[[int], Mapping[str, Any]]:
    return lambda index: {
        "product": product.code,
        "units": units,
        "slot": index,
        "round ends": format_time(session.market.round_end_s(session.market.current_round())),
    }


# ---- money


@click.command(cls=Acting)
@click.argument("amount", type=MONEY)
@in_session
def deposit(session: Session, amount: int) -> None:
    """Bring AMOUNT of the settlement token into the market (approving as much where that lacks)."""
    sends = not (session.preview or session.build)
    if sends and session.market.allowance_micro(session.owner) < amount:
        session.market.approve(amount).send(session.signer)
    session.act(session.market.deposit(amount), lambda _: _cash(session))


@click.command(cls=Acting)
@click.argument("amount", type=MONEY)
@click.option("--to", type=ADDRESS, help="Who gets it; by default you.")
@in_session
def withdraw(session: Session, amount: int, to: str | None) -> None:
    """Take AMOUNT of free cash out of the market."""
    session.act(session.market.withdraw(amount, to or session.owner), lambda _: _cash(session))


@click.command(cls=Acting)
@click.argument("amount", type=MONEY)
@in_session
def faucet(session: Session, amount: int) -> None:
    """Make AMOUNT of test dollars, on a market without real money."""
    session.act(session.market.mint_test_dollars(session.owner, amount))


def _cash(session: Session) -> Mapping[str, Any]:
    return {"free cash": format_usd(session.market.cash_micro(session.owner))}


# ---- sites


@click.group()
def site() -> None:
    """Register devices, and attest what they deliver."""


@site.command(cls=Acting)
@click.argument("devices")
@click.option("--in", "metro", required=True, help="The metro they stand in, by name or code.")
@click.option("--class", "class_id", type=CLASS, help="The class they offer; by default the one usual for them.")
@click.option("--uri", default="", help="Where the site is described.")
@in_session
def register(session: Session, devices: str, metro: str, class_id: int | None, uri: str) -> None:
    """Register DEVICES ('8x H100 SXM') of yours."""
    asked = session.standard.amount(devices, class_id)
    if asked.count is None or asked.device is None:
        raise InputError("A site has devices, not units.", "Write them like '8x H100 SXM'.")
    area = session.areas.find(metro)
    action = session.market.register_site(asked.device, asked.count, asked.class_id, area.code, uri)
    session.act(action, lambda number: {"site": number, "device": asked.device, "rated units": asked.units})


@site.command(cls=Acting)
@click.argument("number", type=int)
@click.option("--units", "amount", required=True, help="What was measured: '7900 units', '8x H100'.")
@click.option("--grade", type=GRADE, default=Grade.STANDARD, help="The best grade it may promise.")
@click.option("--days", default=90, type=click.IntRange(1, 3_650), help="How long it is valid.")
@click.option("--evidence", type=FILE, required=True, help="The file with the measurements; its hash goes on chain.")
@in_session
def attest(session: Session, number: int, amount: str, grade: Grade, days: int, evidence: Path) -> None:
    """Record what was measured at site NUMBER (role AUDITOR)."""
    units = session.standard.amount(amount, session.market.site(number).class_id).units
    valid_until_s = session.chain.time_s() + days * HOURS_PER_DAY * SECONDS_PER_HOUR
    session.act(session.market.attest(number, units, grade, keccak(evidence.read_bytes()), valid_until_s))


# ---- orders and rounds


@click.command(cls=Acting)
@ordering
def bid(session: Session, product: Product, units: int, limit: dict[str, int | None]) -> None:
    """Buy capacity at a limit; the round's one price is what you pay."""
    if session.preview and not session.market.depth(product, session.market.current_round()).asks:
        nobody = f"Nobody offers {product.code} in this round yet; `compute-ledger products` lists what is traded."
        click.echo(nobody, err=True)
    session.act(session.market.bid(product, units, **limit), _order_facts(session, product, units))


@click.command(cls=Acting)
@ordering
def ask(session: Session, product: Product, units: int, limit: dict[str, int | None]) -> None:
    """Resell units that you hold."""
    session.act(session.market.ask(product, units, **limit), _order_facts(session, product, units))


@click.command(cls=Acting)
@click.option("--site", "number", type=int, required=True, help="The site that delivers.")
@ordering
def offer(session: Session, product: Product, units: int, limit: dict[str, int | None], number: int) -> None:
    """Sell capacity of a site of yours."""
    session.act(session.market.offer(number, product, units, **limit), _order_facts(session, product, units))


@click.command(cls=Reading)
@click.option("--kind", type=click.Choice(["bid", "ask", "offer"]), default="bid")
@click.option("--site", "number", type=int, default=0, help="The site of an offer.")
@click.option("--index", type=click.IntRange(0, 79), default=0, help="Its number among your orders of the round.")
@ordering
def sign(
    session: Session, product: Product, units: int, limit: dict[str, int | None], kind: str, number: int, index: int
) -> None:
    """Sign an order of the current round for anyone to relay; prints it."""
    market, wanted = session.market, Kind[kind.upper()]
    tick = market.limit_tick(product, wanted, **limit)
    epoch = market.account(session.owner).epoch
    terms = OrderTerms(session.owner, wanted, product, tick, units, market.current_round(), index, epoch, number)
    session.console.document(market.signed(terms, session.signer).json())


@click.command(cls=Acting)
@click.argument("files", nargs=-1, required=True, type=FILE)
@in_session
def relay(session: Session, files: Sequence[Path]) -> None:
    """Place the signed orders in FILES."""
    session.act(session.market.place_signed([_read_order(path) for path in files]), _placement_facts)


def _read_order(path: Path) -> SignedOrder:
    try:
        return signed_order(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, OSError) as error:
        if isinstance(error, InputError):
            raise
        raise UnreadableText("a signed order", path.name, str(error), "what `compute-ledger sign` prints") from None


def _placement_facts(placement: Placement) -> Mapping[str, Any]:
    passed_over = [f"{skipped.owner}: {skipped.reason}" for skipped in placement.skipped]
    return {"slots": list(placement.indices), "passed over": passed_over}


@click.command(cls=Acting)
@in_session
def revoke(session: Session) -> None:
    """Make all orders that you signed so far worthless."""
    session.act(session.market.revoke_signed())


@click.command(cls=Acting)
@click.argument("product", type=PRODUCT)
@click.option("--round", "round_", type=int, help="By default the last one that ended.")
@in_session
def clear(session: Session, product: Product, round_: int | None) -> None:
    """Find the price of a round of PRODUCT that has ended; anyone may."""
    market = session.market
    chosen = market.current_round() - 1 if round_ is None else round_
    session.act(
        market.clear(product, chosen), lambda done: {"round": chosen, "units": done.units, "tick": done.price_tick}
    )


@click.command(cls=Acting)
@click.argument("product", type=PRODUCT)
@click.option("--round", "round_", type=int, required=True)
@in_session
def settle(session: Session, product: Product, round_: int) -> None:
    """Settle the orders of a round of PRODUCT that wait; anyone may."""
    parts = session.market.settlements(product, round_)
    if not parts:
        raise InputError(f"No order of round {round_} waits.", "See them with `compute-ledger orders`.")
    for part in parts:
        session.act(part, lambda fills: {"orders": len(fills), "units bought and sold": sum(fills.values())})


# ---- units


def _on_units(name: str, verb: str, text: str) -> click.Command:
    def act(session: Session, product: Product, number: int, units: int) -> None:
        session.act(getattr(session.market, verb)(number, product, units))

    command = click.option("--units", type=click.IntRange(1), required=True)(click.pass_obj(act))
    command = click.option("--site", "number", type=int, required=True)(command)
    return click.command(name, cls=Acting, help=text)(click.argument("product", type=PRODUCT)(command))


UNIT_COMMANDS = (
    _on_units("mint", "mint", "Issue units of PRODUCT to yourself, against a full bond."),
    _on_units("retire", "retire", "Burn units of PRODUCT that you hold, and get their bond back."),
    _on_units("split", "split", "Turn units of the window PRODUCT into units of each of its hours."),
    _on_units("merge", "merge", "Turn units of every hour into units of the window PRODUCT."),
)


@click.command(cls=Acting)
@click.argument("product", type=PRODUCT)
@click.option("--site", "number", type=int, required=True)
@click.option("--units", type=click.IntRange(1), required=True)
@click.option("--to", "tier", type=TIER, required=True, help="hub or wide.")
@in_session
def relax(session: Session, product: Product, number: int, units: int, tier: Tier) -> None:
    """Turn units of PRODUCT into units of a looser tier."""
    session.act(session.market.relax(number, product, units, tier), lambda into: {"product": into.code})


# ---- delivery


@click.command(cls=Acting)
@click.argument("product", type=PRODUCT)
@click.option("--units", type=click.IntRange(1), required=True)
@click.option("--to", type=ADDRESS, required=True, help="Who gets them.")
@in_session
def transfer(session: Session, product: Product, units: int, to: str) -> None:
    """Give units of PRODUCT that you hold to somebody else."""
    session.act(session.market.transfer(product, units, session.owner, to))


@click.command(cls=Acting)
@click.argument("product", type=PRODUCT)
@click.option("--to", type=ADDRESS, help="Who gets them; by default you.")
@in_session
def collect(session: Session, product: Product, to: str | None) -> None:
    """Take the units of PRODUCT that your contract refused when they were due."""
    session.act(session.market.collect(product, to or session.owner))


@click.command(cls=Acting)
@click.argument("product", type=PRODUCT)
@click.option("--site", "number", type=int, required=True, help="A site that owes them.")
@click.option("--units", type=click.IntRange(1), required=True)
@click.option("--job", type=FILE, help="What is to be run; its hash goes on chain.")
@in_session
def redeem(session: Session, product: Product, number: int, units: int, job: Path | None) -> None:
    """Turn units of PRODUCT that you hold into a lease."""
    action = session.delivery.redeem(product, number, units, job.read_bytes() if job else b"")
    session.act(action, lambda lease: {"lease": lease})


@click.command(cls=Acting)
@click.option("--readings", type=FILE, help="The file with the meter readings; its hash goes on chain.")
@delivering
def report(session: Session, lease: int, delivered_milli: int, readings: Path | None) -> None:
    """Say what was delivered of LEASE (its provider)."""
    root = keccak(readings.read_bytes()) if readings else NO_READINGS
    session.act(session.delivery.report(lease, delivered_milli, root))


@click.command(cls=Acting)
@delivering
def abort(session: Session, lease: int, delivered_milli: int) -> None:
    """Give LEASE up early; what was not delivered is refunded at once (its provider)."""
    action = session.delivery.abort(lease, delivered_milli)
    session.act(action, lambda ended: _end_facts(ended) if ended else {})


@click.command(cls=Acting)
@click.argument("lease", type=int)
@in_session
def accept(session: Session, lease: int) -> None:
    """Agree with the report of LEASE, and pay (its holder)."""
    session.act(session.delivery.accept(lease), _end_facts)


@click.command(cls=Acting)
@click.argument("lease", type=int)
@click.option("--evidence", type=FILE, required=True, help="The file that shows it; its hash goes on chain.")
@in_session
def dispute(session: Session, lease: int, evidence: Path) -> None:
    """Disagree with the report of LEASE, with a deposit (its holder)."""
    session.act(session.delivery.dispute(lease, keccak(evidence.read_bytes())))


@click.command(cls=Acting)
@click.option("--reason", type=FILE, required=True, help="The file with the reasons; its hash goes on chain.")
@click.option("--uri", required=True, help="Where everyone can read them.")
@delivering
def rule(session: Session, lease: int, delivered_milli: int, reason: Path, uri: str) -> None:
    """Decide what was delivered of LEASE (role ARBITER)."""
    session.act(session.delivery.rule(lease, delivered_milli, uri, reason.read_bytes()), _end_facts)


@click.command(cls=Acting)
@click.argument("lease", type=int)
@in_session
def resolve(session: Session, lease: int) -> None:
    """End LEASE when the clock says so; anyone may."""
    session.act(session.delivery.resolve(lease), _end_facts)


@click.command(cls=Acting)
@click.argument("product", type=PRODUCT)
@click.option("--site", "number", type=int, required=True)
@in_session
def expire(session: Session, product: Product, number: int) -> None:
    """Give the provider the bond of units of PRODUCT that nobody redeemed; anyone may."""
    session.act(session.delivery.expire(product, number), lambda bond: {"to the provider": format_usd(bond)})


def _end_facts(ended: Resolution) -> Mapping[str, Any]:
    return {
        "reason": ended.reason.name,
        "to the provider": format_usd(ended.to_provider_micro),
        "to the holder": format_usd(ended.to_holder_micro),
    }


COMMANDS: tuple[click.Command, ...] = (
    *(deposit, withdraw, faucet, site, bid, ask, offer, sign, relay, revoke, clear, settle),
    *UNIT_COMMANDS,
    *(relax, transfer, collect, redeem, report, abort, accept, dispute, rule, resolve, expire),
)
"""All of them, for the command line to add."""
