"""Every verb of the market on a real chain: what it does, what it would do, and why it would not."""

import pytest

from ledger import (
    Costs,
    Grade,
    InputError,
    Kind,
    Market,
    OrderTerms,
    Tier,
    WrongChain,
    cost_micro,
    errors,
    fill_of,
    send_together,
    sign_permit,
)
from ledger.chain import Chain
from ledger.deployment import govern
from tests.world import FUNDS_MICRO, TERMS, World


def test_deposit_and_withdraw_move_money_between_wallet_and_cash(world: World) -> None:
    market, seller = world.market, world.seller
    cash_micro, wallet_micro = market.cash_micro(seller.address), market.wallet_micro(seller.address)
    market.fund(7_000_001, seller)
    assert market.cash_micro(seller.address) == cash_micro + 7_000_001
    market.withdraw(7_000_001, seller.address).send(seller)
    assert market.cash_micro(seller.address) == cash_micro
    assert market.wallet_micro(seller.address) == wallet_micro


def test_fund_approves_only_when_the_allowance_falls_short(world: World) -> None:
    world.market.approve(5_000).send(world.seller)
    world.market.fund(5_000, world.seller)
    assert world.market.allowance_micro(world.seller.address) == 0
    with pytest.raises(errors.ERC20InsufficientAllowance):
        world.market.deposit(1).send(world.seller)


def test_deposit_by_permit_is_one_transaction_without_an_approval(world: World) -> None:
    market, seller = world.market, world.seller
    market.approve(0).send(seller)
    cash_micro = market.cash_micro(seller.address)
    market.deposit_signed(1_234_567, seller).send(seller)
    assert market.cash_micro(seller.address) == cash_micro + 1_234_567
    assert market.allowance_micro(seller.address) == 0


def test_permit_of_another_is_no_allowance(world: World) -> None:
    market = world.market
    market.approve(0).send(world.seller)
    permit = market.permit(world.buyer.address, 1_000, world.chain.time_s() + 3_600)
    signature = sign_permit(permit, market.token_domain(), world.buyer)
    with pytest.raises(errors.ERC20InsufficientAllowance):
        market.deposit_with_permit(permit, signature).send(world.seller)


def test_bid_previews_builds_and_sends_the_same(world: World) -> None:
    product = world.product()
    world.new_round()
    bid = world.market.bid(product, 500, price_micro=2_401)
    tick = world.market.tick(product, Kind.BID, 2_401)
    cash_micro = world.market.cash_micro(world.buyer.address)
    preview = bid.preview(world.buyer.address)
    assert preview.refusal is None
    assert preview.costs == Costs(escrow_micro=cost_micro(500, 24, world.market.price_micro(product, tick)))
    assert preview.costs.total_micro <= 500 * 24 * 2_401
    assert bid.build(world.buyer.address).data == bid.call.data
    assert world.market.cash_micro(world.buyer.address) == cash_micro
    outcome = bid.send(world.buyer)
    assert outcome.value == preview.result == 0
    assert world.market.cash_micro(world.buyer.address) == cash_micro - preview.costs.total_micro
    [order] = world.market.orders(product)
    assert (order.kind, order.tick, order.units, order.owner) == (Kind.BID, tick, 500, world.buyer.address)


def test_preview_says_why_an_order_would_be_refused(world: World) -> None:
    too_few = world.market.bid(world.product(), 1, tick=400).preview(world.buyer.address)
    assert isinstance(too_few.refusal, errors.Exchange_TooFewUnits)
    assert str(too_few.refusal).endswith("Order at least 10 units.")
    poor = world.market.bid(world.product(), 500, tick=400).preview(world.newcomer().address)
    assert isinstance(poor.refusal, errors.Treasury_InsufficientCash)
    assert poor.costs.escrow_micro > 0
    assert poor.gas is None


