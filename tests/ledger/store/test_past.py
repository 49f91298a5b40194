"""Events and statements, against a market that was played: what an account holds is the sum of its lines."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.event import listens_for, remove

from ledger import Event, Index, LeaseState, Store, open_store, queries
from ledger.settings import Secret
from ledger.store import past
from ledger.store import tables as t
from ledger.store.engine import IN_MEMORY
from tests.world import World, world_on


@pytest.fixture(scope="module")
def played() -> Iterator[World]:
    """Sales, a resale, a lease that was aborted and one that was disputed, and an offer that found nobody."""
    with world_on("anvil") as world:
        site, product = world.site(), world.product(2)
        world.sell(site, product, 300)
        round_ = world.new_round()
        world.market.ask(product, 100, tick=300).send(world.buyer)
        world.market.bid(product, 60, tick=350).send(world.seller)
        world.market.offer(site, product, 40, tick=900).send(world.provider)
        world.finish(product, round_)
        aborted = world.delivery.redeem(product, site, 50).send(world.buyer).value
        world.delivery.abort(aborted).send(world.provider)
        disputed = world.delivery.redeem(product, site, 20).send(world.seller).value
        world.clock.go_to(product.end_s)
        world.delivery.report(disputed, 15_000).send(world.provider)
        world.delivery.dispute(disputed, b"\x01" * 32).send(world.seller)
        world.delivery.rule(disputed, 5_000, "https://ruling", b"why").send(world.admin)
        world.clock.go_to(product.end_s + world.market.deployment.terms.grace_s + 1)
        world.delivery.expire(product, site).send(world.stranger)
        world.market.withdraw(5, world.stranger.address).send(world.seller)
        yield world


@pytest.fixture(scope="module")
def store(played: World) -> Iterator[Store]:
    found = open_store(IN_MEMORY)
    list(Index(played.market, found).advance())
    yield found
    found.close()


def decode(world: World, row: past.EventRow) -> Event | None:
    return world.chain.interface(row.contract).event(row.log)


def test_statement_ends_with_what_the_chain_says(played: World, store: Store) -> None:
    product = max(one.product for one in queries.leases(store))
    for person in (played.provider, played.buyer, played.seller, played.stranger):
        lines = past.statement(store, person.address, lambda row: decode(played, row))
        held = {line.asset: line.after for line in lines}
        assert held.get(past.CASH, 0) == played.market.cash_micro(person.address), person
        units = sum(amount for asset, amount in held.items() if asset != past.CASH)
        assert units == sum(one.units for one in queries.balances(store, person.address))
        for before, line in zip([None, *lines], lines, strict=False):
            assert line.before + line.change == line.after
            assert before is None or (before.block, before.log_index) <= (line.block, line.log_index)
    assert product


def test_events_come_newest_first_in_pages(played: World, store: Store) -> None:
    every = past.events(store, limit=10_000)
    assert [row.place for row in every] == sorted((row.place for row in every), reverse=True)
    paged: list[past.EventRow] = []
    while page := past.events(store, before=paged[-1].place if paged else None, limit=7):
        paged += page
    assert paged == every
    assert {row.name for row in past.events(store, "Exchange")} >= {"Cleared", "Settled", "OrderPlaced"}


def test_events_of_an_account_name_it(played: World, store: Store) -> None:
    mine = past.events(store, account=played.seller.address, limit=1_000)
    said = [decode(played, row) for row in mine]
    assert all(event is not None and played.seller.address in event.values.values() for event in said)
    assert {row.name for row in mine} >= {"Deposited", "OrderPlaced", "Withdrawn"}


def test_transactions_and_hashes_are_the_chains(played: World, store: Store) -> None:
    [row] = past.events(store, name="Withdrawn")
    assert past.transactions(store, [(row.block, row.log_index), (0, 0)]) == {row.place[:2]: row.transaction}
    assert past.hash_of(store, row.block) == played.chain.block(row.block).hash
    assert past.hash_of(store, 10**9) is None


def test_touched_names_products_and_accounts(played: World, store: Store) -> None:
    [row] = past.events(store, name="Withdrawn")
    [block] = past.touched(store, row.block, row.block)
    assert (block.hash, block.accounts) == (
        played.chain.block(row.block).hash,
        tuple(sorted((played.seller.address, played.stranger.address), key=lambda one: int(one, 16))),
    )
    [placed, *_] = past.events(store, name="OrderPlaced")
    event = decode(played, placed)
    assert event is not None
    [block] = past.touched(store, placed.block, placed.block)
    assert block.products == (event["product"],)
    assert event["owner"] in block.accounts


def test_expired_micro_is_the_bond_that_nobody_claimed(played: World, store: Store) -> None:
    expired = past.expired_micro(store, 1, lambda row: decode(played, row))
    paid = sum(one.to_provider_micro for one in queries.leases(store, state=LeaseState.RESOLVED))
    assert expired > paid > 0
    assert past.expired_micro(store, 2, lambda row: decode(played, row)) == 0


def test_an_accounts_events_are_found_by_an_index(played: World, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    people = [one.address for one in (played.provider, played.buyer, played.seller, played.stranger)]
    found = {who: past.events(store, account=who, limit=1_000) for who in people}
    monkeypatch.setattr(past, "_is_indexed", lambda _: False)
    assert found == {who: past.events(store, account=who, limit=1_000) for who in people}
    assert past.events(store, account="0x" + "00" * 20), "units are made by transfers from nobody"
    with store.read() as connection:
        where = f"{t.topic(2)} = x'{1:064x}' AND {t.is_account(2, 'sqlite')}"
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN SELECT block FROM events WHERE {where}").all()
    assert "events_account_2" in str(plan)


def test_statement_reads_no_table_from_end_to_end(played: World, store: Store) -> None:
    """What others do costs an account's statement nothing: every table is asked through an index or by its key."""
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    listens_for(store.engine, "before_cursor_execute")(note)
    try:
        for person in (played.provider, played.buyer):
            assert past.statement(store, person.address, lambda row: decode(played, row))
        assert past.expired_micro(store, 1, lambda row: decode(played, row))
    finally:
        remove(store.engine, "before_cursor_execute", note)
    plans = plans_of(store, asked)
    assert not [plan for plan in plans if "SCAN" in plan], plans
    assert {name for name in ("events_lease", "events_site") if any(name in one for one in plans)} == {
        "events_lease",
        "events_site",
    }


def plans_of(store: Store, asked: Sequence[tuple[str, Any]]) -> list[str]:
    with store.read() as connection:
        return [
            str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all())
            for statement, values in asked
        ]


def test_statement_uses_the_same_indexes_in_postgresql(played: World, postgres_url: Secret) -> None:
    opened = open_store(postgres_url)
    list(Index(played.market, opened).advance())
    lines = past.statement(opened, played.provider.address, lambda row: decode(played, row))
    assert lines[-1].after
    with opened.write() as connection:
        # So few rows are read faster from end to end.
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        for name, said, place in (("events_lease", t.LEASE_SAID, 1), ("events_site", t.SITE_SAID, 2)):
            wanted = select(t.EVENTS.c.block).where(said, t.topic(place).in_([bytes(32), bytes(31) + b"\x01"]))
            text_ = wanted.compile(opened.engine, compile_kwargs={"literal_binds": False, "render_postcompile": True})
            plan = connection.exec_driver_sql(f"EXPLAIN {text_}", text_.params).all()
            assert name in str(plan), plan
    opened.close()
