"""Takes the planned steps of a campaign on chain, each under a name of its own: whoever takes one that was sent before
finds it sent, and it has one effect.

    bid, ask   planned -> stands (in its round) -> done | refused
    split      planned -> done | refused
    redeem     planned -> stands (its lease runs) -> done | refused
"""

from collections.abc import Iterable
from typing import Any

from ledger.action import Action
from ledger.delivery import Delivery
from ledger.errors import Cancelled, InputError, NotIncluded, Reverted, UnknownIntent
from ledger.keys import Signer
from ledger.market import Market
from ledger.product import Product
from ledger.rpc import Receipt
from ledger.sending.drafts import Sent
from ledger.store.campaigns import CampaignRow, StepKind, StepRow, StepState, note_step
from ledger.store.engine import Store
from ledger.view import read_order

_ORDERS = (StepKind.BID, StepKind.ASK)


class Taker:
    """Takes steps on one market, and notes in `store` where each stands then."""

    def __init__(self, market: Market, store: Store) -> None:
        self._market, self._store = market, store
        self._delivery = Delivery(market.chain, market.deployment, market.sender)

    def take(self, row: CampaignRow, taken: Iterable[StepRow], signer: Signer) -> None:
        """Takes each planned step of a campaign. What the market refuses by now ends as refused, and so does what was
        not sent yet of one that was stopped, but for its asks."""
        under_way: list[tuple[StepRow, Sent]] = []
        for step in taken:
            if step.state is not StepState.PLANNED:
                continue
            key = f"dispatch {row.name} step {step.number}"
            if row.stopped and step.kind is not StepKind.ASK and not self._was_sent(key):
                note_step(self._store, step, StepState.REFUSED, text="it was stopped")
                continue
            try:
                sent = self._market.sender.submit(self._action(step).call, signer, key, deadline_s=self._until_s(step))
            except (Reverted, InputError) as reason:
                note_step(self._store, step, StepState.REFUSED, text=str(reason))
            else:
                under_way.append((step, sent))
        for step, sent in under_way:
            self._wait(step, sent)

    def _was_sent(self, key: str) -> bool:
        try:
            self._market.sender.status(key)
        except UnknownIntent:
            return False
        return True

    def _action(self, step: StepRow) -> Action[Any]:
        product = Product.from_id(step.product)
        if step.kind in _ORDERS:
            place = self._market.bid if step.kind is StepKind.BID else self._market.ask
            return place(product, step.units, tick=step.tick)
        if step.kind is StepKind.SPLIT:
            return self._market.split(step.site, product, step.units)
        return self._delivery.redeem(product, step.site, step.units, job_hash=bytes.fromhex(step.hash))

    def _until_s(self, step: StepRow) -> int:
        """After this it would be refused: what is in no block by then is cancelled."""
        start_s = Product.from_id(step.product).start_s
        return start_s - self._market.deployment.terms.lead_s if step.kind in _ORDERS else start_s

    def _wait(self, step: StepRow, sent: Sent) -> None:
        try:
            receipt = self._market.sender.wait(sent)
        except (Reverted, Cancelled) as reason:
            note_step(self._store, step, StepState.REFUSED, text=str(reason))
        except NotIncluded:
            # It is kept, and asked for again.
            return
        else:
            state, came = self._came(step, receipt)
            note_step(self._store, step, state, **came)

    def _came(self, step: StepRow, receipt: Receipt) -> tuple[StepState, dict[str, int]]:
        if step.kind is StepKind.SPLIT:
            # Who splits keeps the bonds of others' hours as good as they were.
            added = [event for event in self._market.events(receipt.logs) if event.name == "BondPosted"]
            return StepState.DONE, {"cost_micro": sum(event["amount"] for event in added)}
        if step.kind is StepKind.REDEEM:
            return StepState.STANDS, {"lease": self._market.event(receipt, "Redeemed")["lease"]}
        placed = self._market.event(receipt, "OrderPlaced")
        first_round = self._market.book(Product.from_id(step.product)).first_round
        order = read_order(placed["order"], Product.from_id(step.product), first_round, placed["index"])
        return StepState.STANDS, {"round": order.round, "slot": order.index}
