"""What jobs say and what became of them: documents by their hash, results by their lease.

A document's hash stands on a public chain, what the hash is of does not: it is shown to whom it belongs and to who must
run it, which is the provider of a lease that its owner redeemed with that hash. That somebody else redeems with the
same hash, at a site of their own, opens nothing. Times are the chain's, in seconds since the epoch.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    LargeBinary,
    String,
    Table,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
)

from ledger.errors import InputError, Unavailable
from ledger.store import tables as t
from ledger.store.engine import Store, metadata

DOCUMENT_BYTES_MAX = 2**20
RESULT_BYTES_MAX = 8 * 2**20
WAITING_S = 7 * 24 * 3_600
"""How long a document is kept that no lease of its owner refers to."""
UNBACKED_S = 3_600
"""How long a document is kept whose owner has neither cash nor units, waits for no order and never had a lease: an
address costs nothing, and whoever makes many would fill the store."""
KEPT_S = 30 * 24 * 3_600
"""How long a document and a result are kept after the last of their leases has ended."""

_documents = Table(
    "job_documents",
    metadata,
    Column("hash", t.HASH, primary_key=True),
    Column("owner", t.ADDRESS, primary_key=True),
    Column("bytes", BigInteger, nullable=False),
    Column("stored_s", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("job_documents_owner", "owner", "stored_s"),
    Index("job_documents_stored", "stored_s"),
)
_results = Table(
    "job_results",
    metadata,
    Column("lease", BigInteger, primary_key=True, autoincrement=False),
    Column("provider", String(42), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("stored_s", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("job_results_provider", "provider"),
)


@dataclass(frozen=True, slots=True)
class JobLimits:
    """How much is kept: of one account's documents, in bytes and in number, of an account's that has nothing in the
    market, and of all documents together; of one lease's result, of one provider's, and of all results together. A
    provider has room for 32 results of the largest size, or for some thousands of usual ones."""

    owner_bytes: int = 64 * 2**20
    owner_documents: int = 1_000
    unbacked_bytes: int = 2 * 2**20
    all_bytes: int = 8 * 2**30
    lease_bytes: int = RESULT_BYTES_MAX
    provider_bytes: int = 256 * 2**20
    all_results_bytes: int = 8 * 2**30


@dataclass(frozen=True, slots=True)
class KeptDocument:
    """A document that its owner keeps here; `used` says whether a lease of the owner's has its hash."""

    hash: str
    bytes: int
    stored_s: int
    used: bool


@dataclass(frozen=True, slots=True)
class KeptResult:
    """What a provider brought of a lease."""

    lease: int
    provider: str
    stored_s: int
    body: bytes


