"""What there is to do in a market, as tasks: read from the index's tables and the queue of signed orders."""

from collections.abc import Iterable, Iterator, Sequence

from ledger.keeping.relays import Batch, batches, place_signed, refused
from ledger.keeping.tasks import Burners, Job, Task, fingerprint, halved, key_of, packed
from ledger.model import Kind
from ledger.product import Product
from ledger.rpc import bytes_of
from ledger.store import queries
from ledger.store.records import OrderRow, WaitingRound
from ledger.store.relay import QueuedOrder, RelayQueue
from ledger.units import SECONDS_PER_HOUR
from ledger.view import View

# Settling takes some 30,000 gas an order, an offer five times that, and a contract that is given units 250,000: a part
# that has too little is refused whole, and tried in halves.
_SETTLED_AT_ONCE = 150
_OFFER_WEIGHT = 5
_SETTLE_GAS = 60_000
_SETTLE_GAS_BASE = 1_000_000

# How many held orders one tick looks at again: they may wait for money that never comes.
_HELD_AT_ONCE = 200

# Each order that a contract signed may burn 1,200,000 gas for nothing: a tick sends one transaction of them.
_BY_CONTRACT_AT_ONCE = 12
_BY_CONTRACT_LOOKED_AT = 200
_AFTER_OTHERS = "Orders that contracts sign are placed a few at a time. Wait, or sign it with a key."


