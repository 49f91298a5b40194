"""The market's verbs, in its own words. Each gives an Action: preview it, build it for a wallet, or send it.

market.bid(product, 500, price_micro=2_400).send(buyer).value      # the order's slot in the product's book
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ledger.abi import Call
from ledger.action import Action, Costs
from ledger.artifacts import Deployment
from ledger.chain import TRANSACTION_GAS_MAX, Chain
from ledger.eip712 import Domain
from ledger.errors import InputError, Reverted
from ledger.keys import Signer
from ledger.model import Clearing, Kind, Margin, Order
from ledger.orders import OrderTerms, SignedOrder, order_domain, sign_order
from ledger.permits import Permit, sign_permit
from ledger.prices import cost_micro
from ledger.product import Grade, Product, Tier
from ledger.rpc import Receipt
from ledger.sending.sender import Sender
from ledger.units import SECONDS_PER_HOUR, format_units, format_usd, share_up
from ledger.view import View, device_hash

UNLIMITED_MICRO = 2**256 - 1
"""An allowance without an end."""

# Settling takes some 30,000 gas an order, an offer five times that: a part stays below what a transaction may burn.
_SETTLED_AT_ONCE = 150
_OFFER_WEIGHT = 5
# Exchange gives each relayed order at most 1,200,000 gas, and an order that gets less fails quietly: an estimate, which
# looks for the least that does not revert, would starve them.
_RELAY_GAS = 150_000
_RELAY_GAS_EACH = 1_270_000


@dataclass(frozen=True, slots=True)
class Skipped:
    """A relayed order that was passed over: its place in the batch, whose it was, and why."""

    position: int
    owner: str
    reason: Reverted


@dataclass(frozen=True, slots=True)
class Placement:
    """What came of a batch of signed orders: the slots of those that stand, and those that were passed over."""

    indices: tuple[int, ...]
    skipped: tuple[Skipped, ...]


class Market(View):
    """One market on one chain: read it (see View), and act in it."""

    def __init__(self, chain: Chain, deployment: Deployment, sender: Sender | None = None) -> None:
        """Raises WrongChain where the node serves another chain than the deployment's."""
        super().__init__(chain, deployment)
        self.sender = sender or Sender(chain)
        self.domain = order_domain(chain.chain_id, self.address("Exchange"))
        """Where signed orders of this market are good."""

    # ---- money

    def mint_test_dollars(self, to: str, amount_micro: int) -> Action[None]:
        """Makes money, on a market whose token is TestDollar."""
        return self._act(f"Make {format_usd(amount_micro)} for {to}", self.call("Token", "mint", to, amount_micro))

    def approve(self, amount_micro: int = UNLIMITED_MICRO) -> Action[None]:
        """Lets the treasury pull that much for the owner's own deposits, bids, bonds and margins."""
        treasury = self.address("Treasury")
        return self._act("Approve the treasury", self.call("Token", "approve", treasury, amount_micro))

    def deposit(self, amount_micro: int) -> Action[None]:
        """Turns money of the wallet, which approved the treasury, into free cash."""
        return self._act(f"Deposit {format_usd(amount_micro)}", self.call("Treasury", "deposit", amount_micro))

    def permit(self, owner: str, amount_micro: int, deadline_s: int) -> Permit:
        """A permit for the treasury to take that much of the owner's money, for the owner to sign."""
        nonce = self.read("Token", "nonces", owner)
        return Permit(owner, self.address("Treasury"), amount_micro, nonce, deadline_s)

    def token_domain(self) -> Domain:
        """Where permits of the settlement token are good, as the token itself says. Raises for a token without them."""
        _, name, version, chain_id, contract, _, _ = self.read("Token", "eip712Domain")
        return Domain(name, version, chain_id, contract)

    def deposit_with_permit(self, permit: Permit, signature: bytes) -> Action[None]:
        """Turns money of the wallet into free cash, in one transaction of who signed the permit."""
        parts = (signature[64], signature[:32], signature[32:64])
        call = self.call("Treasury", "depositWithPermit", permit.value, permit.deadline, *parts)
        return self._act(f"Deposit {format_usd(permit.value)} by permit", call)

    def deposit_signed(self, amount_micro: int, signer: Signer) -> Action[None]:
        """A deposit with a permit signed here, good for an hour."""
        permit = self.permit(signer.address, amount_micro, self.chain.time_s() + SECONDS_PER_HOUR)
        return self.deposit_with_permit(permit, sign_permit(permit, self.token_domain(), signer))

    def fund(self, amount_micro: int, signer: Signer) -> None:
        """Deposits, after an approval of just as much where the wallet has not approved enough."""
        if self.allowance_micro(signer.address) < amount_micro:
            self.approve(amount_micro).send(signer)
        self.deposit(amount_micro).send(signer)

    def withdraw(self, amount_micro: int, to: str) -> Action[None]:
        """Turns free cash into money of `to`."""
        title = f"Withdraw {format_usd(amount_micro)} to {to}"
        return self._act(title, self.call("Treasury", "withdraw", amount_micro, to))

    # ---- sites

    def register_site(self, device: str, devices: int, class_id: int, metro: int, uri: str = "") -> Action[int]:
        """Registers the sender's devices (`device` by its full name); the value is the site's number."""
        call = self.call("Capacity", "registerSite", device_hash(device), devices, class_id, metro, uri)
        return Action(f"Register {devices} x {device}", call, self.sender, self.said("SiteRegistered", "site"))

    def attest(self, site: int, units: int, grade: Grade, evidence: bytes, valid_until_s: int) -> Action[None]:
        """Records what an auditor measured at a site; `evidence` is the hash of the measurements."""
        title = f"Attest {format_units(units)}, {grade.name}, at site {site}"
        return self._act(title, self.call("Capacity", "attest", site, units, grade, evidence, valid_until_s))

    # ---- orders

    def bid(
        self, product: Product, units: int, *, tick: int | None = None, price_micro: int | None = None
    ) -> Action[int]:
        """Buys up to `units` at a limit: a tick, or micro per unit-hour (rounded down to a tick). The value is the
        order's slot; the limit's cost is escrowed until the round has cleared."""
        limit = self.limit_tick(product, Kind.BID, tick, price_micro)
        call = self.call("Exchange", "bid", product.id, limit, units)

        def costs() -> Costs:
            return Costs(escrow_micro=cost_micro(units, product.hours, self.price_micro(product, limit)))

        return self._order("Bid for", product, limit, units, call, costs)

    def ask(
        self, product: Product, units: int, *, tick: int | None = None, price_micro: int | None = None
    ) -> Action[int]:
        """Resells `units` that the sender holds, at a limit (rounded up to a tick). The value is the order's slot."""
        limit = self.limit_tick(product, Kind.ASK, tick, price_micro)
        return self._order(
            "Resell", product, limit, units, self.call("Exchange", "ask", product.id, limit, units), Costs
        )

    def offer(
        self, site: int, product: Product, units: int, *, tick: int | None = None, price_micro: int | None = None
    ) -> Action[int]:
        """Sells units that the site issues when they are sold, at a limit (rounded up to a tick). The value is the
        order's slot; the margin is escrowed."""
        limit = self.limit_tick(product, Kind.OFFER, tick, price_micro)
        call = self.call("Exchange", "offer", site, product.id, limit, units)

        def costs() -> Costs:
            return Costs(margin_micro=units * self.margin_micro(site, product, limit))

        return self._order("Offer", product, limit, units, call, costs)

    def signed(self, terms: OrderTerms, signer: Signer) -> SignedOrder:
        """An order signed for this market, for anyone to relay. Raises InputError unless it is the signer's own."""
        return sign_order(terms, self.domain, signer)

    def place_signed(self, orders: Sequence[SignedOrder], free_slots: Sequence[int] = ()) -> Action[Placement]:
        """Relays signed orders of the current round. One that cannot be placed is passed over and spoils no other.

        `free_slots` are slots of settled orders of the product to use again; all orders of the call share them.
        """
        gas = min(_RELAY_GAS + _RELAY_GAS_EACH * len(orders), TRANSACTION_GAS_MAX)
        call = self.call("Exchange", "placeSigned", [order.words for order in orders], list(free_slots), gas=gas)
        return Action(f"Relay {len(orders)} signed orders", call, self.sender, self._placement)

    def revoke_signed(self) -> Action[None]:
        """Makes everything that the sender has signed so far worthless."""
        return self._act("Revoke all signed orders", self.call("Exchange", "revokeSigned"))

    # ---- rounds

    def clear(self, product: Product, round_: int) -> Action[Clearing]:
        """Finds the round's price; anyone may, once it has ended."""
        call = self.call("Exchange", "clear", product.id, round_)
        return Action(f"Clear round {round_} of {product.code}", call, self.sender, self._clearing)

    def settle(self, product: Product, round_: int, indices: Sequence[int]) -> Action[dict[int, int]]:
        """Settles the orders in these slots; anyone may. The value is what each of them traded, in units, by slot."""
        call = self.call("Exchange", "settle", product.id, round_, list(indices))
        title = f"Settle {len(indices)} orders of round {round_} of {product.code}"
        return Action(title, call, self.sender, self._fills)

    def settlements(self, product: Product, round_: int) -> list[Action[dict[int, int]]]:
        """What it takes to settle all orders of a round that still wait, each part fit for one transaction."""
        waiting = self.orders(product, round_, waiting=True)
        return [self.settle(product, round_, part) for part in _parts(waiting)]

    def collect(self, product: Product, to: str) -> Action[None]:
        """Takes units that the sender, a contract, refused when its order was settled."""
        return self._act(f"Collect {product.code}", self.call("Exchange", "collect", product.id, to))

    # ---- units

    def mint(self, site: int, product: Product, units: int) -> Action[None]:
        """Issues units to the provider's wallet against a full bond."""

        def costs() -> Costs:
            return Costs(bond_micro=self.read("Delivery", "mintBondOf", product.id, site, units))

        return self._on_units("Mint", "mint", site, product, units, costs)

    def retire(self, site: int, product: Product, units: int) -> Action[None]:
        """Burns units that the provider holds; their bond and hours come back."""
        return self._on_units("Retire", "retire", site, product, units)

    def split(self, site: int, product: Product, units: int) -> Action[None]:
        """Turns units of a window into as many of each of its hours."""
        hours = list(product.hourly())
        costs = self._dilution(site, [product], hours, units)
        return self._on_units("Split", "split", site, product, units, costs)

    def merge(self, site: int, product: Product, units: int) -> Action[None]:
        """Turns units of every hour into units of the window `product`."""
        hours = list(product.hourly())
        costs = self._dilution(site, hours, [product], units)
        return self._on_units("Merge", "merge", site, product, units, costs)

    def relax(self, site: int, product: Product, units: int, tier: Tier) -> Action[Product]:
        """Turns units into ones of a looser tier that the site lies in; the value is their product."""
        title = f"Relax {format_units(units)} of {product.code} to {tier.name}"
        call = self.call("Capacity", "relax", site, product.id, units, tier)
        into = self.said("Relaxed", "into")
        return Action(title, call, self.sender, lambda receipt: Product.from_id(into(receipt)))

    def transfer(self, product: Product, units: int, owner: str, to: str) -> Action[None]:
        """Gives units of `owner`, who sends this, to somebody else."""
        call = self.call("Capacity", "safeTransferFrom", owner, to, product.id, units, b"")
        return self._act(f"Give {format_units(units)} of {product.code} to {to}", call)

    # ---- stop

    def pause_orders(self, paused: bool) -> Action[None]:
        """Stops or allows new orders; the guardian's. What stands still clears, settles and pays out."""
        title = "Stop new orders" if paused else "Allow new orders"
        return self._act(title, self.call("Exchange", "setOrdersPaused", paused))

    def pause_issues(self, paused: bool) -> Action[None]:
        """Stops or allows new mints and offers; the guardian's."""
        title = "Stop new issues" if paused else "Allow new issues"
        return self._act(title, self.call("Capacity", "setIssuePaused", paused))

    # ---- how it is done

    def limit_tick(self, product: Product, kind: Kind, tick: int | None = None, price_micro: int | None = None) -> int:
        """The tick of a limit that is named as a tick or as micro per unit-hour. Raises InputError for both or none."""
        if (tick is None) == (price_micro is None):
            raise InputError("A limit is either a tick or a price.", "Name one of tick and price_micro.")
        return self.tick(product, kind, price_micro) if price_micro is not None else int(tick or 0)

    def margin_micro(self, site: int, product: Product, tick: int) -> int:
        """What an offer of one unit at `tick` escrows (IDelivery.reserveOffer): the class's penalty margin, or what the
        limit is short of the bond that the product's units at this site carry, whichever is more."""
        units, _, margin_micro, floor_micro = self.read("Delivery", "reservedOf", product.id, site)
        if not units:
            bond_price_micro = self.terms_of(product.class_id).bond_price_micro * product.hours
            margin_micro = share_up(bond_price_micro, self.deployment.terms.penalty_margin_bp)
            owed = self.obligation(product, site)
            floor_micro = -(-owed.bond_micro // owed.units) if owed.units else 0
        limit_micro = cost_micro(1, product.hours, self.price_micro(product, tick))
        return int(max(margin_micro, floor_micro - limit_micro))

    def _act(self, title: str, call: Call) -> Action[None]:
        return Action(title, call, self.sender, lambda _: None)

    def _order(
        self, verb: str, product: Product, tick: int, units: int, call: Call, costs: Callable[[], Costs]
    ) -> Action[int]:
        title = f"{verb} {format_units(units)} of {product.code} at tick {tick}"
        return Action(title, call, self.sender, self.said("OrderPlaced", "index"), costs)

    def _on_units(
        self,
        verb: str,
        function: str,
        site: int,
        product: Product,
        units: int,
        costs: Callable[[], Costs] = Costs,
    ) -> Action[None]:
        title = f"{verb} {format_units(units)} of {product.code} at site {site}"
        call = self.call("Capacity", function, site, product.id, units)
        return Action(title, call, self.sender, lambda _: None, costs)

    def _dilution(
        self, site: int, from_: Sequence[Product], into: Sequence[Product], units: int
    ) -> Callable[[], Costs]:
        """What the sender adds so that nobody's claim on a bond is diluted (IDelivery.move)."""

        def costs() -> Costs:
            left = sum(owed * units // count for count, owed in self._bonds(site, from_) if count)
            added = 0
            for place, (count, owed) in enumerate(self._bonds(site, into)):
                part = left // (len(into) - place)
                left -= part
                added += max(0, (-(-owed * units // count) if count else 0) - part)
            return Costs(bond_micro=added)

        return costs

    def _bonds(self, site: int, products: Iterable[Product]) -> list[tuple[int, int]]:
        calls = [self.call("Delivery", "obligationOf", product.id, site) for product in products]
        return self.chain.call_many(calls)

    def _clearing(self, receipt: Receipt) -> Clearing:
        event = self.event(receipt, "Cleared")
        if not event["units"]:
            return Clearing(0, None, None, None)
        bid, ask = (
            Margin(event[f"{side}Tick"], event[f"{side}Filled"], event[f"{side}Standing"]) for side in ("bid", "ask")
        )
        return Clearing(event["units"], event["priceTick"], bid, ask)

    def _fills(self, receipt: Receipt) -> dict[int, int]:
        # Each is `kind 2 | index 32 | units 32`, or 0 for one that did not wait in that round.
        fills = self.event(receipt, "Settled")["fills"]
        return {fill >> 32 & 0xFFFF_FFFF: fill & 0xFFFF_FFFF for fill in fills if fill}

    def _placement(self, receipt: Receipt) -> Placement:
        said = self.events(receipt.logs)
        skipped = (
            Skipped(event["position"], event["owner"], self.chain.reverts.decode(event["reason"]))
            for event in said
            if event.name == "OrderSkipped"
        )
        return Placement(tuple(event["index"] for event in said if event.name == "OrderPlaced"), tuple(skipped))


def _parts(orders: Sequence[Order]) -> list[list[int]]:
    parts: list[list[int]] = []
    room = 0
    for order in orders:
        weight = _OFFER_WEIGHT if order.kind is Kind.OFFER else 1
        if weight > room:
            parts.append([])
            room = _SETTLED_AT_ONCE
        parts[-1].append(order.index)
        room -= weight
    return parts
