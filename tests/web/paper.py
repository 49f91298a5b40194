"""A market on paper: the answers that the page asks for, in the API's shapes, made from a seed. For tests of what the
page draws, where what counts is the page and no chain is needed; the journeys run against the real thing."""

from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from ledger.areas import load_areas
from ledger.auction import clearing_of, filled_units, with_prefixes
from ledger.errors import LedgerError
from ledger.model import Kind, Order
from ledger.prices import price_micro
from ledger.product import Grade, Product, Tier, class_id_of, class_name
from ledger.standard import CLASSES, load_standard

Json = Any
NOW_S = 1_790_000_000
ROUND_S = 60
ROUND = NOW_S // ROUND_S
BLOCK = 812
ME = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
BAD_TEXT = "<img src=x onerror=\"document.title='broken'\">"
BAD_URI = "javascript:document.title='broken'"
_MID = {1: 498, 2: 512, 3: 560, 4: 570}
_ACCOUNTS = [f"0x{number:040x}" for number in range(0xA0, 0xA9)]


@dataclass(frozen=True, slots=True)
class Problem(Exception):
    """What the API would refuse with."""

    status: int
    detail: str
    remedy: str


def price(micro: int) -> Json:
    return {"price_micro": micro, "per_unit_hour": f"{micro / 1e6:.6f}", "per_reference_hour": f"{micro / 1e3:.2f}"}


