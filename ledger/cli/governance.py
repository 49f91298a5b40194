"""What the standards committee and the guardian do, and the shell's completion of every command."""

import click
from click.shell_completion import get_completion_class
from eth_utils.crypto import keccak

from ledger.action import Action
from ledger.cli.session import CLASS, FILE, MONEY, Acting, Session, in_session
from ledger.deployment import area_call, class_call, rating_call
from ledger.errors import InputError
from ledger.model import Area, Basis, ClassTerms, Rating
from ledger.units import parse_milli_units

PROGRAM = "compute-ledger"


@click.group()
def govern() -> None:
    """Change the standard (role STANDARDS), or stop what is new (role GUARDIAN)."""


@govern.command(name="class", cls=Acting)
@click.argument("number", type=click.IntRange(1, 255))
@click.option("--name", required=True, help="AI_LARGE.")
@click.option("--unit", required=True, help="What one unit is, in a sentence.")
@click.option("--memory", "min_memory_gb", type=click.IntRange(0), default=0, help="Least GB per device.")
@click.option("--tick", "tick_size_micro", type=click.IntRange(1), required=True, help="Price step, micro-USD.")
@click.option("--least", "min_order_units", type=click.IntRange(1), default=1, help="Least units of an order.")
@click.option("--bond", "bond_price_micro", type=click.IntRange(1), required=True, help="Micro-USD per unit-hour.")
@in_session
def set_class(session: Session, /, number: int, **terms: str | int) -> None:
    """Define class NUMBER, or change its terms for books that open from now on."""
    given = ClassTerms(**terms)  # type: ignore[arg-type]
    call = class_call(session.market, number, given)
    session.act(Action(f"Set the terms of class {number}, {given.name}", call, session.sender, lambda _: None))


@govern.command(cls=Acting)
@click.argument("device")
@click.option("--class", "class_id", type=CLASS, required=True)
@click.option("--units", "milli_units", required=True, help="What one device yields: '989 units', '0.5 units'.")
@click.option("--measured/--datasheet", default=False, help="What the rating rests on.")
@click.option("--evidence", type=FILE, required=True, help="The file that shows it; its hash goes on chain.")
@in_session
def rate(session: Session, device: str, class_id: int, milli_units: str, measured: bool, evidence: str) -> None:
    """Rate DEVICE, by its full name; earlier ratings stay readable."""
    basis = Basis.MEASURED if measured else Basis.DATASHEET
    with click.open_file(str(evidence), "rb") as file:
        ground = keccak(file.read())
    rating = Rating(device, class_id, parse_milli_units(milli_units), basis, ground)
    title = f"Rate {device} at {milli_units}, {basis.name}"
    session.act(Action(title, rating_call(session.market, rating), session.sender, lambda _: None))


@govern.command(cls=Acting)
@click.argument("code", type=click.IntRange(1, 65_535))
@click.argument("name")
@click.option("--hub", type=click.IntRange(0, 65_535), default=0, help="The hub a metro belongs to; none for a hub.")
@in_session
def area(session: Session, code: int, name: str, hub: int) -> None:
    """Name an area, once and for all; a metro's hub comes before it."""
    title = f"Name {'metro' if hub else 'hub'} {code} {name}"
    session.act(Action(title, area_call(session.market, Area(code, hub, name)), session.sender, lambda _: None))


@govern.command(cls=Acting)
@click.argument("what", type=click.Choice(["orders", "issues"]))
@click.option("--lift", is_flag=True, help="Allow them again.")
@in_session
def pause(session: Session, what: str, lift: bool) -> None:
    """Stop new orders, or new mints and offers; what stands still clears, settles, redeems and pays out."""
    stop = session.market.pause_orders if what == "orders" else session.market.pause_issues
    session.act(stop(not lift))


@click.command(cls=Acting)
@click.argument("amount", type=MONEY)
@in_session
def approve(session: Session, amount: int) -> None:
    """Let the treasury take up to AMOUNT from your wallet for your own deposits, bids, bonds and margins."""
    session.act(session.market.approve(amount))


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes SHELL complete this program's commands: eval "$(compute-ledger completion bash)"."""
    found = get_completion_class(shell)
    if found is None:
        raise InputError(f"There is no completion for {shell}.", "Use bash, zsh or fish.")
    click.echo(found(ctx.find_root().command, {}, PROGRAM, "_COMPUTE_LEDGER_COMPLETE").source())


COMMANDS = (govern, approve, completion)