def test_refused_action_is_never_sent(world: World) -> None:
    newcomer = world.newcomer()
    with pytest.raises(errors.Treasury_InsufficientCash):
        world.market.bid(world.product(), 500, tick=400).send(newcomer)
    assert world.chain.nonce(newcomer.address) == 0


def test_limit_is_either_a_tick_or_a_price(world: World) -> None:
    for limits in ({}, {"tick": 1, "price_micro": 1}):
        with pytest.raises(InputError, match="either a tick or a price"):
            world.market.bid(world.product(), 10, **limits)


def test_offer_escrows_the_margin_that_its_preview_names(world: World) -> None:
    site, product = world.site(), world.product()
    world.new_round()
    for units, tick in ((1_000, 400), (500, 600)):
        offer = world.market.offer(site, product, units, tick=tick)
        preview = offer.preview(world.provider.address)
        cash_micro = world.market.cash_micro(world.provider.address)
        assert preview.costs.margin_micro > 0
        offer.send(world.provider)
        assert world.market.cash_micro(world.provider.address) == cash_micro - preview.costs.total_micro


def test_offer_below_the_bond_of_its_fellows_escrows_the_difference(world: World) -> None:
    site, product = world.site(), world.product(hours=1)
    world.market.mint(site, product, 1_000).send(world.provider)
    world.new_round()
    cheap = world.market.offer(site, product, 100, tick=1)
    usual = world.market.offer(site, product, 100, tick=1_000)
    costs = cheap.preview(world.provider.address).costs
    assert costs.margin_micro > usual.preview(world.provider.address).costs.margin_micro
    cash_micro = world.market.cash_micro(world.provider.address)
    cheap.send(world.provider)
    assert world.market.cash_micro(world.provider.address) == cash_micro - costs.margin_micro


def test_round_clears_and_settles_as_the_independent_rule_says(world: World) -> None:
    market, site, product = world.market, world.site(), world.product()
    round_ = world.new_round()
    placed = send_together(
        [
            (market.offer(site, product, 1_000, tick=390), world.provider),
            (market.bid(product, 700, tick=400), world.buyer),
            (market.bid(product, 600, tick=390), world.seller),
        ]
    )
    assert len({outcome.receipt.block for outcome in placed}) == 1
    orders = market.orders(product, round_)
    tick_size_micro = market.tick_size_micro(product)
    depth = market.depth(product, round_)
    assert (depth.asks, depth.bids) == ({390: 1_000}, {390: 600, 400: 700})
    cash_micro = market.cash_micro(world.buyer.address)
    clearing = world.finish(product, round_)
    price = market.price(product, round_)
    assert price is not None
    assert (price.units, price.tick) == (clearing.units, clearing.price_tick) == (1_000, 390)
    fill = fill_of(next(one for one in orders if one.tick == 400), clearing, product.hours, tick_size_micro)
    assert market.cash_micro(world.buyer.address) == cash_micro + fill.cash_micro
    assert market.units(world.buyer.address, product) == fill.units == 700
    assert market.units(world.seller.address, product) == 300
    assert market.orders(product, waiting=True) == []
    assert market.free_slots(product) == [0, 1, 2]


def test_resale_pays_the_seller_and_moves_the_units(world: World) -> None:
    market, site, product = world.market, world.site(), world.product()
    world.sell(site, product, 400)
    round_ = world.new_round()
    ask = market.ask(product, 150, price_micro=2_000)
    assert ask.preview(world.buyer.address).costs == Costs()
    ask.send(world.buyer)
    assert market.units(world.buyer.address, product) == 250
    market.bid(product, 150, price_micro=3_000).send(world.seller)
    cash_micro = market.cash_micro(world.buyer.address)
    world.finish(product, round_)
    price = market.price(product, round_)
    assert price is not None
    assert price.price_micro is not None
    assert market.cash_micro(world.buyer.address) == cash_micro + cost_micro(150, 24, price.price_micro)
    assert market.units(world.seller.address, product) == 150


