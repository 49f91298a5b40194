"""What each key may still spend on a day: reserved at the most that a transaction may cost, given back when it is known
what it did cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Connection, ForeignKey, Integer, String, Table, bindparam, insert, select

from ledger.store.engine import Amount, Store, metadata


@dataclass(frozen=True, slots=True)
class Budget:
    """What one key's transactions may cost on a day (of the chain's time), in wei."""

    day: int
    most_wei: int


SPENDING = Table(
    "spending",
    metadata,
    Column("chain_id", BigInteger, primary_key=True, autoincrement=False),
    Column("sender", String(42), primary_key=True),
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    Column("wei", Amount, nullable=False),
)
RESERVED = Table(
    "reserved",
    metadata,
    Column("intent", BigInteger().with_variant(Integer, "sqlite"), ForeignKey("intents.number"), primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("day", BigInteger, nullable=False),
    Column("wei", Amount, nullable=False),
)

_SELECT_SPENT = select(SPENDING.c.wei).where(
    SPENDING.c.chain_id == bindparam("c"), SPENDING.c.sender == bindparam("s"), SPENDING.c.day == bindparam("d")
)
_SELECT_RESERVED = select(RESERVED).where(RESERVED.c.intent == bindparam("i")).order_by(RESERVED.c.place.desc())
_DELETE_RESERVED = RESERVED.delete().where(RESERVED.c.intent == bindparam("i"))


@dataclass(frozen=True, slots=True)
class Spending:
    """The spending on one chain."""

    store: Store
    chain_id: int

    def spend(self, connection: Connection, sender: str, budget: Budget, wei: int) -> bool:
        """Takes so much from the day's budget; False, and nothing taken, where it does not hold it."""
        after_wei = self._spent(connection, sender, budget.day) + wei
        if after_wei > budget.most_wei:
            return False
        self._set(connection, sender, budget.day, after_wei)
        return True

    def note(self, connection: Connection, reserved: Sequence[tuple[int, int]], place: int, day: int) -> None:
        """Notes what was taken for each intent (its number, and wei) at its attempt of that place."""
        rows = [{"intent": number, "place": place, "day": day, "wei": wei} for number, wei in reserved]
        if rows:
            connection.execute(insert(RESERVED), rows)

    def settle(self, connection: Connection, paid: Mapping[int, tuple[str, int]]) -> None:
        """Gives back to each day what was reserved on it and not spent. `paid` has the sender and the wei of each
        intent that is over; settled twice is settled once."""
        for number, (sender, paid_wei) in paid.items():
            rows = connection.execute(_SELECT_RESERVED, {"i": number}).all()
            rest_wei = max(0, sum(row.wei for row in rows) - paid_wei)
            for row in rows:
                back_wei = min(row.wei, rest_wei)
                rest_wei -= back_wei
                self._set(connection, sender, row.day, self._spent(connection, sender, row.day) - back_wei)
            connection.execute(_DELETE_RESERVED, {"i": number})

    def _spent(self, connection: Connection, sender: str, day: int) -> int:
        return connection.execute(_SELECT_SPENT, {"c": self.chain_id, "s": sender, "d": day}).scalar() or 0

    def _set(self, connection: Connection, sender: str, day: int, wei: int) -> None:
        self.store.upsert(
            connection, SPENDING, {"chain_id": self.chain_id, "sender": sender, "day": day, "wei": max(0, wei)}
        )
