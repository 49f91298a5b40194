"""What nearness costs: a product of a tighter tier is worth at least what a looser one is, since it may always be
sold as that (`relax`). Where prices say otherwise, somebody can buy the tight one, relax it, and sell the loose
one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ledger.areas import Areas
from ledger.errors import UnknownName
from ledger.model import Kind
from ledger.prices import cost_micro, format_reference_price
from ledger.product import Product, Tier
from ledger.store.board import Wanted, products
from ledger.store.engine import Store
from ledger.store.queries import head
from ledger.store.records import OrderRow
from ledger.store.standing import last_prices, owed_units, recent_orders
from ledger.units import format_units, format_usd
from ledger.view import View

PRODUCTS_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Relax:
    """Units of the tight product at a site, to be sold as the loose one: bought at `buy_micro`, sold at `sell_micro`
    per unit-hour, `profit_micro` in all, before gas. The prices are of orders that stand where there are some, else
    the last ones: the loose units are sold in a later round than the tight ones are bought."""

    site: int
    product: int
    tier: Tier
    units: int
    buy_micro: int
    sell_micro: int
    profit_micro: int

    @property
    def title(self) -> str:
        """What to do, in one sentence."""
        code = Product.from_id(self.product).code
        return (
            f"Relax {format_units(self.units)} of {code} at site {self.site} to {self.tier.name}: "
            f"{format_reference_price(self.buy_micro)} against {format_reference_price(self.sell_micro)}, "
            f"{format_usd(self.profit_micro)} in all."
        )


@dataclass(frozen=True, slots=True)
class TierPair:
    """Two products of one class, grade and window, the tight one's area within the loose one's, with what each last
    traded at (micro per unit-hour, None: never), the lowest that is asked and the highest that is bid now. `relaxes`
    says what closes the gap where it is there."""

    tight: Product
    loose: Product
    tight_micro: int | None
    loose_micro: int | None
    ask_micro: int | None
    bid_micro: int | None
    relaxes: tuple[Relax, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the tight one costs at least as much, by the last trades and by what stands."""
        return not (_below(self.tight_micro, self.loose_micro) or _below(self.ask_micro, self.bid_micro))


@dataclass(frozen=True, slots=True)
class TierReport:
    """All such pairs at a block, and whether METRO ≥ HUB ≥ WIDE holds in each."""

    block: int
    round: int
    pairs: tuple[TierPair, ...]

    @property
    def holds(self) -> bool:
        return all(pair.holds for pair in self.pairs)

    @property
    def relaxes(self) -> list[Relax]:
        """What closes the gaps, the most profitable first."""
        found = [one for pair in self.pairs for one in pair.relaxes]
        return sorted(found, key=lambda one: (-one.profit_micro, one.product, one.site))


def tier_report(history: Store, market: View, areas: Areas, class_id: int | None = None) -> TierReport:
    """The pairs of products that are not delivered yet, by their start. Raises Unavailable."""
    seen = head(history)
    now_s = market.chain.time_s()
    round_ = market.current_round(now_s)
    listed = [number for _, number in products(history, Wanted(class_id, open_after_s=now_s), limit=PRODUCTS_MAX)]
    books = _Books(
        last={number: row[2] for number, row in last_prices(history, listed).items()},
        orders=recent_orders(history, listed, round_),
        owed=owed_units(history, listed),
    )
    named = [Product.from_id(one) for one in listed]
    pairs = tuple(_pair(tight, loose, books) for tight, loose in nested(named, areas))
    return TierReport(0 if seen is None else seen.block, round_, pairs)


def nested(listed: Sequence[Product], areas: Areas) -> Iterator[tuple[Product, Product]]:
    """Each product with each looser one that it may be relaxed to, among those listed."""
    there = set(listed)
    for tight in listed:
        for loose in _looser(tight, areas):
            if loose in there:
                yield tight, loose


def _looser(product: Product, areas: Areas) -> Iterator[Product]:
    if product.tier is Tier.METRO:
        try:
            hub = areas.hub_of(areas.area(product.area)).code
        except UnknownName:
            # Anyone may bid for a product of an area that is not there.
            return
        yield product.relax(Tier.HUB, hub)
    if product.tier is not Tier.WIDE:
        yield product.relax(Tier.WIDE)


@dataclass(frozen=True, slots=True)
class _Books:
    last: Mapping[int, int | None]
    orders: Mapping[int, Sequence[OrderRow]]
    owed: Mapping[int, Mapping[int, int]]

    def side(self, product: Product, sells: bool) -> list[OrderRow]:
        """What stands on a side, the best first."""
        rows = [row for row in self.orders.get(product.id, ()) if row.kind.sells is sells and not row.settled]
        return sorted(rows, key=lambda row: (row.tick if sells else -row.tick, row.slot))


def _pair(tight: Product, loose: Product, books: _Books) -> TierPair:
    asks, bids = books.side(tight, sells=True), books.side(loose, sells=False)
    found = TierPair(
        tight,
        loose,
        books.last.get(tight.id),
        books.last.get(loose.id),
        asks[0].price_micro if asks else None,
        bids[0].price_micro if bids else None,
    )
    return found if found.holds else replace(found, relaxes=tuple(_relaxes(found, asks, bids, books)))


def _relaxes(pair: TierPair, asks: Sequence[OrderRow], bids: Sequence[OrderRow], books: _Books) -> Iterator[Relax]:
    """Sells what is cheapest to whoever pays most, for as long as that is more. Without bids the last price of the
    loose product counts, without asks that of the tight one, for what its sites owe."""
    wanted = [[row.price_micro, row.units] for row in bids]
    if not wanted and pair.loose_micro is not None:
        wanted = [[pair.loose_micro, 2**63]]
    for site, units, buy_micro in _cheap(pair, asks, books):
        left = units
        while left and wanted and wanted[0][0] > buy_micro:
            sell_micro, room = wanted[0]
            part = min(left, room)
            profit_micro = cost_micro(part, pair.tight.hours, sell_micro - buy_micro)
            yield Relax(site, pair.tight.id, pair.loose.tier, part, buy_micro, sell_micro, profit_micro)
            left -= part
            wanted[0][1] -= part
            if not wanted[0][1]:
                wanted.pop(0)


def _cheap(pair: TierPair, asks: Sequence[OrderRow], books: _Books) -> Iterator[tuple[int, int, int]]:
    """Site, units and price of what could be relaxed, the cheapest first."""
    room = dict(books.owed.get(pair.tight.id, {}))
    for row in asks:
        if row.kind is Kind.OFFER:
            yield row.site, row.units, row.price_micro
            continue
        left = row.units
        for site in sorted(room, key=lambda one: (-room[one], one)):
            part = min(left, room[site])
            if part:
                yield site, part, row.price_micro
            room[site] -= part
            left -= part
    if not asks and pair.tight_micro is not None:
        for site, units in sorted(room.items()):
            yield site, units, pair.tight_micro


def _below(tight_micro: int | None, loose_micro: int | None) -> bool:
    return tight_micro is not None and loose_micro is not None and tight_micro < loose_micro