class Paper:
    """The market: `answer(method, path, query, body)` gives data, or raises Problem."""

    def __init__(self, seed: int = 7) -> None:
        self.seed = seed
        self.standard = load_standard()
        self.areas = {area.code: area for area in load_areas().all()}
        self.products = list(self._products())
        self.audit: Json = {"state": "none", "checks": [], "findings": []}
        self.sent: list[tuple[str, Json]] = []
        self.dispatches: Any = None

    def _products(self) -> list[Product]:
        day = (NOW_S // 86_400 + 1) * 24
        hub = next(code for code, area in self.areas.items() if area.name == "EU-Central")
        metro = next(code for code, area in self.areas.items() if area.name == "Frankfurt")
        west = next(code for code, area in self.areas.items() if area.name == "US-East")
        places = [(Tier.METRO, metro), (Tier.HUB, hub), (Tier.HUB, west), (Tier.WIDE, 0)]
        found = []
        for class_id in (1, 2):
            for tier, area in places:
                found.append(Product(class_id, tier, area, Grade.STANDARD, day, 24))
        found.append(Product(1, Tier.HUB, hub, Grade.PREMIUM, day + 24, 24))
        found.append(Product(1, Tier.HUB, hub, Grade.STANDARD, day + 9, 1))
        found.append(Product(3, Tier.WIDE, 0, Grade.BASIC, day, 72))
        found.append(Product(4, Tier.HUB, hub, Grade.STANDARD, day, 24))
        return found

    # ---- what a product shows

    def area(self, code: int) -> Json:
        if not code:
            return None
        area = self.areas[code]
        return {"code": code, "name": area.name, "hub": area.hub, "is_hub": area.hub == 0}

    def named(self, product: Product) -> Json:
        return {
            "product": product.code,
            "id": hex(product.id),
            "class": class_name(product.class_id),
            "class_id": product.class_id,
            "tier": product.tier.name,
            "area": self.area(product.area),
            "grade": product.grade.name,
            "start_s": product.start_s,
            "end_s": product.end_s,
            "hours": product.hours,
        }

    def price_of(self, product: Product, tick: int) -> int:
        return price_micro(tick, CLASSES[product.class_id].tick_size_micro)

    @cache  # noqa: B019
    def orders(self, product: Product, round_: int) -> list[Order]:
        """The round's orders; the same for the same seed, product and round."""
        random = Random(f"{self.seed} {product.id} {round_}")
        middle = _MID[product.class_id] + round((product.area % 13) - 6) + random.randint(-6, 6)
        orders = []
        for _ in range(random.randint(14, 40)):
            kind = random.choice((Kind.BID, Kind.BID, Kind.ASK, Kind.OFFER))
            lean = 8 if kind is Kind.BID else -8
            tick = middle + lean + round(random.gauss(0, 26))
            orders.append(Order(kind, tick, random.choice((250, 400, 800, 1_000, 2_000, 4_000, 8_000))))
        return with_prefixes(orders)

    @cache  # noqa: B019
    def clearing(self, product: Product, round_: int) -> Json:
        found = clearing_of(self.orders(product, round_))
        if found.price_tick is None or found.bid is None or found.ask is None:
            return None
        sides = {
            name: {"tick": margin.tick, "filled": margin.filled_units, "standing": margin.standing_units}
            for name, margin in (("bid", found.bid), ("ask", found.ask))
        }
        tick = found.price_tick
        return {"price_tick": tick, "price": price(self.price_of(product, tick)), "units": found.units, **sides}

    def clearings(self, product: Product, count: int = 40) -> list[Json]:
        rows = []
        for round_ in range(ROUND - 1, ROUND - 1 - count, -1):
            found = self.clearing(product, round_)
            row: Json = {"round": round_, "time_s": (round_ + 1) * ROUND_S, "block": BLOCK - ROUND + round_}
            row |= {"orders": len(self.orders(product, round_)), "transaction": f"0x{round_:064x}"}
            rows.append(row | (found or {"price_tick": None, "price": None, "units": 0}))
        return rows

    def shown(self, product: Product) -> Json:
        past = [row for row in self.clearings(product, 32) if row["units"]]
        last, before = past[0], past[1]
        now, then = last["price"]["price_micro"], before["price"]["price_micro"]
        return self.named(product) | {
            "last": {key: last[key] for key in ("round", "price", "units", "time_s")},
            "previous": before["price"],
            "change_bp": (now - then) * 10_000 // then,
            "volume_units_24h": sum(row["units"] for row in past),
            "volume_units_total": sum(row["units"] for row in past),
            "orders_open": len(self.orders(product, ROUND)),
            "round": ROUND,
            "round_ends_s": (ROUND + 1) * ROUND_S,
            "closes_s": product.start_s - 600,
            "sparkline": [row["price"]["price_micro"] for row in reversed(past)],
        }

    def level(self, product: Product, tick: int, units: int) -> Json:
        return {"tick": tick, "price": price(self.price_of(product, tick)), "units": units}

    def depth(self, product: Product, round_: int | None) -> Json:
        chosen = ROUND if round_ is None else round_
        sides: dict[bool, dict[int, int]] = {False: {}, True: {}}
        for order in self.orders(product, chosen):
            side = sides[order.kind.sells]
            side[order.tick] = side.get(order.tick, 0) + order.units
        found, cleared = self.clearing(product, chosen), chosen < ROUND
        return {
            "round": chosen,
            "round_ends_s": (chosen + 1) * ROUND_S,
            "cleared": cleared,
            "bids": [self.level(product, tick, sides[False][tick]) for tick in sorted(sides[False], reverse=True)],
            "asks": [self.level(product, tick, sides[True][tick]) for tick in sorted(sides[True])],
            "clearing": found if cleared else None,
            "indicative": found,
        }

    # ---- the rest of it

    def site(self, number: int) -> Json:
        metro = self.area(next(code for code, area in self.areas.items() if area.name == "Frankfurt"))
        device, count, class_ = (("H100 SXM5 80GB", 64, "AI_LARGE"), ("L40S", 128, "AI_SMALL"))[number % 2]
        units = 64_000 if number % 2 == 0 else 44_083
        return {
            "site": number,
            "provider": ME if number < 3 else _ACCOUNTS[number],
            "device": device,
            "devices": count,
            "class": class_,
            "metro": metro,
            "hub": self.area(metro["hub"]),
            "attested_units": 0 if number == 2 else units,
            "grade": None if number == 2 else "STANDARD",
            "valid_until_s": 0 if number == 2 else NOW_S + 30 * 86_400,
            "uri": BAD_URI if number == 3 else "https://example.invalid/site",
            "delivered_milli_hours": 998_000_000,
            "failed_milli_hours": 2_000_000,
            "derating_bp": 9_980,
            "issuable_units": 0 if number == 2 else units * 998 // 1000,
        }

    def lease(self, number: int, state: str) -> Json:
        product = self.named(self.products[1])
        if state != "ACTIVE":
            product |= {"start_s": NOW_S - 90_000, "end_s": NOW_S - 3_600}
        ended = state == "RESOLVED"
        return {
            "lease": number,
            "product": product,
            "site": 1,
            "holder": ME,
            "units": 8_000,
            "bond_micro": "472320000",
            "state": state,
            "reason": "ACCEPTED" if ended else None,
            "job_hash": "0x" + "ab" * 32,
            "redeemed_s": NOW_S - 80_000,
            "report_due_s": NOW_S + 80_000,
            "dispute_due_s": NOW_S + 50_000,
            "ruling_due_s": NOW_S + 90_000,
            "delivered_milli": 7_840_000 if state != "ACTIVE" else 0,
            "full_milli": 8_000_000,
            "to_provider_micro": "451000000" if ended else "0",
            "to_holder_micro": "21320000" if ended else "0",
        }

    def placed(self) -> list[Json]:
        """Orders of one account: one that waits, one that traded in part, one that did not."""
        waiting = {"slot": 3, "round": ROUND, "kind": "bid", "tick": 500, "price": price(1_992), "units": 8_000}
        ended = waiting | {"round": ROUND - 2, "settled": True}
        return [waiting | {"settled": False, "filled": None}, ended | {"filled": 900}, ended | {"filled": 0}]

    def account(self, address: str) -> Json:
        held = self.named(self.products[1]) | {"units": 8_000}
        waiting = self.placed()[0] | {"product": self.products[0].code}
        return {
            "address": address,
            "cash_micro": "98142560000",
            "wallet_micro": "900000000000",
            "allowance_micro": "0",
            "epoch": 0,
            "holdings": [held],
            "orders": [waiting],
            "leases": [],
            "sites": [1, 2],
        }

    def statement(self) -> list[Json]:
        rows = [("deposit", "cash", 100_000_000_000), ("bid", "cash", -382_464_000), ("settle", "cash", 19_200_000)]
        after, lines = 0, []
        for place, (what, asset, change) in enumerate(rows):
            row = {"block": 100 + place, "time_s": NOW_S - 9_000 + 600 * place, "transaction": f"0x{place + 1:064x}"}
            row |= {"what": what, "asset": asset, "change": str(change), "before": str(after), "log_index": place}
            after += change
            lines.append(row | {"after": str(after)})
        return lines[::-1]

    def preview(self, body: Json) -> Json:
        product = self.product(body["product"])
        hours, units = product.hours, body["units"]
        micro = body["price_micro"]
        last = self.clearings(product, 20)
        prices = [row["price"]["price_micro"] for row in last if row["units"]]
        escrow = units * hours * micro if body["kind"] == "bid" else 0
        return {
            "title": "Order",
            "costs": {"escrow_micro": str(escrow), "margin_micro": "0", "total_micro": str(escrow)},
            "gas": 121_900,
            "fee_wei": "121900000000000",
            "refusal": None,
            "last": price(prices[0]),
            "limit": {"tick": 500, "price": price(micro)},
            "distance_bp": (micro - prices[0]) * 10_000 // prices[0],
            "chance": {"cleared_at_or_below": sum(each <= micro for each in prices), "rounds": len(prices)},
            "round": ROUND,
            "round_ends_s": (ROUND + 1) * ROUND_S,
            "body": body,
        }

    def proof(self, product: Product, round_: int) -> Json:
        orders, found = self.orders(product, round_), clearing_of(self.orders(product, round_))
        rows = [
            {"slot": slot, "kind": order.kind.name.lower(), "tick": order.tick, "units": order.units}
            | {"prefix": order.prefix, "filled": filled_units(order, found), "block": BLOCK, "log_index": slot}
            for slot, order in enumerate(orders)
        ]
        size = CLASSES[product.class_id].tick_size_micro
        return {"orders": rows, "clearing": self.clearing(product, round_), "tick_size_micro": size, "transactions": []}

    def product(self, code: str) -> Product:
        try:
            return Product.from_code(code)
        except LedgerError as error:
            raise Problem(404, error.problem, error.remedy) from None

    def convert(self, text: str, class_: str | None) -> Json:
        try:
            found = self.standard.amount(text, class_id_of(class_) if class_ else None)
        except LedgerError as error:
            raise Problem(422, error.problem, error.remedy) from None
        names = {"class": class_name(found.class_id), "class_id": found.class_id, "units": found.units}
        return names | {
            "device": found.device,
            "count": found.count,
            "hours": found.hours,
            "unit_hours": found.units * found.hours,
        }

    def whole_standard(self) -> Json:
        classes = [
            {"class_id": key, "class": terms.name, "tick_size_micro": terms.tick_size_micro}
            for key, terms in CLASSES.items()
        ]
        devices = [
            {"device": entry.rating.device, "class": class_name(entry.rating.class_id)}
            | {"milli_units": entry.rating.milli_units, "basis": entry.rating.basis.name}
            for entry in self.standard.entries
        ]
        return {"classes": classes, "devices": devices, "areas": [self.area(code) for code in self.areas]}