class Jobs:
    """The documents and results in `store`. Raises StoreUnavailable."""

    def __init__(self, store: Store, limits: JobLimits | None = None) -> None:
        self.store = store
        self.limits = limits or JobLimits()

    # ---- documents

    def put(self, hash_: str, owner: str, body: bytes, now_s: int) -> bool:
        """Keeps a document for its owner; whether it is new. Kept again, its time begins anew. Where all is full, it
        takes the place of documents that no lease refers to: first of owners who have nothing in the market, then of
        those who keep more than this owner.

        Raises InputError where the owner keeps too much, Unavailable where all together do. That `hash_` is the body's
        is the caller's to see to.
        """
        row = {"hash": hash_, "owner": owner, "bytes": len(body), "stored_s": now_s, "body": body}
        with self._tidied(now_s) as connection:
            of = _documents.c
            is_new = not connection.execute(select(of.hash).where(of.hash == hash_, of.owner == owner)).first()
            unbacked = ~_backed(of.owner)
            connection.execute(delete(_documents).where(of.stored_s < now_s - UNBACKED_S, unbacked))
            if is_new:
                self._require_room(connection, owner, len(body))
            self.store.upsert(connection, _documents, row)
        return is_new

    def document(self, hash_: str, reader: str) -> bytes | None:
        """A document, where `reader` owns it, or provides a lease that its owner redeemed with it; else None."""
        of, lease = _documents.c, t.LEASES.c
        must_run = exists().where(lease.job_hash == of.hash, lease.holder == of.owner, lease.provider == reader)
        wanted = select(of.body).where(of.hash == hash_, or_(of.owner == reader, must_run)).limit(1)
        with self.store.read() as connection:
            return connection.execute(wanted).scalar()

    def documents_of(self, owner: str, limit: int = 1_000) -> list[KeptDocument]:
        """What an owner keeps, the newest first."""
        of, lease = _documents.c, t.LEASES.c
        used = exists().where(lease.job_hash == of.hash, lease.holder == of.owner)
        wanted = select(of.hash, of.bytes, of.stored_s, used.label("used")).where(of.owner == owner)
        with self.store.read() as connection:
            rows = connection.execute(wanted.order_by(of.stored_s.desc(), of.hash).limit(limit))
            return [KeptDocument(row.hash, row.bytes, row.stored_s, bool(row.used)) for row in rows]

    def drop(self, hash_: str, owner: str) -> bool:
        """Ends a document for its owner; whether there was one. Raises InputError while a lease that runs needs it."""
        of, lease = _documents.c, t.LEASES.c
        needed = select(lease.lease).where(lease.job_hash == hash_, lease.holder == owner, lease.resolved_s.is_(None))
        with self.store.write() as connection:
            number = connection.execute(needed.limit(1)).scalar()
            if number is not None:
                raise InputError(f"Lease {number} has not ended and needs {hash_}.", "Wait for the lease's end.")
            return bool(connection.execute(delete(_documents).where(of.hash == hash_, of.owner == owner)).rowcount)

    def _require_room(self, connection: Connection, owner: str, size: int) -> None:
        of, limits = _documents.c, self.limits
        mine = select(func.count(), func.sum(of.bytes)).where(of.owner == owner)
        number, kept = connection.execute(mine).one()
        backed = bool(connection.execute(select(_backed(literal(owner)))).scalar())
        most_bytes = limits.owner_bytes if backed else min(limits.owner_bytes, limits.unbacked_bytes)
        if number >= limits.owner_documents or int(kept or 0) + size > most_bytes:
            more = "" if backed else ", or bring money into the market first: who has some there may keep more"
            raise InputError(
                f"{owner} keeps {number} documents of {int(kept or 0)} bytes here, and may keep "
                f"{limits.owner_documents} of {most_bytes} bytes.",
                f"Delete one that no lease needs (DELETE /jobs/{{hash}}){more}.",
            )
        all_bytes = int(connection.execute(select(func.sum(of.bytes))).scalar() or 0)
        missing_bytes = all_bytes + size - limits.all_bytes
        # Who has nothing at stake here takes nobody's place.
        if missing_bytes > 0 and not (backed and _give_way(connection, owner, size, missing_bytes)):
            raise Unavailable(
                f"All documents here are {limits.all_bytes} bytes together, and there is room for no more.",
                "Try again later, or hand the document to the provider in another way.",
            )

    # ---- results

    def put_result(self, lease: int, provider: str, body: bytes, now_s: int) -> bool:
        """Keeps what a lease's provider brought; whether it is the first. Raises InputError where it is too long or
        they keep too much, and for a lease that ended and has a result: what was paid by stays as it was; Unavailable
        where all together keep too much."""
        of, kept = _results.c, t.LEASES.c
        if len(body) > self.limits.lease_bytes:
            raise InputError(
                f"The result of lease {lease} is {len(body)} bytes long, and may be {self.limits.lease_bytes}.",
                "Bring a shorter log and fewer files, and leave the rest where the holder can fetch it.",
            )
        row = {"lease": lease, "provider": provider, "bytes": len(body), "stored_s": now_s, "body": body}
        with self._tidied(now_s) as connection:
            before = connection.execute(select(of.bytes).where(of.lease == lease)).scalar()
            ended = connection.execute(select(kept.resolved_s).where(kept.lease == lease)).scalar()
            if before is not None and ended is not None:
                raise InputError(f"Lease {lease} has ended, and its result is here.", "A result stays as it was.")
            self._require_result_room(connection, lease, provider, len(body))
            self.store.upsert(connection, _results, row)
        return before is None

    def _require_result_room(self, connection: Connection, lease: int, provider: str, size: int) -> None:
        of, limits = _results.c, self.limits
        others = select(func.sum(of.bytes)).where(of.lease != lease)
        mine = int(connection.execute(others.where(of.provider == provider)).scalar() or 0)
        if mine + size > limits.provider_bytes:
            raise InputError(
                f"{provider} keeps {mine} bytes of results here, and may keep {limits.provider_bytes}.",
                f"Bring less, or wait: each goes {KEPT_S // 86_400} days after its lease has ended.",
            )
        if int(connection.execute(others).scalar() or 0) + size > limits.all_results_bytes:
            raise Unavailable(
                f"All results here are {limits.all_results_bytes} bytes together, and there is room for no more.",
                "Try again later, or hand the result to the holder in another way.",
            )

    def result(self, lease: int) -> KeptResult | None:
        """What became of a lease; None where nobody brought it, or it is gone."""
        of = _results.c
        with self.store.read() as connection:
            row = connection.execute(select(_results).where(of.lease == lease)).first()
        return None if row is None else KeptResult(row.lease, row.provider, row.stored_s, row.body)

    # ---- what goes by itself

    @contextmanager
    def _tidied(self, now_s: int) -> Iterator[Connection]:
        """A transaction in which what nobody needs any longer is gone."""
        of, result, lease = _documents.c, _results.c, t.LEASES.c

        def needed(*match: ColumnElement[bool]) -> Any:
            still = or_(lease.resolved_s.is_(None), lease.resolved_s > now_s - KEPT_S)
            return exists().where(*match, still)

        with self.store.write() as connection:
            mine = needed(lease.job_hash == of.hash, lease.holder == of.owner)
            connection.execute(delete(_documents).where(of.stored_s < now_s - WAITING_S, ~mine))
            old = result.stored_s < now_s - KEPT_S
            connection.execute(delete(_results).where(old, ~needed(lease.lease == result.lease)))
            yield connection


