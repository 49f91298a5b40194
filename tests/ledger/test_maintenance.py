"""A provider announces, and nobody else does."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak
from sqlalchemy import insert, update

from ledger.eip712 import Domain
from ledger.errors import InputError, OutOfRange
from ledger.maintenance import (
    HOURS_AHEAD_MAX,
    HOURS_LONG_MAX,
    SIGNED_AGO_S_MAX,
    Announcement,
    announce,
    maintenance_domain,
    sign_withdrawal,
    withdraw_announcement,
    withdrawal_typed_data,
)
from ledger.store import tables as t
from ledger.store.engine import IN_MEMORY, Store, open_store
from ledger.store.maintenance import NOTE_LENGTH_MAX, STANDING_MAX, maintenance_of
from tests.world import BUYER, PROVIDER

NOW_HOUR = 490_000
NOW_S = NOW_HOUR * 3_600 + 600
DOMAIN = maintenance_domain(31_337, "0x" + "11" * 20)
SAID = Announcement(1, NOW_HOUR + 5, NOW_HOUR + 9, "new fans, 新风扇", NOW_S)


@pytest.fixture
def store() -> Iterator[Store]:
    """With a site of PROVIDER's."""
    store = open_store(IN_MEMORY)
    site = {
        "site": 1, "provider": PROVIDER.address, "device": "0x", "devices": 1, "class_id": 1, "metro": 257, "hub": 256,
        "uri": "", "attested_units": 0, "grade": 0, "valid_until_s": 0, "delivered_milli_hours": 0,
        "failed_milli_hours": 0, "block": 1, "log_index": 0,
    }  # fmt: skip
    with store.write() as connection:
        connection.execute(insert(t.SITES), site)
    yield store
    store.close()


def test_announced_is_read_by_everyone_until_it_is_withdrawn(store: Store) -> None:
    kept = announce(store, SAID, SAID.sign(DOMAIN, PROVIDER), DOMAIN, NOW_S)
    assert (kept.provider, kept.note, kept.announced_s) == (PROVIDER.address, SAID.note, NOW_S)
    assert maintenance_of(store, [1, 2], NOW_HOUR, NOW_HOUR + 24) == {1: (kept,)}
    assert announce(store, SAID, SAID.sign(DOMAIN, PROVIDER), DOMAIN, NOW_S + 10**9) == kept, "the same is one"
    signature = sign_withdrawal(kept.digest, DOMAIN, PROVIDER)
    assert withdraw_announcement(store, kept.digest, signature, DOMAIN, NOW_S + 1).withdrawn_s == NOW_S + 1
    assert withdraw_announcement(store, kept.digest, signature, DOMAIN, NOW_S + 2).withdrawn_s == NOW_S + 1
    assert maintenance_of(store, [1], NOW_HOUR, NOW_HOUR + 24) == {}
    # The old signature opens nothing again.
    assert announce(store, SAID, SAID.sign(DOMAIN, PROVIDER), DOMAIN, NOW_S).withdrawn_s == NOW_S + 1


def test_wallet_is_shown_what_is_signed() -> None:
    shown = encode_typed_data(full_message=SAID.typed_data(DOMAIN))
    assert SAID.digest(DOMAIN) == keccak(b"\x19\x01" + shown.header + shown.body)
    digest = SAID.digest(DOMAIN)
    shown = encode_typed_data(full_message=withdrawal_typed_data(digest, DOMAIN))
    signature = PROVIDER.sign_digest(keccak(b"\x19\x01" + shown.header + shown.body))
    assert sign_withdrawal(digest, DOMAIN, PROVIDER) == signature


@pytest.mark.parametrize(
    "sign",
    [
        lambda: SAID.sign(DOMAIN, BUYER),
        lambda: replace(SAID, to_hour=SAID.to_hour + 1).sign(DOMAIN, PROVIDER),
        lambda: replace(SAID, note="other").sign(DOMAIN, PROVIDER),
        lambda: SAID.sign(replace(DOMAIN, chain_id=1), PROVIDER),
        lambda: b"",
    ],
)
def test_announce_raises_unless_the_sites_provider_signed_it(store: Store, sign: Callable[[], bytes]) -> None:
    with pytest.raises(InputError, match=f"Site 1 is {PROVIDER.address}'s"):
        announce(store, SAID, sign(), DOMAIN, NOW_S)
    assert maintenance_of(store, [1], 0, 2**31) == {}


def test_withdrawal_raises_unless_the_sites_provider_signed_it(store: Store) -> None:
    kept = announce(store, SAID, SAID.sign(DOMAIN, PROVIDER), DOMAIN, NOW_S)
    other = Domain("Compute Ledger", "1", 1, DOMAIN.contract)
    for signature in (
        sign_withdrawal(kept.digest, DOMAIN, BUYER),
        sign_withdrawal(bytes(32), DOMAIN, PROVIDER),
        sign_withdrawal(kept.digest, other, PROVIDER),
        SAID.sign(DOMAIN, PROVIDER),
    ):
        with pytest.raises(InputError, match="Sign it with the key"):
            withdraw_announcement(store, kept.digest, signature, DOMAIN, NOW_S)
    assert len(maintenance_of(store, [1], 0, 2**31)) == 1
    with pytest.raises(InputError, match="Nothing was announced"):
        withdraw_announcement(store, bytes(32), sign_withdrawal(bytes(32), DOMAIN, PROVIDER), DOMAIN, NOW_S)


