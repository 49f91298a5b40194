"""What sites owe, as replay keeps it: calendars, obligations with their bonds, leases and records."""

from collections import Counter
from functools import lru_cache
from typing import Any

from ledger.audit.books import Bonded, Books, LeaseBook, Place, SiteBook, Slot
from ledger.product import Product

UNRULED = 5
"""IDelivery.Reason: nobody ruled in time, and what was disputed is split."""


@lru_cache(maxsize=1 << 14)
def product_of(token_id: int) -> Product:
    """The product of a token id. Raises InputError for an id that is none's."""
    return Product.from_id(token_id)


class Duties(Books):
    """Books that know what the events of Capacity and Delivery mean; each method is an event with its values."""

    def __init__(self, derating_floor_bp: int) -> None:
        super().__init__()
        self.floor_bp = derating_floor_bp
        self.last_placed: Slot | None = None
        self.open_offers: dict[Place, list[tuple[int, int, int, int]]] = {}
        """By place: what offers that settle now fill, return of their margins, use of them, and bring in."""
        self._open_bonds: dict[Place, int] = {}
        self._touched: dict[Place, tuple[int, int]] = {}
        self.products_now: set[int] = set()
        self.moved_now: Counter[tuple[str, int]] = Counter()
        """Units that the market moved out of an account in this transaction, less those its owner's acts explain."""

    def close_bonds(self) -> None:
        """Holds the bonds that the transaction touched against what stood before."""
        for place, (units, bond_micro) in list(self._touched.items()):
            owed = self.owed[place]
            # What stood before, while offers of several limits still settle one by one, is no level to hold.
            if self.reserved[place] and owed.units:
                continue
            if owed.units and owed.bond_micro * units < bond_micro * owed.units:
                self.fault(
                    "INV-9", f"bond of {place}", f">= {bond_micro} for {units}", f"{owed.bond_micro} for {owed.units}"
                )
            del self._touched[place]

    def idle_bonds(self) -> list[Place]:
        """Where a bond is left and no unit has a claim on it."""
        return [place for place, owed in self.owed.items() if owed.bond_micro and not owed.units]

    # ---- sites and their calendars

    def register(self, site: int, provider: str, *_: Any) -> None:
        self.sites[site] = SiteBook(provider)

    def attest(self, site: int, units: int, *_: Any) -> None:
        self.sites[site].attested_units = units

    def commit(self, site: int, product_id: int, units: int) -> None:
        product, cap_units = product_of(product_id), self.sites[site].cap_units(self.floor_bp)
        for hour in range(product.start_hour, product.end_hour):
            self.calendar[site, hour] += units
            if self.calendar[site, hour] > cap_units:
                self.fault("INV-4", f"hour {hour} of site {site}", f"<= {cap_units}", self.calendar[site, hour])

    def release(self, site: int, product_id: int, units: int) -> None:
        product = product_of(product_id)
        for hour in range(product.start_hour, product.end_hour):
            self.calendar[site, hour] -= units

    # ---- obligations

    def escrow_margin(self, product: int, site: int, provider: str, units: int, amount: int) -> None:
        place = product_of(product).id, site
        self.pay(provider, -amount, "margin of an offer")
        self.move_margin(place, amount)
        self.reserved[place] += units
        self.outstanding[product] += units
        if self.last_placed is not None:
            self.last_placed.margin_micro = amount

    def settle_offer(self, product: int, site: int, filled: int, unfilled: int, returned_micro: int) -> None:
        place = product, site
        waiting = self.open_offers.get(place)
        fill, right_micro, used_micro, proceeds_micro = waiting.pop(0) if waiting else (0, 0, 0, 0)
        if not waiting:
            self.open_offers.pop(place, None)
        self.expect("INV-8", f"offer of {place}", (fill, right_micro), (filled, returned_micro))
        self.reserved[place] -= filled + unfilled
        self.outstanding[product] -= filled + unfilled
        self.move_margin(place, -used_micro - returned_micro)
        self.pay(self.sites[site].provider, returned_micro, "margin returned")
        if filled:
            self._open_bonds[place] = proceeds_micro + used_micro

    def oblige(self, product: int, site: int, units: int, bond_micro: int) -> None:
        place = product, site
        if place in self._open_bonds:
            self.expect("INV-8", f"bond of {place}", self._open_bonds.pop(place), bond_micro)
        self._change(place, units, bond_micro)

    def discharge(self, product: int, site: int, units: int, bond_micro: int) -> None:
        owed = self.owed.get((product, site)) or Bonded()
        share_micro = owed.bond_micro * units // owed.units if owed.units else 0
        self.expect("INV-8", f"share of {product, site}", share_micro, bond_micro)
        self._change((product, site), -units, -bond_micro)

    def _change(self, place: Place, units: int, bond_micro: int) -> None:
        product_of(place[0])
        owed = self.owed.setdefault(place, Bonded())
        self._touched.setdefault(place, (owed.units, owed.bond_micro))
        owed.units += units
        self.move_bond(owed, bond_micro)
        self.outstanding[place[0]] += units
        self.products_now.add(place[0])

    def post_bond(self, payer: str, amount: int) -> None:
        self.pay(payer, -amount, "bond")

    def release_bond(self, payee: str, amount: int) -> None:
        self.pay(payee, amount, "bond released")

    def expire(self, product: int, site: int, units: int, _bond_micro: int) -> None:
        self.expired[product_of(product).id] += units
        self.spent[product, site] += units
        self.products_now.add(product)

    # ---- leases

    def redeem(
        self, number: int, product: int, holder: str, site: int, units: int, bond_micro: int, _job: bytes
    ) -> None:
        if number != len(self.leases) + 1:
            self.fault("EVENT", f"lease {number}", f"number {len(self.leases) + 1}", number)
        self.leases[number] = lease = LeaseBook(product_of(product), site, holder, units, 0)
        self.move_bond(lease, bond_micro)
        self.spent[product, site] += units
        self.moved_now[holder, product] -= units

    def report(self, number: int, delivered_milli: int, _root: bytes) -> None:
        lease = self.leases[number]
        lease.reported_milli, lease.at_s = delivered_milli, self.time_s

    def abort(self, number: int, delivered_milli: int, to_holder_micro: int) -> None:
        lease = self.leases[number]
        lease.aborted, lease.reported_milli, lease.at_s = True, delivered_milli, self.time_s
        kept_micro = lease.bond_micro * lease.counted_milli(delivered_milli) // lease.full_milli
        self.expect("INV-8", f"refund of lease {number}", lease.bond_micro - kept_micro, to_holder_micro)
        self._refund(lease, to_holder_micro)

    def dispute(self, number: int, _evidence: bytes, deposit_micro: int) -> None:
        lease = self.leases[number]
        lease.disputed_at_s = self.time_s
        self.move_deposit(lease, deposit_micro)
        self.pay(lease.holder, -deposit_micro, "deposit of a dispute")

    def return_deposit(self, number: int, to: str, amount: int) -> None:
        self.move_deposit(self.leases[number], -amount)
        self.pay(to, amount, "deposit returned")

    def resolve(self, number: int, reason: int, delivered_milli: int, provider_micro: int, holder_micro: int) -> None:
        lease = self.leases[number]
        site = self.sites[lease.site]
        if lease.reason is not None:
            self.fault("INV-8", f"lease {number}", "resolved once", "resolved again")
        lease.reason, lease.delivered_milli = reason, delivered_milli
        due_micro = lease.due_micro // 2 if reason == UNRULED else lease.due_micro
        expected = (due_micro, lease.bond_micro - due_micro)
        self.expect("INV-8", f"lease {number}", expected, (provider_micro, holder_micro))
        self._refund(lease, holder_micro)
        self.move_bond(lease, -provider_micro)
        lease.to_provider_micro = provider_micro
        self.pay(site.provider, provider_micro, "payment of a lease")
        if reason != UNRULED:
            counted_milli = lease.counted_milli(delivered_milli)
            site.delivered += counted_milli * lease.product.hours
            site.failed += (lease.full_milli - counted_milli) * lease.product.hours

    def record(self, site: int, delivered: int, failed: int) -> None:
        book = self.sites[site]
        self.expect("INV-15", f"record of site {site}", (book.delivered, book.failed), (delivered, failed))

    def _refund(self, lease: LeaseBook, amount_micro: int) -> None:
        self.move_bond(lease, -amount_micro)
        lease.to_holder_micro += amount_micro
        self.pay(lease.holder, amount_micro, "refund of a lease")
