"""What was sent from here: every intent, its attempts, and what became of it."""

from contextlib import suppress
from typing import Any

import click

from ledger.cli.session import Reading, Session, in_session
from ledger.errors import Unavailable
from ledger.sending.fees import WEI_PER_GWEI
from ledger.sending.sender import IntentStatus, Sender
from ledger.store.intents import UNFINISHED


@click.group()
def outbox() -> None:
    """What was sent from here, and what became of it. Nothing is ever deleted."""


@outbox.command(name="list", cls=Reading)
@click.option("--all", "everyone", is_flag=True, help="Of every key that sent from this database.")
@in_session
def unfinished(session: Session, everyone: bool) -> None:
    """What your key sent that is not final yet, by its number; without a key, what all sent."""
    found = _looked(session).unfinished()
    if not everyone and session.has_key:
        found = [one for one in found if one.sender == session.signer.address]
    rows = [(one.number, one.key, one.state.value, one.sender, one.nonce, len(one.attempts)) for one in found]
    session.console.table(("number", "key", "state", "sender", "nonce", "attempts"), rows, "Not final yet")


@outbox.command(cls=Reading)
@click.argument("name")
@in_session
def show(session: Session, name: str) -> None:
    """One intent by its number or its idempotency key, NAME, with every attempt ever made."""
    found = _looked(session).status(int(name) if name.isdigit() else name)
    if session.as_json:
        session.console.document(_facts(found) | {"attempts": [_attempt(found, place) for place in _places(found)]})
        return
    session.console.record(f"Intent {found.number}", _facts(found))
    header = ("transaction", "gas", "max fee, gwei", "tip, gwei", "cancels")
    rows = [tuple(_attempt(found, place).values()) for place in _places(found)]
    session.console.table(header, rows, "Attempts")


@outbox.command(cls=Reading)
@click.argument("number", type=int)
@in_session
def cancel(session: Session, number: int) -> None:
    """Put a transaction to yourself in the place of intent NUMBER; what is mined first counts."""
    session.sends = True
    session.sender.resume(session.signer)
    session.console.record(f"Intent {number}", _facts(session.sender.cancel(number)))


@outbox.command(cls=Reading)
@in_session
def resume(session: Session) -> None:
    """Offer again what your key left unfinished, and look what became of it."""
    session.sends = True
    session.sender.resume(session.signer)
    left = [one for one in session.sender.unfinished() if one.sender == session.signer.address]
    waiting = sum(one.state in UNFINISHED for one in left)
    session.console.record("Resumed", {"key": session.signer.address, "not final yet": waiting})


def _looked(session: Session) -> Sender:
    """The sender, after a look at what the chain says now, where it answers."""
    session.sends = True
    with suppress(Unavailable):
        session.sender.advance(orphans=True)
    return session.sender


def _facts(found: IntentStatus) -> dict[str, Any]:
    return {
        "number": found.number,
        "key": found.key,
        "state": found.state.value,
        "sender": found.sender,
        "nonce": found.nonce,
        "block": found.block,
        "transaction": found.counted or found.attempts[-1].hash,
        "reason": found.reason,
    }


def _places(found: IntentStatus) -> range:
    return range(len(found.attempts))


def _attempt(found: IntentStatus, place: int) -> dict[str, Any]:
    one = found.attempts[place]
    return {
        "transaction": one.hash,
        "gas": one.gas,
        "max_fee_gwei": str(one.fees.max_fee_wei / WEI_PER_GWEI),
        "tip_gwei": str(one.fees.tip_wei / WEI_PER_GWEI),
        "cancels": one.cancels,
    }
