"""Delivery records: what the contracts say after a played day, and what a slow count of random leases comes to."""

import time
from collections import defaultdict
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, insert, update

from ledger.errors import InputError
from ledger.product import Grade, Product, Tier
from ledger.store import tables as t
from ledger.store.engine import IN_MEMORY, Store, open_store
from ledger.store.quality import (
    UPTIME_DAYS,
    WEIGHT_BP_MIN,
    WINDOWS_MAX,
    SiteRecord,
    Uptime,
    delivery_weight,
    records_of,
    site_record,
    standing,
)
from tests.day import tiny_day, tiny_history
from tests.indexed import tiny_store

MARKET = tiny_day().market
NOW_HOUR = 500_000
UNRULED = 5


# ---- against the chain


@cache
def tiny_records() -> dict[int, SiteRecord]:
    return records_of(tiny_store())


def on_chain(name: str, *arguments: Any, block: int) -> Any:
    return MARKET.chain.call_many([MARKET.call("Delivery", name, *arguments)], block)[0]


def test_record_derating_and_grade_are_the_chains() -> None:
    failed = 0
    for site, record in tiny_records().items():
        assert on_chain("recordOf", site, block=record.block) == (
            record.delivered_milli_hours,
            record.failed_milli_hours,
        )
        derating_bp, grade = on_chain("standingOf", site, block=record.block)
        assert record.derating_bp == derating_bp
        assert record.grade in (None, min(grade, record.attestations[0].grade))
        failed += record.failed_milli_hours
    assert failed, "no site failed on that day: nothing was compared"


def test_every_step_of_the_history_is_what_the_chain_said_then() -> None:
    """Of several in one block the chain's state shows the last; the events show each."""
    said = defaultdict(list)
    for word in tiny_history():
        if word.name == "RecordUpdated":
            said[word["site"]].append((word.block, word["deliveredMilliHours"], word["failedMilliHours"]))
    steps = 0
    for site, record in tiny_records().items():
        found = [(one.block, one.delivered_milli_hours, one.failed_milli_hours) for one in reversed(record.standings)]
        assert found == said[site]
        for block, step in {one.block: one for one in reversed(record.standings)}.items():
            assert on_chain("standingOf", site, block=block) == (step.derating_bp, step.grade)
            steps += 1
    assert steps > 3


def test_attestations_are_the_auditors() -> None:
    said = [
        (word["site"], word.block, word["units"], word["grade"]) for word in tiny_history() if word.name == "Attested"
    ]
    records = tiny_records().items()
    found = [(site, one.block, one.units, one.grade) for site, record in records for one in record.attestations]
    assert sorted(found) == sorted(said)
    assert len(said) >= 8


def test_attestations_are_found_by_their_index() -> None:
    plans: list[str] = []
    store = tiny_store()

    @event.listens_for(store.engine, "before_cursor_execute")
    def _explained(_c: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "'Attested'" in statement:
            plans.extend(row[-1] for row in cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))

    try:
        site_record(store, 1)
    finally:
        event.remove(store.engine, "before_cursor_execute", _explained)
    assert any("events_attested" in step for step in plans), plans


def test_site_record_raises_for_a_site_that_is_not_known() -> None:
    with pytest.raises(InputError, match="No site 999"):
        site_record(tiny_store(), 999)
    assert records_of(tiny_store(), [999]) == {}


# ---- against a slow count

LEASES = st.lists(
    st.fixed_dictionaries(
        {
            "site": st.integers(1, 2),
            "units": st.integers(1, 40),
            "hours": st.integers(1, 30),
            "start_hour": st.integers(NOW_HOUR - 33 * 24, NOW_HOUR + 5),
            "grade": st.sampled_from(Grade),
            "delivered_permille": st.integers(0, 1_000) | st.sampled_from([0, 949, 950, 990, 999, 1_000, 1_500]),
            "reason": st.sampled_from([None, 1, 2, 3, 4, UNRULED]),
            "disputed": st.booleans(),
        }
    ),
    max_size=12,
)


