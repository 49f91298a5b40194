"""Who may use a key now: one process at a time, known by a token that rises whenever a key changes hands.

Rules: DRILLS.md mode 17. A transaction of the database that another got in the way of is begun anew here.
"""

import os
import socket
import time
from collections.abc import Callable, Iterable
from random import uniform
from threading import RLock
from typing import TypeVar
from uuid import uuid4

from sqlalchemy import Connection, update

from ledger.errors import KeyBusy
from ledger.store.engine import TRIES, Store, collided
from ledger.store.intents import KEYS, SELECT_KEY

LEASE_S = 30
T = TypeVar("T")


class Leases:
    """The keys of one chain that one process holds: `holder` is its name. `wall_s` is the time of day."""

    def __init__(self, store: Store, chain_id: int, wall_s: Callable[[], float], lease_s: int = LEASE_S) -> None:
        self.store = store
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self._chain_id = chain_id
        self._wall_s = wall_s
        self._lease_ms = lease_s * 1000
        self._tokens: dict[str, int] = {}
        self._until_ms: dict[str, int] = {}
        self._door = RLock()

    def write(self, work: Callable[[Connection], T]) -> T:
        """What `work` gives, in one transaction; begun anew where another got in between. A lease that was claimed in
        one that failed was not."""
        for tries_left in reversed(range(TRIES)):
            with self._door:
                before = dict(self._tokens), dict(self._until_ms)
                try:
                    with self.store.write() as connection:
                        return work(connection)
                except KeyBusy:
                    raise
                except BaseException as error:
                    self._tokens, self._until_ms = before
                    if not tries_left or not collided(error):
                        raise
            time.sleep(uniform(0.0, 0.02) * (TRIES - tries_left))
        raise AssertionError("the last try returns or raises")

    def hold(self, senders: Iterable[str]) -> set[str]:
        """Those of the keys that are this process's to use now: their leases are renewed when half is over."""
        now_ms = self._now_ms()
        wanted = set(senders)
        due = [one for one in wanted if self._until_ms.get(one, 0) - now_ms < self._lease_ms // 2]

        def claimed(connection: Connection) -> set[str]:
            busy = set()
            for sender in sorted(due):
                try:
                    self.claim(connection, sender)
                except KeyBusy:
                    busy.add(sender)
            return busy

        return wanted - self.write(claimed) if due else wanted

    def release(self) -> None:
        """Gives up every key that is held, so that another process need not wait."""
        ours = update(KEYS).where(KEYS.c.chain_id == self._chain_id, KEYS.c.holder == self.holder)
        self.write(lambda connection: connection.execute(ours.values(until_ms=0)))
        self._tokens.clear()
        self._until_ms.clear()

    def _now_ms(self) -> int:
        return int(self._wall_s() * 1000)

    def claim(self, connection: Connection, sender: str) -> int:
        """The next nonce of a key that is ours from now on. Raises KeyBusy."""
        row = connection.execute(SELECT_KEY, {"c": self._chain_id, "s": sender}).one_or_none()
        now_ms = self._now_ms()
        if row is not None and row.holder != self.holder and row.until_ms > now_ms and lives(row.holder):
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

    def fence(self, connection: Connection, senders: Iterable[str]) -> None:
        """Raises KeyBusy where one of the keys is another process's by now: what is known of it here may be old."""
        for sender in sorted(senders):
            row = connection.execute(SELECT_KEY, {"c": self._chain_id, "s": sender}).one_or_none()
            if row is not None and (row.holder, row.token) != (self.holder, self._tokens.get(sender)):
                self._tokens.pop(sender, None)
                self._until_ms.pop(sender, None)
                raise KeyBusy(sender, row.holder)

    def token(self, sender: str) -> int:
        """How often the key changed hands until it was ours."""
        return self._tokens.get(sender, 0)


def lives(holder: str) -> bool:
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
