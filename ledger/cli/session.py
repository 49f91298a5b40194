"""One run of the command line: what it was told, what every command takes, and how values are written there."""

import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import click
from eth_utils.address import is_address, to_checksum_address

from ledger.action import Action
from ledger.areas import Areas, load_areas
from ledger.artifacts import load_deployment
from ledger.chain import Chain, connect
from ledger.cli.console import REFUSED, Console
from ledger.delivery import Delivery
from ledger.errors import BadKey, InputError, LedgerError, UnreadableText
from ledger.keys import Signer, load_signer
from ledger.market import Market
from ledger.product import Grade, Product, Tier, class_id_of, grade_of, tier_of
from ledger.sending.fees import WEI_PER_GWEI, FeePolicy
from ledger.sending.sender import Sender
from ledger.settings import Secret, Settings
from ledger.standard import Standard, load_standard
from ledger.store.engine import Store, open_store
from ledger.units import (
    MILLI_PER_UNIT,
    parse_bp,
    parse_hour,
    parse_hours,
    parse_milli_units,
    parse_usd_micro,
    share_down,
)

T = TypeVar("T")


class Session:
    """One run of the command line: what it was told, and what it needs made at first use."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.as_json = self.preview = self.build = False
        self.acting_for: str | None = None
        self.idempotency_key: str | None = None
        self.sends = False
        """Whether the command sends: what it sends is kept in the database first."""

    @property
    def console(self) -> Console:
        return Console(self.as_json)

    @cached_property
    def standard(self) -> Standard:
        return load_standard(self.settings.data)

    @cached_property
    def areas(self) -> Areas:
        return load_areas()

    @cached_property
    def chain(self) -> Chain:
        named = self.settings
        return connect(named.rpc_url.reveal(), named.chain_id, named.rpc_timeout_s, named.head_lag_max_blocks)

    @cached_property
    def store(self) -> Store:
        return open_store(self.settings.database)

    @cached_property
    def sender(self) -> Sender:
        return Sender(
            self.chain,
            self.store if self.sends and not (self.preview or self.build) else None,
            fees=FeePolicy(cap_wei=self.settings.fee_cap_gwei * WEI_PER_GWEI),
            timeout_s=self.settings.receipt_timeout_s,
        )

    @cached_property
    def market(self) -> Market:
        market = Market(self.chain, load_deployment(self.settings.manifest), self.sender)
        market.check()
        return market

    @cached_property
    def delivery(self) -> Delivery:
        return Delivery(self.chain, self.market.deployment, self.sender)

    @cached_property
    def signer(self) -> Signer:
        settings = self.settings
        if settings.keystore and not settings.keystore.is_file():
            raise BadKey(str(settings.keystore), "there is no such file", "Name another, or make one: `key new`.")
        if settings.keystore and not settings.passphrase and not settings.passphrase_file and _is_a_person():
            passphrase = click.prompt(f"Passphrase of {settings.keystore}", hide_input=True, err=True)
            settings = replace(settings, passphrase=Secret(passphrase))
        return load_signer(settings)

    def close(self) -> None:
        """Gives up keys and database, where they were used."""
        if "sender" in self.__dict__:
            if self.sends:
                # What became of it by now is kept for whoever asks next.
                with suppress(LedgerError):
                    self.sender.advance()
            self.sender.close()
        if "store" in self.__dict__:
            self.store.close()

    @property
    def has_key(self) -> bool:
        """Whether the settings name a key."""
        return any((self.settings.keystore, self.settings.key_file, self.settings.mnemonic_file))

    @property
    def owner(self) -> str:
        """Whom it is about: who is named by --as, else the key's account."""
        return self.acting_for or self.signer.address

    def act(self, action: Action[T], facts_of: Callable[[T], Mapping[str, Any]] = lambda _: {}) -> None:
        """Previews, builds or sends, as the command was told; `facts_of` names what came of it."""
        if self.build:
            self.console.document(action.build(self.owner).json())
        elif self.preview:
            preview = action.preview(self.owner)
            self.console.preview(preview)
            if preview.refusal is not None:
                raise click.exceptions.Exit(REFUSED)
        else:
            outcome = action.send(self.signer, self.idempotency_key)
            self.console.outcome(action, outcome, facts_of(outcome.value))


def _is_a_person() -> bool:
    return sys.stdin.isatty()


# ---- how values are written


class Written(click.ParamType[Any]):
    """A value as people write it, read by one of the ledger's parsers."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ARG002
        return self._parse(value) if isinstance(value, str) else value


def _address(text: str) -> str:
    if not is_address(text):
        raise UnreadableText("an account", text, "it is no address", "0x5FbDB2315678afecb367f032d93F642f64180aa3")
    return str(to_checksum_address(text))


ADDRESS = Written("address", _address)
MONEY = Written("amount", parse_usd_micro)
PRODUCT = Written("product", Product.from_code)
HOUR = Written("time", parse_hour)
HOURS = Written("duration", parse_hours)
CLASS = Written("class", class_id_of)
TIER = Written("tier", tier_of)
GRADE = Written("grade", grade_of)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

in_session = click.pass_obj


# ---- what every command takes


def _noted(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def note(ctx: click.Context, _: click.Parameter, value: Any) -> Any:
        if value:
            setattr(ctx.ensure_object(Session), name, value)
        return value

    return note


class Reading(click.Command):
    """A command with --json."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if re.fullmatch(r"-[\d.]+", error.option_name):
                raise InputError(f"{error.option_name} is below zero.", "Name an amount above zero.") from None
            raise

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(_flag("--json", "as_json", "For machines: one JSON document."))


