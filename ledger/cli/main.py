"""The command line: `compute-ledger …`.

Here are the door to the environment, what can be looked up, keys, and how a market is made; verbs has what acts.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ledger.artifacts import MarketTerms
from ledger.cli.agent import agent, measure_machine
from ledger.cli.audit import audit
from ledger.cli.dispatch import COMMANDS as DISPATCHING
from ledger.cli.door import Door
from ledger.cli.governance import COMMANDS as GOVERNING
from ledger.cli.index import index
from ledger.cli.keeper import keeper, queue
from ledger.cli.node import node
from ledger.cli.outbox import outbox
from ledger.cli.quality import COMMANDS as OF_SITES
from ledger.cli.session import ADDRESS, CLASS, HOURS, PRODUCT, Reading, Session, in_session
from ledger.cli.verbs import COMMANDS, site
from ledger.deployment import Roles, deploy, seed_standard
from ledger.errors import InputError
from ledger.keys import create_keystore
from ledger.market import Market
from ledger.model import Kind, Order
from ledger.prices import format_reference_price, price_micro
from ledger.product import Grade, Product, class_name
from ledger.settings import Secret, Settings, explain_settings, read_settings, variable_of
from ledger.units import SECONDS_PER_HOUR, format_milli_units, format_time, format_units, format_usd


@click.group(cls=Door, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--rpc-url", help="The node's JSON-RPC address.")
@click.option("--chain-id", help="The chain that is meant.")
@click.option("--manifest", help="The deployment manifest.")
@click.option("--keystore", help="Your key: a keystore V3 file …")
@click.option("--passphrase-file", help="… and a file with its passphrase (else you are asked for it).")
@click.option("--key-file", help="Or a file with a raw private key.")
@click.option("--mnemonic-file", help="Or a file with a mnemonic phrase …")
@click.option("--account", help="… and which account of it.")
@click.pass_context
def main(ctx: click.Context, /, **named: str | None) -> None:
    """Compute Ledger: compute that trades and transfers like water and electricity.

    Every option above is also a variable (`compute-ledger settings` lists them). Exit codes: 1 the chain refused, 2 the
    command is wrong, 3 nobody answered.
    """
    session = ctx.obj = Session(_settings(named))
    ctx.call_on_close(session.close)


def _settings(named: dict[str, str | None]) -> Settings:
    environment = dict(os.environ)
    if any(named[name] for name in ("keystore", "key_file", "mnemonic_file")):
        # A key that the command names takes the place of the environment's.
        environment |= {variable_of(name): "" for name in ("keystore", "key_file", "mnemonic_file")}
    return read_settings(environment | {variable_of(name): text for name, text in named.items() if text})


class Listing(Reading):
    """A list that ends in s, like the group of commands on one of its things does not."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] in site.commands:
            words = " ".join(["site", *args])
            raise InputError(f"`sites` lists them all and knows no {args[0]!r}.", f"Say `compute-ledger {words}`.")
        return super().parse_args(ctx, args)


# ---- look up


@main.command(cls=Reading)
@click.option("--class", "class_id", type=CLASS, help="Only this class.")
@in_session
def standard(session: Session, class_id: int | None) -> None:
    """What one device of each model yields in standard units, and what that rests on."""
    header, *rows = session.standard.table()
    wanted = [row for row in rows if class_id is None or class_name(class_id) in row[2].split(", ")]
    session.console.table(header, wanted, "The conversion standard")


@main.command(cls=Reading)
@click.argument("text", required=False)
@in_session
def areas(session: Session, text: str | None) -> None:
    """Hubs and their metros; with TEXT, the one called so."""
    found = session.areas.all() if text is None else [session.areas.find(text)]
    rows = [(area.code, area.name, session.areas.hub_of(area).name) for area in found]
    session.console.table(("code", "area", "hub"), rows, "Areas")


@main.command(cls=Reading)
@click.argument("text")
@click.option("--class", "class_id", type=CLASS, help="By default the one that the device is usually sold in.")
@in_session
def units(session: Session, text: str, class_id: int | None) -> None:
    """How many units TEXT is: '8x H100 SXM, 24h'."""
    amount = session.standard.amount(text, class_id)
    facts = {"class": class_name(amount.class_id), "units": amount.units, "hours": amount.hours}
    facts["unit-hours"] = amount.units * amount.hours
    named = {"device": amount.device, "devices": amount.count} if amount.device else {}
    session.console.record(text, named | facts)


