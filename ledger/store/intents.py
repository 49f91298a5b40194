"""Intents and their attempts: the values, the tables that keep them, and the statements on those."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)

from ledger.keys import SignedTransaction
from ledger.sending.fees import Fees
from ledger.store.engine import Amount, metadata

NEW = -1
"""Stands in place of the number of an intent that has none yet."""


class State(StrEnum):
    """How far an intent is. Included and safe may go back; the last four are for ever."""

    SIGNED = "signed"
    BROADCAST = "broadcast"
    INCLUDED = "included"
    SAFE = "safe"
    FINAL = "final"
    REVERTED = "reverted"
    CANCELLED = "cancelled"
    CONSUMED = "consumed"
    """Another transaction, which is not of this outbox, has the nonce."""


UNFINISHED = frozenset({State.SIGNED, State.BROADCAST, State.INCLUDED, State.SAFE})
IN_A_BLOCK = frozenset({State.INCLUDED, State.SAFE})


@dataclass(frozen=True, slots=True)
class Attempt:
    """One transaction for an intent: its bytes, hash (hex), gas limit and fees; whether it is the self-send that does
    nothing but take the nonce."""

    hash: str
    raw: bytes
    gas: int
    fees: Fees
    cancels: bool = False


@dataclass(frozen=True, slots=True)
class Intent:
    """Something to be done once, and what became of it.

    `counted` is the hash of the transaction that stands in `block`, if any. `relayed` is what others signed. `cancel`
    says that its nonce is to be taken by a self-send; `deadline_s` is the block time at which that happens by itself.
    """

    number: int
    key: str | None
    sender: str
    nonce: int
    relayed: bool
    to: str | None
    data: bytes
    state: State
    cancel: bool
    deadline_s: int | None
    block: int | None
    block_hash: str | None
    counted: str | None
    succeeded: bool | None
    reason: str | None
    attempts: tuple[Attempt, ...]

    @property
    def last(self) -> Attempt:
        """The attempt that is on offer."""
        return self.attempts[-1]

    def attempt(self, transaction: str) -> Attempt:
        """The attempt of that hash."""
        return next(one for one in self.attempts if one.hash == transaction)


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be kept: a call with its terms, and how to sign it with the nonce that it gets. `nonce` is the least
    that it may get or, for what others signed (`relayed`), the one it has; so too for a self-send that `fills` a slot
    which nobody else does."""

    sender: str
    to: str | None
    data: bytes
    gas: int
    fees: Fees
    sign: Callable[[int], SignedTransaction]
    key: str | None = None
    nonce: int = 0
    relayed: bool = False
    deadline_s: int | None = None
    fills: bool = False


_Number = BigInteger().with_variant(Integer, "sqlite")

