"""Hours in which sites will be down, as their providers announced them: kept with the signature of each, for good."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import BigInteger, Column, Index, LargeBinary, String, Table, func, insert, select, update

from ledger.errors import InputError
from ledger.store import tables as t
from ledger.store.engine import Store, metadata

NOTE_LENGTH_MAX = 200
STANDING_MAX = 64
"""How many announcements of one site may stand at once that have not ended."""

_NAMED_AT_ONCE = 1_000

_maintenance = Table(
    "maintenance",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("site", BigInteger, nullable=False),
    Column("from_hour", BigInteger, nullable=False),
    Column("to_hour", BigInteger, nullable=False),
    Column("note", String(NOTE_LENGTH_MAX), nullable=False),
    Column("signed_s", BigInteger, nullable=False),
    Column("provider", t.ADDRESS, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("announced_s", BigInteger, nullable=False),
    Column("withdrawn_s", BigInteger),
    Column("withdrawal", LargeBinary),
    Index("maintenance_site", "site", "to_hour"),
)


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A site's provider says that nothing is served there from `from_hour` up to `to_hour`, which is not in it (hours
    since the epoch). `digest` is what was signed at `signed_s`, `signature` its proof; `announced_s` and `withdrawn_s`
    are when it came here and was taken back, None while it stands."""

    digest: bytes
    site: int
    from_hour: int
    to_hour: int
    note: str
    signed_s: int
    provider: str
    signature: bytes
    announced_s: int
    withdrawn_s: int | None = None


_NAMES = tuple(field.name for field in fields(Maintenance))
_of = _maintenance.c
_ALL = select(*(_of[name] for name in _NAMES))


def add(store: Store, one: Maintenance, now_hour: int) -> Maintenance:
    """Keeps an announcement, and gives it as it stands: one that is here already stays as it is, also where it was
    withdrawn. Raises InputError where STANDING_MAX of the site stand that have not ended at `now_hour`."""
    standing = select(func.count()).where(_of.site == one.site, _of.to_hour > now_hour, _of.withdrawn_s.is_(None))

    def kept(connection: Any) -> Maintenance:
        found = connection.execute(_ALL.where(_of.digest == one.digest)).first()
        if found is not None:
            return Maintenance(*found)
        if connection.execute(standing).scalar_one() >= STANDING_MAX:
            raise InputError(
                f"{STANDING_MAX} announcements of site {one.site} stand already.", "Withdraw one, or wait for its end."
            )
        connection.execute(insert(_maintenance), {name: getattr(one, name) for name in _NAMES})
        return one

    return store.redo(kept)


def withdraw(store: Store, digest: bytes, withdrawal: bytes, now_s: int) -> Maintenance | None:
    """Takes an announcement back; how it stands now, None where it never was."""
    ended = update(_maintenance).where(_of.digest == digest, _of.withdrawn_s.is_(None))

    def taken_back(connection: Any) -> Maintenance | None:
        connection.execute(ended.values(withdrawn_s=now_s, withdrawal=withdrawal))
        found = connection.execute(_ALL.where(_of.digest == digest)).first()
        return None if found is None else Maintenance(*found)

    return store.redo(taken_back)


def find(store: Store, digest: bytes) -> Maintenance | None:
    """One announcement, withdrawn or not."""
    with store.read() as connection:
        found = connection.execute(_ALL.where(_of.digest == digest)).first()
    return None if found is None else Maintenance(*found)


def provider_of(store: Store, site: int) -> str:
    """Whose a site is. Raises InputError for one that the index does not know."""
    with store.read() as connection:
        found = connection.execute(select(t.SITES.c.provider).where(t.SITES.c.site == site)).scalar()
    if found is None:
        raise InputError(f"No site {site} is known here.", "Sites are numbered from 1, as they were registered.")
    return str(found)


def maintenance_of(
    store: Store, sites: Iterable[int], from_hour: int, to_hour: int
) -> dict[int, tuple[Maintenance, ...]]:
    """By site, the announcements that stand and share an hour with `from_hour` … `to_hour` (the last not in it), by
    their first hour; sites without any are left out. For previews, and for whoever plans: see `closed_hours`."""
    every = sorted(set(sites))
    found: dict[int, list[Maintenance]] = {}
    touched = _ALL.where(_of.to_hour > from_hour, _of.from_hour < to_hour, _of.withdrawn_s.is_(None))
    with store.read() as connection:
        for start in range(0, len(every), _NAMED_AT_ONCE):
            part = touched.where(_of.site.in_(every[start : start + _NAMED_AT_ONCE]))
            for row in connection.execute(part.order_by(_of.site, _of.from_hour, _of.digest)):
                found.setdefault(row.site, []).append(Maintenance(*row))
    return {site: tuple(one) for site, one in found.items()}


def closed_hours(store: Store, sites: Iterable[int], from_hour: int, to_hour: int) -> frozenset[tuple[int, int]]:
    """The hours among `from_hour` … `to_hour` in which sites announced that they serve nothing, as (site, hour):
    dispatch takes their supply as not there."""
    return frozenset(
        (site, hour)
        for site, announced in maintenance_of(store, sites, from_hour, to_hour).items()
        for one in announced
        for hour in range(max(one.from_hour, from_hour), min(one.to_hour, to_hour))
    )