def _backed(owner: Any) -> ColumnElement[bool]:
    """Whether an owner has anything in the market: an address alone costs nothing."""
    cash, units, order, lease = t.CASH.c, t.BALANCES.c, t.ORDERS.c, t.LEASES.c
    return or_(
        exists().where(cash.owner == owner, cash.free_micro != 0),
        exists().where(units.owner == owner, or_(units.units != 0, units.held_units != 0)),
        exists().where(order.owner == owner, order.settled.is_(False)),
        exists().where(lease.holder == owner),
    )


def _give_way(connection: Connection, owner: str, size: int, missing_bytes: int) -> bool:
    """Ends others' documents that no lease refers to, until there is room; False where there is not enough of them.

    Of backed owners, the oldest of whoever keeps most of these, and only of those who keep more than `owner` would
    with `size` bytes more: were it the oldest of all, whoever fills the store would drive out those who came before.
    """
    of, lease = _documents.c, t.LEASES.c
    unused = ~exists().where(lease.job_hash == of.hash, lease.holder == of.owner)
    waiting = select(of.owner, func.sum(of.bytes).label("bytes")).where(unused).group_by(of.owner)
    mine = connection.execute(waiting.where(of.owner == owner)).first()
    keeps, mine_bytes = waiting.subquery(), size + (int(mine.bytes) if mine else 0)
    backed = _backed(of.owner)
    wanted = (
        select(of.hash, of.owner, of.bytes)
        .join(keeps, keeps.c.owner == of.owner)
        .where(of.owner != owner, unused, or_(~backed, keeps.c.bytes > mine_bytes))
        .order_by(backed, keeps.c.bytes.desc(), of.owner, of.stored_s)
    )
    going: list[tuple[str, str]] = []
    for hash_, whose, freed_bytes in connection.execute(wanted):
        if missing_bytes <= 0:
            break
        going.append((hash_, whose))
        missing_bytes -= int(freed_bytes)
    if missing_bytes > 0:
        return False
    for hash_, whose in going:
        connection.execute(delete(_documents).where(of.hash == hash_, of.owner == whose))
    return True