INTENTS = Table(
    "intents",
    metadata,
    Column("number", _Number, primary_key=True, autoincrement=True),
    Column("chain_id", BigInteger, nullable=False),
    Column("key", String(200), nullable=True),
    Column("sender", String(42), nullable=False),
    Column("nonce", BigInteger, nullable=False),
    # The nonce again for keys of ours, nothing for what others signed: no two intents of ours share a slot.
    Column("slot", BigInteger, nullable=True),
    Column("to", String(42), nullable=True),
    Column("data", LargeBinary, nullable=False),
    Column("state", String(10), nullable=False),
    Column("unfinished", Boolean, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("cancel", Boolean, nullable=False),
    Column("deadline_s", BigInteger, nullable=True),
    Column("block", BigInteger, nullable=True),
    Column("block_hash", String(66), nullable=True),
    Column("counted", String(66), nullable=True),
    Column("succeeded", Boolean, nullable=True),
    Column("reason", Text, nullable=True),
    UniqueConstraint("chain_id", "sender", "slot"),
    UniqueConstraint("chain_id", "key"),
    Index("unfinished_intents", "chain_id", "unfinished"),
)
ATTEMPTS = Table(
    "attempts",
    metadata,
    Column("hash", String(66), primary_key=True),
    Column("intent", _Number, ForeignKey("intents.number"), nullable=False, index=True),
    Column("place", Integer, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("gas", BigInteger, nullable=False),
    Column("max_fee_wei", Amount, nullable=False),
    Column("tip_wei", Amount, nullable=False),
    Column("cancels", Boolean, nullable=False),
)
KEYS = Table(
    "sending_keys",
    metadata,
    Column("chain_id", BigInteger, primary_key=True, autoincrement=False),
    Column("sender", String(42), primary_key=True),
    Column("next_nonce", BigInteger, nullable=False),
    Column("holder", String(200), nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
)
SELECT_KEY = select(KEYS).where(KEYS.c.chain_id == bindparam("c"), KEYS.c.sender == bindparam("s"))
SET_NONCE = (
    update(KEYS)
    .where(KEYS.c.chain_id == bindparam("c"), KEYS.c.sender == bindparam("s"))
    .values(next_nonce=bindparam("n"))
)
INSERT_INTENT = insert(INTENTS).returning(INTENTS.c.number, sort_by_parameter_order=True)
INSERT_ATTEMPT = insert(ATTEMPTS)
UPDATE_INTENT = (
    update(INTENTS)
    .where(INTENTS.c.number == bindparam("b_number"))
    .values(
        {
            name: bindparam(f"b_{name}")
            for name in ("state", "unfinished", "block", "block_hash", "counted", "succeeded", "reason")
        }
        # Whoever called it off meanwhile is not overruled by one who did not know.
        | {"cancel": or_(INTENTS.c.cancel, bindparam("b_cancel", type_=Boolean))}
    )
)
_SELECT = (
    select(
        INTENTS,
        *(ATTEMPTS.c[name] for name in ("hash", "raw", "gas", "max_fee_wei", "tip_wei", "cancels")),
    )
    .join(ATTEMPTS, ATTEMPTS.c.intent == INTENTS.c.number)
    .order_by(INTENTS.c.sender, INTENTS.c.nonce, INTENTS.c.number, ATTEMPTS.c.place)
)
SELECT_UNFINISHED = _SELECT.where(INTENTS.c.chain_id == bindparam("c"), INTENTS.c.unfinished.is_(True))
_SELECT_OURS = _SELECT.where(INTENTS.c.chain_id == bindparam("c"))
SELECT_NUMBERS = _SELECT_OURS.where(INTENTS.c.number.in_(bindparam("numbers", expanding=True)))
SELECT_GLANCE = (
    select(
        INTENTS.c.number,
        INTENTS.c.state,
        INTENTS.c.cancel,
        select(func.count()).where(ATTEMPTS.c.intent == INTENTS.c.number).correlate(INTENTS).scalar_subquery(),
    )
    .where(INTENTS.c.chain_id == bindparam("c"), INTENTS.c.unfinished.is_(True))
    .order_by(INTENTS.c.sender, INTENTS.c.nonce, INTENTS.c.number)
)
_IN_NO_BLOCK = INTENTS.c.state.in_((State.SIGNED, State.BROADCAST))
SELECT_CROWD = (
    select(INTENTS.c.sender, func.count())
    .where(INTENTS.c.chain_id == bindparam("c"), INTENTS.c.unfinished.is_(True))
    .where(INTENTS.c.slot.is_(None), _IN_NO_BLOCK)
    .group_by(INTENTS.c.sender)
)
"""How much that others signed is in no block yet, by sender."""
SELECT_SLOT = select(INTENTS.c.number).where(
    INTENTS.c.chain_id == bindparam("c"), INTENTS.c.sender == bindparam("s"), INTENTS.c.nonce == bindparam("n")
)
SELECT_NAMED = _SELECT_OURS.where(INTENTS.c.key.in_(bindparam("keys", expanding=True)))


def read_intents(connection: Connection, statement: Any, values: Mapping[str, Any]) -> list[Intent]:
    intents: list[Intent] = []
    attempts: list[Attempt] = []
    last = None
    for row in connection.execute(statement, values).all():
        attempt = Attempt(row.hash, row.raw, row.gas, Fees(row.max_fee_wei, row.tip_wei), row.cancels)
        if row.number == last:
            attempts.append(attempt)
            intents[-1] = replace(intents[-1], attempts=tuple(attempts))
            continue
        last, attempts = row.number, [attempt]
        intents.append(
            Intent(
                row.number, row.key, row.sender, row.nonce, row.slot is None, row.to, row.data, State(row.state),
                row.cancel, row.deadline_s, row.block, row.block_hash, row.counted, row.succeeded, row.reason,
                (attempt,),
            )
        )  # fmt: skip
    return intents


def new_intent(draft: Draft, nonce: int) -> Intent:
    return Intent(
        NEW, draft.key, draft.sender, nonce, draft.relayed, draft.to, draft.data, State.SIGNED, draft.fills,
        draft.deadline_s, None, None, None, None, None, (),
    )  # fmt: skip


def attempt_row(number: int, place: int, attempt: Attempt) -> dict[str, Any]:
    return {
        "hash": attempt.hash,
        "intent": number,
        "place": place,
        "raw": attempt.raw,
        "gas": attempt.gas,
        "max_fee_wei": attempt.fees.max_fee_wei,
        "tip_wei": attempt.fees.tip_wei,
        "cancels": attempt.cancels,
    }
