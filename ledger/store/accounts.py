"""Whom the API acts for: keys, what each has spent today, requests already answered, and logins of wallets.

No secret is kept: of a key and of a session only the SHA-256 is here, and both are 256 random bits, so that a hash
gives nothing away.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from secrets import token_hex, token_urlsafe
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    Row,
    Select,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

from ledger.store.engine import Amount, Store, metadata

ADDRESS = String(42)
HASH = String(64)

_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", String(24), primary_key=True),
    Column("hash", HASH, nullable=False, unique=True),
    Column("name", String(80), nullable=False),
    Column("scopes", String(80), nullable=False),
    Column("address", ADDRESS, nullable=False),
    Column("limit_micro_per_day", Amount, nullable=False),
    Column("withdraw_to", Text, nullable=False),
    Column("created_s", BigInteger, nullable=False),
    Column("revoked_s", BigInteger),
)
_spent = Table(
    "api_spent",
    metadata,
    Column("key_id", String(24), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("micro", Amount, nullable=False),
)
_requests = Table(
    "api_requests",
    metadata,
    Column("key_id", String(24), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("fingerprint", HASH, nullable=False),
    Column("started_s", BigInteger, nullable=False),
    Column("status", Integer),
    Column("body", Text),
    Index("api_requests_started", "started_s"),
)
_nonces = Table(
    "login_nonces",
    metadata,
    Column("nonce", String(64), primary_key=True),
    Column("until_s", BigInteger, nullable=False),
)
_sessions = Table(
    "login_sessions",
    metadata,
    Column("hash", HASH, primary_key=True),
    Column("address", ADDRESS, nullable=False),
    Column("until_s", BigInteger, nullable=False),
)

IN_FLIGHT_S = 60
"""How long a request may take before another may take it over: whoever had it is gone."""
KEPT_S = 30 * 24 * 3_600
"""How long an answer is kept to be given again."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key of a managed account: what it may do, for which address, how much in a day, and where money may go."""

    key_id: str
    name: str
    scopes: frozenset[str]
    address: str
    limit_micro_per_day: int
    withdraw_to: frozenset[str]
    created_s: int
    revoked_s: int | None


class Turn(Enum):
    """What a request with an idempotency key is to do."""

    FIRST = "nobody asked this before: do it"
    AGAIN = "it was answered: say the same"
    IN_FLIGHT = "somebody is doing it now"
    OTHER = "the key was used for something else"


@dataclass(frozen=True, slots=True)
class Begun:
    """Whose turn it is; `status` and `body` are the answer to give again."""

    turn: Turn
    status: int | None = None
    body: str | None = None


