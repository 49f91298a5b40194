"""Every end that a lease can come to, on a real chain: who gets what of the bond, and why."""

import pytest

from ledger import Grade, LeaseState, Reason, errors, share_up
from ledger.delivery import Resolution
from tests.world import TERMS, World

UNITS = 100
FULL_MILLI = UNITS * 1_000


def bond_of(world: World, lease: int) -> int:
    return world.delivery.lease(lease).bond_micro


def test_redeem_turns_units_into_a_lease_with_their_share_of_the_bond(world: World) -> None:
    site, product = world.site(), world.product()
    world.sell(site, product, 200)
    owed = world.market.obligation(product, site)
    redeem = world.delivery.redeem(product, site, 50, b"job")
    assert redeem.preview(world.buyer.address).result == world.delivery.lease_count() + 1
    lease = world.delivery.lease(redeem.send(world.buyer).value)
    assert (lease.product, lease.site, lease.holder, lease.units) == (product.id, site, world.buyer.address, 50)
    assert lease.bond_micro == owed.bond_micro // 4
    assert lease.state is LeaseState.ACTIVE
    assert world.market.obligation(product, site).units == 150
    assert world.market.units(world.buyer.address, product) == 150


def test_redeem_says_what_the_site_owes(world: World) -> None:
    site, product = world.site(), world.product()
    world.sell(site, product, 200)
    refused = world.delivery.redeem(product, site, 201).preview(world.buyer.address).refusal
    assert isinstance(refused, errors.Delivery_InsufficientObligation)
    assert "owes 200 units" in refused.remedy


def test_a_preview_says_where_units_are_less_than_one_device(world: World) -> None:
    site, product = world.site(), world.product()
    world.sell(site, product, 2_000)
    some, whole = (
        world.delivery.redeem(product, site, units).preview(world.buyer.address).notes for units in (999, 1_000)
    )
    assert "999 units are less than one H100 SXM" in some[0]
    assert "counts 1,000 units" in some[0]
    assert whole == ()


def test_accepted_report_pays_the_provider_at_once(world: World) -> None:
    lease, product = world.lease(UNITS)
    bond_micro = bond_of(world, lease)
    world.clock.go_to(product.end_s)
    world.delivery.report(lease, FULL_MILLI).send(world.provider)
    cash_micro = world.market.cash_micro(world.provider.address)
    assert world.delivery.accept(lease).send(world.buyer).value == Resolution(
        Reason.ACCEPTED, FULL_MILLI, bond_micro, 0
    )
    assert world.market.cash_micro(world.provider.address) == cash_micro + bond_micro
    assert world.delivery.lease(lease).state is LeaseState.RESOLVED


