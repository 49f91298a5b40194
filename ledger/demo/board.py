"""What a market day came to, for people: tables that fit a terminal of 100 columns."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console as Terminal
from rich.table import Table
from rich.text import Text

from ledger.audit.books import Check
from ledger.demo.day import FATES, Day
from ledger.demo.stage import Trade
from ledger.model import Kind
from ledger.prices import REFERENCE_UNITS, price_micro
from ledger.product import Product, Tier, class_name
from ledger.units import HOURS_PER_DAY

SOURCES = "Providers' list prices, jobs of Microsoft's Philly cluster (NOTICE has the sources)."


def show_day(day: Day, terminal: Terminal) -> None:
    """Prints the day: clearings beside list prices, leases, who earned and spent what, and every check."""
    for shown in (_trades(day), _leases(day), _providers(day), _buyers(day), _checks(day)):
        terminal.print(shown)
        terminal.print()
    terminal.print(_sum(day))


def dollars(amount_micro: int, decimals: int = 2) -> str:
    """`2_104_000` as `"2.10"`, rounded to the nearest: for tables, never for sums."""
    scale = 10 ** (6 - decimals)
    whole, part = divmod((abs(amount_micro) + scale // 2) // scale, 10**decimals)
    sign = "-" if amount_micro < 0 else ""
    return f"{sign}{whole:,}.{part:0{decimals}d}"


def place_of(day: Day, product: Product) -> str:
    """Where a product is delivered, in a word."""
    return "anywhere" if product.tier is Tier.WIDE else day.plan.area_names[product.area]


def product_of(day: Day, product: Product) -> str:
    """A product in the words of this day: `AI_LARGE HUB US-East`."""
    return f"{class_name(product.class_id)} {product.tier.name} {place_of(day, product)}"


def window_of(product: Product) -> str:
    """When, within the day: `24 h`, or `09:00 1 h`."""
    if product.hours == HOURS_PER_DAY:
        return f"{product.hours} h"
    return f"{product.start_hour % HOURS_PER_DAY:02d}:00 {product.hours} h"


def _trades(day: Day) -> Table:
    table = _table("Clearings: one price for all who trade in a round", 2, "product", "window", "rd", "orders", "units")
    for name in ("USD/\nunit-hour", "USD/\nH100-hour", "listed:\nlowest", "\nmedian", "\nhighest"):
        table.add_column(name, justify="right", no_wrap=True)
    rounds = sorted({trade.round for trade in day.diary.trades})
    last: Product | None = None
    for trade in sorted(day.diary.trades, key=lambda one: (one.product, one.round)):
        product, new = trade.product, trade.product != last
        listed = day.plan.list_prices_micro(product)
        shown = (listed[0], listed[(len(listed) - 1) // 2], listed[-1])
        table.add_row(
            product_of(day, product) if new else "",
            window_of(product) if new else "",
            str(rounds.index(trade.round) + 1),
            str(len(trade.orders)),
            f"{trade.clearing.units:,}",
            *_price(trade),
            *(dollars(price * REFERENCE_UNITS) if new else "" for price in shown),
        )
        last = product
    return table


def _table(title: str, texts: int, *names: str) -> Table:
    """A table whose first `texts` columns hold words, the others numbers."""
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=0, show_edge=False)
    for place, name in enumerate(names):
        table.add_column(name, justify="left" if place < texts else "right", no_wrap=True)
    return table


def _price(trade: Trade) -> Sequence[str]:
    if trade.clearing.price_tick is None:
        return ("–", "–")
    price = price_micro(trade.clearing.price_tick, trade.tick_size_micro)
    return (dollars(price, 6), dollars(price * REFERENCE_UNITS))


# ---- leases


def _leases(day: Day) -> Table:
    title = "Leases: paid for what was delivered, refunded for what was not"
    table = _table(title, 4, "no.", "product", "provider", "what happened", "units", "paid\nUSD", "refund\nUSD")
    plain = [lease for lease in day.diary.leases if lease.story == FATES[-1].words]
    for lease in sorted((one for one in day.diary.leases if one not in plain), key=lambda one: one.lease):
        kept = day.replay.leases[lease.lease]
        table.add_row(
            str(lease.lease),
            product_of(day, lease.product),
            provider_of(day, lease.site),
            f"{lease.story} ({lease.end.reason.name.lower()})",
            f"{lease.units:,}",
            dollars(kept.to_provider_micro),
            dollars(kept.to_holder_micro),
        )
    paid = [day.replay.leases[lease.lease] for lease in plain]
    sums = (
        f"{sum(one.units for one in paid):,}",
        dollars(sum(one.to_provider_micro for one in paid)),
        dollars(sum(one.to_holder_micro for one in paid)),
    )
    table.add_row("", f"{len(plain)} other leases", "", f"{FATES[-1].words} (accepted)", *sums)
    expired = dollars(day.diary.expired_micro)
    table.add_row("", "never redeemed", "", "bond expired: take or pay", "", expired, dollars(0))
    return table


def provider_of(day: Day, site: int) -> str:
    """Whose a site is."""
    return day.names[day.replay.sites[site].provider]


# ---- people


@dataclass
class Turnover:
    """What someone did in a day: unit-hours and micro sold and bought, refunds paid or got, and what it came to."""

    sold: int = 0
    earned_micro: int = 0
    listed_micro: int = 0
    bought: int = 0
    spent_micro: int = 0
    refunds_micro: int = 0
    net_micro: int = 0


def turnovers(day: Day) -> dict[str, Turnover]:
    """By name. The net is what was withdrawn less what was deposited, by the events."""
    found = {name: Turnover() for name in day.people}
    for trade in day.diary.trades:
        if trade.clearing.price_tick is None:
            continue
        price = price_micro(trade.clearing.price_tick, trade.tick_size_micro)
        for order, fill in zip(trade.orders, trade.fills, strict=True):
            unit_hours = fill * trade.product.hours
            if order.kind is Kind.BID:
                one = found[day.names[order.owner]]
                one.bought += unit_hours
                one.spent_micro += unit_hours * price
                continue
            one = found[provider_of(day, order.site) if order.kind is Kind.OFFER else day.names[order.owner]]
            one.sold += unit_hours
            one.earned_micro += unit_hours * price
            if order.kind is Kind.OFFER:
                one.listed_micro += unit_hours * day.plan.sites[day.sites.index(order.site)].price_micro
    for lease in day.replay.leases.values():
        found[provider_of(day, lease.site)].refunds_micro -= lease.to_holder_micro
        found[day.names[lease.holder]].refunds_micro += lease.to_holder_micro
    for name, signer in day.people.items():
        found[name].net_micro = day.replay.withdrawn[signer.address] - day.replay.deposited[signer.address]
    return found


def _providers(day: Day) -> Table:
    table = _table(
        "Providers",
        1,
        "provider",
        "sites",
        "sold\nH100-hours",
        "for USD",
        "at list price\nUSD",
        "refunds\nUSD",
        "earned\nUSD",
    )
    for name, one in sorted(turnovers(day).items(), key=lambda item: -item[1].net_micro):
        if name in day.plan.providers:
            table.add_row(
                name,
                str(sum(site.provider == name for site in day.plan.sites)),
                hours_of(one.sold),
                dollars(one.earned_micro),
                dollars(one.listed_micro),
                dollars(one.refunds_micro),
                dollars(one.net_micro),
            )
    return table


def _buyers(day: Day) -> Table:
    table = _table(
        "Buyers",
        1,
        "buyer",
        "bids",
        "bought\nH100-hours",
        "for USD",
        "resold\nH100-hours",
        "for USD",
        "refunds\nUSD",
        "spent\nUSD",
    )
    for name, one in sorted(turnovers(day).items(), key=lambda item: item[1].net_micro):
        if name in day.plan.buyers:
            table.add_row(
                name,
                str(sum(bid.buyer == name for bid in day.plan.bids)),
                hours_of(one.bought),
                dollars(one.spent_micro),
                hours_of(one.sold),
                dollars(one.earned_micro),
                dollars(one.refunds_micro),
                dollars(-one.net_micro),
            )
    return table


def hours_of(unit_hours: int) -> str:
    """Unit-hours as hours of the reference accelerator, one decimal."""
    tenths = (unit_hours * 10 + REFERENCE_UNITS // 2) // REFERENCE_UNITS
    return f"{tenths // 10:,}.{tenths % 10}"


# ---- checks


def _checks(day: Day) -> Table:
    title = "Checked: the books folded from events alone, beside what the chain says"
    table = _table(title, 2, "", "invariant", *(f"reads compared,\n{when}" for when in day.diary.checks), "")
    for row in zip(*day.diary.checks.values(), strict=True):
        findings = [finding for check in row for finding in check.findings]
        verdict = Text("ok", style="green") if not findings else Text(f"{len(findings)} wrong", style="bold red")
        table.add_row(f"INV-{row[0].number}", row[0].sentence, *(_reads(check) for check in row), verdict)
        for finding in findings[:3]:
            table.add_row("", Text(str(finding), style="red", overflow="fold"))
    return table


def _reads(check: Check) -> str:
    return f"{check.compared:,}" if check.compared else "events only"


def _sum(day: Day) -> str:
    diary, replay = day.diary, day.replay
    orders = sum(len(trade.orders) for trade in diary.trades)
    units = sum(trade.clearing.units * trade.product.hours for trade in diary.trades)
    micro = sum(one.spent_micro for one in turnovers(day).values())
    return (
        f"{len(diary.trades)} clearings of {orders:,} orders ({diary.signed:,} of them signed and relayed) traded\n"
        f"{hours_of(units)} H100-hours for {dollars(micro)} USD; every fill is the independent rule's.\n"
        f"{replay.events:,} events in {replay.transactions:,} transactions, {diary.gas / 1e6:,.1f} million gas.\n"
        f"{SOURCES}"
    )


def day_record(day: Day) -> dict[str, Any]:
    """The day for machines: money in micro, capacity in units or unit-hours, prices in micro per unit-hour."""
    return {
        "trades": [_trade_record(day, trade) for trade in day.diary.trades],
        "leases": [
            {
                "lease": lease.lease,
                "product": lease.product.code,
                "site": lease.site,
                "provider": provider_of(day, lease.site),
                "holder": lease.holder,
                "units": lease.units,
                "story": lease.story,
                "reason": lease.end.reason.name,
                "delivered_milli": lease.end.delivered_milli,
                "to_provider_micro": day.replay.leases[lease.lease].to_provider_micro,
                "to_holder_micro": day.replay.leases[lease.lease].to_holder_micro,
            }
            for lease in sorted(day.diary.leases, key=lambda one: one.lease)
        ],
        "people": {name: asdict(one) for name, one in turnovers(day).items()},
        "expired_micro": day.diary.expired_micro,
        "checks": [
            {
                "when": when,
                "invariant": f"INV-{check.number}",
                "says": check.sentence,
                "compared": check.compared,
                "findings": [str(finding) for finding in check.findings],
            }
            for when, checks in day.diary.checks.items()
            for check in checks
        ],
    }


def _trade_record(day: Day, trade: Trade) -> dict[str, Any]:
    tick = trade.clearing.price_tick
    return {
        "product": trade.product.code,
        "name": f"{product_of(day, trade.product)}, {window_of(trade.product)}",
        "round": trade.round,
        "units": trade.clearing.units,
        "price_tick": tick,
        "price_micro": None if tick is None else price_micro(tick, trade.tick_size_micro),
        "list_prices_micro": day.plan.list_prices_micro(trade.product),
        "orders": [
            {
                "kind": order.kind.name,
                "price_micro": price_micro(order.tick, trade.tick_size_micro),
                "units": order.units,
                "traded_units": fill,
            }
            for order, fill in zip(trade.orders, trade.fills, strict=True)
        ],
    }


def accounts_table(day: Day) -> Table:
    """Everybody's account, with its place in the mnemonic and the money in its wallet."""
    table = _table("Accounts of the development mnemonic", 2, "who", "address", "account", "wallet, USD")
    for place, (name, signer) in enumerate(day.people.items()):
        table.add_row(name, signer.address, str(place), dollars(day.market.wallet_micro(signer.address)))
    return table
