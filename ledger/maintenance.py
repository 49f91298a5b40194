"""What a provider announces of a site: hours in which it serves nothing. Signed by the site's provider (EIP-712), so
that anyone can check it, and read by everyone who plans.

An announcement frees nobody of what is owed: leases in those hours are settled by what was delivered. It keeps work
away that has not been placed yet.
"""

from dataclasses import dataclass
from typing import Any

from ledger.eip712 import Domain, Struct
from ledger.errors import InputError, OutOfRange
from ledger.keys import Signer, recover
from ledger.store.engine import Store
from ledger.store.maintenance import NOTE_LENGTH_MAX, Maintenance, add, find, provider_of, withdraw
from ledger.units import SECONDS_PER_HOUR

HOURS_AHEAD_MAX = HOURS_LONG_MAX = 366 * 24
"""How far ahead it may begin, and how long it may last."""

SIGNED_AGO_S_MAX = 24 * SECONDS_PER_HOUR
"""How old a signature may be when it comes: what was signed and never sent ends."""

_CLOCK_AHEAD_S = 600

_ANNOUNCEMENT = Struct(
    "Maintenance",
    (("site", "uint32"), ("fromHour", "uint32"), ("toHour", "uint32"), ("note", "string"), ("signedAt", "uint64")),
)
_WITHDRAWAL = Struct("MaintenanceWithdrawal", (("announcement", "bytes32"),))


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a provider signs: `site` serves nothing from `from_hour` up to `to_hour`, which is not in it (hours since
    the epoch); `note` says why, in NOTE_LENGTH_MAX characters at most; `signed_s` is when. Raises OutOfRange or
    InputError for what cannot be."""

    site: int
    from_hour: int
    to_hour: int
    note: str
    signed_s: int

    def __post_init__(self) -> None:
        limits = (
            ("site", self.site, 1, 2**32 - 1),
            ("from_hour", self.from_hour, 0, 2**32 - 2),
            ("to_hour", self.to_hour, self.from_hour + 1, self.from_hour + HOURS_LONG_MAX),
            ("signed_s", self.signed_s, 0, 2**40),
        )
        for name, value, least, most in limits:
            if not least <= value <= most:
                raise OutOfRange(name, value, least, most)
        if len(self.note) > NOTE_LENGTH_MAX or not self.note.isprintable():
            raise InputError(
                f"The note has {len(self.note)} characters, or some that cannot be printed.",
                f"Write one line of at most {NOTE_LENGTH_MAX} characters.",
            )

    def values(self) -> dict[str, Any]:
        """The fields as they are signed, by name."""
        return {
            "site": self.site,
            "fromHour": self.from_hour,
            "toHour": self.to_hour,
            "note": self.note,
            "signedAt": self.signed_s,
        }

    def digest(self, domain: Domain) -> bytes:
        """The 32 bytes that are signed; they name the announcement."""
        return _ANNOUNCEMENT.digest(self.values(), domain)

    def typed_data(self, domain: Domain) -> dict[str, Any]:
        """As a wallet's eth_signTypedData_v4 takes it."""
        return _ANNOUNCEMENT.typed_data(self.values(), domain)

    def sign(self, domain: Domain, signer: Signer) -> bytes:
        """65 bytes r, s, v."""
        return signer.sign_digest(self.digest(domain))


def maintenance_domain(chain_id: int, capacity: str) -> Domain:
    """Where announcements are good: one market, by its Capacity contract."""
    return Domain("Compute Ledger", "1", chain_id, capacity)


def withdrawal_typed_data(digest: bytes, domain: Domain) -> dict[str, Any]:
    """What a provider signs to take an announcement back, as a wallet takes it."""
    return _WITHDRAWAL.typed_data({"announcement": "0x" + digest.hex()}, domain)


def sign_withdrawal(digest: bytes, domain: Domain, signer: Signer) -> bytes:
    """65 bytes r, s, v."""
    return signer.sign_digest(_WITHDRAWAL.digest({"announcement": digest}, domain))


def announce(store: Store, announcement: Announcement, signature: bytes, domain: Domain, now_s: int) -> Maintenance:
    """Keeps an announcement that the site's provider signed, and gives it as it stands; `now_s` is the chain's time.

    The same one given twice is one. Raises InputError for a site that the index does not know, a signature that is not
    its provider's, hours that are over, a signature of long ago, or too many of one site; OutOfRange for hours too far
    ahead.
    """
    provider, now_hour = provider_of(store, announcement.site), now_s // SECONDS_PER_HOUR
    digest = announcement.digest(domain)
    _require_signed(digest, signature, provider, announcement.site)
    known = find(store, digest)
    if known is not None:
        return known
    if not now_s - SIGNED_AGO_S_MAX <= announcement.signed_s <= now_s + _CLOCK_AHEAD_S:
        raise OutOfRange("signed_s", announcement.signed_s, now_s - SIGNED_AGO_S_MAX, now_s + _CLOCK_AHEAD_S)
    if announcement.from_hour > now_hour + HOURS_AHEAD_MAX:
        raise OutOfRange("from_hour", announcement.from_hour, 0, now_hour + HOURS_AHEAD_MAX)
    if announcement.to_hour <= now_hour:
        raise OutOfRange("to_hour", announcement.to_hour, now_hour + 1, now_hour + HOURS_AHEAD_MAX + HOURS_LONG_MAX)
    said = announcement
    kept = Maintenance(
        digest, said.site, said.from_hour, said.to_hour, said.note, said.signed_s, provider, signature, now_s
    )
    return add(store, kept, now_hour)


def withdraw_announcement(store: Store, digest: bytes, signature: bytes, domain: Domain, now_s: int) -> Maintenance:
    """Takes an announcement back that its provider signed the withdrawal of; gives it as it stands. Twice is once.

    Raises InputError where nothing was announced under that digest, and for a signature that is not the provider's.
    """
    found = find(store, digest)
    if found is None:
        raise InputError(f"Nothing was announced as 0x{digest.hex()}.", "Give the digest that announcing it gave.")
    _require_signed(_WITHDRAWAL.digest({"announcement": digest}, domain), signature, found.provider, found.site)
    return withdraw(store, digest, signature, now_s) or found


def _require_signed(digest: bytes, signature: bytes, provider: str, site: int) -> None:
    signed_by = recover(digest, signature)
    if signed_by != provider:
        raise InputError(
            f"Site {site} is {provider}'s, and the signature is {signed_by or 'nobody'}'s.",
            "Sign it with the key of the site's provider.",
        )
