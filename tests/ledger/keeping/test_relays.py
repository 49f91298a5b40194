"""Signed orders are checked as they come, and leave in transactions that fit."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from eth_utils.address import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from ledger import errors
from ledger.chain import TRANSACTION_GAS_MAX
from ledger.errors import NodeRefused, OrderNumberTaken, OutOfRange, Unavailable
from ledger.keeping.relays import (
    BATCH_MAX,
    ROUNDS_AHEAD_MAX,
    Refusals,
    RelayDesk,
    batches,
    ends_of,
    place_one,
    place_signed,
    refused,
)
from ledger.keys import Signer
from ledger.model import Kind
from ledger.orders import OrderTerms, SignedOrder, digest_of
from ledger.product import Grade, Product, Tier
from ledger.rpc import message_of
from ledger.store.engine import IN_MEMORY, open_store
from ledger.store.relay import SOON_ROUNDS, NewOrder, QueuedOrder, RelayQueue, Stage
from tests.world import PROVIDER, World

# Says 0x1626ba7e to everything that it is asked.
YES_MAN = "0x631626ba7e60e01b60005260206000f3"
# Says nothing, and burns all gas that it is given.
BURNER = "0x5b600056"
# Says yes where gas costs nothing, and burns all of it elsewhere.
TWO_FACED = "0x3a601257631626ba7e60e01b5f5260205ff35b601256"
CONTRACT = "0x00000000000000000000000000000000000c0de1"
# One that is given money, and so is no other test's.
RICH = "0x00000000000000000000000000000000000c0de2"
CHECKSUMMED = to_checksum_address(CONTRACT)


@pytest.fixture
def desk(anvil_world: World) -> Iterator[RelayDesk]:
    store = open_store(IN_MEMORY)
    yield RelayDesk(anvil_world.market, RelayQueue(store))
    store.close()


def bid(world: World, product: Product, index: int = 0, owner: Signer | None = None, ahead: int = 0) -> SignedOrder:
    owner = owner or world.buyer
    round_ = world.market.current_round() + ahead
    return world.market.signed(OrderTerms(owner.address, Kind.BID, product, 400, 10, round_, index), owner)


def contract_bid(world: World, product: Product, code: str, at: str = CONTRACT) -> SignedOrder:
    """A bid of a contract with that code, and without money."""
    world.chain.request("anvil_setCode", at, code)
    signed = bid(world, product)
    owner = "0x" + at[2:]
    return SignedOrder(replace(signed.terms, owner=owner), b"whatever it takes")


def test_accept_queues_what_its_owner_signed(anvil_world: World, desk: RelayDesk) -> None:
    order = bid(anvil_world, anvil_world.product())
    [queued] = desk.accept([order], 5)
    assert queued.order.digest == digest_of(order.terms, anvil_world.market.domain)
    assert (queued.words, queued.order.by_key, queued.stage, queued.accepted_ms) == (
        order.words,
        True,
        Stage.QUEUED,
        5,
    )


def test_accept_raises_for_what_its_owner_did_not_sign(anvil_world: World, desk: RelayDesk) -> None:
    order = bid(anvil_world, anvil_world.product())
    forged = SignedOrder(replace(order.terms, units=11), order.signature)
    for bad in (forged, SignedOrder(order.terms, b""), contract_bid(anvil_world, anvil_world.product(), "0x")):
        with pytest.raises(errors.Exchange_BadSignature):
            desk.accept([order, bad], 5)
    assert desk.queue.latest() == []


def test_accept_asks_a_contract_that_signs(anvil_world: World, desk: RelayDesk) -> None:
    [queued] = desk.accept([contract_bid(anvil_world, anvil_world.product(), YES_MAN)], 5)
    assert not queued.order.by_key
    with pytest.raises(errors.Exchange_BadSignature):
        desk.accept([contract_bid(anvil_world, anvil_world.product(), BURNER)], 5)


def test_accept_raises_for_a_round_that_is_over_or_far_away(anvil_world: World, desk: RelayDesk) -> None:
    product = anvil_world.product()
    with pytest.raises(errors.Exchange_WrongRound):
        desk.accept([bid(anvil_world, product, ahead=-1)], 5)
    with pytest.raises(OutOfRange):
        desk.accept([bid(anvil_world, product, ahead=ROUNDS_AHEAD_MAX + 1)], 5)
    desk.accept([bid(anvil_world, product, ahead=3)], 5)
    with pytest.raises(OrderNumberTaken):
        desk.accept([bid(anvil_world, anvil_world.product(), ahead=3)], 5)


def test_desk_keeps_half_of_its_queue_for_the_rounds_that_come(
    anvil_world: World, desk: RelayDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.store.relay.QUEUED_MAX", 2)
    product = anvil_world.product()
    desk.accept([bid(anvil_world, product, ahead=SOON_ROUNDS + 5)], 5)
    with pytest.raises(Unavailable):
        desk.accept([bid(anvil_world, product, ahead=SOON_ROUNDS + 6)], 5)
    desk.accept([bid(anvil_world, product, ahead=1)], 5)


@given(
    orders=st.lists(
        st.tuples(st.integers(0, 2**160 - 1), st.integers(0, 2**248 - 1), st.binary(max_size=130)), max_size=9
    ),
    slots=st.lists(st.integers(0, 2**32 - 1), max_size=9),
)
def test_calls_are_written_as_from_their_values(
    anvil_world: World, orders: list[tuple[int, int, bytes]], slots: list[int]
) -> None:
    market = anvil_world.market
    queued = [
        QueuedOrder(1, NewOrder(b"", "", 7, 0, 0, 1, *words), 0, Stage.QUEUED, 0, None, None, None, None)
        for words in orders
    ]
    assert place_signed(market, queued, slots, 7) == market.call("Exchange", "placeSigned", orders, slots, gas=7)
    for one in queued:
        assert place_one(market, one) == market.call("Exchange", "placeOne", one.words, 2**32 - 1)


def test_refused_names_the_orders_that_would_be_passed_over(anvil_world: World, desk: RelayDesk) -> None:
    world, product = anvil_world, anvil_world.product()
    world.new_round()
    good, poor = bid(world, product), bid(world, product, owner=world.newcomer())
    queued = desk.accept([good, poor, contract_bid(world, product, YES_MAN)], 5)
    why = refused(world.market, queued, world.stranger.address)
    assert set(why.passing) == {queued[1].number, queued[2].number}
    assert "InsufficientCash" in why.passing[queued[1].number]
    assert refused(world.market, queued[:1], world.stranger.address) == Refusals({}, {})
    world.chain.request("anvil_setCode", CONTRACT, BURNER)
    assert set(refused(world.market, queued[2:], world.stranger.address).final) == {queued[2].number}, (
        "it burns all that an order is given"
    )


def test_contract_that_burns_only_in_transactions_is_found_out(anvil_world: World, desk: RelayDesk) -> None:
    world, market, product = anvil_world, anvil_world.market, anvil_world.product()
    world.new_round()
    queued = desk.accept([contract_bid(world, product, YES_MAN, RICH)], 5)
    market.mint_test_dollars(to_checksum_address(RICH), 10**12).send(world.stranger)
    world.chain.request("anvil_impersonateAccount", RICH)
    world.chain.request("anvil_setBalance", RICH, hex(10**18))
    for call in (
        market.call("Token", "approve", market.address("Treasury"), 10**12),
        market.call("Treasury", "deposit", 10**12),
    ):
        message = message_of(call, RICH) | {"gas": hex(500_000)}
        world.chain.request("eth_sendTransaction", message)
    assert refused(market, queued, world.stranger.address) == Refusals({}, {}), "an honest contract's order stands"
    world.chain.request("anvil_setCode", RICH, TWO_FACED)
    why = refused(market, queued, world.stranger.address)
    assert list(why.passing) == [queued[0].number]
    assert "burns the gas" in why.passing[queued[0].number]


def test_only_what_cannot_change_in_its_round_ends_an_order(
    anvil_world: World, desk: RelayDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, market, product = anvil_world, anvil_world.market, anvil_world.product()
    world.new_round()
    [early, revoked] = desk.accept(
        [
            bid(world, product, ahead=1),
            market.signed(replace(bid(world, product).terms, index=1, epoch=9), world.buyer),
        ],
        5,
    )
    why = refused(market, [early, revoked], world.stranger.address)
    assert (set(why.passing), set(why.final)) == ({early.number}, {revoked.number}), (
        "a node that lags is a round behind"
    )
    busy = NodeRefused("429 too many requests")
    monkeypatch.setattr(type(world.chain), "outcomes", lambda _, wanted: [busy for _ in wanted])
    assert refused(market, [revoked], world.stranger.address) == Refusals({}, {revoked.number: str(busy)})


def test_ends_are_told_order_by_order(anvil_world: World, desk: RelayDesk) -> None:
    world, market, product = anvil_world, anvil_world.market, anvil_world.product()
    world.new_round()
    orders = [bid(world, product, 0), bid(world, product, 1, world.stranger), bid(world, product, 2)]
    queued = desk.accept(orders, 5)
    receipt = market.place_signed(orders).send(world.admin).receipt
    ends = ends_of(market, queued, receipt)
    assert ends.placed == {queued[0].number: 0, queued[2].number: 1}
    assert set(ends.skipped) == {queued[1].number}
    assert ends.returned == ()
    world.new_round()
    receipt = market.place_signed(orders).send(world.admin).receipt
    ends = ends_of(market, queued, receipt)
    assert (ends.placed, ends.skipped, len(ends.returned)) == ({}, {}, 3), "their round is over"


def test_order_that_ran_out_of_gas_comes_back_for_more(anvil_world: World, desk: RelayDesk) -> None:
    world, market, sites = anvil_world, anvil_world.market, [anvil_world.site() for _ in range(2)]
    round_ = world.new_round()
    weeks = [world.product(hours=168) for _ in range(2)]
    offers = [
        OrderTerms(PROVIDER.address, Kind.OFFER, week, 400, 10, round_, at, 0, sites[at])
        for at, week in enumerate(weeks)
    ]
    queued = desk.accept([market.signed(terms, PROVIDER) for terms in offers], 5)
    short = market.call("Exchange", "placeSigned", [one.words for one in queued], [], gas=1_350_000)
    receipt = market.sender.send(short, world.admin)
    ends = ends_of(market, queued, receipt)
    assert (list(ends.placed), ends.skipped, ends.returned) == ([queued[0].number], {}, (queued[1].number,))
    gas = [batches([replace(queued[1], attempts=attempts)])[0].gas for attempts in range(4)]
    assert gas == sorted(gas)
    assert gas[0] < gas[1] == gas[3] > 1_200_000
    hungry = [replace(one, attempts=9) for one in queued]
    assert list(ends_of(market, hungry, receipt).skipped) == [queued[1].number], "it burns more than it may"


kinds = st.sampled_from(Kind)


@given(
    drawn=st.lists(
        st.tuples(st.integers(0, 3), kinds, st.booleans(), st.integers(0, 1), st.sampled_from([1, 24, 168])),
        max_size=300,
    )
)
def test_batches_fit_and_lose_nothing(drawn: list[tuple[int, Kind, bool, int, int]]) -> None:
    orders = []
    for number, (area, kind, by_key, attempts, hours) in enumerate(drawn, 1):
        product = Product(1, Tier.METRO, 257 + area, Grade.BASIC, 490_000, hours).id
        order = NewOrder(number.to_bytes(32), "", 7, 0, product, int(kind), 0, 0, b"", by_key)
        orders.append(QueuedOrder(number, order, 0, Stage.QUEUED, attempts, None, None, None, None))
    found = batches(orders)
    assert sorted(one.number for batch in found for one in batch.orders) == [one.number for one in orders]
    for batch in found:
        numbers = [one.number for one in batch.orders]
        assert numbers == sorted(numbers), "first come first"
        assert len(numbers) <= BATCH_MAX
        assert batch.gas <= TRANSACTION_GAS_MAX
        assert batch.product is None or {one.order.product for one in batch.orders} == {batch.product}
        whole = sum(not one.order.by_key for one in batch.orders)
        assert batch.gas >= whole * 1_200_000 + (len(numbers) - whole) * 65_000, "enough for each"
