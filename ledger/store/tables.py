"""The tables of the history. Every row says which log last made it what it is: `block` and `log_index`.

Blocks and events are only ever added, and go with their block; all others are states, whose old values `undo` keeps for
as long as a block can still be replaced. Times are seconds since the epoch, money is micro, addresses are checksummed,
hashes are hex with 0x, kinds and states are the numbers of ledger.model.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    TextClause,
    literal_column,
    text,
)

from ledger.product import ID_BITS
from ledger.store.engine import FIXED, Amount, Word, metadata

ADDRESS = String(42)
HASH = String(66)


def _key(name: str, kind: Any) -> "Column[Any]":
    return Column(name, kind, primary_key=True, autoincrement=False)


def _fixed(name: str, kind: Any) -> "Column[Any]":
    return Column(name, kind, nullable=False, info={FIXED: True})


def _table(name: str, *columns: Any) -> Table:
    plain = [one for one in columns if isinstance(one, Column)]
    where_from = (Column("block", BigInteger, nullable=False), Column("log_index", Integer, nullable=False))
    indexes = (one for one in columns if isinstance(one, Index))
    return Table(name, metadata, *plain, *where_from, *indexes, sqlite_with_rowid=False)


# ---- how far it is read

HISTORY = Table(
    "history",
    metadata,
    _key("id", Integer),
    Column("chain_id", BigInteger, nullable=False),
    Column("exchange", ADDRESS, nullable=False),
    Column("block", BigInteger, nullable=False),
    Column("hash", HASH),
    Column("time_s", BigInteger, nullable=False),
    Column("finalized", BigInteger, nullable=False),
    Column("head", BigInteger, nullable=False),
    Column("events", BigInteger, nullable=False),
)
"""One row: of which market, up to which block, what of it is final, and how far the node was."""

UNDO = Table(
    "undo",
    metadata,
    _key("block", BigInteger),
    _key("name", String(20)),
    _key("key", String(200)),
    Column("row", Text),
)
"""A row as it was before a block that is not final first changed it, as JSON; null where there was none."""

# ---- what happened

BLOCKS = Table(
    "blocks",
    metadata,
    _key("block", BigInteger),
    Column("hash", HASH, nullable=False),
    Column("parent", HASH),
    Column("time_s", BigInteger, nullable=False),
)
"""Blocks with events of ours, and all that can still be replaced."""

TOPICS = 1, 2, 3
"""Which of a log's topics are indexed values: the first names the event."""


def topic(place: int) -> ColumnElement[bytes]:
    """One topic of an event, as the indexes below have it: word for word, else they are not used."""
    return literal_column(f"substr(topics, {1 + 32 * place}, 32)", LargeBinary())


def is_account(place: int, dialect: str) -> TextClause:
    """Whether a topic is an address: longer than a product's id, and no hash."""
    form = "'\\x{}'::bytea" if dialect == "postgresql" else "x'{}'"
    least, most = (form.format(number.to_bytes(32).hex()) for number in (2**ID_BITS, 2**160))
    return text(f"substr(topics, {1 + 32 * place}, 32) >= {least} AND substr(topics, {1 + 32 * place}, 32) < {most}")


LEASE_SAID = text("name IN ('Aborted', 'Disputed', 'Resolved')")
"""Events that name a lease, by their first indexed value, and not whom they pay: also word for word."""

SITE_SAID = text("name IN ('Expired', 'OfferSettled')")
"""Events that name a site, by their second, and not whom they pay."""

