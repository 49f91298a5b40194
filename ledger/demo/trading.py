"""The rounds of a market day: orders in, cleared, compared with the independent rule, settled."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from ledger.action import Action
from ledger.auction import run_auction
from ledger.demo.scenario import ROUNDS, PlannedBid
from ledger.demo.stage import TERMS, Stage, Trade
from ledger.keys import Signer
from ledger.model import Clearing, Kind, Order
from ledger.orders import OrderTerms
from ledger.product import Product
from ledger.view import read_order

_RELAYED_TOGETHER = 100
_RESOLD_PART = 4
_SPLIT_UNITS = 120


class Trading(Stage):
    """A day's market, and its rounds."""

    def trade(self) -> None:
        """Every round of the plan: orders in, cleared, compared with the rule, settled; between them some units are
        split, and offered again."""
        for number in range(ROUNDS):
            # A later round resells what the earlier ones sold.
            resold = self._resales()
            round_ = self._new_round()
            first_block = self.chain.block().number
            self._place(number, round_, resold)
            self._clear(number, round_, first_block)
            if number == 0:
                self._split()

    def _new_round(self) -> int:
        round_ = self.market.current_round() + 1
        self.clock.go_to(round_ * TERMS.round_s)
        return round_

    def _place(self, number: int, round_: int, resold: Sequence[tuple[Action[int], Signer]]) -> None:
        plan, market = self.plan, self.market
        step = f"Round {number + 1}: orders"
        offers = [
            (
                market.offer(self.sites[offer.site], offer.product, offer.units, tick=offer.tick),
                self.people[plan.sites[offer.site].provider],
            )
            for offer in plan.offers
            if offer.round == number
        ]
        bids = [bid for bid in plan.bids if bid.round == number]
        direct = [
            (market.bid(bid.product, bid.units, tick=bid.tick), self.people[bid.buyer]) for bid in bids if bid.direct
        ]
        self.send(step, [*offers, *resold, *direct])
        self._relay(step, round_, [bid for bid in bids if not bid.direct])

    def _relay(self, step: str, round_: int, bids: Sequence[PlannedBid]) -> None:
        """Buyers sign, the keeper relays: a batch of one product at a time, into slots of settled orders."""
        market = self.market
        signed = defaultdict(list)
        index = Counter[str]()
        for bid in bids:
            owner = self.people[bid.buyer]
            terms = OrderTerms(owner.address, Kind.BID, bid.product, bid.tick, bid.units, round_, index[bid.buyer])
            index[bid.buyer] += 1
            signed[bid.product].append(market.signed(terms, owner))
        batches = []
        for product, orders in signed.items():
            free = market.free_slots(product)
            for start in range(0, len(orders), _RELAYED_TOGETHER):
                stop = start + _RELAYED_TOGETHER
                batches.append((market.place_signed(orders[start:stop], free[start:stop]), self.keeper))
        self.diary.signed += len(bids)
        for outcome in self.send(step, batches):
            if outcome.value.skipped:
                raise AssertionError(f"a signed order was passed over: {outcome.value.skipped[0].reason}")

    def _clear(self, number: int, round_: int, first_block: int) -> None:
        market = self.market
        arrived = self._arrived(round_, first_block)
        self.clock.go_to(market.round_end_s(round_))
        step = f"Round {number + 1}: clear, settle"
        products = list(arrived)
        cleared = self.send(step, [(market.clear(product, round_), self.keeper) for product in products])
        for product, outcome in zip(products, cleared, strict=True):
            settlements = [(action, self.keeper) for action in market.settlements(product, round_)]
            traded: dict[int, int] = {}
            for part in self.send(step, settlements):
                traded |= part.value
            self.compare(product, round_, arrived[product], outcome.value, traded)

    def _arrived(self, round_: int, first_block: int) -> dict[Product, list[Order]]:
        """The orders of a round by product, in the order in which the chain took them."""
        arrived: dict[Product, list[Order]] = {}
        first_rounds: dict[Product, int] = {}
        for event in self.market.history(first_block):
            if event.name != "OrderPlaced":
                continue
            product = Product.from_id(event["product"])
            if product not in first_rounds:
                first_rounds[product] = self.market.book(product).first_round
            order = read_order(event["order"], product, first_rounds[product], event["index"])
            if order.round == round_:
                arrived.setdefault(product, []).append(order)
        return arrived

    def compare(
        self, product: Product, round_: int, orders: Sequence[Order], cleared: Clearing, traded: Mapping[int, int]
    ) -> None:
        """Writes a round into the diary. Raises AssertionError unless it cleared and traded as the rule says."""
        clearing, fills = run_auction(orders)
        if cleared != clearing:
            raise AssertionError(f"{product.code} cleared at {cleared}, by the rule at {clearing}")
        for order, units in zip(orders, fills, strict=True):
            if traded.get(order.index) != units:
                raise AssertionError(f"{order} traded {traded.get(order.index)} units, by the rule {units}")
        size_micro = self.market.tick_size_micro(product)
        self.diary.trades.append(Trade(product, round_, size_micro, tuple(orders), tuple(fills), clearing))

    # ---- resell, split

    def _resales(self) -> list[tuple[Action[int], Signer]]:
        """Whoever bought most of a product last time offers a part of it again, a tenth under what it cost."""
        market, resold = self.market, []
        for trade in self.diary.trades:
            least = market.terms_of(trade.product.class_id).min_order_units
            if trade.clearing.price_tick is None or trade.round != self.diary.trades[-1].round:
                continue
            for name in self._largest_buyers(trade)[:1]:
                part = market.units(self.people[name].address, trade.product) // _RESOLD_PART
                if part >= least:
                    price_micro = market.price_micro(trade.product, trade.clearing.price_tick) * 9 // 10
                    resold.append((market.ask(trade.product, part, price_micro=price_micro), self.people[name]))
        return resold

    def _largest_buyers(self, trade: Trade) -> list[str]:
        bought = Counter[str]()
        for order, units in zip(trade.orders, trade.fills, strict=True):
            if order.kind is Kind.BID and units:
                bought[self.names[order.owner]] += units
        return [name for name, _ in sorted(bought.items(), key=lambda one: (-one[1], one[0]))]

    def _split(self) -> None:
        """Of each whole day whose hours are traded too, a large buyer splits a part: the hours are then sold or used
        one by one."""
        singles = {(one.class_id, one.tier, one.area) for one in self.plan.products if one.hours == 1}
        splits = []
        for trade in self.diary.trades:
            product = trade.product
            if product.hours == 1 or (product.class_id, product.tier, product.area) not in singles:
                continue
            for name in self._largest_buyers(trade)[:1]:
                site, owed = self._most_owed(product)
                held = self.market.units(self.people[name].address, product)
                units = min(_SPLIT_UNITS, held // 2, owed)
                if units:
                    splits.append((self.market.split(site, product, units), self.people[name]))
                    self.diary.split_units += units
        self.send("Split windows into hours", splits)

    def _most_owed(self, product: Product) -> tuple[int, int]:
        owed = [
            (self.market.obligation(product, self.sites[place]).units, -self.sites[place])
            for place in self.plan.sites_for(product)
        ]
        units, site = max(owed)
        return -site, units
