"""Signed orders: the same bytes for wallets, for us and for the contract, and no others."""

import json
from dataclasses import replace

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from ledger import (
    Grade,
    InputError,
    Kind,
    OrderTerms,
    OutOfRange,
    Product,
    SignedOrder,
    Tier,
    UnreadableText,
    digest_of,
    errors,
    is_signed,
    order_domain,
    sign_order,
    signed_order,
    typed_data,
)
from ledger.eip712 import Domain
from ledger.orders import unpack
from tests.world import BUYER, SELLER, World

PRODUCTS = st.builds(
    Product,
    class_id=st.integers(1, 255),
    tier=st.sampled_from((Tier.METRO, Tier.HUB)),
    area=st.integers(1, 65_535),
    grade=st.sampled_from(Grade),
    start_hour=st.integers(0, 2**32 - 1),
    hours=st.integers(1, 168),
)
ADDRESSES = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())


@st.composite
def terms(draw: st.DrawFn, owner: str = BUYER.address) -> OrderTerms:
    kind = draw(st.sampled_from(Kind))
    return OrderTerms(
        owner=owner,
        kind=kind,
        product=draw(PRODUCTS),
        tick=draw(st.integers(1, 1_023)),
        units=draw(st.integers(1, 2**32 - 1)),
        round=draw(st.integers(0, 2**40 - 1)),
        index=draw(st.integers(0, 79)),
        epoch=draw(st.integers(0, 2**24 - 1)),
        site=draw(st.integers(1, 2**32 - 1)) if kind is Kind.OFFER else 0,
    )


DOMAINS = st.builds(order_domain, st.integers(1, 2**64), ADDRESSES)
DOMAIN = order_domain(31_337, "0x" + "22" * 20)


@given(terms(), DOMAINS)
def test_digest_is_what_a_wallet_signs(order: OrderTerms, domain: Domain) -> None:
    message = encode_typed_data(full_message=typed_data(order, domain))
    recovered = Account.recover_message(message, signature=BUYER.sign_digest(digest_of(order, domain)))
    assert recovered == BUYER.address


@given(terms(), DOMAINS)
def test_signed_order_is_its_owners_alone(order: OrderTerms, domain: Domain) -> None:
    signed = sign_order(order, domain, BUYER)
    assert is_signed(signed, domain)
    assert not is_signed(signed, replace(domain, chain_id=domain.chain_id + 1))
    assert not is_signed(SignedOrder(replace(order, owner=SELLER.address), signed.signature), domain)
    assert not is_signed(SignedOrder(replace(order, tick=order.tick % 1_023 + 1), signed.signature), domain)


@given(terms())
def test_words_pack_and_unpack(order: OrderTerms) -> None:
    signed = sign_order(order, DOMAIN, BUYER)
    what, who, signature = signed.words
    assert what < 2**160
    assert who < 2**248
    assert unpack(what, who, signature) == signed


@given(terms())
def test_json_is_read_back(order: OrderTerms) -> None:
    signed = sign_order(order, DOMAIN, BUYER)
    assert signed_order(json.loads(json.dumps(signed.json()))) == signed


@pytest.mark.parametrize(
    "change",
    [
        {"tick": 0},
        {"tick": 1_024},
        {"units": 0},
        {"units": 2**32},
        {"round": 2**40},
        {"index": 80},
        {"epoch": 2**24},
        {"site": -1},
    ],
)
def test_terms_off_their_limits_are_refused(change: dict[str, int]) -> None:
    product = Product(1, Tier.WIDE, 0, Grade.BASIC, 500_000, 1)
    with pytest.raises(OutOfRange):
        replace(OrderTerms(BUYER.address, Kind.BID, product, 1, 1, 1), **change)  # type: ignore[arg-type]


def test_only_an_offer_names_a_site() -> None:
    product = Product(1, Tier.WIDE, 0, Grade.BASIC, 500_000, 1)
    for kind, site in ((Kind.OFFER, 0), (Kind.BID, 1), (Kind.ASK, 1)):
        with pytest.raises(InputError, match="An offer names its site"):
            OrderTerms(BUYER.address, kind, product, 1, 1, 1, site=site)


def test_orders_of_others_are_not_signed() -> None:
    product = Product(1, Tier.WIDE, 0, Grade.BASIC, 500_000, 1)
    with pytest.raises(InputError, match="Sign it with its owner's key"):
        sign_order(OrderTerms(BUYER.address, Kind.BID, product, 1, 1, 1), DOMAIN, SELLER)


@pytest.mark.parametrize("record", [{}, {"order": {}}, {"order": None, "signature": ""}, {"order": [], "signature": 1}])
def test_record_that_is_no_signed_order_is_refused(record: dict[str, object]) -> None:
    with pytest.raises(UnreadableText):
        signed_order(record)


def test_record_with_bad_values_is_refused() -> None:
    product = Product(1, Tier.WIDE, 0, Grade.BASIC, 500_000, 1)
    good = sign_order(OrderTerms(BUYER.address, Kind.BID, product, 1, 1, 1), DOMAIN, BUYER).json()
    for name, value in (("owner", "0x12"), ("product", "many"), ("kind", 7), ("tick", 0)):
        with pytest.raises((UnreadableText, InputError)):
            signed_order({**good, "order": {**good["order"], name: value}})
    with pytest.raises(UnreadableText):
        signed_order({**good, "signature": "0xzz"})


def test_exchange_agrees_on_domain_and_digest(world: World) -> None:
    """A contract names the digest that it finds unsigned: it must be ours."""
    _, name, version, chain_id, exchange, _, _ = world.market.read("Exchange", "eip712Domain")
    assert world.market.domain == Domain(name, version, chain_id, exchange)
    product, round_ = world.product(), world.new_round()
    order = OrderTerms(world.buyer.address, Kind.BID, product, 400, 100, round_)
    forged = SignedOrder(order, world.stranger.sign_digest(digest_of(order, world.market.domain)))
    [skipped] = world.market.place_signed([forged]).send(world.stranger).value.skipped
    assert isinstance(skipped.reason, errors.Exchange_BadSignature)
    assert skipped.reason.values["digest"] == digest_of(order, world.market.domain)
    assert not is_signed(forged, world.market.domain)


@pytest.mark.parametrize("kind", list(Kind))
def test_relayed_order_stands_as_it_was_signed(world: World, kind: Kind) -> None:
    site, product = world.site(), world.product()
    owner = {Kind.BID: world.buyer, Kind.ASK: world.provider, Kind.OFFER: world.provider}[kind]
    if kind is Kind.ASK:
        world.market.mint(site, product, 100).send(world.provider)
    round_ = world.new_round()
    order = OrderTerms(owner.address, kind, product, 400, 90, round_, 79, site=site if kind is Kind.OFFER else 0)
    epoch = world.market.account(owner.address).epoch
    signed = world.market.signed(replace(order, epoch=epoch), owner)
    assert world.market.place_signed([signed]).send(world.stranger).value.skipped == ()
    [stands] = world.market.orders(product, round_)
    assert (stands.kind, stands.tick, stands.units, stands.site) == (kind, 400, 90, order.site)
    assert stands.owner == ("" if kind is Kind.OFFER else owner.address)
    assert 79 in world.market.account(owner.address).used
