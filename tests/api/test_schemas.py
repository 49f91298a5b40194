"""Shapes that answers share."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from api.schemas import Address, Body, Price, area_name, product_name, usd
from ledger import Grade, Product, Tier, load_areas


@given(st.integers(0, 2**60))
def test_a_price_is_exact_in_both_units(price_micro: int) -> None:
    price = Price.of(price_micro)
    assert Decimal(price.per_unit_hour) == Decimal(price_micro) / 10**6
    assert Decimal(price.per_reference_hour) == Decimal(price_micro) / 1_000


@given(st.integers(-(2**90), 2**90))
def test_usd_is_exact(amount_micro: int) -> None:
    assert Decimal(usd(amount_micro)).scaleb(6).to_integral_exact() == amount_micro


def test_an_address_is_checksummed() -> None:
    address = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
    adapter: TypeAdapter[str] = TypeAdapter(Address)
    assert adapter.validate_python(address.lower()) == address
    for wrong in (address[:-1], address.replace("F", "f", 1), "0x" + "g" * 40, ""):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong)


def test_a_product_is_named_by_its_parts() -> None:
    product = Product(1, Tier.METRO, 257, Grade.STANDARD, 500_000, 24)
    said = product_name(product, load_areas()).model_dump(by_alias=True)
    assert (said["product"], said["class"], said["tier"]) == (product.code, "AI_LARGE", "METRO")
    assert (int(said["id"], 16), said["hours"], said["end_s"] - said["start_s"]) == (product.id, 24, 86_400)
    assert product_name(Product(1, Tier.WIDE, 0, Grade.BASIC, 1, 1), load_areas()).area is None
    assert area_name(65_535, load_areas()).name == "area 65535"


def test_a_body_takes_nothing_that_it_does_not_know() -> None:
    class One(Body):
        a: float

    for wrong in ({"a": 1, "b": 2}, {"a": float("nan")}, {"a": "x" * 5_000}):
        with pytest.raises(ValidationError):
            One.model_validate(wrong)
