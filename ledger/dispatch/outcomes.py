"""What came of a campaign's orders and leases, read off the history. What nobody else cleared, settled or resolved in
time is done here: anyone may, and a market without a keeper holds no campaign up."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from ledger.action import Action
from ledger.delivery import Delivery
from ledger.dispatch.desk import DispatchDesk
from ledger.errors import Cancelled, NotIncluded, Reverted
from ledger.keys import Signer
from ledger.product import Product
from ledger.store.campaigns import StepKind, StepRow, StepState, note_step
from ledger.store.engine import Store
from ledger.store.queries import clearing, lease, orders_in, waiting_rounds


class Observer:
    """Notes in `store` what came of steps; `refresh` is called before the history is read again, and others have
    `patience_s` to do what is due."""

    def __init__(self, desk: DispatchDesk, store: Store, refresh: Callable[[], object], patience_s: int) -> None:
        self._market, self._history, self._store = desk.market, desk.history, store
        self._refresh, self._patience_s = refresh, patience_s
        self._delivery = Delivery(self._market.chain, self._market.deployment, self._market.sender)

    def observe(self, taken: Sequence[StepRow], signer: Signer) -> None:
        """Notes fills of orders and ends of leases; clears, settles and resolves what is overdue."""
        waiting = [step for step in taken if step.state is StepState.STANDS and not self._noted(step)]
        helped = self._help(waiting, signer)
        if self._unblock(taken, signer) or helped:
            self._refresh()
            for step in waiting:
                self._noted(step)

    def _noted(self, step: StepRow) -> bool:
        """Whether the step has ended, which is noted then."""
        came = self._end_of_lease(step) if step.kind is StepKind.REDEEM else self._fill(step)
        if came is None:
            return False
        note_step(self._store, step, StepState.DONE, **came)
        return True

    def _end_of_lease(self, step: StepRow) -> dict[str, int] | None:
        found = lease(self._history, step.lease or 0)
        if found is None or found.resolved_s is None:
            return None
        return {"delivered_milli": found.delivered_milli or 0, "refund_micro": found.to_holder_micro or 0}

    def _fill(self, step: StepRow) -> dict[str, int] | None:
        """What an order traded, and for how much."""
        found = [row for row in orders_in(self._history, step.product, step.round or 0) if row.slot == step.slot]
        if not found or not found[0].settled:
            return None
        filled, traded_micro = found[0].filled, 0
        if filled:
            price = clearing(self._history, step.product, step.round or 0)
            if price is None or price.price_micro is None:
                return None
            traded_micro = filled * Product.from_id(step.product).hours * price.price_micro
        return {"filled": filled, "cost_micro" if step.kind is StepKind.BID else "refund_micro": traded_micro}

    # ---- what others left undone

    def _help(self, waiting: Sequence[StepRow], signer: Signer) -> bool:
        now_s, done = self._market.chain.time_s(), False
        orders = {(step.product, step.round or 0) for step in waiting if step.kind is not StepKind.REDEEM}
        for product_id, round_ in sorted(orders):
            if now_s >= self._market.round_end_s(round_) + self._patience_s:
                done |= self._settle(Product.from_id(product_id), round_, signer)
        for number in [step.lease for step in waiting if step.lease is not None]:
            found = lease(self._history, number)
            if found is not None and found.due_s is not None and now_s > found.due_s + self._patience_s:
                done |= tried(self._delivery.resolve(found.lease), signer)
        return done

    def _unblock(self, taken: Sequence[StepRow], signer: Signer) -> bool:
        """No window is split while offers of its hours wait at the site: they are settled where that was refused."""
        now_s = self._market.chain.time_s()
        refused = [step for step in taken if step.kind is StepKind.SPLIT and step.state is StepState.REFUSED]
        windows = {Product.from_id(step.product) for step in refused}
        hours = {hourly.id for window in windows if window.start_s > now_s for hourly in window.hourly()}
        done = False
        for one in waiting_rounds(self._history, self._market.current_round(now_s)) if hours else ():
            if one.product in hours and now_s >= self._market.round_end_s(one.round) + self._patience_s:
                done |= self._settle(Product.from_id(one.product), one.round, signer)
        return done

    def _settle(self, product: Product, round_: int, signer: Signer) -> bool:
        done = False
        if self._market.price(product, round_) is None and self._market.chain.time_s() < product.start_s:
            done |= tried(self._market.clear(product, round_), signer)
        for part in self._market.settlements(product, round_):
            done |= tried(part, signer)
        return done


def tried(action: Action[Any], signer: Signer) -> bool:
    """Whether it was done here: somebody else may have been first."""
    with suppress(Reverted, Cancelled, NotIncluded):
        action.send(signer)
        return True
    return False
