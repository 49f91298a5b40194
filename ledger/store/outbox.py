"""The outbox: every transaction that was ever signed here, kept before it is sent; the numbers of our keys; and who may
use a key now.

An intent (something to be done once) keeps its nonce for life, and each of its attempts (the same call, or a self-send
that takes its place) is kept for ever with its bytes and hash. Rules: tests/DRILLS.md.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, bindparam, update

from ledger.errors import KeyBusy, KeyReused, LedgerError, NodeRefused
from ledger.keys import SignedTransaction
from ledger.store.engine import Store
from ledger.store.intents import (
    INSERT_ATTEMPT,
    INSERT_INTENT,
    INTENTS,
    NEW,
    SELECT_CROWD,
    SELECT_GLANCE,
    SELECT_KEY,
    SELECT_NAMED,
    SELECT_NUMBERS,
    SELECT_SLOT,
    SELECT_UNFINISHED,
    SET_NONCE,
    UNFINISHED,
    UPDATE_INTENT,
    Attempt,
    Draft,
    Intent,
    State,
    attempt_row,
    new_intent,
    read_intents,
)
from ledger.store.leases import LEASE_S, Leases
from ledger.store.spending import Budget, Spending

RELAYED = "relayed"
"""Stands in place of a key in leases: one process at a time carries what others signed."""
RELAYED_MOST, RELAYED_MOST_OF_ONE, RELAYED_FEW_OF_ONE = 5_000, 256, 4
"""How much that others signed may be under way, of all and of one sender; and of one where half of all is under way:
what waits for a nonce that never comes costs its sender nothing, and a few accounts must not keep out everybody."""

# As many numbers as a statement may name; more are read with all the rest.
_NUMBERS_MOST = 500

# Stands in place of the number of a draft that names the same as one before it among the drafts.
_TWIN = -2


@dataclass(slots=True)
class _Now:
    """What one transaction of the database knows so far: the next nonce of each of our keys, or why there is none; and
    how much of others' is in no block yet, by sender, once that was asked."""

    nonces: dict[str, int | LedgerError] = field(default_factory=dict)
    crowd: Counter[str] | None = None