def test_place_signed_places_the_good_and_says_why_not_the_others(world: World) -> None:
    market, product = world.market, world.product()
    round_, newcomer = world.new_round(), world.newcomer()
    good, poor, stale = (
        market.signed(OrderTerms(owner.address, Kind.BID, product, 400, 100, at), owner)
        for owner, at in ((world.buyer, round_), (newcomer, round_), (world.seller, round_ - 1))
    )
    outcome = market.place_signed([poor, good, stale, good]).send(world.stranger)
    assert outcome.value.indices == (0,)
    reasons = [(skipped.position, skipped.owner, type(skipped.reason).__name__) for skipped in outcome.value.skipped]
    assert reasons == [
        (0, newcomer.address, "Treasury_InsufficientCash"),
        (2, world.seller.address, "Exchange_WrongRound"),
        (3, world.buyer.address, "Treasury_IndexUsed"),
    ]
    assert market.account(world.buyer.address).used == {0}


def test_place_signed_uses_free_slots_again(world: World) -> None:
    market, site, product = world.market, world.site(), world.product()
    world.sell(site, product, 100)
    round_ = world.new_round()
    orders = [
        market.signed(OrderTerms(world.buyer.address, Kind.BID, product, 100, 10, round_, index), world.buyer)
        for index in range(3)
    ]
    placed = market.place_signed(orders, market.free_slots(product)).send(world.stranger).value
    assert placed.indices == (0, 1, 2)
    assert [order.round for order in market.orders(product)] == [round_] * 3


def test_revoke_signed_makes_orders_worthless(world: World) -> None:
    market, product = world.market, world.product()
    round_ = world.new_round()
    epoch = market.account(world.seller.address).epoch
    order = market.signed(OrderTerms(world.seller.address, Kind.BID, product, 400, 100, round_, 0, epoch), world.seller)
    market.revoke_signed().send(world.seller)
    assert market.account(world.seller.address).epoch == epoch + 1
    [skipped] = market.place_signed([order]).send(world.stranger).value.skipped
    assert isinstance(skipped.reason, errors.Treasury_WrongEpoch)


def test_batch_of_orders_is_never_starved_of_gas(world: World) -> None:
    """An estimate would find the gas at which every order fails quietly: Exchange passes over what runs out."""
    market, product = world.market, world.product()
    round_ = world.new_round()
    orders = [
        market.signed(OrderTerms(world.buyer.address, Kind.BID, product, tick, 10, round_, tick), world.buyer)
        for tick in range(1, 21)
    ]
    placed = market.place_signed(orders).send(world.stranger).value
    assert (len(placed.indices), placed.skipped) == (20, ())


def test_mint_and_retire_take_and_return_the_bond(world: World) -> None:
    market, site, product = world.market, world.site(), world.product()
    cash_micro = market.cash_micro(world.provider.address)
    mint = market.mint(site, product, 300)
    bond_micro = mint.preview(world.provider.address).costs.bond_micro
    mint.send(world.provider)
    assert market.cash_micro(world.provider.address) == cash_micro - bond_micro
    assert market.obligation(product, site).bond_micro == bond_micro
    assert market.supply_units(product) == market.units(world.provider.address, product) == 300
    market.retire(site, product, 300).send(world.provider)
    assert market.cash_micro(world.provider.address) == cash_micro
    assert market.supply_units(product) == 0


def test_split_and_merge_are_the_way_there_and_back(world: World) -> None:
    market, site, product = world.market, world.site(), world.product(hours=3)
    market.mint(site, product, 90).send(world.provider)
    bond_micro = market.obligation(product, site).bond_micro
    market.split(site, product, 90).send(world.provider)
    hours = list(product.hourly())
    assert [market.units(world.provider.address, hour) for hour in hours] == [90, 90, 90]
    assert sum(market.obligation(hour, site).bond_micro for hour in hours) == bond_micro
    market.merge(site, product, 90).send(world.provider)
    assert market.units(world.provider.address, product) == 90
    assert market.obligation(product, site).bond_micro == bond_micro


