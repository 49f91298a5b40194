"""A market's books, kept a second time: folded from the events of its contracts and from nothing else.

Each event is applied by the rules that the interfaces state; what it says beside what it must say is a finding, under
the number that the rule has in tests/INVARIANTS.md, and the replay goes on. `checks` holds the result against the
chain's own state. Nothing here is shared with the index.

Cash that orders move is in no event of its own. A bid takes its limit's cost; settling gives back what the clearing
price leaves of it, pays sellers that price, and puts what offers brought behind the site's obligation.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter

from ledger.auction import NO_TRADE, clearing_of, filled_units
from ledger.audit.acts import Act, Consent, Placed
from ledger.audit.books import RoundBook, Slot, Unseen, keyed
from ledger.audit.decode import BadEvent, Decoder, Entry, address_of
from ledger.audit.duties import Duties, product_of
from ledger.errors import LedgerError
from ledger.model import Clearing, Kind, Margin, Order
from ledger.prices import cost_micro, price_micro
from ledger.product import Product

NOBODY = "0x" + "0" * 40


class Replay(Duties):
    """The books after the logs that `run` was given: `decoder` reads them, `consent` says whose acts they were,
    `addresses` are the market's contracts' by name."""

    def __init__(
        self, decoder: Decoder, consent: Consent, addresses: Mapping[str, str], derating_floor_bp: int, round_s: int
    ) -> None:
        super().__init__(derating_floor_bp)
        self._decoder, self._consent = decoder, consent
        self.treasury, self.exchange, self.delivery = (addresses[one] for one in ("Treasury", "Exchange", "Delivery"))
        self.round_s = round_s
        self.gifts_micro = 0
        self.approved: set[tuple[str, str]] = set()
        self._inflow_micro = self._outflow_micro = 0
        self._placed: list[Placed] = []
        self._skipped: set[int] = set()
        self.by_code: list[Unseen] = []
        """Of what `run` was last given: acts that only their owner's code can have done."""

    @property
    def unseen(self) -> int:
        """Acts whose owner's consent could not be seen."""
        return self._consent.unseen.total()

    def run(
        self, entries: Iterable[Entry], acts: Callable[[str], Act | None] = lambda _: None, time_s: int = 0
    ) -> "Replay":
        """Applies logs in their order, a transaction at a time; `acts` says what is known of a transaction. `time_s` is
        their block's time, 0 where it is not known."""
        self.time_s = time_s
        self.by_code.clear()
        for transaction, group in groupby(entries, key=attrgetter("transaction")):
            self.transactions += 1
            for entry in group:
                self.block, self.transaction, self.log = entry.block, transaction, entry.log
                self.apply(entry)
            self.log = None
            self._close(acts(transaction))
        return self

    def apply(self, entry: Entry) -> None:
        """One log. What makes no sense is a finding."""
        self.events += 1
        try:
            said = self._decoder.read(entry)
            rule = _RULES.get(said.event)
            if rule is not None:
                rule(self, *said.values)
        except (BadEvent, LedgerError, LookupError, ArithmeticError, ValueError) as error:
            problem = error.problem if isinstance(error, LedgerError) else f"{type(error).__name__}: {error}"
            self.fault("EVENT", f"a log of {entry.address}", "an event that makes sense", problem)

    def _close(self, act: Act | None) -> None:
        """Holds what the transaction touched against the rules that hold between any two."""
        self._close_money()
        for product in self.products_now:
            owed_units, supply = self.outstanding[product] + self.expired[product], self.supply[product]
            if owed_units != supply:
                self.fault("INV-2", f"product {product:#x}", owed_units, supply)
            if self.in_escrow[product] != self.units[product, self.exchange]:
                self.fault(
                    "INV-11", f"product {product:#x}", self.in_escrow[product], self.units[product, self.exchange]
                )
        self.close_bonds()
        for (owner, product), units in self.moved_now.items():
            if units:
                self.fault("INV-13", f"units of {owner} of {product:#x}", "moved by their owner's act", units)
        for rule, where, expected, actual in self._consent.faults(self, act, self._placed, self._skipped):
            self.fault(rule, where, expected, actual)
        self.by_code += (Unseen(rule, owner, self.transaction) for rule, owner in sorted(self._consent.by_code))
        for pile in (self.products_now, self._placed, self._skipped, self.moved_now, self.fell_now):
            pile.clear()

    def _close_money(self) -> None:
        for owner in sorted(self.fell_now):
            if self.cash[owner] < 0:
                self.fault("INV-1", f"cash of {owner}", ">= 0", self.cash[owner])
        if self._outflow_micro:
            self.fault("INV-1", "tokens sent less withdrawals", 0, self._outflow_micro)
        # What came beside deposits is a gift, and nobody's; less cannot come.
        if self._inflow_micro < 0:
            self.fault("INV-1", "tokens received less deposits", ">= 0", self._inflow_micro)
        self.gifts_micro += self._inflow_micro
        if self.owed_now_micro + self.gifts_micro != self.token_micro:
            self.fault("INV-1", "the treasury's debts", self.owed_now_micro + self.gifts_micro, self.token_micro)
            self.gifts_micro = self.token_micro - self.owed_now_micro
        self._inflow_micro = self._outflow_micro = 0

    # ---- money

    def deposit(self, owner: str, amount: int) -> None:
        self.pay(owner, amount, "deposit")
        self.deposited[owner] += amount
        self._inflow_micro -= amount

    def withdraw(self, owner: str, _to: str, amount: int) -> None:
        self.pay(owner, -amount, "withdrawal")
        self.withdrawn[owner] += amount
        self._outflow_micro -= amount

    def move_token(self, from_: str, to: str, amount: int) -> None:
        if to == self.treasury:
            self.token_micro += amount
            self._inflow_micro += amount
        if from_ == self.treasury:
            self.token_micro -= amount
            self._outflow_micro += amount

    def revoke(self, owner: str, epoch: int) -> None:
        self.epochs[owner] += 1
        self.expect("INV-12", f"epoch of {owner}", self.epochs[owner], epoch)

    # ---- orders

    def open_book(self, product: int, book: int) -> None:
        # Book: firstRound 40 | orders 32 | tickSize 32 | minUnits 32 | escrow 112.
        if product in self.first_rounds:
            self.fault("INV-5", f"book of {product:#x}", "opened once", "opened again")
        self.first_rounds[product] = book >> 208
        self.tick_sizes_micro[product] = book >> 144 & 0xFFFF_FFFF
        self.least_units[product] = book >> 112 & 0xFFFF_FFFF

    def place(self, product_id: int, owner: str, index: int, word: int) -> None:
        product, round_ = product_of(product_id), self.first_rounds[product_id] + (word >> 64 & 0xFFFFF)
        if self.time_s and round_ != self.time_s // self.round_s:
            self.fault("EVENT", f"round of slot {index} of {product.code}", self.time_s // self.round_s, round_)
        kind, tick, units, prefix = (
            Kind(word >> 94 & 3 or 1),
            word >> 84 & 0x3FF,
            word & 0xFFFF_FFFF,
            word >> 32 & 0xFFFF_FFFF,
        )
        site = word >> 96 if kind is Kind.OFFER else 0
        principal = self.sites[site].provider if site else address_of((word >> 96).to_bytes(20))
        if principal != owner:
            self.fault("INV-17", f"slot {index} of {product.code}", f"an order of {owner}", f"one of {principal}")
        order = Order(kind, tick, units, prefix, owner, site, product_id, round_, index)
        self._take_slot(product, index, word)
        book = self.rounds.setdefault(keyed(product_id, round_), RoundBook())
        at = kind is not Kind.BID, tick
        stood = book.standing.get(at, 0)
        if stood != prefix:
            self.fault("INV-5", f"prefix of slot {index} of {product.code}", stood, prefix)
        book.standing[at] = stood + units
        book.placed += 1
        self.last_placed = self.waiting[keyed(product_id, index)] = Slot(order)
        self._placed.append(Placed(owner, kind, site, product_id, tick, units, round_))
        if kind is Kind.BID:
            limit_micro = self._cost_micro(product, tick, units)
            self.pay(owner, -limit_micro, "bid")
            self.move_escrow(product_id, limit_micro)
            book.pot_micro += limit_micro
        else:
            self.in_escrow[product_id] += units
            self.products_now.add(product_id)
            if kind is Kind.ASK:
                self.moved_now[owner, product_id] -= units

    def _take_slot(self, product: Product, index: int, word: int) -> None:
        key, count = keyed(product.id, index), self.slot_counts[product.id]
        if key in self.waiting or index > count:
            wrong = "a slot whose order waits" if index < count else f"slot {index} of {count}"
            self.fault("INV-10", f"slot {index} of {product.code}", "a settled order's slot, or the next", wrong)
        self.slot_counts[product.id] = max(count, index + 1)
        self.settled_words[keyed(product.id, index >> 8)] &= ~(1 << (index & 255))
        self.words[key] = word

    def skip(self, _product_id: int, _owner: str, position: int, _reason: bytes) -> None:
        self._skipped.add(position)

    def clear(self, product: int, round_: int, *said: int) -> None:
        key, clearing = keyed(product, round_), _clearing(*said)
        where = f"round {round_} of {product:#x}"
        if key in self.clearings:
            self.fault("INV-6", where, "cleared once", "cleared again")
        book = self.rounds[key]
        self.clearings[key] = book.clearing = clearing
        sides = [Order(Kind.ASK if sells else Kind.BID, tick, units) for (sells, tick), units in book.standing.items()]
        self.expect("INV-6", where, clearing_of(sides), clearing)

    def settle(self, product_id: int, round_: int, fills: Sequence[int]) -> None:
        product, key = product_of(product_id), keyed(product_id, round_)
        book = self.rounds[key]
        for word in fills:
            if word:
                self._settle_one(product, book, Kind(word >> 64), word >> 32 & 0xFFFF_FFFF, word & 0xFFFF_FFFF)
        self.products_now.add(product_id)
        if book.settled == book.placed:
            name = f"round {round_} of {product.code}"
            volume = book.clearing.units if book.clearing else 0
            self.expect("INV-5", f"units of {name}", (volume, volume), (book.bought_units, book.sold_units))
            self.expect("INV-5", f"money left of {name}", 0, book.pot_micro)
            del self.rounds[key]

    def _settle_one(self, product: Product, book: RoundBook, kind: Kind, index: int, fill: int) -> None:
        slot, clearing = self.waiting.pop(keyed(product.id, index), None), book.clearing or NO_TRADE
        if slot is None:
            self.fault("INV-10", f"slot {index} of {product.code}", "a waiting order", "a settled order, or none")
            return
        order, right = slot.order, filled_units(slot.order, clearing)
        if (order.kind, right) != (kind, fill):
            self.fault("INV-5", f"fill of slot {index} of {product.code}", (order.kind.name, right), (kind.name, fill))
        self.settled_words[keyed(product.id, index >> 8)] |= 1 << (index & 255)
        book.settled += 1
        price_tick = clearing.price_tick or 0
        if fill and (order.tick > price_tick if kind is not Kind.BID else order.tick < price_tick):
            self.fault("INV-7", f"slot {index} of {product.code}", f"within tick {order.tick}", f"tick {price_tick}")
        at_price_micro = self._cost_micro(product, price_tick, fill) if fill else 0
        self._pay_out(product, book, slot, fill, at_price_micro)

    def _pay_out(self, product: Product, book: RoundBook, slot: Slot, fill: int, at_price_micro: int) -> None:
        order, paid_micro = slot.order, at_price_micro
        if order.kind is Kind.BID:
            paid_micro = self._cost_micro(product, order.tick, order.units) - at_price_micro
            book.bought_units += fill
            self.in_escrow[product.id] -= fill
        else:
            book.sold_units += fill
            self.in_escrow[product.id] -= order.units - fill
        if order.kind is Kind.OFFER:
            used_micro = fill * (slot.margin_micro // order.units)
            offer = (fill, slot.margin_micro - used_micro, used_micro, paid_micro)
            self.open_offers.setdefault((product.id, order.site), []).append(offer)
        else:
            self.pay(order.owner, paid_micro, "returned of a bid" if order.kind is Kind.BID else "sale")
        self.move_escrow(product.id, -paid_micro)
        book.pot_micro -= paid_micro

    def hold(self, product: int, owner: str, units: int) -> None:
        self._hold(product, owner, units)

    def collect(self, product: int, owner: str, _to: str, units: int) -> None:
        self._hold(product, owner, -units)

    def _hold(self, product: int, owner: str, units: int) -> None:
        self.in_escrow[product] += units
        self.held[product, owner] += units
        self.products_now.add(product)

    def _cost_micro(self, product: Product, tick: int, units: int) -> int:
        return cost_micro(units, product.hours, price_micro(tick, self.tick_sizes_micro[product.id]))

    # ---- units

    def transfer(self, operator: str, from_: str, to: str, product: int, units: int) -> None:
        self.transfer_many(operator, from_, to, (product,), (units,))

    def transfer_many(self, operator: str, from_: str, to: str, products: Sequence[int], units: Sequence[int]) -> None:
        for product, moved in zip(products, units, strict=True):
            if from_ == NOBODY:
                self.supply[product] += moved
            else:
                self.give(product, from_, -moved, "units out")
                self._ask_owner(operator, from_, product, moved)
            if to == NOBODY:
                self.supply[product] -= moved
            else:
                self.give(product, to, moved, "units in")
            self.products_now.add(product)

    def _ask_owner(self, operator: str, from_: str, product: int, units: int) -> None:
        """Units leave by their owner's hand, one the owner approved, or in an ask or a lease of the owner's."""
        if operator == from_ or (from_, operator) in self.approved:
            return
        if operator in (self.exchange, self.delivery):
            self.moved_now[from_, product] += units
        else:
            self.fault("INV-13", f"units of {from_}", "moved by their owner's act", f"moved by {operator}")

    def approve(self, owner: str, operator: str, approved: int) -> None:
        (self.approved.add if approved else self.approved.discard)((owner, operator))


def _clearing(price_tick: int, units: int, *margins: int) -> Clearing:
    if not units:
        return NO_TRADE
    return Clearing(units, price_tick, Margin(*margins[:3]), Margin(*margins[3:]))


_RULES: dict[str, Callable[..., None]] = {
    "Deposited": Replay.deposit,
    "Withdrawn": Replay.withdraw,
    "Transfer": Replay.move_token,
    "Revoked": Replay.revoke,
    "BookOpened": Replay.open_book,
    "OrderPlaced": Replay.place,
    "OrderSkipped": Replay.skip,
    "Cleared": Replay.clear,
    "Settled": Replay.settle,
    "Held": Replay.hold,
    "Collected": Replay.collect,
    "TransferSingle": Replay.transfer,
    "TransferBatch": Replay.transfer_many,
    "ApprovalForAll": Replay.approve,
    "SiteRegistered": Replay.register,
    "Attested": Replay.attest,
    "Committed": Replay.commit,
    "Released": Replay.release,
    "MarginEscrowed": Replay.escrow_margin,
    "OfferSettled": Replay.settle_offer,
    "Obliged": Replay.oblige,
    "Discharged": Replay.discharge,
    "BondPosted": Replay.post_bond,
    "BondReleased": Replay.release_bond,
    "Expired": Replay.expire,
    "Redeemed": Replay.redeem,
    "Reported": Replay.report,
    "Aborted": Replay.abort,
    "Disputed": Replay.dispute,
    "DepositReturned": Replay.return_deposit,
    "Resolved": Replay.resolve,
    "RecordUpdated": Replay.record,
}
"""What each event does to the books; others change nothing that is in them."""
