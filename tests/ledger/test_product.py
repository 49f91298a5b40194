"""The token id and what it may say."""

from dataclasses import astuple, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import product
from ledger.errors import InputError, OutOfRange, UnknownName, UnreadableText
from ledger.product import ComputeClass, Grade, Product, Tier
from ledger.units import parse_hour


@st.composite
def products(draw: st.DrawFn) -> Product:
    tier = draw(st.sampled_from(Tier))
    return Product(
        class_id=draw(st.integers(1, 255)),
        tier=tier,
        area=0 if tier is Tier.WIDE else draw(st.integers(1, 2**16 - 1)),
        grade=draw(st.sampled_from(Grade)),
        start_hour=draw(st.integers(0, 2**32 - 1)),
        hours=draw(st.integers(1, product.HOURS_MAX)),
    )


A_PRODUCT = Product(
    class_id=ComputeClass.AI_LARGE,
    tier=Tier.HUB,
    area=4096,
    grade=Grade.STANDARD,
    start_hour=parse_hour("2026-01-21 14:00"),
    hours=24,
)


@given(products())
def test_id_decodes_to_the_product_that_it_encodes(one: Product) -> None:
    assert Product.from_id(one.id) == one


@given(products(), products())
def test_ids_are_equal_only_for_equal_products(one: Product, other: Product) -> None:
    assert (one.id == other.id) == (one == other)


@given(products())
def test_code_reads_back_as_the_product_that_it_prints(one: Product) -> None:
    assert Product.from_code(one.code) == one


def test_id_places_each_field_at_its_bits() -> None:
    one = Product(class_id=0x12, tier=Tier.HUB, area=0x3456, grade=Grade.PREMIUM, start_hour=0x789ABCDE, hours=0x42)
    assert one.id == 0x12_02_3456_03_789ABCDE_0042


def test_code_is_readable() -> None:
    assert A_PRODUCT.code == "AI_LARGE.HUB.4096.STANDARD.2026-01-21T14.24h"


def test_describe_says_everything() -> None:
    says = "AI_LARGE in EU-Central, HUB (≤ 20 ms), STANDARD (99 %), 2026-01-21 14:00 UTC for 24h"
    assert A_PRODUCT.describe("EU-Central") == says
    assert "in area 4096" in A_PRODUCT.describe()
    assert "anywhere" in A_PRODUCT.relax(Tier.WIDE).describe()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("class_id", 0),
        ("class_id", 256),
        ("tier", 0),
        ("tier", 4),
        ("area", -1),
        ("area", 2**16),
        ("grade", 0),
        ("grade", 4),
        ("start_hour", -1),
        ("start_hour", 2**32),
        ("hours", 0),
        ("hours", 169),
    ],
)
def test_product_raises_when_a_field_is_out_of_range(field: str, value: int) -> None:
    with pytest.raises(OutOfRange):
        replace(A_PRODUCT, **{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(("tier", "area"), [(Tier.WIDE, 1), (Tier.HUB, 0), (Tier.METRO, 0)])
def test_product_raises_when_area_does_not_fit_the_tier(tier: Tier, area: int) -> None:
    with pytest.raises(InputError, match=f"Tier {tier.name} cannot have area {area}"):
        replace(A_PRODUCT, tier=tier, area=area)


@given(st.integers(min_value=-(2**90), max_value=2**256 - 1))
def test_from_id_refuses_every_id_that_it_would_not_print(token_id: int) -> None:
    try:
        assert Product.from_id(token_id).id == token_id
    except InputError as error:
        assert error.remedy


@pytest.mark.parametrize("bit", [88, 128, 255])
def test_from_id_raises_when_an_upper_bit_is_set(bit: int) -> None:
    with pytest.raises(OutOfRange):
        Product.from_id(A_PRODUCT.id | 1 << bit)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("", UnreadableText),
        ("AI_LARGE.HUB.4096.STANDARD.2026-01-21T14", UnreadableText),
        ("AI_LARGE.HUB.Paris.STANDARD.2026-01-21T14.24h", UnreadableText),
        ("AI_HUGE.HUB.4096.STANDARD.2026-01-21T14.24h", UnknownName),
        ("AI_LARGE.NEAR.4096.STANDARD.2026-01-21T14.24h", UnknownName),
        ("AI_LARGE.HUB.4096.GOOD.2026-01-21T14.24h", UnknownName),
        ("AI_LARGE.HUB.4096.STANDARD.2026-01-21T14:30.24h", UnreadableText),
        ("AI_LARGE.HUB.4096.STANDARD.2026-01-21T14.169h", OutOfRange),
    ],
)
def test_from_code_says_what_is_wrong(code: str, error: type[InputError]) -> None:
    with pytest.raises(error):
        Product.from_code(code)


@given(products())
def test_hourly_products_tile_the_window(one: Product) -> None:
    if one.end_hour > 2**32:
        return
    hourly = list(one.hourly())
    assert [each.start_hour for each in hourly] == list(range(one.start_hour, one.end_hour))
    assert {replace(each, start_hour=one.start_hour, hours=one.hours) for each in hourly} == {one}
    assert all(each.hours == 1 for each in hourly)


@given(products(), st.sampled_from(Tier), st.integers(1, 2**16 - 1))
def test_relax_loosens_the_place_and_nothing_else(one: Product, tier: Tier, hub: int) -> None:
    if tier <= one.tier:
        with pytest.raises(InputError, match="cannot be relaxed"):
            one.relax(tier, hub)
        return
    looser = one.relax(tier, hub)
    assert looser.tier.latency_ms > one.tier.latency_ms
    assert looser.area == (0 if tier is Tier.WIDE else hub)
    assert replace(looser, tier=one.tier, area=one.area) == one


def test_relax_to_hub_raises_without_a_hub() -> None:
    metro = replace(A_PRODUCT, tier=Tier.METRO)
    with pytest.raises(InputError, match="area 0"):
        metro.relax(Tier.HUB)


def test_window_is_in_seconds_what_it_is_in_hours() -> None:
    assert A_PRODUCT.end_s - A_PRODUCT.start_s == A_PRODUCT.hours * 3_600
    assert A_PRODUCT.start_s == A_PRODUCT.start_hour * 3_600


@given(st.integers(1, 255))
def test_class_names_read_back(class_id: int) -> None:
    assert product.class_id_of(product.class_name(class_id)) == class_id


@given(st.one_of(st.just(0), st.integers(256, 2**70)))
def test_a_number_that_no_class_has_is_no_class(number: int) -> None:
    for name in (str(number), f"CLASS_{number}"):
        with pytest.raises(UnknownName):
            product.class_id_of(name)


def test_names_read_in_either_case() -> None:
    assert product.class_id_of("ai-large") == ComputeClass.AI_LARGE
    assert product.tier_of("metro") is Tier.METRO
    assert product.grade_of(" premium ") is Grade.PREMIUM


def test_tiers_and_grades_are_ordered_by_what_they_promise() -> None:
    assert [tier.latency_ms for tier in Tier] == sorted(tier.latency_ms for tier in Tier)
    assert [grade.promised_bp for grade in Grade] == sorted(grade.promised_bp for grade in Grade)
    assert len(astuple(A_PRODUCT)) == 6