class Acting(Reading):
    """A command that may also only show, or hand to a wallet, what it would do."""

    def invoke(self, ctx: click.Context) -> Any:
        ctx.ensure_object(Session).sends = True
        return super().invoke(ctx)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += [
            _flag("--preview", "preview", "Show costs, and why it would be refused; send nothing."),
            _flag("--build", "build", "Print the unsigned transaction for a wallet; send nothing."),
            click.Option(
                ["--as", "acting_for"],
                type=ADDRESS,
                expose_value=False,
                callback=_noted("acting_for"),
                help="Whose preview or transaction, where no key is at hand.",
            ),
            click.Option(
                ["--idempotency-key", "idempotency_key"],
                expose_value=False,
                callback=_noted("idempotency_key"),
                help="A name of your own for this call: given again, nothing is sent twice.",
            ),
        ]


def _flag(name: str, noted: str, text: str) -> click.Option:
    # Eager: an error in what follows must be told in JSON already.
    note = _noted(noted)
    return click.Option([name, noted], is_flag=True, is_eager=True, expose_value=False, callback=note, help=text)


def ordering(command: Callable[..., None]) -> Callable[..., None]:
    """Options that say what is ordered: the command gets `product`, `units` and `limit` (a tick or a price)."""

    @click.option("--units", "amount", required=True, help="How much: '8xH100', '500 units', '8x H100 SXM, 24h'.")
    @click.option("--product", type=PRODUCT, help="Its code; or say it by the options that follow.")
    @click.option("--in", "place", help="A metro or a hub, by name or code; anywhere without it.")
    @click.option("--tier", type=TIER, help="metro, hub or wide; by default what --in is.")
    @click.option("--start", type=HOUR, help="When delivery begins: '2026-01-21 14:00' (UTC).")
    @click.option("--for", "duration", type=HOURS, help="How long, unless --units says: 24h, '3 days'.")
    @click.option("--grade", type=GRADE, default=Grade.STANDARD, help="basic, standard (default) or premium.")
    @click.option("--class", "class_id", type=CLASS, help="By default the one that the device is usually sold in.")
    @click.option("--price", help="The limit: '0.0025' per unit-hour, '2.10 USD/H100-hour'.")
    @click.option("--tick", type=int, help="The limit as a tick of the grid, 1 to 1023.")
    @click.pass_obj
    def wrapped(session: Session, /, amount: str, price: str | None, tick: int | None, **said: Any) -> None:
        if amount.replace(",", "").strip().isdigit():
            # A bare number can only be units.
            amount = f"{amount} units"
        product = said.pop("product") or _described(session, amount, said)
        wanted = session.standard.amount(amount, product.class_id, product.hours)
        if wanted.hours != product.hours:
            raise InputError(
                f"{amount!r} is for {wanted.hours} hours, the product for {product.hours}.", "Say the length once."
            )
        _require_one_limit(price, tick)
        limit: dict[str, int | None] = {"tick": tick}
        if price is not None:
            limit["price_micro"] = session.standard.price_micro(price, product.class_id, wanted.device)
        others = {name: value for name, value in said.items() if name not in _DESCRIBING}
        command(session, product, wanted.units, limit, **others)

    return _named_after(command, wrapped)


def _require_one_limit(price: str | None, tick: int | None) -> None:
    if (price is None) == (tick is None):
        what = "no limit" if price is None else "two limits"
        raise InputError(
            f"The command names {what}.",
            "Say --price '2.40 USD/H100-hour', or --tick; `compute-ledger products` shows last prices.",
        )


_DESCRIBING = ("place", "tier", "start", "duration", "grade", "class_id")


def _described(session: Session, amount: str, said: Mapping[str, Any]) -> Product:
    if said["start"] is None:
        raise InputError("The command does not say of what product.", "Give --product, or --start and where: --in.")
    area = session.areas.find(said["place"]) if said["place"] else None
    tier = said["tier"] or (Tier.WIDE if area is None else Tier.HUB if area.is_hub else Tier.METRO)
    if area is not None and tier is Tier.HUB:
        area = session.areas.hub_of(area)
    wanted = session.standard.amount(amount, said["class_id"], said["duration"] or 1)
    code = 0 if area is None or tier is Tier.WIDE else area.code
    return Product(wanted.class_id, tier, code, said["grade"], said["start"], said["duration"] or wanted.hours)


def delivering(command: Callable[..., None]) -> Callable[..., None]:
    """A lease and what was delivered of it: the command gets `lease` and `delivered_milli`."""

    @click.argument("lease", type=int)
    @click.option("--delivered", required=True, help="'99.5 %' of the lease, or '495.5 units'.")
    @click.pass_obj
    def wrapped(session: Session, /, lease: int, delivered: str, **others: Any) -> None:
        if delivered.rstrip().endswith(("%", "bp", "％")):
            full_milli = session.market.lease(lease).units * MILLI_PER_UNIT
            delivered_milli = share_down(full_milli, parse_bp(delivered))
        else:
            delivered_milli = parse_milli_units(delivered)
        command(session, lease, delivered_milli, **others)

    return _named_after(command, wrapped)


def _named_after(command: Callable[..., None], wrapped: Callable[..., None]) -> Callable[..., None]:
    wrapped.__name__, wrapped.__doc__ = command.__name__, command.__doc__
    return wrapped


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set: what runs is finished first."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {one: signal.signal(one, lambda *_: stop.set()) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
