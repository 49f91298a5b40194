"""The keeper does what is due, once, in bounded parts; what fails waits aside, and what was missed is caught up."""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from ledger.chain import Chain
from ledger.delivery import Delivery
from ledger.errors import NodeRefused
from ledger.history.index import Index
from ledger.keeping.backlog import Backlog
from ledger.keeping.keeper import Keeper, KeeperLimits, KeeperWork
from ledger.keeping.relays import RelayDesk
from ledger.keeping.tasks import Job, Task, turn_s
from ledger.keys import Signer
from ledger.market import Market
from ledger.model import Kind, LeaseState
from ledger.orders import OrderTerms, SignedOrder
from ledger.product import Product
from ledger.sending.sender import Sender
from ledger.store.engine import IN_MEMORY, Store, open_store
from ledger.store.relay import QueuedOrder, Stage
from ledger.units import SECONDS_PER_HOUR
from tests.world import World, world_on


@dataclass
class Kept:
    """A world with a keeper, and the queue that it relays from."""

    world: World
    store: Store
    keeper: Keeper
    desk: RelayDesk

    def queue(self, *orders: SignedOrder) -> list[QueuedOrder]:
        return self.desk.accept(orders, accepted_ms=1)

    def bid(self, product: Product, index: int, owner: Signer | None = None, **others: Any) -> SignedOrder:
        """A signed bid for the current round."""
        owner = owner or self.world.buyer
        market = self.world.market
        terms = OrderTerms(owner.address, Kind.BID, product, 400, 10, market.current_round(), index, **others)
        return market.signed(terms, owner)

    def work(self, ticks: int = 6) -> list[KeeperWork]:
        """Ticks until there is nothing to do."""
        done = []
        for _ in range(ticks):
            done.append(self.keeper.tick())
            if done[-1].is_idle:
                return done
        raise AssertionError(f"still at work after {ticks} ticks: {done}")

    def another(self, *signers: Signer, limits: KeeperLimits | None = None) -> Keeper:
        """A second keeper on the same database: what is there after a crash."""
        market = self.world.market
        limits = limits or KeeperLimits(stagger_s=0)
        return Keeper(market, self.store, Index(market, self.store), signers or [self.world.stranger], limits)

    def stages(self) -> list[Stage]:
        return [one.stage for one in sorted(self.keeper.queue.latest(1_000), key=lambda one: one.number)]


@pytest.fixture(scope="module")
def anvil() -> Iterator[World]:
    with world_on("anvil") as world:
        yield world


@pytest.fixture
def kept(anvil: World) -> Iterator[Kept]:
    """On a chain where no other test has left anything to do."""
    chain, deployment = anvil.chain, anvil.market.deployment
    snapshot = chain.request("evm_snapshot")
    sender, store = Sender(chain), open_store(IN_MEMORY)
    market = Market(chain, deployment, sender)
    world = replace(anvil, market=market, delivery=Delivery(chain, deployment, sender))
    keeper = Keeper(market, store, Index(market, store), [world.stranger, world.admin], KeeperLimits(stagger_s=0))
    yield Kept(world, store, keeper, RelayDesk(market, keeper.queue))
    store.close()
    chain.request("evm_revert", snapshot)


def total(works: list[KeeperWork]) -> dict[Job, int]:
    return {job: count for job in Job if (count := sum(work.done.get(job, 0) for work in works))}


def test_keeper_relays_clears_and_settles_a_round(kept: Kept) -> None:
    world, site, product = kept.world, kept.world.site(), kept.world.product()
    round_ = world.new_round()
    world.market.offer(site, product, 500, tick=390).send(world.provider)
    kept.queue(*(kept.bid(product, index) for index in range(30)))
    [work, _] = kept.work()
    assert (work.done, work.sent, work.skipped) == ({Job.RELAY: 30}, 1, 0)
    assert kept.stages() == [Stage.PLACED] * 30
    slots = [one.slot for one in kept.keeper.queue.of_owner(world.buyer.address)]
    assert slots == list(range(1, 31))
    world.clock.go_to(world.market.round_end_s(round_))
    assert total(kept.work()) == {Job.CLEAR: 1, Job.SETTLE: 31}
    assert world.market.units(world.buyer.address, product) == 300
    assert world.market.orders(product, waiting=True) == []
    health = kept.keeper.health()
    assert (health.overdue_s, health.under_way, health.troubles) == (0, 0, ())
    assert health.total is not None
    assert health.total.wasted == health.total.already == 0


def test_keeper_ends_leases_and_frees_bonds_when_their_time_has_come(kept: Kept) -> None:
    world, site, product = kept.world, kept.world.site(), kept.world.product(hours=1)
    world.sell(site, product, 100)
    lease = world.delivery.redeem(product, site, 40, b"job").send(world.buyer).value
    assert total(kept.work()) == {}
    terms = world.market.deployment.terms
    end_s = (product.start_hour + 1) * SECONDS_PER_HOUR
    world.clock.go_to(end_s + terms.grace_s + 1)
    assert total(kept.work()) == {Job.EXPIRE: 1}
    world.clock.go_to(end_s + terms.report_period_s)
    assert total(kept.work()) == {}
    world.clock.go_to(end_s + terms.report_period_s + 1)
    assert total(kept.work()) == {Job.RESOLVE: 1}
    assert world.delivery.lease(lease).state is LeaseState.RESOLVED
    assert world.delivery.obligation(product, site).units == 0


