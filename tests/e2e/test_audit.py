"""The audit of a market in which everything happens that a demo day leaves out: relayed and refused orders, gifts,
splits, merges, hands changed, disputes, revocations. It is proven at every step, and after the last."""

from collections.abc import Iterator

import pytest

from ledger import Grade, Kind, OrderTerms, Product, Tier
from ledger.audit.run import Report, run_audit
from ledger.orders import SignedOrder
from tests.world import FUNDS_MICRO, US_EAST, World, world_on


@pytest.fixture(scope="module")
def busy() -> Iterator[tuple[World, list[Report]]]:
    """The world after its last step, and what an audit said after each."""
    with world_on("anvil") as world:
        reports = []
        for step in (relay, issue, pull, convert, hand_over, deliver):
            step(world)
            reports.append(run_audit(world.market)[0])
        yield world, reports


def signed(world: World, product: Product, round_: int, index: int, site: int = 0) -> SignedOrder:
    """The buyer's bid, or the provider's offer of a site."""
    kind, owner = (Kind.OFFER, world.provider) if site else (Kind.BID, world.buyer)
    terms = OrderTerms(owner.address, kind, product, 400, 100, round_, index, 0, site)
    return world.market.signed(terms, owner)


def relay(world: World) -> None:
    """Signed bids and an offer in one transaction, one of them twice: the second is skipped. Then a round with a
    revoked order, and slots that are used again."""
    market, site, product = world.market, world.site(), world.product(2)
    round_ = world.new_round()
    orders = [signed(world, product, round_, index) for index in range(4)]
    orders += [orders[1], signed(world, product, round_, 7, site)]
    placement = market.place_signed(orders).send(world.stranger).value
    assert (len(placement.indices), len(placement.skipped)) == (5, 1)
    world.finish(product, round_)
    market.revoke_signed().send(world.buyer)
    round_ = world.new_round()
    late = signed(world, product, round_, 0)
    offer = signed(world, product, round_, 9, site)
    placement = market.place_signed([late, offer], [0, 1]).send(world.stranger).value
    assert [one.position for one in placement.skipped] == [0], placement.skipped
    world.clock.go_to(market.round_end_s(round_))


def issue(world: World) -> None:
    """Mint, retire, an ask of one's own, a gift to the treasury, a withdrawal, orders that wait."""
    market, site, product = world.market, world.site(), world.product(4)
    market.mint(site, product, 500).send(world.provider)
    market.retire(site, product, 100).send(world.provider)
    world.new_round()
    market.ask(product, 50, tick=500).send(world.provider)
    market.bid(product, 200, tick=300).send(world.buyer)
    market.withdraw(1_234_567, world.stranger.address).send(world.buyer)
    gift = market.call("Token", "transfer", market.address("Treasury"), 17)
    market.sender.send(gift, world.seller)


def pull(world: World) -> None:
    """An offer of somebody without cash in the market: its margin comes from the wallet, and is said before that."""
    market, site, product, owner = world.market, world.site(), world.product(1), world.provider
    market.withdraw(market.cash_micro(owner.address), owner.address).send(owner)
    market.approve().send(owner)
    world.new_round()
    market.offer(site, product, 100, tick=390).send(owner)
    market.fund(FUNDS_MICRO, owner)


def convert(world: World) -> None:
    """A window into its hours and back, and into a looser tier."""
    market, site, product = world.market, world.site(), world.product(3)
    market.mint(site, product, 90).send(world.provider)
    market.split(site, product, 60).send(world.provider)
    market.merge(site, product, 30).send(world.provider)
    market.relax(site, product, 20, Tier.HUB).send(world.provider)


def hand_over(world: World) -> None:
    """Units given away by their owner, and by somebody whom the owner approved."""
    market, site, product = world.market, world.site(), world.product(1)
    market.mint(site, product, 90).send(world.provider)
    market.transfer(product, 10, world.provider.address, world.seller.address).send(world.provider)
    approve = market.call("Capacity", "setApprovalForAll", world.stranger.address, True)
    market.sender.send(approve, world.provider)
    market.transfer(product, 10, world.provider.address, world.seller.address).send(world.stranger)


def deliver(world: World) -> None:
    """Leases that are aborted, disputed and ruled, reported and left, never reported."""
    delivery = world.delivery
    leases = [world.lease(100) for _ in range(4)]
    aborted, ruled, left, _ = (lease for lease, _ in leases)
    last = max(product.end_s for _, product in leases)
    world.clock.go_to(leases[0][1].start_s + 1_000)
    delivery.abort(aborted, 20_000).send(world.provider)
    world.clock.go_to(last + 1)
    for lease in (ruled, left):
        delivery.report(lease, 99_000, bytes(32)).send(world.provider)
    delivery.dispute(ruled, b"meter").send(world.buyer)
    delivery.rule(ruled, 40_000, "ruling/1", b"text").send(world.admin)
    world.clock.go_to(last + 50 * 3_600)
    for lease, _ in (leases[0], leases[2], leases[3]):
        delivery.resolve(lease).send(world.stranger)


def test_every_step_is_proven(busy: tuple[World, list[Report]]) -> None:
    for report in busy[1]:
        assert report.findings == ()
        assert report.acts_unseen == 0
    assert len({report.root for report in busy[1]}) == len(busy[1])


def test_what_happened_is_what_was_meant_to(busy: tuple[World, list[Report]]) -> None:
    world, _ = busy
    _, books = run_audit(world.market)
    assert books.gifts_micro == 17
    assert books.epochs[world.buyer.address] == 1
    assert world.provider.address in books.marks
    assert {lease.reason for lease in books.leases.values()} >= {2, 3, 4}
    assert any(lease.aborted for lease in books.leases.values())
    assert len(books.waiting) >= 3
    product = next(one for one in map(Product.from_id, books.supply) if one.tier is Tier.HUB)
    assert (product.area, product.grade) == (US_EAST, Grade.STANDARD)
