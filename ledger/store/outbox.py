"""The outbox: every transaction that was ever signed here, kept before it is sent; the numbers of our keys; and who may
use a key now.

An intent (something to be done once) keeps its nonce for life, and each of its attempts (the same call, or a self-send
that takes its place) is kept for ever with its bytes and hash. Rules: RELIABILITY, section 6 A.
"""

import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from sqlalchemy import Connection, update

from ledger.errors import KeyBusy, KeyReused, LedgerError, NodeRefused
from ledger.keys import SignedTransaction
from ledger.store.engine import Store
from ledger.store.intents import (
    INSERT_ATTEMPT,
    INSERT_INTENT,
    INTENTS,
    KEYS,
    NEW,
    SELECT_KEY,
    SELECT_NAMED,
    SELECT_NUMBER,
    SELECT_SPENT,
    SELECT_UNFINISHED,
    SET_NONCE,
    SPENDING,
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

LEASE_S = 30

# Stands in place of the number of a draft that names the same as one before it among the drafts.
_TWIN = -2


@dataclass(frozen=True, slots=True)
class Budget:
    """What one key's transactions may cost on a day (of the chain's time), in wei."""

    day: int
    most_wei: int


class Outbox:
    """The outbox of one chain, for one process: `holder` is its name in leases. `wall_s` is the time of day."""

    def __init__(self, store: Store, chain_id: int, wall_s: Callable[[], float], lease_s: int = LEASE_S) -> None:
        self.store = store
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self._chain_id = chain_id
        self._wall_s = wall_s
        self._lease_ms = lease_s * 1000
        self._tokens: dict[str, int] = {}
        self._until_ms: dict[str, int] = {}

    # ---- who may use a key

    def hold(self, senders: Iterable[str]) -> set[str]:
        """Those of the keys that are this process's to use now: their leases are renewed when half is over."""
        now_ms = self._now_ms()
        wanted = set(senders)
        due = [one for one in wanted if self._until_ms.get(one, 0) - now_ms < self._lease_ms // 2]
        busy = set()
        if due:
            with self.store.write() as connection:
                for sender in due:
                    try:
                        self._claim(connection, sender)
                    except KeyBusy:
                        busy.add(sender)
        return wanted - busy

    def release(self) -> None:
        """Gives up every key that is held, so that another process need not wait."""
        with self.store.write() as connection:
            connection.execute(
                update(KEYS).where(KEYS.c.chain_id == self._chain_id, KEYS.c.holder == self.holder).values(until_ms=0)
            )
        self._tokens.clear()
        self._until_ms.clear()

    def _now_ms(self) -> int:
        return int(self._wall_s() * 1000)

    def _claim(self, connection: Connection, sender: str) -> int:
        """The next nonce of a key that is ours from now on. Raises KeyBusy."""
        row = connection.execute(SELECT_KEY, {"c": self._chain_id, "s": sender}).one_or_none()
        now_ms = self._now_ms()
        if row is not None and row.holder != self.holder and row.until_ms > now_ms and _lives(row.holder):
            self._tokens.pop(sender, None)
            self._until_ms.pop(sender, None)
            raise KeyBusy(sender, row.holder)
        ours = row is not None and row.holder == self.holder and row.token == self._tokens.get(sender)
        if row is None or not ours or row.until_ms - now_ms < self._lease_ms // 2:
            token = row.token if ours and row is not None else (0 if row is None else row.token) + 1
            until_ms = now_ms + self._lease_ms
            lease = {
                "chain_id": self._chain_id,
                "sender": sender,
                "next_nonce": 0 if row is None else row.next_nonce,
                "holder": self.holder,
                "token": token,
                "until_ms": until_ms,
            }
            self.store.upsert(connection, KEYS, lease)
            self._tokens[sender], self._until_ms[sender] = token, until_ms
        return 0 if row is None else int(row.next_nonce)

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
        results: list[Intent | LedgerError] = []
        with self.store.write() as connection:
            known = self._named(connection, [draft.key for draft in drafts if draft.key is not None])
            nonces: dict[str, int | LedgerError] = {}
            new: list[tuple[int, Draft, SignedTransaction, int]] = []
            for place, draft in enumerate(drafts):
                results.append(self._kept(connection, draft, known, nonces, budget))
                kept = results[-1]
                if isinstance(kept, Intent) and kept.number == NEW:
                    signed = draft.sign(kept.nonce)
                    kept = replace(kept, attempts=(Attempt(signed.hash, signed.raw, draft.gas, draft.fees),))
                    new.append((place, draft, signed, kept.nonce))
                    results[-1] = kept
                    if draft.key is not None:
                        known[draft.key] = kept
            self._insert(connection, new, results)
            for sender, nonce in nonces.items():
                if isinstance(nonce, int):
                    connection.execute(SET_NONCE, {"c": self._chain_id, "s": sender, "n": nonce})
        # A key that stands twice among the drafts found the first of them before it had its number.
        numbers = {one.key: one for one in results if isinstance(one, Intent) and one.number >= 0 and one.key}
        return [numbers[one.key or ""] if isinstance(one, Intent) and one.number < 0 else one for one in results]

    def _kept(
        self,
        connection: Connection,
        draft: Draft,
        known: Mapping[str, Intent],
        nonces: dict[str, int | LedgerError],
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
            return new_intent(draft, draft.nonce)
        if draft.sender not in nonces:
            try:
                nonces[draft.sender] = self._claim(connection, draft.sender)
            except KeyBusy as busy:
                nonces[draft.sender] = busy
        nonce = nonces[draft.sender]
        if isinstance(nonce, LedgerError):
            return nonce
        if budget is not None:
            cost_wei = draft.gas * draft.fees.max_fee_wei
            if not self._spend(connection, draft.sender, budget, cost_wei):
                return NodeRefused(
                    f"the budget of the day, {budget.most_wei} wei, does not hold {cost_wei} wei more",
                    "Wait until tomorrow, or allow more a day.",
                )
        nonce = max(nonce, draft.nonce)
        nonces[draft.sender] = nonce + 1
        return new_intent(draft, nonce)

    def _insert(
        self,
        connection: Connection,
        new: Sequence[tuple[int, Draft, SignedTransaction, int]],
        results: list[Intent | LedgerError],
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
                "token": self._tokens.get(draft.sender, 0),
                "cancel": False,
                "deadline_s": draft.deadline_s,
            }
            for _, draft, _, nonce in new
        ]
        numbers = connection.execute(INSERT_INTENT, rows).scalars().all()
        attempts = []
        for (place, draft, signed, _), number in zip(new, numbers, strict=True):
            kept = results[place]
            assert isinstance(kept, Intent)
            results[place] = replace(kept, number=number)
            attempts.append(attempt_row(number, 0, Attempt(signed.hash, signed.raw, draft.gas, draft.fees)))
        connection.execute(INSERT_ATTEMPT, attempts)

    def _spend(self, connection: Connection, sender: str, budget: Budget, wei: int) -> bool:
        where = {"chain_id": self._chain_id, "sender": sender, "day": budget.day}
        before = connection.execute(SELECT_SPENT, {"c": self._chain_id, "s": sender, "d": budget.day}).scalar() or 0
        if before + wei > budget.most_wei:
            return False
        self.store.upsert(connection, SPENDING, where | {"wei": before + wei})
        return True

    # ---- what became of it

    def record(self, changed: Sequence[Intent]) -> None:
        """Writes how far these intents are. Raises KeyBusy where one of their keys is another process's by now."""
        if not changed:
            return
        with self.store.write() as connection:
            self._fence(connection, changed)
            connection.execute(
                UPDATE_INTENT,
                [
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
                ],
            )

    def cancel(self, number: int) -> None:
        """Notes that the intent's nonce is to be taken by a self-send."""
        with self.store.write() as connection:
            connection.execute(update(INTENTS).where(INTENTS.c.number == number).values(cancel=True))

    def add(self, intent: Intent, attempt: Attempt, budget: Budget | None = None) -> Intent | None:
        """Keeps another attempt of an intent, before it is sent. None where the budget does not hold what it costs
        more. Raises KeyBusy as `record` does."""
        with self.store.write() as connection:
            self._fence(connection, [intent])
            more_wei = attempt.gas * attempt.fees.max_fee_wei - intent.last.gas * intent.last.fees.max_fee_wei
            if budget is not None and more_wei > 0 and not self._spend(connection, intent.sender, budget, more_wei):
                return None
            connection.execute(INSERT_ATTEMPT, [attempt_row(intent.number, len(intent.attempts), attempt)])
        return replace(intent, attempts=(*intent.attempts, attempt))

    def _fence(self, connection: Connection, intents: Sequence[Intent]) -> None:
        for sender in sorted({one.sender for one in intents if not one.relayed}):
            row = connection.execute(SELECT_KEY, {"c": self._chain_id, "s": sender}).one_or_none()
            if row is not None and row.token != self._tokens.get(sender):
                self._tokens.pop(sender, None)
                self._until_ms.pop(sender, None)
                raise KeyBusy(sender, row.holder)

    # ---- reads

    def unfinished(self) -> list[Intent]:
        """All that is not over, in the order of their nonces for each sender."""
        with self.store.read() as connection:
            return read_intents(connection, SELECT_UNFINISHED, {"c": self._chain_id})

    def find(self, name: int | str) -> Intent | None:
        """The intent of that number or idempotency key."""
        with self.store.read() as connection:
            if isinstance(name, str):
                return self._named(connection, [name]).get(name)
            return next(iter(read_intents(connection, SELECT_NUMBER, {"n": name})), None)

    def named(self, keys: Sequence[str]) -> dict[str, Intent]:
        """The intents of those of the idempotency keys that are known."""
        if not keys:
            return {}
        with self.store.read() as connection:
            return self._named(connection, keys)

    def _named(self, connection: Connection, keys: Sequence[str]) -> dict[str, Intent]:
        found: dict[str, Intent] = {}
        for start in range(0, len(keys), 500):
            for intent in read_intents(connection, SELECT_NAMED, {"keys": list(keys[start : start + 500])}):
                found[str(intent.key)] = intent
        return found


def _lives(holder: str) -> bool:
    """Whether the process of a lease may still live: one of this machine that is gone needs no waiting for."""
    host, _, process = holder.partition(":")
    if host != socket.gethostname():
        return True
    try:
        os.kill(int(process.partition(":")[0]), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, ValueError):
        return True
    return True