EVENTS = Table(
    "events",
    metadata,
    _key("block", BigInteger),
    _key("log_index", Integer),
    Column("transaction_index", Integer, nullable=False),
    Column("transaction", HASH, nullable=False),
    Column("contract", String(20), nullable=False),
    Column("name", String(40), nullable=False),
    Column("topics", LargeBinary, nullable=False),
    Column("data", LargeBinary, nullable=False),
    # Whose an event is: an account's are found among a million of others'.
    *(
        Index(
            f"events_account_{place}",
            topic(place),
            text("block"),
            text("log_index"),
            sqlite_where=is_account(place, "sqlite"),
            postgresql_where=is_account(place, "postgresql"),
        )
        for place in TOPICS
    ),
    # Who is paid by these is whoever has the lease or the site.
    Index("events_lease", topic(1), sqlite_where=LEASE_SAID, postgresql_where=LEASE_SAID),
    Index("events_site", topic(2), sqlite_where=SITE_SAID, postgresql_where=SITE_SAID),
    # Few, and asked for by their site, which is in the topics.
    Index(
        "events_attested",
        "topics",
        sqlite_where=text("name = 'Attested'"),
        postgresql_where=text("name = 'Attested'"),
    ),
    sqlite_with_rowid=False,
)
"""Every log of the market's contracts; `topics` one after the other, 32 bytes each."""

# ---- trade

BOOKS = _table(
    "books",
    _key("product", Word),
    Column("class_id", Integer, nullable=False),
    Column("start_s", BigInteger, nullable=False),
    Column("end_s", BigInteger, nullable=False),
    Column("first_round", BigInteger, nullable=False),
    Column("tick_size_micro", BigInteger, nullable=False),
    Column("min_units", BigInteger, nullable=False),
    Column("slots", BigInteger, nullable=False),
    Column("escrow_micro", Amount, nullable=False),
    Column("last_price_micro", BigInteger),
    Column("last_round", BigInteger),
    Column("traded_units", BigInteger, nullable=False),
    Index("books_start", "start_s"),
)

ORDERS = _table(
    "orders",
    _key("product", Word),
    _key("round", BigInteger),
    _key("slot", BigInteger),
    _fixed("kind", Integer),
    _fixed("owner", ADDRESS),
    _fixed("site", BigInteger),
    _fixed("tick", Integer),
    _fixed("price_micro", BigInteger),
    _fixed("units", BigInteger),
    _fixed("prefix", BigInteger),
    Column("escrow_micro", Amount, nullable=False),
    Column("filled", BigInteger, nullable=False),
    Column("settled", Boolean, nullable=False),
    _fixed("placed_s", BigInteger),
    _fixed("transaction", HASH),
    _fixed("placed_block", BigInteger),
    _fixed("placed_log", Integer),
    Index("orders_owner", "owner", "placed_block", "placed_log"),
    # As `settled IS FALSE` is written there: settled orders, which are nearly all, are not in it. That it begins with
    # what is the same in all of it makes SQLite prefer it to the primary key, and so to a walk over a product's orders.
    Index(
        "orders_waiting",
        "settled",
        "product",
        "round",
        sqlite_where=text("settled IS 0"),
        postgresql_where=text("settled IS false"),
    ),
)

CLEARINGS = _table(
    "clearings",
    _key("product", Word),
    _key("round", BigInteger),
    Column("units", BigInteger, nullable=False),
    Column("price_tick", Integer),
    Column("price_micro", BigInteger),
    Column("bid_tick", Integer),
    Column("bid_filled", BigInteger),
    Column("bid_standing", BigInteger),
    Column("ask_tick", Integer),
    Column("ask_filled", BigInteger),
    Column("ask_standing", BigInteger),
    Column("time_s", BigInteger, nullable=False),
    Index("clearings_place", "product", "block", "log_index"),
)

FILLS = _table(
    "fills",
    _key("product", Word),
    _key("round", BigInteger),
    _key("slot", BigInteger),
    Column("kind", Integer, nullable=False),
    Column("owner", ADDRESS, nullable=False),
    Column("site", BigInteger, nullable=False),
    Column("units", BigInteger, nullable=False),
    Column("price_micro", BigInteger, nullable=False),
    Column("cost_micro", Amount, nullable=False),
    Column("time_s", BigInteger, nullable=False),
    Index("fills_place", "block", "log_index"),
    Index("fills_owner", "owner", "block", "log_index"),
)

# ---- who has what

BALANCES = _table(
    "balances",
    _key("owner", ADDRESS),
    _key("product", Word),
    Column("units", Amount, nullable=False),
    Column("held_units", Amount, nullable=False),
)