def test_keeper_skips_what_the_chain_would_pass_over_without_paying_for_it(kept: Kept) -> None:
    world, product = kept.world, kept.world.product()
    world.new_round()
    kept.queue(kept.bid(product, 1), kept.bid(product, 2, epoch=9))
    [work, _] = kept.work()
    assert (work.done, work.skipped, work.sent) == ({Job.RELAY: 1}, 1, 1)
    good, revoked = sorted(kept.keeper.queue.latest(), key=lambda one: one.number)
    assert (good.stage, revoked.stage) == (Stage.PLACED, Stage.SKIPPED)
    assert "WrongEpoch" in str(revoked.reason)
    assert good.intent is not None


def test_order_whose_money_comes_late_is_placed_all_the_same(kept: Kept) -> None:
    world, market, product = kept.world, kept.world.market, kept.world.product()
    world.new_round()
    newcomer = world.newcomer()
    kept.queue(kept.bid(product, 0, newcomer))
    [work] = kept.work()
    assert (work.sent, work.skipped) == (0, 0)
    [poor] = kept.keeper.queue.latest()
    assert poor.stage is Stage.QUEUED
    assert "InsufficientCash" in str(poor.reason)
    market.mint_test_dollars(newcomer.address, 10**12).send(newcomer)
    market.fund(10**12, newcomer)
    assert total(kept.work()) == {Job.RELAY: 1}
    [placed] = kept.keeper.queue.latest()
    assert (placed.stage, placed.reason) == (Stage.PLACED, None)