def stored(leases: list[dict[str, Any]]) -> Store:
    """A database with two sites and these leases, in the order of their ends."""
    store = open_store(IN_MEMORY)
    sums: dict[int, list[int]] = {1: [0, 0], 2: [0, 0]}
    rows = []
    for number, one in enumerate(leases, 1):
        product = Product(1, Tier.METRO, 257, one["grade"], one["start_hour"], one["hours"])
        delivered = one["units"] * one["delivered_permille"]
        if one["reason"] not in (None, UNRULED):
            full = one["units"] * 1_000
            counted = full if Fraction(delivered, full) >= Fraction(one["grade"].promised_bp, 10_000) else delivered
            sums[one["site"]][0] += counted * one["hours"]
            sums[one["site"]][1] += (full - counted) * one["hours"]
        rows.append(
            {
                "lease": number, "product": product.id, "site": one["site"], "provider": "0x", "holder": "0x",
                "units": one["units"], "bond_micro": 0, "held_micro": 0, "deposit_micro": 0, "state": 5,
                "aborted": False, "reason": one["reason"], "delivered_milli": delivered, "to_provider_micro": 0,
                "to_holder_micro": 0, "redeemed_s": 0, "disputed_s": 1 if one["disputed"] else None,
                "resolved_s": number, "due_s": None, "job_hash": "0x", "block": 10 + number // 3, "log_index": number,
            }
        )  # fmt: skip
    sites = [
        {
            "site": site, "provider": "0x", "device": "0x", "devices": 1, "class_id": 1, "metro": 257, "hub": 256,
            "uri": "", "attested_units": 50, "grade": 3, "valid_until_s": 2**40, "evidence": None,
            "delivered_milli_hours": delivered, "failed_milli_hours": failed, "block": 9, "log_index": site,
        }
        for site, (delivered, failed) in sums.items()
    ]  # fmt: skip
    with store.write() as connection:
        connection.execute(insert(t.SITES), sites)
        if rows:
            connection.execute(insert(t.LEASES), rows)
    return store


def counted_slowly(leases: list[dict[str, Any]], days: int) -> Uptime:
    """Hour by hour."""
    leased = delivered = 0
    for one in leases:
        if one["reason"] in (None, UNRULED):
            continue
        for hour in range(one["start_hour"], one["start_hour"] + one["hours"]):
            if NOW_HOUR - 24 * days <= hour < NOW_HOUR:
                leased += one["units"] * 1_000
                delivered += one["units"] * min(one["delivered_permille"], 1_000)
    return Uptime(days, leased, delivered)


@given(leases=LEASES)
def test_records_are_what_a_slow_count_comes_to(leases: list[dict[str, Any]]) -> None:
    store = stored(leases)
    records = records_of(store, [1, 2, 3], NOW_HOUR * 3_600 + 1_800)
    store.close()
    assert set(records) == {1, 2}
    for site, record in records.items():
        mine = [one for one in leases if one["site"] == site]
        assert record.uptimes == tuple(counted_slowly(mine, days) for days in UPTIME_DAYS)
        full = [one["units"] * 1_000 * one["hours"] for one in mine]
        assert record.disputed_milli_hours == sum(f for f, one in zip(full, mine, strict=True) if one["disputed"])
        pending = sum(f for f, one in zip(full, mine, strict=True) if one["reason"] is None)
        unruled = sum(f for f, one in zip(full, mine, strict=True) if one["reason"] == UNRULED)
        assert record.pending_milli_hours == pending
        assert sum(one.leases for one in record.windows) == len(mine)
        for name in ("delivered", "failed", "pending", "disputed"):
            total = sum(getattr(one, f"{name}_milli_hours") for one in record.windows)
            assert total == getattr(record, f"{name}_milli_hours")
        assert sum(full) == record.delivered_milli_hours + record.failed_milli_hours + pending + unruled
        if record.standings:
            last = record.standings[0]
            assert (last.derating_bp, last.delivered_milli_hours) == (record.derating_bp, record.delivered_milli_hours)
        assert WEIGHT_BP_MIN <= delivery_weight(record) <= 10_000
        assert (delivery_weight(record) == 10_000) == (
            not record.failed_milli_hours and record.uptimes[-1].share_bp in (None, 10_000)
        )


def test_uptime_is_never_above_all_that_was_leased() -> None:
    """What one lease delivered beyond its units does not make up for what another missed."""
    lease = {"site": 1, "units": 4, "hours": 2, "start_hour": NOW_HOUR - 2, "grade": Grade.BASIC, "reason": 1}
    more, nothing = ({**lease, "disputed": False, "delivered_permille": permille} for permille in (1_500, 0))
    for leases, share_bp in (([more], 10_000), ([more, nothing], 5_000)):
        store = stored(leases)
        found = site_record(store, 1, NOW_HOUR * 3_600)
        store.close()
        assert [one.share_bp for one in found.uptimes] == [share_bp] * len(UPTIME_DAYS)


