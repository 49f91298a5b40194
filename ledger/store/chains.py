"""Which chain a database belongs to. Two local chains have the same id, and share nothing but that: numbers and states
that were kept for one would be wrong for the other for ever."""

from sqlalchemy import BigInteger, Column, Connection, String, Table, bindparam, insert, select

from ledger.errors import BadStore
from ledger.store.engine import Store, metadata

CHAINS = Table(
    "chains",
    metadata,
    Column("chain_id", BigInteger, primary_key=True, autoincrement=False),
    Column("genesis", String(66), nullable=False),
)

_SELECT = select(CHAINS.c.genesis).where(CHAINS.c.chain_id == bindparam("c"))


def require_chain(store: Store, chain_id: int, genesis: str) -> None:
    """Notes the hash of the chain's first block at first use. Raises BadStore where another was noted before."""
    with store.read() as connection:
        kept = _genesis(connection, chain_id)
    if kept is None:
        with store.write() as connection:
            # Another process may have been first.
            kept = _genesis(connection, chain_id)
            if kept is None:
                connection.execute(insert(CHAINS), {"chain_id": chain_id, "genesis": genesis})
                return
    if kept != genesis:
        raise BadStore(
            f"it belongs to another chain of the id {chain_id}, which began with block {kept} and not with {genesis}; "
            "remove it if that chain is gone"
        )


def _genesis(connection: Connection, chain_id: int) -> str | None:
    return connection.execute(_SELECT, {"c": chain_id}).scalar()
