"""`compute-ledger keeper` and `queue`: what keeps a market going, and the signed orders that wait for it."""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console as Terminal
from rich.status import Status

from ledger.artifacts import load_deployment
from ledger.cli.session import FILE, Reading, Session, in_session, stopping
from ledger.errors import InputError, UnreadableText
from ledger.history.index import Index
from ledger.keeping.keeper import Keeper, KeeperHealth, KeeperLimits, KeeperWork
from ledger.keeping.relays import RelayDesk
from ledger.keys import Signer, load_signer
from ledger.market import Market
from ledger.orders import SignedOrder, signed_order
from ledger.product import Product
from ledger.sending.fees import WEI_PER_GWEI, FeePolicy
from ledger.sending.sender import Sender
from ledger.store.engine import Store, open_store
from ledger.store.relay import QueuedOrder, RelayQueue
from ledger.units import format_time

# One pass is over after so many ticks, whatever is left.
_TICKS_AT_ONCE = 10_000


@click.command(cls=Reading)
@click.option("--once", is_flag=True, help="Stop when nothing is left to do now.")
@click.option("--keys", default=1, type=click.IntRange(1, 100), help="Send with so many accounts of the mnemonic.")
@click.option("--read-only-index", is_flag=True, help="Another process brings the index's tables up to date.")
@in_session
def keeper(session: Session, once: bool, keys: int, read_only_index: bool) -> None:
    """Do what is due in the market: relay, clear, settle, resolve, expire. Anyone may; it costs gas."""
    signers = _signers(session, keys)
    with _opened(session) as store, stopping() as stop:
        sender = _sender(session, store)
        try:
            market = Market(session.chain, load_deployment(session.settings.manifest), sender)
            market.check()
            sender.resume(*signers)
            index = None if read_only_index else Index(market, store)
            # One pass does all that can be done now.
            limits = KeeperLimits(stagger_s=0) if once else KeeperLimits()
            kept = Keeper(market, store, index, signers, limits)
            _show(session, kept, _once(kept, stop) if once else kept.run(stop))
        finally:
            sender.close()


def _once(kept: Keeper, stop: threading.Event) -> Iterator[KeeperWork]:
    for _ in range(_TICKS_AT_ONCE):
        work = kept.tick()
        yield work
        if stop.is_set() or (work.is_idle and not kept.health().under_way):
            return


def _show(session: Session, kept: Keeper, works: Iterator[KeeperWork]) -> None:
    """A line that lives where somebody watches; else a line, or a JSON document a line, for each tick that did
    something."""
    terminal = Terminal(stderr=True, highlight=False)
    watched = terminal.is_terminal and not session.as_json
    with Status("Starting", console=terminal) if watched else nullcontext() as status:
        for work in works:
            line = _line(work, kept.health())
            if isinstance(status, Status):
                status.update(line)
            elif session.as_json and not work.is_idle:
                click.echo(json.dumps(asdict(work)))
            elif not work.is_idle:
                click.echo(line)
    if session.as_json:
        click.echo(json.dumps(health_facts(kept.health())))
    else:
        click.echo(_summary(kept.health()))


def health_facts(health: KeeperHealth) -> dict[str, Any]:
    """For machines: what a keeper did and how it does, with the age of its last whole tick in seconds."""
    facts = asdict(health)
    facts["heartbeat_age_s"] = round(time.time() - facts.pop("heartbeat_s"), 3)
    return facts


def _line(work: KeeperWork, health: KeeperHealth) -> str:
    done = ", ".join(f"{count:,} {job}" for job, count in work.done.items()) or "nothing to do"
    parts = [f"block {work.block}, {format_time(work.time_s)}", done]
    parts += [f"{health.under_way} under way"] if health.under_way else []
    parts += [f"{health.overdue_s} s overdue"] if health.overdue_s else []
    parts += [f"{len(health.troubles)} set aside: {health.troubles[0].reason}"] if health.troubles else []
    return " · ".join(parts)


def _summary(health: KeeperHealth) -> str:
    if health.total is None:
        return "Nothing was done."
    total = health.total
    done = ", ".join(f"{count:,} {job}" for job, count in total.done.items()) or "nothing"
    return f"Done: {done}; {total.sent} transactions, {total.wasted} of them for nothing."


def _signers(session: Session, keys: int) -> list[Signer]:
    if keys == 1:
        return [session.signer]
    settings = session.settings
    if settings.mnemonic_file is None:
        raise InputError(f"There is one key here, not {keys}.", "Name a mnemonic: COMPUTE_LEDGER_MNEMONIC_FILE.")
    return [load_signer(replace(settings, account=settings.account + place)) for place in range(keys)]


def _sender(session: Session, store: Store) -> Sender:
    fees = FeePolicy(cap_wei=session.settings.fee_cap_gwei * WEI_PER_GWEI)
    return Sender(session.chain, store, fees, session.settings.receipt_timeout_s)


@contextmanager
def _opened(session: Session) -> Iterator[Store]:
    store = open_store(session.settings.database)
    try:
        yield store
    finally:
        store.close()


# ---- the queue


@click.command(cls=Reading)
@click.argument("files", nargs=-1, type=FILE)
@click.option("--limit", default=20, type=click.IntRange(1, 10_000), help="How many to show.")
@in_session
def queue(session: Session, files: Sequence[Path], limit: int) -> None:
    """Queue the signed orders in FILES for a keeper to relay; without FILES, show what became of the latest."""
    with _opened(session) as store:
        kept = RelayQueue(store)
        if files:
            orders = [order for path in files for order in _read_orders(path)]
            found = RelayDesk(session.market, kept).accept(orders, time.time_ns() // 1_000_000)
        else:
            found = kept.latest(limit)
    header = ("number", "round", "owner", "product", "units", "stage", "slot", "reason", "digest")
    session.console.table(header, [_row(one) for one in found], "Signed orders")


def _row(queued: QueuedOrder) -> tuple[Any, ...]:
    order = queued.order
    units = order.who >> 32 & 0xFFFF_FFFF
    code = Product.from_id(order.product).code
    return (
        queued.number,
        order.round,
        order.owner,
        code,
        units,
        str(queued.stage),
        queued.slot,
        queued.reason,
        order.digest,
    )


def _read_orders(path: Path) -> list[SignedOrder]:
    """One order, or a list of them."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return [signed_order(one) for one in (said if isinstance(said, list) else [said])]
    except (ValueError, OSError) as error:
        if isinstance(error, InputError):
            raise
        raise UnreadableText("signed orders", path.name, str(error), "what `compute-ledger sign` prints") from None
