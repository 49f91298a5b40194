"""Sites, obligations, leases and the standard, as events tell them, against what the contracts say."""

from ledger.areas import load_areas
from ledger.history.index import Index
from ledger.model import LeaseState
from ledger.standard import load_standard
from ledger.store import queries
from ledger.store.engine import IN_MEMORY, Store, open_store
from ledger.view import device_hash
from tests.day import tiny_day
from tests.indexed import dump, tiny_store
from tests.world import World

MARKET = tiny_day().market


def indexed(world: World) -> Store:
    store = open_store(IN_MEMORY)
    list(Index(world.market, store).advance())
    return store


def test_leases_end_as_the_contract_says() -> None:
    found = queries.leases(tiny_store(), limit=1_000)
    assert {one.reason for one in found} >= {1, 3, 4}, "the day has ends of many kinds"
    for one in found:
        on_chain = MARKET.lease(one.lease)
        assert (one.product, one.site, one.holder, one.units) == (
            on_chain.product,
            on_chain.site,
            on_chain.holder,
            on_chain.units,
        )
        assert one.state == on_chain.state
        assert one.held_micro == one.deposit_micro == 0
        assert one.to_provider_micro + one.to_holder_micro == one.bond_micro
        assert one.due_s is None


def test_a_lease_is_due_when_the_contract_lets_anyone_end_it(anvil_world: World) -> None:
    world, terms = anvil_world, anvil_world.market.deployment.terms
    lease, product = world.lease(units=40)
    (found,) = queries.leases(indexed(world), holder=world.buyer.address, state=LeaseState.ACTIVE, limit=1)
    assert (found.lease, found.due_s) == (lease, product.end_s + terms.report_period_s)
    assert found.bond_micro == found.held_micro == world.market.lease(lease).bond_micro
    world.clock.go_to(product.end_s)
    world.delivery.report(lease, 30_000).send(world.provider)
    store = indexed(world)
    reported = queries.lease(store, lease)
    assert reported is not None
    assert (reported.state, reported.reported_milli) == (LeaseState.REPORTED, 30_000)
    assert reported.reported_s is not None
    assert reported.due_s == reported.reported_s + terms.dispute_period_s
    world.delivery.dispute(lease, b"\x01" * 32).send(world.buyer)
    store = indexed(world)
    disputed = queries.lease(store, lease)
    assert disputed is not None
    assert disputed.deposit_micro == world.market.read("Delivery", "leaseOf", lease)["depositMicro"] > 0
    assert disputed.due_s is not None
    assert [one.lease for one in queries.leases_due(store, disputed.due_s)].count(lease) == 0
    assert [one.lease for one in queries.leases_due(store, disputed.due_s + 1)].count(lease) == 1
    # The node's clock goes on by itself: near enough to be told from another period, far enough for a slow machine.
    world.clock.go_to(disputed.due_s - 300)
    assert world.delivery.resolve(lease).preview(world.stranger.address).refusal is not None
    world.clock.go_to(disputed.due_s + 1)
    world.delivery.resolve(lease).send(world.stranger)
    ended = queries.lease(indexed(world), lease)
    assert ended is not None
    assert (ended.state, ended.reason, ended.due_s, ended.held_micro) == (LeaseState.RESOLVED, 5, None, 0)
    assert ended.to_holder_micro + ended.to_provider_micro == ended.bond_micro


def test_obligations_are_due_after_the_grace(anvil_world: World) -> None:
    world, product = anvil_world, anvil_world.product(1)
    site = world.site()
    world.sell(site, product, 30)
    owed = queries.obligation(indexed(world), product.id, site)
    assert owed is not None
    on_chain = world.market.obligation(product, site)
    assert (owed.units, owed.bond_micro) == (on_chain.units, on_chain.bond_micro)
    assert owed.due_s == product.end_s + world.market.deployment.terms.grace_s
    world.clock.go_to(owed.due_s + 1)
    assert owed in queries.obligations_due(indexed(world), owed.due_s + 1, limit=1_000)
    world.delivery.expire(product, site).send(world.stranger)
    after = queries.obligation(indexed(world), product.id, site)
    assert after is not None
    assert (after.units, after.bond_micro, after.expired_units) == (0, 0, 30)


def test_the_standard_is_all_there() -> None:
    rows = dump(tiny_store())
    ratings = {(device, class_id): milli for device, class_id, _, _, milli, *_ in rows["ratings"]}
    for entry in load_standard().entries:
        rating = entry.rating
        assert ratings["0x" + device_hash(rating.device).hex(), rating.class_id] == rating.milli_units
    for class_id, name, unit, memory_gb, tick_size_micro, least, bond_micro, *_ in rows["classes"]:
        terms = MARKET.terms_of(class_id)
        said = (name, unit, memory_gb, tick_size_micro, least, bond_micro)
        assert said == (
            terms.name,
            terms.unit,
            terms.min_memory_gb,
            terms.tick_size_micro,
            terms.min_order_units,
            terms.bond_price_micro,
        )
    assert (len(rows["classes"]), len(rows["areas"])) == (4, len(load_areas().all()))
    for area, hub, *_ in rows["areas"]:
        assert MARKET.read("Standard", "hubOf", area) == hub


def test_sites_are_as_attested() -> None:
    found = queries.sites(tiny_store())
    assert [one.site for one in found] == list(range(1, MARKET.site_count() + 1)) != []
    for one in found:
        site = MARKET.site(one.site)
        said = (one.devices, one.class_id, one.metro, one.attested_units, one.grade, one.valid_until_s)
        assert said == (
            site.devices,
            site.class_id,
            site.metro,
            site.attested_units,
            site.grade,
            site.valid_until_s,
        )


def test_pauses_are_told(anvil_world: World) -> None:
    world = anvil_world
    world.market.pause_orders(True).send(world.admin)
    world.market.pause_issues(True).send(world.admin)
    assert {row[:2] for row in dump(indexed(world))["pauses"]} == {("orders", True), ("issues", True)}
    world.market.pause_orders(False).send(world.admin)
    world.market.pause_issues(False).send(world.admin)
    assert {row[:2] for row in dump(indexed(world))["pauses"]} == {("orders", False), ("issues", False)}
