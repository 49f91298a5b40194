"""Whose act an order was: what was signed and relayed is read back from calldata, and nothing is taken for granted."""

from collections import Counter
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.abi import Interface
from ledger.artifacts import load_artifacts
from ledger.audit.acts import PLACE_SIGNED, Act, Consent, Placed, signed_orders
from ledger.model import Kind
from ledger.orders import OrderTerms, SignedOrder, order_domain, sign_order
from ledger.product import Grade, Product, Tier
from tests.world import BUYER, PROVIDER, SELLER

CHAIN, EXCHANGE, OTHER = 31_337, "0x" + "11" * 20, "0x" + "22" * 20
ELSEWHERE = "0x" + "99" * 20
PRODUCT = Product(1, Tier.WIDE, 0, Grade.STANDARD, 500_000, 24)
EXCHANGE_ABI = Interface("Exchange", load_artifacts()["Exchange"].abi)


@dataclass
class Kept:
    """What books know of signers."""

    epochs: Counter[str] = field(default_factory=Counter)
    marks: dict[str, tuple[int, int]] = field(default_factory=dict)
    fell_now: set[str] = field(default_factory=set)


def signed(number: int = 0, epoch: int = 0, kind: Kind = Kind.BID, site: int = 0) -> SignedOrder:
    terms = OrderTerms(BUYER.address, kind, PRODUCT, 400, 100, 77, number, epoch, site)
    return sign_order(terms, order_domain(CHAIN, EXCHANGE), BUYER)


def placed(order: SignedOrder) -> Placed:
    terms = order.terms
    return Placed(terms.owner, terms.kind, terms.site, terms.product.id, terms.tick, terms.units, terms.round)


def relay(*orders: SignedOrder) -> Act:
    call = EXCHANGE_ABI.call(EXCHANGE, "placeSigned", [order.words for order in orders], [1, 2])
    return Act(SELLER.address, EXCHANGE, call.data)


people = {BUYER.address: "buyer", SELLER.address: "seller"}


def rules(act: Act | None, orders: list[Placed], kept: Kept | None = None, skipped: tuple[int, ...] = ()) -> list[str]:
    consent = Consent.of(CHAIN, EXCHANGE, [EXCHANGE, OTHER])
    found = [rule for rule, *_ in consent.faults(kept or Kept(), act, orders, set(skipped))]
    assert consent.unseen.total() >= len(consent.by_code)
    return found + sorted(f"code {rule} {people[owner]}" for rule, owner in consent.by_code)


@given(st.lists(st.integers(0, 79), unique=True, max_size=5), st.sampled_from([(Kind.BID, 0), (Kind.OFFER, 9)]))
def test_signed_orders_reads_what_was_relayed(numbers: list[int], what: tuple[Kind, int]) -> None:
    orders = [signed(number, 0, *what) for number in numbers]
    act = relay(*orders)
    assert act.data[:4] == PLACE_SIGNED
    found = signed_orders(act.data)
    assert [one.placed for one in found] == [tuple(placed(order)) for order in orders]
    assert [(one.number, one.signature) for one in found] == [(one.terms.index, one.signature) for one in orders]
    assert rules(act, [placed(order) for order in orders]) == []


def test_faults_passes_over_what_was_skipped() -> None:
    orders = [signed(number) for number in range(3)]
    assert rules(relay(*orders), [placed(orders[0]), placed(orders[2])], skipped=(1,)) == []
    assert rules(relay(*orders), [placed(orders[0]), placed(orders[2])]) == ["INV-17"]


def test_faults_finds_an_order_that_was_not_signed_so() -> None:
    order = signed()
    assert rules(relay(order), [placed(order)._replace(units=101)]) == ["INV-17"]
    # Another's signature: only the owner's code could have taken it.
    others = sign_order(replace(order.terms, owner=SELLER.address), order_domain(CHAIN, EXCHANGE), SELLER)
    forged = replace(order, signature=others.signature)
    assert rules(relay(forged), [placed(order)]) == ["code INV-17 buyer"]


def test_faults_finds_an_order_placed_twice() -> None:
    kept = Kept()
    assert rules(relay(signed(3)), [placed(signed(3))], kept) == []
    assert rules(relay(signed(4)), [placed(signed(4))], kept) == []
    assert rules(relay(signed(3)), [placed(signed(3))], kept) == ["INV-12"]
    assert kept.marks[BUYER.address] == (77, 1 << 3 | 1 << 4)


def test_faults_finds_a_revoked_order() -> None:
    assert rules(relay(signed(epoch=1)), [placed(signed(epoch=1))]) == ["INV-12"]


@pytest.mark.parametrize(("sender", "expected"), [(BUYER.address, []), (PROVIDER.address, ["code INV-17 buyer"])])
def test_faults_finds_an_order_that_another_sent(sender: str, expected: list[str]) -> None:
    act = Act(sender, EXCHANGE, b"\x01\x02\x03\x04")
    assert rules(act, [placed(signed())]) == expected


def test_faults_finds_cash_that_fell_without_its_owner() -> None:
    kept = Kept(fell_now={BUYER.address})
    assert rules(Act(BUYER.address, OTHER, b""), [], kept) == []
    assert rules(Act(SELLER.address, OTHER, b""), [], kept) == ["code INV-13 buyer"]
    assert rules(Act(SELLER.address, ELSEWHERE, b""), [], kept) == ["code INV-13 buyer"]
    assert rules(Act(SELLER.address, None, b""), [], kept) == ["code INV-13 buyer"]
    assert rules(Act(BUYER.address, ELSEWHERE, b""), [], kept) == []
    assert rules(relay(signed()), [placed(signed())], kept) == []


def test_faults_leaves_to_code_what_it_cannot_see() -> None:
    assert rules(None, [placed(signed())]) == []
    assert rules(Act(SELLER.address, ELSEWHERE, b""), [placed(signed())]) == ["code INV-17 buyer"]
    assert rules(Act(SELLER.address, EXCHANGE, PLACE_SIGNED + b"\x01"), [placed(signed())]) == ["INV-17"]
