"""A market's books, kept a second time: folded from the events of its contracts and from nothing else.

Each event is applied by the rules that the interfaces state; what it says beside what it must say is a finding, under
the number that the rule has in tests/INVARIANTS.md. `checks` holds the result against the chain's own state.

Cash that orders move is in no event of its own. A bid takes its limit's cost; settling gives back what the clearing
price leaves of it, pays sellers that price, and puts what offers brought behind the site's obligation.
"""

from collections.abc import Callable, Iterable
from itertools import groupby

from ledger.abi import Event
from ledger.auction import NO_TRADE, clearing_of, filled_units
from ledger.audit.books import Books, LeaseBook, Place, RoundBook, SiteBook, Slot
from ledger.model import Clearing, Kind, Margin
from ledger.prices import cost_micro, price_micro
from ledger.product import Product
from ledger.view import read_order

NOBODY = "0x" + "0" * 40


class Replay(Books):
    """The books after the events that `run` was given."""

    def run(self, events: Iterable[Event]) -> "Replay":
        """Applies events in their order, a transaction at a time."""
        for _, group in groupby(events, key=lambda event: event.transaction):
            self.transactions += 1
            for event in group:
                self.events += 1
                apply = _RULES.get(event.name)
                if apply is not None:
                    apply(self, event)
            self.close_transaction()
        return self

    # ---- money

    def deposit(self, event: Event) -> None:
        self.cash[event["owner"]] += event["amount"]
        self.deposited[event["owner"]] += event["amount"]

    def withdraw(self, event: Event) -> None:
        self.cash[event["owner"]] -= event["amount"]
        self.withdrawn[event["owner"]] += event["amount"]

    def move_token(self, event: Event) -> None:
        self.token_micro += event["value"] * ((event["to"] == self.treasury) - (event["from"] == self.treasury))

    def revoke(self, event: Event) -> None:
        self.epochs[event["owner"]] += 1
        self.expect(12, f"epoch of {event['owner']}", self.epochs[event["owner"]], event["epoch"])

    # ---- orders

    def open_book(self, event: Event) -> None:
        # Book: firstRound 40 | orders 32 | tickSize 32 | minUnits 32 | escrow 112.
        self.first_rounds[event["product"]] = event["book"] >> 208
        self.tick_sizes_micro[event["product"]] = event["book"] >> 144 & 0xFFFF_FFFF

    def place(self, event: Event) -> None:
        product_id, index = event["product"], event["index"]
        product = Product.from_id(product_id)
        order = read_order(event["order"], product, self.first_rounds[product_id], index)
        before = self.slots.get((product_id, index))
        if before is not None:
            self.expect(10, f"slot {index} of {product.code}", "a settled order", _settled(before))
        book = self.rounds[product_id, order.round]
        same = [one for one in book.orders if (one.kind.sells, one.tick) == (order.kind.sells, order.tick)]
        self.expect(5, f"prefix of slot {index} of {product.code}", sum(one.units for one in same), order.prefix)
        book.orders.append(order)
        self.last_placed = self.slots[product_id, index] = Slot(order)
        if order.kind is Kind.BID:
            limit_micro = self._cost_micro(product, order.tick, order.units)
            self.cash[order.owner] -= limit_micro
            self.escrow[product_id] += limit_micro
            book.pot_micro += limit_micro
        else:
            self.in_escrow[product_id] += order.units
            self.products_now.add(product_id)

    def clear(self, event: Event) -> None:
        product_id, round_ = event["product"], event["round"]
        book = self.rounds[product_id, round_]
        book.clearing = _clearing(event)
        self.expect(6, f"round {round_} of {product_id:#x}", clearing_of(book.orders), book.clearing)

    def settle(self, event: Event) -> None:
        product = Product.from_id(event["product"])
        book = self.rounds[product.id, event["round"]]
        for word in filter(None, event["fills"]):
            self._settle_one(product, book, word >> 32 & 0xFFFF_FFFF, word & 0xFFFF_FFFF)
        self.products_now.add(product.id)
        if book.settled == len(book.orders):
            name = f"round {event['round']} of {product.code}"
            volume = book.clearing.units if book.clearing else 0
            self.expect(5, f"units of {name}", (volume, volume), (book.bought_units, book.sold_units))
            self.expect(5, f"money left of {name}", 0, book.pot_micro)

    def _settle_one(self, product: Product, book: RoundBook, index: int, fill: int) -> None:
        slot, clearing = self.slots[product.id, index], book.clearing or NO_TRADE
        order, name = slot.order, f"slot {index} of {product.code}"
        self.expect(10, name, "a waiting order", "a settled order" if slot.settled else "a waiting order")
        self.expect(5, name, filled_units(order, clearing), fill)
        slot.settled = True
        book.settled += 1
        price_tick = clearing.price_tick or 0
        if fill:
            fair = order.tick <= price_tick if order.kind.sells else order.tick >= price_tick
            self.expect(7, name, "a price within its limit", "a price within its limit" if fair else price_tick)
        at_price_micro = self._cost_micro(product, price_tick, fill) if fill else 0
        paid_micro = at_price_micro
        if order.kind is Kind.BID:
            paid_micro = self._cost_micro(product, order.tick, order.units) - at_price_micro
            book.bought_units += fill
            self.in_escrow[product.id] -= fill
        else:
            book.sold_units += fill
            self.in_escrow[product.id] -= order.units - fill
        if order.kind is Kind.OFFER:
            margin_micro = slot.margin_micro // order.units
            used_micro = fill * margin_micro
            offer = (fill, slot.margin_micro - used_micro, used_micro, paid_micro)
            self.open_offers[product.id, order.site].append(offer)
        else:
            self.cash[order.owner] += paid_micro
        self.escrow[product.id] -= paid_micro
        book.pot_micro -= paid_micro

    def hold(self, event: Event) -> None:
        self.in_escrow[event["product"]] += event["units"]
        self.held[event["product"], event["owner"]] += event["units"]
        self.products_now.add(event["product"])

    def collect(self, event: Event) -> None:
        self.in_escrow[event["product"]] -= event["units"]
        self.held[event["product"], event["owner"]] -= event["units"]
        self.products_now.add(event["product"])

    def _cost_micro(self, product: Product, tick: int, units: int) -> int:
        return cost_micro(units, product.hours, price_micro(tick, self.tick_sizes_micro[product.id]))

    # ---- units

    def transfer(self, event: Event) -> None:
        self._move(event, event["id"], event["value"])

    def transfer_many(self, event: Event) -> None:
        for token_id, value in zip(event["ids"], event["values"], strict=True):
            self._move(event, token_id, value)

    def _move(self, event: Event, product: int, units: int) -> None:
        for owner, moved in ((event["from"], -units), (event["to"], units)):
            if owner == NOBODY:
                self.supply[product] -= moved
            else:
                self.units[product, owner] += moved
                if self.units[product, owner] < 0:
                    self.expect(16, f"units of {owner}", ">= 0", self.units[product, owner])
        self.products_now.add(product)

    # ---- sites and their calendars

    def register(self, event: Event) -> None:
        self.sites[event["site"]] = SiteBook(event["provider"])

    def attest(self, event: Event) -> None:
        self.sites[event["site"]].attested_units = event["units"]

    def commit(self, event: Event) -> None:
        product, site = Product.from_id(event["product"]), event["site"]
        cap_units = self.sites[site].cap_units(self.floor_bp)
        for hour in range(product.start_hour, product.end_hour):
            self.calendar[site, hour] += event["units"]
            if self.calendar[site, hour] > cap_units:
                self.expect(4, f"hour {hour} of site {site}", f"<= {cap_units}", self.calendar[site, hour])

    def release(self, event: Event) -> None:
        product = Product.from_id(event["product"])
        for hour in range(product.start_hour, product.end_hour):
            self.calendar[event["site"], hour] -= event["units"]

    # ---- obligations

    def escrow_margin(self, event: Event) -> None:
        place = event["product"], event["site"]
        self.cash[event["provider"]] -= event["amount"]
        self.margins[place] += event["amount"]
        self.reserved[place] += event["units"]
        self.outstanding[event["product"]] += event["units"]
        if self.last_placed is not None:
            self.last_placed.margin_micro = event["amount"]

    def settle_offer(self, event: Event) -> None:
        place, filled = (event["product"], event["site"]), event["filled"]
        waiting = self.open_offers[place]
        fill, returned_micro, used_micro, proceeds_micro = waiting.pop(0) if waiting else (0, 0, 0, 0)
        self.expect(8, f"offer of {place}", (fill, returned_micro), (filled, event["marginReturned"]))
        self.reserved[place] -= filled + event["unfilled"]
        self.outstanding[event["product"]] -= filled + event["unfilled"]
        self.margins[place] -= used_micro + event["marginReturned"]
        self.cash[self.sites[event["site"]].provider] += event["marginReturned"]
        if filled:
            self.open_bonds[place] = proceeds_micro + used_micro

    def oblige(self, event: Event) -> None:
        place = event["product"], event["site"]
        if place in self.open_bonds:
            self.expect(8, f"bond of {place}", self.open_bonds.pop(place), event["bondMicro"])
        self._change(place, event["units"], event["bondMicro"])

    def discharge(self, event: Event) -> None:
        place, owed = (event["product"], event["site"]), self.owed[event["product"], event["site"]]
        share_micro = owed.bond_micro * event["units"] // owed.units if owed.units else 0
        self.expect(8, f"share of {place}", share_micro, event["bondMicro"])
        self._change(place, -event["units"], -event["bondMicro"])

    def _change(self, place: Place, units: int, bond_micro: int) -> None:
        owed = self.owed[place]
        self.touched_now.setdefault(place, (owed.units, owed.bond_micro))
        owed.units += units
        owed.bond_micro += bond_micro
        self.outstanding[place[0]] += units
        self.products_now.add(place[0])

    def post_bond(self, event: Event) -> None:
        self.cash[event["payer"]] -= event["amount"]

    def release_bond(self, event: Event) -> None:
        self.cash[event["payee"]] += event["amount"]

    def expire(self, event: Event) -> None:
        self.expired[event["product"]] += event["units"]
        self.spent[event["product"], event["site"]] += event["units"]
        self.products_now.add(event["product"])

    # ---- leases

    def redeem(self, event: Event) -> None:
        product = Product.from_id(event["product"])
        self.leases[event["lease"]] = LeaseBook(
            product, event["site"], event["holder"], event["units"], event["bondMicro"]
        )
        self.spent[product.id, event["site"]] += event["units"]

    def report(self, event: Event) -> None:
        self.leases[event["lease"]].reported_milli = event["deliveredMilli"]

    def abort(self, event: Event) -> None:
        lease = self.leases[event["lease"]]
        lease.aborted, lease.reported_milli = True, event["deliveredMilli"]
        kept_micro = lease.bond_micro * lease.counted_milli(lease.reported_milli) // lease.full_milli
        self.expect(8, f"refund of lease {event['lease']}", lease.bond_micro - kept_micro, event["toHolderMicro"])
        self._pay_holder(lease, event["toHolderMicro"])

    def dispute(self, event: Event) -> None:
        lease = self.leases[event["lease"]]
        lease.deposit_micro = event["depositMicro"]
        self.cash[lease.holder] -= event["depositMicro"]

    def return_deposit(self, event: Event) -> None:
        lease = self.leases[event["lease"]]
        lease.deposit_micro -= event["amount"]
        self.cash[event["to"]] += event["amount"]

    def resolve(self, event: Event) -> None:
        lease, site = self.leases[event["lease"]], self.sites[self.leases[event["lease"]].site]
        lease.reason, lease.delivered_milli = event["reason"], event["deliveredMilli"]
        due_micro = lease.due_micro
        if lease.reason == _UNRULED:
            due_micro //= 2
        expected = (due_micro, lease.bond_micro - due_micro)
        self.expect(8, f"lease {event['lease']}", expected, (event["toProviderMicro"], event["toHolderMicro"]))
        self._pay_holder(lease, event["toHolderMicro"])
        lease.bond_micro -= event["toProviderMicro"]
        lease.to_provider_micro = event["toProviderMicro"]
        self.cash[site.provider] += event["toProviderMicro"]
        if lease.reason != _UNRULED:
            counted_milli = lease.counted_milli(lease.delivered_milli)
            site.delivered += counted_milli * lease.product.hours
            site.failed += (lease.full_milli - counted_milli) * lease.product.hours

    def record(self, event: Event) -> None:
        site = self.sites[event["site"]]
        said = (event["deliveredMilliHours"], event["failedMilliHours"])
        self.expect(15, f"record of site {event['site']}", (site.delivered, site.failed), said)

    def _pay_holder(self, lease: LeaseBook, amount_micro: int) -> None:
        lease.bond_micro -= amount_micro
        lease.to_holder_micro += amount_micro
        self.cash[lease.holder] += amount_micro


_UNRULED = 5
"""IDelivery.Reason: nobody ruled in time, and what was disputed is split."""


def _settled(slot: Slot) -> str:
    return "a settled order" if slot.settled else "a waiting order"


def _clearing(event: Event) -> Clearing:
    if not event["units"]:
        return NO_TRADE
    bid, ask = (
        Margin(event[f"{side}Tick"], event[f"{side}Filled"], event[f"{side}Standing"]) for side in ("bid", "ask")
    )
    return Clearing(event["units"], event["priceTick"], bid, ask)


_RULES: dict[str, Callable[[Replay, Event], None]] = {
    "Deposited": Replay.deposit,
    "Withdrawn": Replay.withdraw,
    "Transfer": Replay.move_token,
    "Revoked": Replay.revoke,
    "BookOpened": Replay.open_book,
    "OrderPlaced": Replay.place,
    "Cleared": Replay.clear,
    "Settled": Replay.settle,
    "Held": Replay.hold,
    "Collected": Replay.collect,
    "TransferSingle": Replay.transfer,
    "TransferBatch": Replay.transfer_many,
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