def test_node_that_fails_for_a_while_ends_no_order(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    world, chain, product = kept.world, kept.world.chain, kept.world.product()
    world.new_round()
    kept.queue(*(kept.bid(product, index) for index in range(3)))
    outcomes = type(chain).outcomes

    def busy(self: Chain, wanted: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        said = outcomes(self, wanted)
        return [
            NodeRefused("429 too many requests") if method == "eth_call" else one
            for (method, _), one in zip(wanted, said, strict=True)
        ]

    with monkeypatch.context() as patch:
        patch.setattr(type(chain), "outcomes", busy)
        assert (kept.keeper.tick().sent, kept.stages()) == (0, [Stage.QUEUED] * 3)
    assert total(kept.work()) == {Job.RELAY: 3}


def test_order_that_nothing_helped_expires_with_what_it_waited_for(kept: Kept) -> None:
    world, product = kept.world, kept.world.product()
    world.new_round()
    kept.queue(kept.bid(product, 0, world.stranger))
    kept.work()
    world.new_round()
    [work] = kept.work()
    assert (work.expired, work.sent) == (1, 0)
    [late] = kept.keeper.queue.latest()
    assert late.stage is Stage.EXPIRED
    assert "InsufficientCash" in str(late.reason)


def test_keeper_lets_orders_of_a_round_that_is_over_expire(kept: Kept) -> None:
    world, product = kept.world, kept.world.product()
    world.new_round()
    kept.queue(kept.bid(product, 0))
    world.new_round()
    [work] = kept.work()
    assert (work.expired, work.sent) == (1, 0)
    assert kept.stages() == [Stage.EXPIRED]


def test_keeper_catches_up_with_rounds_that_it_missed(kept: Kept) -> None:
    world, market, site = kept.world, kept.world.market, kept.world.site()
    void, *late = (world.product() for _ in range(4))
    for product in late:
        world.new_round()
        market.offer(site, product, 10, tick=400).send(world.provider)
        market.bid(product, 10, tick=400).send(world.buyer)
    cash_micro = market.cash_micro(world.seller.address)
    market.bid(void, 10, tick=400).send(world.seller)
    world.clock.go_to(void.start_hour * SECONDS_PER_HOUR)
    assert total(kept.work()) == {Job.CLEAR: 3, Job.SETTLE: 7}
    assert [market.units(world.buyer.address, product) for product in late] == [10] * 3
    assert market.cash_micro(world.seller.address) == cash_micro, "a round that nobody cleared in time gives all back"
    assert kept.keeper.health().overdue_s == 0


def test_tick_is_bounded_and_the_rest_follows(kept: Kept) -> None:
    world, market = kept.world, kept.world.market
    products = [world.product() for _ in range(5)]
    round_ = world.new_round()
    for product in products:
        market.bid(product, 10, tick=400).send(world.buyer)
    world.clock.go_to(market.round_end_s(round_))
    kept.keeper = kept.another(limits=KeeperLimits(transactions=2, stagger_s=0))
    works = kept.work(ticks=10)
    assert max(work.sent for work in works) == 2
    assert total(works) == {Job.CLEAR: 5, Job.SETTLE: 5}


def test_work_that_always_fails_waits_aside_with_its_reason(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    world, market, product = kept.world, kept.world.market, kept.world.product()
    round_ = world.new_round()
    market.bid(product, 10, tick=400).send(world.buyer)
    world.clock.go_to(market.round_end_s(round_))
    tasks = Backlog.tasks
    poison = Task(Job.CLEAR, "clear:poison", 0, market.call("Exchange", "setOrdersPaused", True))
    monkeypatch.setattr(Backlog, "tasks", lambda *args: iter([poison, *tasks(*args)]))
    kept.keeper = kept.another(limits=KeeperLimits(transactions=1, stagger_s=0))
    works = [kept.keeper.tick() for _ in range(4)]
    assert total(works) == {Job.CLEAR: 1, Job.SETTLE: 1}
    assert sum(work.failed for work in works) == 1, "it is not tried at every tick"
    [trouble] = kept.keeper.health().troubles
    assert (trouble.key, trouble.failures) == ("clear:poison", 1)
    assert "AccessManagedUnauthorized" in trouble.reason
    assert kept.keeper.health().overdue_s > 0
    world.clock.go_to(trouble.retry_at_s)
    assert kept.keeper.tick().failed == 1
    [trouble] = kept.keeper.health().troubles
    assert trouble.failures == 2


def test_orders_claimed_before_a_crash_are_relayed_after_it(kept: Kept) -> None:
    world, product = kept.world, kept.world.product()
    world.new_round()
    [queued] = kept.queue(kept.bid(product, 0))
    kept.keeper.queue.claim({f"relay:{world.stranger.address}:1": [queued.number]})
    kept.keeper = kept.another(world.stranger)
    assert total(kept.work()) == {Job.RELAY: 1}
    assert kept.stages() == [Stage.PLACED]


def test_orders_sent_before_a_crash_are_found_again_and_not_sent_twice(kept: Kept) -> None:
    world, product = kept.world, kept.world.product()
    world.new_round()
    kept.queue(*(kept.bid(product, index) for index in range(3)))
    with world.clock.one_block():
        first = kept.another(world.stranger, limits=KeeperLimits(patience_s=0))
        assert first.tick().sent == 1
        kept.keeper = kept.another(world.stranger, limits=KeeperLimits(patience_s=0))
        assert kept.keeper.tick().sent == 0
        assert kept.stages() == [Stage.RELAYED] * 3
    works = kept.work()
    assert (total(works), sum(work.sent for work in works)) == ({Job.RELAY: 3}, 0)
    assert kept.stages() == [Stage.PLACED] * 3
    assert len(world.market.orders(product)) == 3


def test_keepers_of_one_database_leave_each_others_batches_alone(kept: Kept) -> None:
    world, product = kept.world, kept.world.product()
    world.new_round()
    [queued] = kept.queue(kept.bid(product, 0))
    name = f"relay:{world.seller.address}:1"
    kept.keeper.queue.claim({name: [queued.number]})
    assert total(kept.work()) == {}
    assert kept.stages() == [Stage.RELAYED]
    for _ in range(3):
        world.new_round()
    kept.work()
    assert kept.stages() == [Stage.EXPIRED], "a keeper that never came back does not keep them"


def test_run_stops_when_told(kept: Kept) -> None:
    stop = threading.Event()
    works = []
    for work in kept.keeper.run(stop):
        works.append(work)
        if len(works) == 3:
            stop.set()
    assert len(works) == 3


def test_keeper_that_may_have_company_leaves_work_to_others_for_a_while(kept: Kept) -> None:
    world, market, product = kept.world, kept.world.market, kept.world.product()
    round_ = world.new_round()
    market.bid(product, 10, tick=400).send(world.buyer)
    world.clock.go_to(market.round_end_s(round_))
    kept.keeper = kept.another(world.stranger, limits=KeeperLimits(stagger_s=30))
    turn = turn_s(f"clear:{product.id:x}:{round_}", world.stranger.address, 30)
    assert turn > 0
    assert kept.keeper.tick().sent == 0
    world.clock.go_to(market.round_end_s(round_) + turn)
    assert kept.keeper.tick().done == {Job.CLEAR: 1}


def test_keeper_does_not_wait_for_blocks_that_do_not_come(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    world, market, product = kept.world, kept.world.market, kept.world.product()
    round_ = world.new_round()
    market.bid(product, 10, tick=400).send(world.buyer)
    world.clock.go_to(market.round_end_s(round_))
    kept.keeper = kept.another(world.stranger, limits=KeeperLimits(stagger_s=30))
    turn = turn_s(f"clear:{product.id:x}:{round_}", world.stranger.address, 30)
    assert turn > 1
    assert kept.keeper.tick().sent == 0
    later_s = time.monotonic
    monkeypatch.setattr("ledger.keeping.keeper.time.monotonic", lambda: later_s() + turn)
    assert kept.keeper.tick().done == {Job.CLEAR: 1}