@main.command(cls=Reading)
@in_session
def settings(session: Session) -> None:
    """The environment variables, what they say, and their defaults."""
    session.console.table(("variable", "what it says", "default"), explain_settings(), "Settings")


# ---- keys


@main.group()
def key() -> None:
    """Make a key, or see whose it is."""


@key.command(cls=Reading)
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@in_session
def new(session: Session, path: Path) -> None:
    """Make a key in a new keystore at PATH; asks for a passphrase."""
    given = session.settings.passphrase
    if given is None and session.settings.passphrase_file is None:
        given = Secret(click.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True))
    elif given is None and session.settings.passphrase_file is not None:
        given = Secret(session.settings.passphrase_file.read_text(encoding="utf-8").strip())
    if given is None or not given.reveal():
        raise InputError("A keystore needs a passphrase.", "Name one that you will remember.")
    session.console.record("A new key", {"address": create_keystore(path, given).address, "keystore": str(path)})


@key.command(cls=Reading)
@in_session
def show(session: Session) -> None:
    """The address of the key that signs."""
    session.console.record("Your key", {"address": session.signer.address})


# ---- a market


@main.command(name="deploy", cls=Reading)
@click.option("--token", type=ADDRESS, help="The settlement token; without it test dollars that anyone may make.")
@click.option("--round", "round_s", type=click.IntRange(1), default=60, help="Length of a round in seconds.")
@click.option("--lead", "lead_s", type=click.IntRange(0), default=600, help="Seconds between trading and delivery.")
@click.option("--report", type=HOURS, default=24, help="How long a provider may report: 24h.")
@click.option("--dispute", type=HOURS, default=24, help="How long a holder may dispute.")
@click.option("--ruling", type=HOURS, default=72, help="How long an arbiter may rule.")
@click.option("--standards", type=ADDRESS, help="Who holds the role STANDARDS; by default you.")
@click.option("--auditor", type=ADDRESS, help="AUDITOR.")
@click.option("--arbiter", type=ADDRESS, help="ARBITER.")
@click.option("--guardian", type=ADDRESS, help="GUARDIAN.")
@click.option("--force", is_flag=True, help="Replace the manifest that is there.")
@in_session
def deploy_market(session: Session, /, token: str | None, force: bool, **said: Any) -> None:
    """Deploy a market, write its manifest, and seed the standard where the role for it is yours."""
    session.sends = True
    manifest = session.settings.manifest
    if manifest.exists() and not force:
        raise InputError(f"{manifest} names a market already.", "Name another with --manifest, or say --force.")
    periods = {f"{name}_period_s": said[name] * SECONDS_PER_HOUR for name in ("report", "dispute", "ruling")}
    terms = MarketTerms(round_s=said["round_s"], lead_s=said["lead_s"], **periods)
    roles = Roles(said["standards"], said["auditor"], said["arbiter"], said["guardian"])
    deployment = deploy(session.sender, session.signer, terms, roles, token, manifest)
    if roles.standards in (None, session.signer.address):
        market = Market(session.chain, deployment, session.sender)
        seed_standard(market, session.sender, session.signer, session.standard, session.areas.all())
    facts = {"chain": deployment.chain_id, "block": deployment.block, "manifest": str(manifest)}
    session.console.record("✓ A market", facts | dict(deployment.addresses))


@main.command(cls=Reading)
@in_session
def products(session: Session) -> None:
    """The products that anyone has traded, with the last price of each."""
    market = session.market
    opened, last = [], {}
    for event in market.history():
        if event.name == "BookOpened":
            opened.append(Product.from_id(event["product"]))
        elif event.name == "Cleared" and event["units"]:
            last[event["product"]] = event
    rows = []
    for product in opened:
        cleared = last.get(product.id)
        paid = market.price_micro(product, cleared["priceTick"]) if cleared else None
        shown = None if paid is None else format_reference_price(paid)
        rows.append((product.code, shown, cleared["units"] if cleared else 0))
    session.console.table(("product", "last price", "units"), rows, "Products")


@main.command(cls=Reading)
@click.argument("product", type=PRODUCT)
@click.option("--round", "round_", type=int, help="By default the last one that ended.")
@in_session
def price(session: Session, product: Product, round_: int | None) -> None:
    """What a round of PRODUCT cleared at."""
    market = session.market
    chosen = market.current_round() - 1 if round_ is None else round_
    found = market.price(product, chosen)
    facts: dict[str, Any] = {"product": product.code, "round": chosen, "cleared": found is not None}
    if found is not None:
        facts |= {"units": found.units, "tick": found.tick, "micro per unit-hour": found.price_micro}
        facts["price"] = format_reference_price(found.price_micro) if found.price_micro else "no trade"
    session.console.record(f"Round {chosen}", facts)


