"""One owner of a piece of work at a time, among threads, processes and machines: a row by the work's name, renewed
while it lasts. Whoever died lets go by that: at once on this machine, elsewhere when the row's time is up.
"""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from uuid import uuid4

from sqlalchemy import BigInteger, Column, Connection, String, Table, delete, select, update

from ledger.errors import TakenElsewhere, Unavailable
from ledger.store.engine import Store, metadata
from ledger.store.leases import lives

TURN_S = 30
"""How long a turn lasts that nobody renews."""

_turns = Table(
    "turns",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("holder", String(200), nullable=False),
    Column("until_ms", BigInteger, nullable=False),
)


@contextmanager
def turn(store: Store, name: str, turn_s: int = TURN_S) -> Iterator[None]:
    """The block's turn at the work called `name`, renewed for as long as it lasts. Raises TakenElsewhere where another
    thread or process has it, and StoreUnavailable."""
    holder = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex}"
    _take(store, name, holder, turn_s)
    done = Event()
    renewing = Thread(target=_renew, args=(store, name, holder, turn_s, done), name="turn", daemon=True)
    renewing.start()
    try:
        yield
    finally:
        done.set()
        renewing.join()
        mine = delete(_turns).where(_turns.c.name == name, _turns.c.holder == holder)
        # Where it cannot be given back, it ends by itself.
        with suppress(Unavailable):
            store.redo(lambda connection: connection.execute(mine))


def _take(store: Store, name: str, holder: str, turn_s: int) -> None:
    def taken(connection: Connection) -> None:
        found = connection.execute(select(_turns).where(_turns.c.name == name)).first()
        now_ms = time.time_ns() // 1_000_000
        if found is not None and found.until_ms > now_ms and lives(found.holder):
            raise TakenElsewhere(name)
        row = {"name": name, "holder": holder, "until_ms": now_ms + turn_s * 1_000}
        store.upsert(connection, _turns, row)

    store.redo(taken)


def _renew(store: Store, name: str, holder: str, turn_s: int, done: Event) -> None:
    mine = update(_turns).where(_turns.c.name == name, _turns.c.holder == holder)
    while not done.wait(turn_s / 3):
        longer = mine.values(until_ms=time.time_ns() // 1_000_000 + turn_s * 1_000)
        with suppress(Unavailable):
            store.redo(lambda connection, longer=longer: connection.execute(longer))  # type: ignore[misc]
