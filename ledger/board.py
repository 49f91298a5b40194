"""What a market day came to, for people: tables that fit a terminal of 100 columns."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console as Terminal
from rich.table import Table

from ledger.day import Day, Trade
from ledger.prices import REFERENCE_UNITS, price_micro
from ledger.product import Product, Tier, class_name
from ledger.units import HOURS_PER_DAY


def show_day(day: Day, terminal: Terminal) -> None:
    """Prints the day: what traded at which price beside the list prices."""
    terminal.print(_trades(day))


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
    rounds = sorted({trade.round for trade in day.books.trades})
    last: Product | None = None
    for trade in sorted(day.books.trades, key=lambda one: (one.product, one.round)):
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