def test_grade_ends_with_the_attestation_at_its_very_second() -> None:
    """As in contracts/Capacity.sol, where an attestation is valid while its end is in the future."""
    store, until_s = stored([]), NOW_HOUR * 3_600
    with store.write() as connection:
        connection.execute(update(t.SITES).values(valid_until_s=until_s))
        numbers = dict.fromkeys(("id", "chain_id", "block", "time_s", "finalized", "head", "events"), 0)
        connection.execute(insert(t.HISTORY), numbers | {"exchange": "0x"})
    found = []
    for time_s in (until_s - 1, until_s, until_s + 1):
        with store.write() as connection:
            connection.execute(update(t.HISTORY).values(time_s=time_s))
        found.append(site_record(store, 1).grade)
    store.close()
    assert found == [Grade.PREMIUM, None, None]


def test_delivery_weight_falls_with_what_failed_and_more_with_what_failed_lately() -> None:
    good = tiny_records()[3]
    assert delivery_weight(good) == 10_000, "without a lease it is neither better nor worse"

    def failed(milli_hours: int, lately: int = 0) -> int:
        uptimes = (*good.uptimes[:-1], Uptime(30, lately, 0))
        return delivery_weight(replace(good, failed_milli_hours=milli_hours, uptimes=uptimes))

    hour = good.attested_units * 1_000
    assert failed(hour) == 5_000
    assert failed(hour, hour) == 3_333
    weights = [failed(hour * count // 4, hour * count // 8) for count in range(100)]
    assert weights == sorted(weights, reverse=True)
    assert weights[-1] == WEIGHT_BP_MIN


def test_standing_has_the_floor_of_the_market() -> None:
    assert standing(0, 1) == (2_000, Grade.BASIC)
    assert standing(0, 1, floor_bp=500) == (500, Grade.BASIC)
    assert standing(9_990, 10) == (9_990, Grade.PREMIUM)
    assert standing(9_989, 11) == (9_989, Grade.STANDARD)
    assert standing(0, 0) == (10_000, Grade.PREMIUM)


def test_records_of_a_thousand_sites_are_read_at_once() -> None:
    """Fifty leases each. A query a site would take longer than this by far."""
    store = stored([])
    product = Product(1, Tier.METRO, 257, Grade.STANDARD, NOW_HOUR - 30, 4)
    lease = {
        "product": product.id, "provider": "0x", "holder": "0x", "units": 5, "bond_micro": 0, "held_micro": 0,
        "deposit_micro": 0, "state": 5, "aborted": False, "reason": 1, "delivered_milli": 4_000,
        "to_provider_micro": 0, "to_holder_micro": 0, "redeemed_s": 0, "resolved_s": 1, "job_hash": "0x", "block": 10,
    }  # fmt: skip
    with store.write() as connection:
        site = dict(connection.execute(t.SITES.select().where(t.SITES.c.site == 1)).mappings().one())
        connection.execute(t.SITES.delete())
        connection.execute(insert(t.SITES), [site | {"site": number} for number in range(1, 1_001)])
        leases = [lease | {"lease": n, "site": n % 1_000 + 1, "log_index": n} for n in range(50_000)]
        connection.execute(insert(t.LEASES), leases)
    began = time.perf_counter()
    records = records_of(store, range(1, 1_001), NOW_HOUR * 3_600)
    took_s = time.perf_counter() - began
    store.close()
    assert len(records) == 1_000
    assert {len(one.standings) for one in records.values()} == {50} != {WINDOWS_MAX}
    assert took_s < 20


def test_shares_are_rounded_down_and_what_was_delivered_lately_counts_twice() -> None:
    assert Uptime(1, 3, 2).share_bp == 6_666
    assert standing(2, 1)[0] == 6_666
    good = tiny_records()[3]
    hour = good.attested_units * 1_000
    failed = replace(good, failed_milli_hours=hour, delivered_milli_hours=hour)
    assert delivery_weight(failed) == 6_666
    lately = replace(failed, uptimes=(*good.uptimes[:-1], Uptime(30, hour, hour)))
    assert delivery_weight(lately) == 7_500