class Backlog:
    """What can be done in one market. `who` names the keeper in the names of its batches of orders."""

    def __init__(self, view: View, queue: RelayQueue, who: str) -> None:
        self._view = view
        self._queue = queue
        self._store = queue.store
        self._who = who
        self._halve: set[str] = set()
        self._burners = Burners()
        self._held_to = 0

    def tasks(self, now_s: int, most: int) -> Iterator[Task]:
        """The oldest work of each job that can be done at `now_s`, about `most` tasks a job; relays not among it."""
        round_ = self._view.current_round(now_s)
        for one in queries.uncleared_rounds(self._store, round_, now_s, most):
            call = self._view.call("Exchange", "clear", one.product, one.round)
            due_s = self._view.round_end_s(one.round)
            yield Task(Job.CLEAR, key_of(Job.CLEAR, f"{one.product:x}", one.round), due_s, call)
        yield from self._settlements(round_, now_s, most)
        for lease in queries.leases_due(self._store, now_s, most):
            call = self._view.call("Delivery", "resolve", lease.lease)
            yield Task(Job.RESOLVE, key_of(Job.RESOLVE, lease.lease, lease.state), lease.due_s or now_s, call)
        for owed in queries.obligations_due(self._store, now_s, most):
            call = self._view.call("Delivery", "expire", owed.product, owed.site)
            # What is issued afterwards, by an offer that settles late, is another piece of work.
            key = key_of(Job.EXPIRE, f"{owed.product:x}", owed.site, owed.units, owed.expired_units)
            yield Task(Job.EXPIRE, key, owed.due_s, call)

    # ---- settle

    def halve(self, task: Task) -> bool:
        """From now on a settlement that failed is tried in halves; False for a task that cannot be halved."""
        if task.job is Job.SETTLE and task.size > 1:
            self._halve.add(task.key)
            return True
        return False

    def _settlements(self, round_: int, now_s: int, most: int) -> Iterator[Task]:
        found = 0
        for one in queries.waiting_rounds(self._store, round_, most):
            started = Product.from_id(one.product).start_hour * SECONDS_PER_HOUR <= now_s
            if found < most and (one.cleared or started):
                for task in self._parts(one):
                    found += 1
                    yield task

    def _parts(self, waiting: WaitingRound) -> Iterator[Task]:
        orders = queries.orders_in(self._store, waiting.product, waiting.round, waiting=True)
        parts = packed(orders, _weight, _SETTLED_AT_ONCE, _SETTLED_AT_ONCE)
        while parts:
            part = parts.pop()
            task = self._settlement(waiting, part)
            if task.key in self._halve:
                parts += halved(part)
            else:
                yield task

    def _settlement(self, waiting: WaitingRound, orders: Sequence[OrderRow]) -> Task:
        slots = [order.slot for order in orders]
        key = key_of(Job.SETTLE, f"{waiting.product:x}", waiting.round, fingerprint(slots))
        gas = _SETTLE_GAS_BASE + _SETTLE_GAS * sum(map(_weight, orders))
        call = self._view.call("Exchange", "settle", waiting.product, waiting.round, slots, gas=gas)
        return Task(Job.SETTLE, key, self._view.round_end_s(waiting.round), call, len(slots))

    # ---- relay

    def relays(self, now_s: int, most: int) -> tuple[list[Task], dict[int, str]]:
        """Batches of the first `most` queued orders of the current round, and of some that were held; and those orders
        that the chain would pass over, by number, with why. Those that it may yet take are held."""
        round_ = self._view.current_round(now_s)
        queued = self._bounded([*self._queue.waiting(round_, most), *self._held(round_)], now_s)
        if not queued:
            return [], {}
        why = refused(self._view, queued, self._who)
        known = {one.number: one.reason for one in queued}
        self._queue.hold({number: text for number, text in why.passing.items() if text != known[number]})
        bad = why.final.keys() | why.passing.keys()
        used: dict[int, int] = {}
        tasks = [self._relay(batch, round_, used) for batch in batches(one for one in queued if one.number not in bad)]
        return tasks, why.final

    def burnt(self, orders: Iterable[QueuedOrder], now_s: int) -> None:
        """Notes orders that were relayed and did not stand: a contract's next ones wait."""
        for owner in {one.order.owner for one in orders if not one.order.by_key}:
            self._burners.add(owner, self._view.chain.code(owner), now_s)

    def _bounded(self, queued: Sequence[QueuedOrder], now_s: int) -> list[QueuedOrder]:
        """Without those that contracts signed beyond a tick's bound, or whose contracts burnt gas: they are held."""
        signed = [one for one in queued if not one.order.by_key]
        first = signed[:_BY_CONTRACT_LOOKED_AT]
        codes = self._view.chain.batch([("eth_getCode", (one.order.owner, "latest")) for one in first])
        wanted = [(one.order.owner, bytes_of(code)) for one, code in zip(first, codes, strict=True)]
        may = self._burners.chosen(wanted, now_s)
        chosen = {one.number for one, yes in zip(first, may, strict=True) if yes}
        kept = set(sorted(chosen)[:_BY_CONTRACT_AT_ONCE])
        self._queue.hold({one.number: _AFTER_OTHERS for one in signed if one.number not in kept and not one.reason})
        return [one for one in queued if one.order.by_key or one.number in kept]

    def _held(self, round_: int) -> list[QueuedOrder]:
        """The next held orders: all of them in turn, a bounded part at a time."""
        found = self._queue.held(round_, self._held_to, _HELD_AT_ONCE)
        self._held_to = found[-1].number if len(found) == _HELD_AT_ONCE else 0
        return found

    def _relay(self, batch: Batch, round_: int, used: dict[int, int]) -> Task:
        orders = batch.orders
        call = place_signed(self._view, orders, self._slots(batch, used), batch.gas)
        key = key_of(Job.RELAY, self._who, fingerprint((one.number, one.attempts) for one in orders))
        due_s = round_ * self._view.deployment.terms.round_s
        return Task(Job.RELAY, key, due_s, call, len(orders), tuple(one.number for one in orders))

    def _slots(self, batch: Batch, used: dict[int, int]) -> list[int]:
        """Free slots for a batch, none of them named by another batch of this tick."""
        if batch.product is None:
            return []
        start = used.get(batch.product, 0)
        used[batch.product] = end = start + len(batch.orders)
        return queries.free_slots(self._store, batch.product, end)[start:]


def _weight(order: OrderRow) -> int:
    return _OFFER_WEIGHT if order.kind is Kind.OFFER else 1