class Outbox:
    """The outbox of one chain, for one process: `holder` is its name in leases. `wall_s` is the time of day."""

    def __init__(self, store: Store, chain_id: int, wall_s: Callable[[], float], lease_s: int = LEASE_S) -> None:
        self.store = store
        self._chain_id = chain_id
        self._leases = Leases(store, chain_id, wall_s, lease_s)
        self._spending = Spending(store, chain_id)
        self._seen: dict[int, Intent] = {}

    def hold(self, senders: Iterable[str]) -> set[str]:
        """Those of the keys that are this process's to use now: their leases are renewed when half is over."""
        return self._leases.hold(senders)

    def release(self) -> None:
        """Gives up every key that is held, so that another process need not wait."""
        self._leases.release()

    def next_nonce(self, sender: str) -> int:
        """The nonce that the next intent of the key would get, as far as this outbox knows."""
        with self.store.read() as connection:
            row = connection.execute(SELECT_KEY, {"c": self._chain_id, "s": sender}).one_or_none()
        return 0 if row is None else int(row.next_nonce)

    # ---- what is to be sent

    def keep(self, drafts: Sequence[Draft], budget: Budget | None = None) -> list[Intent | LedgerError]:
        """Gives each draft its nonce, signs it, and keeps it: all in one transaction, on the disk when this returns.

        A draft whose key named the same call before gives that intent again. In place of an intent stands KeyReused
        for a key that named another call, KeyBusy where another process has the sender, NodeRefused above the budget.
        """
        results = self._leases.write(lambda connection: self._keep(connection, drafts, budget))
        # A key that stands twice among the drafts found the first of them before it had its number.
        numbers = {one.key: one for one in results if isinstance(one, Intent) and one.number >= 0 and one.key}
        kept = [numbers[one.key or ""] if isinstance(one, Intent) and one.number < 0 else one for one in results]
        self._see(one for one in kept if isinstance(one, Intent))
        return kept

    def _keep(
        self, connection: Connection, drafts: Sequence[Draft], budget: Budget | None
    ) -> list[Intent | LedgerError]:
        results: list[Intent | LedgerError] = []
        known = self._named(connection, [draft.key for draft in drafts if draft.key is not None])
        now = _Now()
        new: list[tuple[int, Draft, SignedTransaction, int]] = []
        for place, draft in enumerate(drafts):
            results.append(self._kept(connection, draft, known, now, budget))
            kept = results[-1]
            if isinstance(kept, Intent) and kept.number == NEW:
                signed = draft.sign(kept.nonce)
                kept = replace(kept, attempts=(Attempt(signed.hash, signed.raw, draft.gas, draft.fees),))
                new.append((place, draft, signed, kept.nonce))
                results[-1] = kept
                if draft.key is not None:
                    known[draft.key] = kept
        self._insert(connection, new, results, budget)
        for sender, nonce in now.nonces.items():
            if isinstance(nonce, int):
                connection.execute(SET_NONCE, {"c": self._chain_id, "s": sender, "n": nonce})
        return results

    def _kept(
        self,
        connection: Connection,
        draft: Draft,
        known: Mapping[str, Intent],
        now: _Now,
        budget: Budget | None,
    ) -> Intent | LedgerError:
        if draft.key is not None and draft.key in known:
            before = known[draft.key]
            same = (before.sender, before.to, before.data) == (draft.sender, draft.to, draft.data)
            # The same as one before it among the drafts: its number is not known yet, and its nonce is.
            return (
                replace(before, number=before.number if before.number >= 0 else _TWIN) if same else KeyReused(draft.key)
            )
        if draft.relayed:
            return self._crowded(connection, draft.sender, now) or new_intent(draft, draft.nonce)
        nonces = now.nonces
        if draft.sender not in nonces:
            try:
                nonces[draft.sender] = self._leases.claim(connection, draft.sender)
            except KeyBusy as busy:
                nonces[draft.sender] = busy
        nonce = nonces[draft.sender]
        if isinstance(nonce, LedgerError):
            return nonce
        if budget is not None:
            cost_wei = draft.gas * draft.fees.max_fee_wei
            if not self._spending.spend(connection, draft.sender, budget, cost_wei):
                return NodeRefused(
                    f"the budget of the day, {budget.most_wei} wei, does not hold {cost_wei} wei more",
                    "Wait until tomorrow, or allow more a day.",
                )
        nonce = max(nonce, draft.nonce)
        nonces[draft.sender] = nonce + 1
        return new_intent(draft, nonce)

    def _crowded(self, connection: Connection, sender: str, now: _Now) -> NodeRefused | None:
        """Why there is no room for another of a sender; where there is, it is taken."""
        if now.crowd is None:
            rows = connection.execute(SELECT_CROWD, {"c": self._chain_id})
            now.crowd = Counter({row[0]: int(row[1]) for row in rows})
        of_one, of_all = now.crowd[sender], now.crowd.total()
        if of_one >= (RELAYED_MOST_OF_ONE if of_all < RELAYED_MOST // 2 else RELAYED_FEW_OF_ONE):
            return NodeRefused(f"{of_one} transactions of {sender} are under way here", "Wait for their blocks.")
        if of_all >= RELAYED_MOST:
            return NodeRefused(f"{of_all} transactions that others signed are under way here", "Try again later.")
        now.crowd[sender] += 1
        return None

    def _insert(
        self,
        connection: Connection,
        new: Sequence[tuple[int, Draft, SignedTransaction, int]],
        results: list[Intent | LedgerError],
        budget: Budget | None = None,
    ) -> None:
        if not new:
            return
        rows = [
            {
                "chain_id": self._chain_id,
                "key": draft.key,
                "sender": draft.sender,
                "nonce": nonce,
                "slot": None if draft.relayed else nonce,
                "to": draft.to,
                "data": draft.data,
                "state": State.SIGNED.value,
                "unfinished": True,
                "token": self._leases.token(draft.sender),
                "cancel": draft.fills,
                "deadline_s": draft.deadline_s,
            }
            for _, draft, _, nonce in new
        ]
        numbers = connection.execute(INSERT_INTENT, rows).scalars().all()
        attempts, reserved = [], []
        for (place, draft, _, _), number in zip(new, numbers, strict=True):
            kept = results[place]
            assert isinstance(kept, Intent)
            results[place] = replace(kept, number=number)
            attempts.append(attempt_row(number, 0, kept.last))
            if not draft.relayed:
                reserved.append((number, draft.gas * draft.fees.max_fee_wei))
        connection.execute(INSERT_ATTEMPT, attempts)
        if budget is not None:
            self._spending.note(connection, reserved, 0, budget.day)

    def fill(self, draft: Draft) -> Intent | None:
        """Keeps a self-send for a slot that nobody fills; None where an intent has it. Raises KeyBusy."""

        def kept(connection: Connection) -> Intent | None:
            self._leases.claim(connection, draft.sender)
            slot = {"c": self._chain_id, "s": draft.sender, "n": draft.nonce}
            if connection.execute(SELECT_SLOT, slot).first() is not None:
                return None
            signed = draft.sign(draft.nonce)
            attempt = Attempt(signed.hash, signed.raw, draft.gas, draft.fees, cancels=True)
            results: list[Intent | LedgerError] = [replace(new_intent(draft, draft.nonce), attempts=(attempt,))]
            self._insert(connection, [(0, draft, signed, draft.nonce)], results)
            [result] = results
            return result if isinstance(result, Intent) else None

        return self._leases.write(kept)

    # ---- what became of it

    def record(self, changed: Sequence[Intent], paid: Mapping[int, int] | None = None) -> None:
        """Writes how far these intents are; `paid` has what those that are over did cost, in wei, by their numbers: the
        rest of what was reserved returns to its day. Raises KeyBusy where one of their keys is another process's by
        now."""
        if not changed:
            return
        rows = [
            {
                "b_number": one.number,
                "b_state": one.state.value,
                "b_unfinished": one.state in UNFINISHED,
                "b_cancel": one.cancel,
                "b_block": one.block,
                "b_block_hash": one.block_hash,
                "b_counted": one.counted,
                "b_succeeded": one.succeeded,
                "b_reason": one.reason,
            }
            for one in changed
        ]
        owners = {one.sender for one in changed if not one.relayed}
        costs = {one.number: (one.sender, paid[one.number]) for one in changed if paid and one.number in paid}

        def recorded(connection: Connection) -> None:
            self._leases.fence(connection, owners)
            connection.execute(UPDATE_INTENT, rows)
            self._spending.settle(connection, costs)

        self._leases.write(recorded)
        self._see(changed)

    def cancel(self, number: int) -> None:
        """Notes that the intent's nonce is to be taken by a self-send."""
        self._leases.write(
            lambda connection: connection.execute(_CANCEL, {"b_chain": self._chain_id, "b_number": number})
        )

    def add(self, intent: Intent, attempt: Attempt, budget: Budget | None = None) -> Intent | None:
        """Keeps another attempt of an intent, before it is sent. None where the budget does not hold what it costs
        more. Raises KeyBusy as `record` does."""
        more_wei = attempt.gas * attempt.fees.max_fee_wei - intent.last.gas * intent.last.fees.max_fee_wei
        place = len(intent.attempts)

        def added(connection: Connection) -> bool:
            self._leases.fence(connection, {intent.sender})
            if budget is not None and more_wei > 0:
                if not self._spending.spend(connection, intent.sender, budget, more_wei):
                    return False
                self._spending.note(connection, [(intent.number, more_wei)], place, budget.day)
            connection.execute(INSERT_ATTEMPT, [attempt_row(intent.number, place, attempt)])
            return True

        return replace(intent, attempts=(*intent.attempts, attempt)) if self._leases.write(added) else None

    # ---- reads

    def unfinished(self) -> list[Intent]:
        """All that is not over, in the order of their nonces for each sender.

        Bytes do not change, and are many: an intent is read whole only where a glance shows that another process wrote
        what is not known here.
        """
        before = self._seen
        with self.store.read() as connection:
            glances = connection.execute(SELECT_GLANCE, {"c": self._chain_id}).all()
            strange = [number for number, *rest in glances if _glance(before.get(number)) != tuple(rest)]
            if len(strange) > _NUMBERS_MOST:
                read = read_intents(connection, SELECT_UNFINISHED, {"c": self._chain_id})
            else:
                read = (
                    read_intents(connection, SELECT_NUMBERS, {"c": self._chain_id, "numbers": strange})
                    if strange
                    else []
                )
        fresh = {one.number: one for one in read}
        found = [fresh.get(number) or before[number] for number, *_ in glances]
        self._seen = {one.number: one for one in found}
        return found

    def _see(self, intents: Iterable[Intent]) -> None:
        for one in intents:
            self._seen[one.number] = one

    def find(self, name: int | str) -> Intent | None:
        """The intent of that number or idempotency key."""
        with self.store.read() as connection:
            if isinstance(name, str):
                return self._named(connection, [name]).get(name)
            return next(iter(read_intents(connection, SELECT_NUMBERS, {"c": self._chain_id, "numbers": [name]})), None)

    def named(self, keys: Sequence[str]) -> dict[str, Intent]:
        """The intents of those of the idempotency keys that are known."""
        if not keys:
            return {}
        with self.store.read() as connection:
            return self._named(connection, keys)

    def _named(self, connection: Connection, keys: Sequence[str]) -> dict[str, Intent]:
        found: dict[str, Intent] = {}
        for start in range(0, len(keys), 500):
            some = {"c": self._chain_id, "keys": list(keys[start : start + 500])}
            for intent in read_intents(connection, SELECT_NAMED, some):
                found[str(intent.key)] = intent
        return found


_CANCEL = (
    update(INTENTS)
    .where(INTENTS.c.chain_id == bindparam("b_chain"), INTENTS.c.number == bindparam("b_number"))
    .values(cancel=True)
)


def _glance(intent: Intent | None) -> tuple[str, bool, int] | None:
    return None if intent is None else (intent.state.value, intent.cancel, len(intent.attempts))
