"""What events do to the rows of the history: one method an event, with the event's values in the contract's order.

Written from what the interfaces promise (contracts/interfaces), and apart from the auditor's books on purpose: a
mistake in one must not be in the other. Nothing is checked here, and nothing is guessed: an event that speaks of a row
that is not there is an error.

Cash that orders move is in no event of its own: a bid takes its limit's cost at the book's tick size, settling gives
back what the clearing price leaves of it, and pays whoever resold.
"""

from collections.abc import Callable, Iterator

from ledger.artifacts import MarketTerms
from ledger.history.duties import Duties
from ledger.history.entries import Entries, Key, Row, Rows, end_s, start_s
from ledger.history.logs import Said
from ledger.model import Kind
from ledger.prices import cost_micro, price_micro

NOBODY = "0x" + "0" * 40
_CLEARING = (
    "price_tick",
    "price_micro",
    "bid_tick",
    "bid_filled",
    "bid_standing",
    "ask_tick",
    "ask_filled",
    "ask_standing",
)


class Trades:
    """Money, orders, rounds and units."""

    def __init__(self, entries: Entries) -> None:
        self._to = entries

    # ---- money

    def deposited(self, owner: str, amount_micro: int) -> None:
        self._to.pay(owner, amount_micro)["deposited_micro"] += amount_micro

    def withdrawn(self, owner: str, _to: str, amount_micro: int) -> None:
        self._to.pay(owner, -amount_micro)["withdrawn_micro"] += amount_micro

    def revoked(self, owner: str, epoch: int) -> None:
        self._to.pay(owner, 0)["epoch"] = epoch

    # ---- orders

    def book_opened(self, product: int, book: int) -> None:
        row = {
            "class_id": product >> 80,
            "start_s": start_s(product),
            "end_s": end_s(product),
            "first_round": book >> 208,
            "tick_size_micro": book >> 144 & 0xFFFF_FFFF,
            "min_units": book >> 112 & 0xFFFF_FFFF,
            "slots": 0,
            "escrow_micro": 0,
            "last_price_micro": None,
            "last_round": None,
            "traded_units": 0,
        }
        self._to.rows.add("books", (product,), row | self._to.at)

    def order_placed(self, product: int, owner: str, slot: int, order: int) -> None:
        # principal 160 | kind 2 | tick 10 | round 20 | prefix 32 | units 32, from high to low; kind 0 is a bid too.
        book = self._to.change("books", product)
        kind = (order >> 94 & 3) or Kind.BID.value
        tick, units = order >> 84 & 0x3FF, order & 0xFFFF_FFFF
        price = price_micro(tick, book["tick_size_micro"])
        escrow_micro = 0
        book["slots"] = max(book["slots"], slot + 1)
        if kind == Kind.BID:
            escrow_micro = cost_micro(units, product & 0xFFFF, price)
            book["escrow_micro"] += escrow_micro
            self._to.pay(owner, -escrow_micro)
        round_ = book["first_round"] + (order >> 64 & 0xF_FFFF)
        # Half of all events make such a row: it is made once, and not copied to add to it.
        self._to.placed = {
            "kind": int(kind),
            "owner": owner,
            "site": order >> 96 if kind == Kind.OFFER else 0,
            "tick": tick,
            "price_micro": price,
            "units": units,
            "prefix": order >> 32 & 0xFFFF_FFFF,
            "escrow_micro": escrow_micro,
            "filled": 0,
            "settled": False,
            "placed_s": self._to.time_s,
            "transaction": self._to.transaction,
            "placed_block": self._to.at["block"],
            "placed_log": self._to.at["log_index"],
            **self._to.at,
        }
        self._to.rows.add("orders", (product, round_, slot), self._to.placed)

    def cleared(  # noqa: PLR0913, PLR0917 - the event has as many values
        self,
        product: int,
        round_: int,
        price_tick: int,
        units: int,
        bid_tick: int,
        bid_filled: int,
        bid_standing: int,
        ask_tick: int,
        ask_filled: int,
        ask_standing: int,
    ) -> None:
        row = dict.fromkeys(_CLEARING) | {"units": units, "time_s": self._to.time_s}
        if units:
            book = self._to.change("books", product)
            price = price_micro(price_tick, book["tick_size_micro"])
            book |= {"last_price_micro": price, "last_round": round_, "traded_units": book["traded_units"] + units}
            values = (price_tick, price, bid_tick, bid_filled, bid_standing, ask_tick, ask_filled, ask_standing)
            row |= zip(_CLEARING, values, strict=True)
        self._to.rows.add("clearings", (product, round_), row | self._to.at)

    def settled(self, product: int, round_: int, fills: tuple[int, ...]) -> None:
        book = self._to.change("books", product)
        cleared = self._to.rows.get("clearings", (product, round_))
        price = cleared["price_micro"] if cleared else None
        hours = product & 0xFFFF
        for word in fills:
            if not word:
                continue
            slot, units = word >> 32 & 0xFFFF_FFFF, word & 0xFFFF_FFFF
            order = self._to.change("orders", product, round_, slot)
            order["settled"], order["filled"] = True, units
            cost = cost_micro(units, hours, price) if units and price is not None else 0
            paid_micro = cost
            if order["kind"] == Kind.BID:
                paid_micro = order["escrow_micro"] - cost
                book["escrow_micro"] -= order["escrow_micro"]
            elif order["kind"] == Kind.OFFER:
                # What stands behind the sold units is bond from now on; the rest is told by OfferSettled.
                owed = self._to.owed(product, order["site"])
                owed["margin_micro"] -= units * (order["escrow_micro"] // order["units"])
            if order["kind"] != Kind.OFFER and paid_micro:
                self._to.pay(order["owner"], paid_micro)
            if units:
                self._fill(product, round_, slot, order, (units, price or 0, cost))

    def _fill(self, product: int, round_: int, slot: int, order: Row, traded: tuple[int, int, int]) -> None:
        units, price, cost = traded
        row = {
            "kind": order["kind"],
            "owner": order["owner"],
            "site": order["site"],
            "units": units,
            "price_micro": price,
            "cost_micro": cost,
            "time_s": self._to.time_s,
            **self._to.at,
        }
        self._to.rows.add("fills", (product, round_, slot), row)

    def held(self, product: int, owner: str, units: int) -> None:
        self._to.balance(owner, product)["held_units"] += units

    def collected(self, product: int, owner: str, _to: str, units: int) -> None:
        self._to.balance(owner, product)["held_units"] -= units

    def orders_paused(self, paused: bool) -> None:
        self._to.set("pauses", ("orders",), {"paused": paused})

    # ---- units

    def moved(self, _operator: str, source: str, to: str, product: int, units: int) -> None:
        if source != NOBODY:
            self._to.balance(source, product)["units"] -= units
        if to != NOBODY:
            self._to.balance(to, product)["units"] += units

    def moved_many(
        self, operator: str, source: str, to: str, products: tuple[int, ...], units: tuple[int, ...]
    ) -> None:
        for product, moved in zip(products, units, strict=True):
            self.moved(operator, source, to, product, moved)


def needed(said: Said) -> Iterator[tuple[str, Key]]:
    """The rows that most events are about, to be read beforehand: table and key. What is left out is read when it is
    needed."""
    values = said.values
    match said.name:
        case "OrderPlaced":
            yield "cash", (values[1],)
        case "Deposited" | "Withdrawn" | "BondPosted" | "BondReleased":
            yield "cash", (values[0],)
        case "TransferSingle":
            yield "balances", (values[1], values[3])
            yield "balances", (values[2], values[3])
        case "Settled":
            yield "clearings", (values[0], values[1])
            for word in values[2]:
                yield "orders", (values[0], values[1], word >> 32 & 0xFFFF_FFFF)
        case _:
            pass


class Fold:
    """Applies events to rows. Raises HistoryBroken for an event that speaks of what is not there."""

    def __init__(self, rows: Rows, terms: MarketTerms) -> None:
        self._to = Entries(rows, terms)
        self.rules = _rules(Trades(self._to), Duties(self._to))
        """What is done with each event; those that are not named change no row."""

    def apply(self, said: Said, time_s: int) -> None:
        """What one event does, in a block of that time."""
        rule = self.rules.get(said.name)
        if rule is not None:
            to = self._to
            to.at = {"block": said.block, "log_index": said.log_index}
            to.time_s, to.transaction = time_s, said.transaction
            rule(*said.values)


def _rules(trades: Trades, duties: Duties) -> dict[str, Callable[..., None]]:
    return {
        "Deposited": trades.deposited,
        "Withdrawn": trades.withdrawn,
        "Revoked": trades.revoked,
        "BookOpened": trades.book_opened,
        "OrderPlaced": trades.order_placed,
        "Cleared": trades.cleared,
        "Settled": trades.settled,
        "Held": trades.held,
        "Collected": trades.collected,
        "OrdersPauseSet": trades.orders_paused,
        "TransferSingle": trades.moved,
        "TransferBatch": trades.moved_many,
        "SiteRegistered": duties.site_registered,
        "Attested": duties.attested,
        "RecordUpdated": duties.record_updated,
        "IssuePauseSet": duties.issue_paused,
        "Obliged": duties.obliged,
        "Discharged": duties.discharged,
        "Expired": duties.expired,
        "MarginEscrowed": duties.margin_escrowed,
        "OfferSettled": duties.offer_settled,
        "BondPosted": duties.bond_posted,
        "BondReleased": duties.bond_released,
        "Redeemed": duties.redeemed,
        "Reported": duties.reported,
        "Aborted": duties.aborted,
        "Disputed": duties.disputed,
        "Ruled": duties.ruled,
        "DepositReturned": duties.deposit_returned,
        "Resolved": duties.resolved,
        "ClassSet": duties.class_set,
        "Rated": duties.rated,
        "AreaSet": duties.area_set,
    }