def test_site_that_is_not_known_announces_nothing(store: Store) -> None:
    said = replace(SAID, site=2)
    with pytest.raises(InputError, match="No site 2"):
        announce(store, said, said.sign(DOMAIN, PROVIDER), DOMAIN, NOW_S)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (replace(SAID, from_hour=NOW_HOUR - 9, to_hour=NOW_HOUR), "to_hour"),
        (replace(SAID, from_hour=NOW_HOUR + HOURS_AHEAD_MAX + 1, to_hour=NOW_HOUR + HOURS_AHEAD_MAX + 2), "from_hour"),
        (replace(SAID, signed_s=NOW_S - SIGNED_AGO_S_MAX - 1), "signed_s"),
        (replace(SAID, signed_s=NOW_S + 601), "signed_s"),
    ],
)
def test_hours_that_are_over_or_far_and_old_signatures_are_refused(store: Store, said: Announcement, name: str) -> None:
    with pytest.raises(OutOfRange, match=name):
        announce(store, said, said.sign(DOMAIN, PROVIDER), DOMAIN, NOW_S)
    assert maintenance_of(store, [1], 0, 2**32) == {}


@pytest.mark.parametrize(
    "said",
    [
        replace(SAID, from_hour=NOW_HOUR - 9, to_hour=NOW_HOUR + 1),
        replace(SAID, from_hour=NOW_HOUR + HOURS_AHEAD_MAX, to_hour=NOW_HOUR + HOURS_AHEAD_MAX + HOURS_LONG_MAX),
        replace(SAID, signed_s=NOW_S - SIGNED_AGO_S_MAX),
        replace(SAID, signed_s=NOW_S + 600),
        replace(SAID, note="x" * NOTE_LENGTH_MAX),
        replace(SAID, note=""),
    ],
)
def test_the_very_bounds_are_within(store: Store, said: Announcement) -> None:
    kept = announce(store, said, said.sign(DOMAIN, PROVIDER), DOMAIN, NOW_S)
    assert (kept.from_hour, kept.to_hour, kept.note) == (said.from_hour, said.to_hour, said.note)
    assert (kept.signed_s, kept.announced_s, kept.digest) == (said.signed_s, NOW_S, said.digest(DOMAIN))
    assert maintenance_of(store, [1], 0, 2**32) == {1: (kept,)}


def test_as_many_stand_as_have_not_ended(store: Store) -> None:
    """Counted in hours, as they are announced: a site that says each day anew is not full after two months."""
    for number in range(STANDING_MAX):
        said = replace(SAID, from_hour=SAID.from_hour + number, to_hour=SAID.from_hour + number + 1)
        announce(store, said, said.sign(DOMAIN, PROVIDER), DOMAIN, NOW_S)
    more = replace(SAID, note="one more")
    with pytest.raises(InputError, match="stand already"):
        announce(store, more, more.sign(DOMAIN, PROVIDER), DOMAIN, NOW_S)
    later_s = (SAID.from_hour + 1) * 3_600
    assert announce(store, more, more.sign(DOMAIN, PROVIDER), DOMAIN, later_s).announced_s == later_s


def test_who_announced_takes_it_back_also_where_the_site_is_anothers_by_now(store: Store) -> None:
    kept = announce(store, SAID, SAID.sign(DOMAIN, PROVIDER), DOMAIN, NOW_S)
    with store.write() as connection:
        connection.execute(update(t.SITES).values(provider=BUYER.address))
    with pytest.raises(InputError, match="Sign it with the key"):
        withdraw_announcement(store, kept.digest, sign_withdrawal(kept.digest, DOMAIN, BUYER), DOMAIN, NOW_S)
    ended = withdraw_announcement(store, kept.digest, sign_withdrawal(kept.digest, DOMAIN, PROVIDER), DOMAIN, NOW_S)
    assert ended.withdrawn_s == NOW_S


def test_names_of_what_is_signed_stay_as_they_are() -> None:
    """A wallet shows them, and what was signed under them stays good."""
    data = SAID.typed_data(DOMAIN)
    assert data["domain"] == {
        "name": "Compute Ledger", "version": "1", "chainId": 31_337, "verifyingContract": "0x" + "11" * 20,
    }  # fmt: skip
    assert {name: str(value) for name, value in data["message"].items()} == {
        "site": "1", "fromHour": str(SAID.from_hour), "toHour": str(SAID.to_hour), "note": SAID.note,
        "signedAt": str(NOW_S),
    }  # fmt: skip
    assert data["primaryType"] == "Maintenance"
    assert withdrawal_typed_data(bytes(32), DOMAIN)["primaryType"] == "MaintenanceWithdrawal"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("site", 0),
        ("site", 2**32),
        ("from_hour", -1),
        ("from_hour", 2**32 - 1),
        ("signed_s", 2**40 + 1),
        ("to_hour", SAID.from_hour),
        ("to_hour", SAID.from_hour + HOURS_LONG_MAX + 1),
        ("note", "x" * (NOTE_LENGTH_MAX + 1)),
        ("note", "two\nlines"),
        ("signed_s", -1),
    ],
)
def test_announcement_raises_for_what_cannot_be(name: str, value: Any) -> None:
    with pytest.raises(InputError):
        replace(SAID, **{name: value})