@main.command(cls=Reading)
@click.argument("product", type=PRODUCT)
@click.option("--round", "round_", type=int, help="By default the current one.")
@in_session
def depth(session: Session, product: Product, round_: int | None) -> None:
    """Units standing in a round of PRODUCT, best bids and asks first."""
    market = session.market
    chosen = market.current_round() if round_ is None else round_
    found, tick_size_micro = market.depth(product, chosen), market.tick_size_micro(product)
    rows = [
        (tick, _price(tick, tick_size_micro), found.bids.get(tick), found.asks.get(tick))
        for tick in sorted({*found.bids, *found.asks}, reverse=True)
    ]
    session.console.table(("tick", "price", "bids", "asks"), rows, f"Round {chosen} of {product.code}")


@main.command(cls=Reading)
@click.argument("product", type=PRODUCT)
@click.option("--round", "round_", type=int, help="Only this round.")
@click.option("--waiting", is_flag=True, help="Only those that are not settled.")
@click.option("--mine", is_flag=True, help="Only your own bids and asks.")
@in_session
def orders(session: Session, product: Product, round_: int | None, waiting: bool, mine: bool) -> None:
    """The orders of PRODUCT."""
    found = session.market.orders(product, round_, waiting)
    if mine:
        found = [one for one in found if one.kind is not Kind.OFFER and one.owner == session.owner]
    size_micro = session.market.tick_size_micro(product)
    rows = [
        (one.index, one.round, one.kind.name, one.tick, _price(one.tick, size_micro), one.units, _principal(one))
        for one in found
    ]
    session.console.table(("slot", "round", "kind", "tick", "price", "units", "whose"), rows, product.code)


def _price(tick: int, tick_size_micro: int) -> str:
    return format_reference_price(price_micro(tick, tick_size_micro))


def _principal(order: Order) -> str:
    return f"site {order.site}" if order.kind is Kind.OFFER else order.owner


@main.command(cls=Reading)
@click.argument("owner", type=ADDRESS, required=False)
@click.option("--product", "held", type=PRODUCT, multiple=True, help="Also the units held of it.")
@in_session
def balance(session: Session, owner: str | None, held: Sequence[Product]) -> None:
    """Free cash, money in the wallet, and units of OWNER (by default of your key)."""
    market, owner = session.market, owner or session.owner
    facts: dict[str, Any] = {"owner": owner}
    if session.as_json:
        facts |= {"cash_micro": market.cash_micro(owner), "wallet_micro": market.wallet_micro(owner)}
    else:
        facts |= {"free cash": format_usd(market.cash_micro(owner)), "wallet": format_usd(market.wallet_micro(owner))}
    facts |= {product.code: market.units(owner, product) for product in held}
    session.console.record("Balance", facts)


@main.command(cls=Listing)
@in_session
def sites(session: Session) -> None:
    """The registered sites, and what was attested there."""
    market = session.market
    found = [market.site(number + 1) for number in range(market.site_count())]
    rows = [
        (
            one.site,
            one.devices,
            one.device,
            class_name(one.class_id),
            session.areas.area(one.metro).name,
            one.attested_units,
            Grade(one.grade).name if one.grade else "",
            format_time(one.valid_until_s) if one.grade else "",
            one.provider,
        )
        for one in found
    ]
    header = ("site", "devices", "device", "class", "metro", "attested units", "grade", "valid until", "provider")
    session.console.table(header, rows, "Sites")


@main.command(cls=Reading)
@click.argument("number", type=int)
@in_session
def lease(session: Session, number: int) -> None:
    """A lease by its NUMBER."""
    found = session.market.lease(number)
    facts: dict[str, Any] = {"product": Product.from_id(found.product).code, "site": found.site, "holder": found.holder}
    if session.as_json:
        facts |= {"units": found.units, "bond_micro": found.bond_micro, "delivered_milli": found.delivered_milli}
    else:
        facts |= {"units": format_units(found.units), "bond": format_usd(found.bond_micro)}
        facts["delivered"] = format_milli_units(found.delivered_milli)
    session.console.record(f"Lease {number}", facts | {"state": found.state.name})


for _command in (
    agent,
    measure_machine,
    audit,
    keeper,
    queue,
    node,
    index,
    outbox,
    *COMMANDS,
    *DISPATCHING,
    *GOVERNING,
):
    main.add_command(_command)
for _command in OF_SITES:
    site.add_command(_command)