CASH = _table(
    "cash",
    _key("owner", ADDRESS),
    Column("free_micro", Amount, nullable=False),
    Column("deposited_micro", Amount, nullable=False),
    Column("withdrawn_micro", Amount, nullable=False),
    Column("epoch", Integer, nullable=False),
)

# ---- who owes what

SITES = _table(
    "sites",
    _key("site", BigInteger),
    _fixed("provider", ADDRESS),
    Column("device", HASH, nullable=False),
    Column("devices", BigInteger, nullable=False),
    Column("class_id", Integer, nullable=False),
    Column("metro", Integer, nullable=False),
    Column("hub", Integer, nullable=False),
    Column("uri", Text, nullable=False),
    Column("attested_units", BigInteger, nullable=False),
    Column("grade", Integer, nullable=False),
    Column("valid_until_s", BigInteger, nullable=False),
    Column("evidence", HASH),
    Column("delivered_milli_hours", Amount, nullable=False),
    Column("failed_milli_hours", Amount, nullable=False),
    Index("sites_provider", "provider"),
)

OBLIGATIONS = _table(
    "obligations",
    _key("product", Word),
    _key("site", BigInteger),
    Column("units", BigInteger, nullable=False),
    Column("bond_micro", Amount, nullable=False),
    Column("margin_micro", Amount, nullable=False),
    Column("reserved_units", BigInteger, nullable=False),
    Column("expired_units", BigInteger, nullable=False),
    Column("due_s", BigInteger, nullable=False),
    Index("obligations_due", "due_s"),
)

LEASES = _table(
    "leases",
    _key("lease", BigInteger),
    _fixed("product", Word),
    _fixed("site", BigInteger),
    _fixed("provider", ADDRESS),
    _fixed("holder", ADDRESS),
    _fixed("units", BigInteger),
    Column("bond_micro", Amount, nullable=False),
    Column("held_micro", Amount, nullable=False),
    Column("deposit_micro", Amount, nullable=False),
    Column("state", Integer, nullable=False),
    Column("aborted", Boolean, nullable=False),
    Column("reason", Integer),
    Column("reported_milli", BigInteger),
    Column("delivered_milli", BigInteger),
    Column("to_provider_micro", Amount, nullable=False),
    Column("to_holder_micro", Amount, nullable=False),
    Column("redeemed_s", BigInteger, nullable=False),
    Column("reported_s", BigInteger),
    Column("disputed_s", BigInteger),
    Column("resolved_s", BigInteger),
    Column("due_s", BigInteger),
    _fixed("job_hash", HASH),
    Column("usage_root", HASH),
    Column("ruling_uri", Text),
    Index("leases_due", "due_s"),
    Index("leases_holder", "holder"),
    Index("leases_provider", "provider"),
    Index("leases_site", "site"),
    Index("leases_job", "job_hash"),
)

# ---- the standard

CLASSES = _table(
    "classes",
    _key("class_id", Integer),
    Column("name", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("min_memory_gb", BigInteger, nullable=False),
    Column("tick_size_micro", BigInteger, nullable=False),
    Column("min_order_units", BigInteger, nullable=False),
    Column("bond_price_micro", Amount, nullable=False),
)

RATINGS = _table(
    "ratings",
    _key("device", HASH),
    _key("class_id", Integer),
    _key("version", Integer),
    Column("name", Text, nullable=False),
    Column("milli_units", Amount, nullable=False),
    Column("basis", Integer, nullable=False),
    Column("evidence", HASH, nullable=False),
)

AREAS = _table("areas", _key("area", Integer), Column("hub", Integer, nullable=False), Column("name", Text))

PAUSES = _table("pauses", _key("what", String(20)), Column("paused", Boolean, nullable=False))

ADDED = (EVENTS, BLOCKS)
"""What is only added."""

STATES = (
    BOOKS,
    ORDERS,
    CLEARINGS,
    FILLS,
    BALANCES,
    CASH,
    SITES,
    OBLIGATIONS,
    LEASES,
    CLASSES,
    RATINGS,
    AREAS,
    PAUSES,
)
"""What changes, and is put back when its block is replaced."""