def test_shortfall_goes_to_the_holder(world: World) -> None:
    lease, product = world.lease(UNITS)
    bond_micro = bond_of(world, lease)
    world.clock.go_to(product.end_s)
    world.delivery.report(lease, FULL_MILLI // 2).send(world.provider)
    ended = world.delivery.accept(lease).send(world.buyer).value
    assert ended.to_provider_micro == bond_micro // 2
    assert ended.to_provider_micro + ended.to_holder_micro == bond_micro


def test_unreported_lease_is_refunded_whole(world: World) -> None:
    lease, product = world.lease(UNITS)
    bond_micro = bond_of(world, lease)
    early = world.delivery.resolve(lease).preview(world.stranger.address).refusal
    assert isinstance(early, errors.Delivery_TooEarly)
    world.clock.go_to(product.end_s + TERMS.report_period_s + 1)
    ended = world.delivery.resolve(lease).send(world.stranger).value
    assert ended == Resolution(Reason.UNREPORTED, 0, 0, bond_micro)


def test_undisputed_report_stands(world: World) -> None:
    lease, product = world.lease(UNITS)
    bond_micro = bond_of(world, lease)
    world.clock.go_to(product.end_s)
    world.delivery.report(lease, FULL_MILLI).send(world.provider)
    world.clock.go_to(world.chain.time_s() + TERMS.dispute_period_s + 10)
    ended = world.delivery.resolve(lease).send(world.stranger).value
    assert ended == Resolution(Reason.UNDISPUTED, FULL_MILLI, bond_micro, 0)


def disputed(world: World) -> int:
    """A lease whose full report the buyer disputes; the deposit is what the preview named."""
    lease, product = world.lease(UNITS)
    world.clock.go_to(product.end_s)
    world.delivery.report(lease, FULL_MILLI).send(world.provider)
    cash_micro = world.market.cash_micro(world.buyer.address)
    dispute = world.delivery.dispute(lease, b"\x02" * 32)
    deposit_micro = dispute.preview(world.buyer.address).costs.deposit_micro
    assert deposit_micro == share_up(bond_of(world, lease), TERMS.dispute_deposit_bp)
    dispute.send(world.buyer)
    assert world.market.cash_micro(world.buyer.address) == cash_micro - deposit_micro
    assert world.delivery.lease(lease).state is LeaseState.DISPUTED
    return lease


def test_arbiter_rules_on_a_dispute(world: World) -> None:
    lease = disputed(world)
    bond_micro = bond_of(world, lease)
    rule = world.delivery.rule(lease, FULL_MILLI * 3 // 4, "https://example.org/ruling", b"because")
    with pytest.raises(errors.AccessManagedUnauthorized):
        rule.send(world.stranger)
    ended = rule.send(world.admin).value
    assert ended == Resolution(Reason.RULED, FULL_MILLI * 3 // 4, bond_micro * 3 // 4, bond_micro - bond_micro * 3 // 4)


def test_dispute_that_nobody_rules_on_is_split_evenly(world: World) -> None:
    lease = disputed(world)
    bond_micro = bond_of(world, lease)
    world.clock.go_to(world.chain.time_s() + TERMS.ruling_period_s + 10)
    ended = world.delivery.resolve(lease).send(world.stranger).value
    assert ended == Resolution(Reason.UNRULED, FULL_MILLI, bond_micro // 2, bond_micro - bond_micro // 2)


def test_abort_before_the_window_refunds_all(world: World) -> None:
    lease, _ = world.lease(UNITS)
    bond_micro = bond_of(world, lease)
    ended = world.delivery.abort(lease).send(world.provider).value
    assert ended == Resolution(Reason.ABORTED, 0, 0, 0)
    assert world.delivery.lease(lease).state is LeaseState.ABORTED
    assert bond_micro > 0


def test_abort_after_half_of_the_window_leaves_half_to_accept(world: World) -> None:
    lease, product = world.lease(UNITS)
    bond_micro = bond_of(world, lease)
    world.clock.go_to(product.start_s + (product.end_s - product.start_s) // 2)
    cash_micro = world.market.cash_micro(world.buyer.address)
    assert world.delivery.abort(lease, FULL_MILLI // 2).send(world.provider).value is None
    assert world.market.cash_micro(world.buyer.address) == cash_micro + bond_micro - bond_micro // 2
    assert world.delivery.accept(lease).send(world.buyer).value.to_provider_micro == bond_micro // 2


def test_expire_gives_the_bond_of_unredeemed_units_to_the_provider(world: World) -> None:
    site, product = world.site(), world.product(hours=1)
    world.sell(site, product, 100)
    bond_micro = world.market.obligation(product, site).bond_micro
    world.clock.go_to(product.end_s + TERMS.grace_s + 10)
    cash_micro = world.market.cash_micro(world.provider.address)
    assert world.delivery.expire(product, site).send(world.stranger).value == bond_micro
    assert world.market.cash_micro(world.provider.address) == cash_micro + bond_micro


def test_failures_stand_in_the_sites_record_and_lower_its_grade(world: World) -> None:
    lease, product = world.lease(UNITS)
    site = world.delivery.lease(lease).site
    world.clock.go_to(product.end_s)
    world.delivery.report(lease, FULL_MILLI * 9 // 10).send(world.provider)
    world.delivery.accept(lease).send(world.buyer)
    assert world.delivery.record(site) == (FULL_MILLI * 9 // 10, FULL_MILLI // 10)
    premium = world.market.mint(site, world.product(grade=Grade.PREMIUM), 10).preview(world.provider.address)
    assert isinstance(premium.refusal, errors.Capacity_GradeTooHigh)
    assert premium.refusal.shown["gradeMax"] == "BASIC"
    assert world.market.available_units(site, world.product()) == 8_000 * 9 // 10


def test_lease_that_does_not_exist_is_refused(world: World) -> None:
    with pytest.raises(errors.Delivery_UnknownLease):
        world.delivery.lease(10_000)