def test_split_and_merge_cost_what_their_previews_say(world: World) -> None:
    """Splitting a cheap window into an hour that carries more bond: the difference is the sender's."""
    market, site, product = world.market, world.site(), world.product(hours=2)
    world.sell(site, product, 50)
    first = next(product.hourly())
    market.mint(site, first, 70).send(world.provider)
    for action in (market.split(site, product, 50), market.merge(site, product, 50)):
        cash_micro = market.cash_micro(world.buyer.address)
        costs = action.preview(world.buyer.address).costs
        action.send(world.buyer)
        assert market.cash_micro(world.buyer.address) == cash_micro - costs.bond_micro
    assert market.obligation(first, site).units == 70


def test_relax_gives_the_looser_product(world: World) -> None:
    market, site, product = world.market, world.site(), world.product()
    market.mint(site, product, 40).send(world.provider)
    relaxed = market.relax(site, product, 40, Tier.HUB).send(world.provider).value
    assert relaxed == product.relax(Tier.HUB, 256)
    assert market.units(world.provider.address, relaxed) == 40


def test_transfer_gives_units_to_somebody_else(world: World) -> None:
    market, site, product = world.market, world.site(), world.product()
    market.mint(site, product, 40).send(world.provider)
    market.transfer(product, 15, world.provider.address, world.seller.address).send(world.provider)
    assert market.units(world.seller.address, product) == 15


def test_guardian_stops_new_orders_and_issues_and_nothing_else(world: World) -> None:
    market, site, product = world.market, world.site(), world.product()
    with pytest.raises(errors.AccessManagedUnauthorized):
        market.pause_orders(True).send(world.stranger)
    market.pause_orders(True).send(world.admin)
    market.pause_issues(True).send(world.admin)
    try:
        bid = market.bid(product, 100, tick=400).preview(world.buyer.address)
        assert isinstance(bid.refusal, errors.Exchange_OrdersPaused)
        mint = market.mint(site, product, 10).preview(world.provider.address)
        assert isinstance(mint.refusal, errors.Capacity_IssuePaused)
        market.withdraw(1, world.buyer.address).send(world.buyer)
    finally:
        market.pause_orders(False).send(world.admin)
        market.pause_issues(False).send(world.admin)
    market.bid(product, 100, tick=400).send(world.buyer)


def test_attest_beyond_the_rating_is_refused(world: World) -> None:
    site = world.site(units=1_000)
    with pytest.raises(errors.Capacity_AboveRating) as refused:
        world.market.attest(site, 1_001, Grade.BASIC, bytes(32), world.chain.time_s() + 3_600).send(world.admin)
    assert refused.value.values["unitsMax"] == 1_000
    assert refused.value.shown["unitsMax"] == "1,000 units"


def test_collect_says_that_nothing_is_held(world: World) -> None:
    product = world.product()
    refused = world.market.collect(product, world.buyer.address).preview(world.buyer.address).refusal
    assert isinstance(refused, errors.Exchange_NothingHeld)
    assert world.market.held_units(world.buyer.address, product) == 0


def test_one_bad_act_of_governance_undoes_the_others(tester_world: World) -> None:
    market = tester_world.market
    acts = [
        market.call("Standard", "setArea", 60_001, 0, "Nowhere"),
        market.call("Standard", "setArea", 256, 0, "Taken"),
    ]
    refused = govern(market, market.sender, acts).preview(tester_world.admin.address).refusal
    assert isinstance(refused, errors.Standard_AreaTaken)


def test_market_of_another_chain_is_refused(tester_world: World, anvil_world: World) -> None:
    chain: Chain = anvil_world.chain
    with pytest.raises(WrongChain):
        Market(chain, tester_world.market.deployment)


def test_world_is_as_the_tests_take_it(world: World) -> None:
    assert world.market.deployment.terms == TERMS
    assert world.market.wallet_micro(world.buyer.address) >= FUNDS_MICRO