class Accounts:
    """The API's accounts in `store`. Raises StoreUnavailable."""

    def __init__(self, store: Store) -> None:
        self.store = store

    # ---- keys

    def add_key(
        self,
        name: str,
        scopes: frozenset[str],
        address: str,
        limit_micro_per_day: int,
        withdraw_to: frozenset[str],
        now_s: int,
    ) -> tuple[str, ApiKey]:
        """A new key: its secret, which is shown once and kept nowhere, and what is kept of it."""
        secret = "cl_" + token_urlsafe(32)
        key = ApiKey(token_hex(8), name, scopes, address, limit_micro_per_day, withdraw_to, now_s, None)
        row = {field.name: getattr(key, field.name) for field in fields(key)}
        row |= {
            "scopes": ",".join(sorted(scopes)),
            "withdraw_to": ",".join(sorted(withdraw_to)),
            "hash": hashed(secret),
        }
        self.store.redo(lambda connection: connection.execute(insert(_keys), row))
        return secret, key

    def key_of(self, secret: str) -> ApiKey | None:
        """The key that `secret` opens; None for one that never was, or is revoked."""
        found = self._keys(select(_keys).where(_keys.c.hash == hashed(secret), _keys.c.revoked_s.is_(None)))
        return found[0] if found else None

    def listed(self, address: str | None = None) -> list[ApiKey]:
        """All keys, or those of one address, the oldest first."""
        wanted = select(_keys).order_by(_keys.c.created_s, _keys.c.key_id)
        return self._keys(wanted if address is None else wanted.where(_keys.c.address == address))

    def allow(self, key_id: str, withdraw_to: frozenset[str]) -> bool:
        """Says anew where a key may send things; whether there is such a living key."""
        said = update(_keys).where(_keys.c.key_id == key_id, _keys.c.revoked_s.is_(None))
        with self.store.write() as connection:
            return bool(connection.execute(said.values(withdraw_to=",".join(sorted(withdraw_to)))).rowcount)

    def revoke(self, key_id: str, now_s: int, unless_last: bool = False) -> bool:
        """Ends a key at once; whether there was one to end. With `unless_last`, a key that signs for its account lives
        on where no other living one does: of two that are ended at once, one stays."""
        signs = _keys.c.scopes.not_in(("", "read"))
        living = select(_keys.c.key_id).where(_keys.c.revoked_s.is_(None))

        def ended(connection: Connection) -> bool:
            mine = connection.execute(
                living.add_columns(_keys.c.address, signs.label("signs")).where(_keys.c.key_id == key_id)
            ).first()
            if mine is None:
                return False
            others = living.where(_keys.c.address == mine.address, _keys.c.key_id != key_id, signs)
            if unless_last and mine.signs and connection.execute(others.limit(1)).first() is None:
                return False
            return bool(
                connection.execute(update(_keys).where(_keys.c.key_id == key_id).values(revoked_s=now_s)).rowcount
            )

        return self.store.redo(ended)

    def _keys(self, wanted: Select[Any]) -> list[ApiKey]:
        with self.store.read() as connection:
            return [_key(row) for row in connection.execute(wanted)]

    # ---- what a key spends

    def spend(self, key: ApiKey, day: int, micro: int) -> int | None:
        """Counts an amount against the key's limit of that day; what is left, or None where it is more than that."""

        def counted(connection: Connection) -> int | None:
            left = key.limit_micro_per_day - self._spent(connection, key.key_id, day) - micro
            if left < 0:
                return None
            self._count(connection, key.key_id, day, micro)
            return left

        return self.store.redo(counted)

    def unspend(self, key: ApiKey, day: int, micro: int) -> None:
        """Takes back what was counted for something that was not done."""
        self.store.redo(lambda connection: self._count(connection, key.key_id, day, -micro))

    def left_micro(self, key: ApiKey, day: int) -> int:
        """What the key may still spend on that day."""
        with self.store.read() as connection:
            return max(0, key.limit_micro_per_day - self._spent(connection, key.key_id, day))

    def _spent(self, connection: Connection, key_id: str, day: int) -> int:
        of_day = select(_spent.c.micro).where(_spent.c.key_id == key_id, _spent.c.day == day)
        return int(connection.execute(of_day).scalar() or 0)

    def _count(self, connection: Connection, key_id: str, day: int, micro: int) -> None:
        total = max(0, self._spent(connection, key_id, day) + micro)
        self.store.upsert(connection, _spent, {"key_id": key_id, "day": day, "micro": total})

    # ---- requests

    def begin(self, key_id: str, key: str, fingerprint: str, now_s: int) -> Begun:
        """Whose turn a request is. Of many that come at once, exactly one is the first."""
        mine = (_requests.c.key_id == key_id, _requests.c.key == key)
        row = {"key_id": key_id, "key": key, "fingerprint": fingerprint, "started_s": now_s}

        def begun(connection: Connection) -> Begun:
            connection.execute(delete(_requests).where(_requests.c.started_s < now_s - KEPT_S))
            found = connection.execute(select(_requests).where(*mine)).first()
            if found is None:
                connection.execute(insert(_requests), row)
                return Begun(Turn.FIRST)
            if found.fingerprint != fingerprint:
                return Begun(Turn.OTHER)
            if found.status is not None:
                return Begun(Turn.AGAIN, found.status, found.body)
            if found.started_s > now_s - IN_FLIGHT_S:
                return Begun(Turn.IN_FLIGHT)
            connection.execute(update(_requests).where(*mine).values(started_s=now_s))
            return Begun(Turn.FIRST)

        return self.store.redo(begun)

    def finish(self, key_id: str, key: str, status: int, body: str) -> None:
        """Keeps a request's answer."""
        mine = (_requests.c.key_id == key_id, _requests.c.key == key)
        answered = update(_requests).where(*mine).values(status=status, body=body)
        self.store.redo(lambda connection: connection.execute(answered))

    def forget(self, key_id: str, key: str) -> None:
        """Lets a request that did nothing be made again."""
        mine = (_requests.c.key_id == key_id, _requests.c.key == key)
        undone = delete(_requests).where(*mine, _requests.c.status.is_(None))
        self.store.redo(lambda connection: connection.execute(undone))

    # ---- logins

    def new_nonce(self, now_s: int, life_s: int) -> str:
        """A number that one login may use once."""
        nonce = token_hex(16)
        self._renew(_nonces, now_s, {"nonce": nonce, "until_s": now_s + life_s})
        return nonce

    def use_nonce(self, nonce: str, now_s: int) -> bool:
        """Uses a nonce up; False for one that was used, is too old, or never was."""
        mine = delete(_nonces).where(_nonces.c.nonce == nonce, _nonces.c.until_s > now_s)
        return self.store.redo(lambda connection: bool(connection.execute(mine).rowcount))

    def open_session(self, address: str, now_s: int, life_s: int) -> str:
        """A token by which `address` is known until its life ends."""
        token = "cs_" + token_urlsafe(32)
        self._renew(_sessions, now_s, {"hash": hashed(token), "address": address, "until_s": now_s + life_s})
        return token

    def _renew(self, table: Table, now_s: int, row: Mapping[str, Any]) -> None:
        """Adds a row, and takes out those that have ended."""

        def renewed(connection: Connection) -> None:
            connection.execute(delete(table).where(table.c.until_s <= now_s))
            connection.execute(insert(table), row)

        self.store.redo(renewed)

    def session_of(self, token: str, now_s: int) -> str | None:
        """Whose session a token opens; None where it has ended."""
        mine = select(_sessions.c.address).where(_sessions.c.hash == hashed(token), _sessions.c.until_s > now_s)
        with self.store.read() as connection:
            return connection.execute(mine).scalar()


def hashed(secret: str) -> str:
    """What is kept of a secret of 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        key_id=row.key_id,
        name=row.name,
        scopes=frozenset(row.scopes.split(",")) - {""},
        address=row.address,
        limit_micro_per_day=row.limit_micro_per_day,
        withdraw_to=frozenset(row.withdraw_to.split(",")) - {""},
        created_s=row.created_s,
        revoked_s=row.revoked_s,
    )
