"""The shapes that answers share. Names carry units; whole numbers above 2^53 and sums of money are decimal texts."""

from typing import Annotated, Generic, TypeVar

from eth_utils.address import to_checksum_address
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ledger import Areas, Head, Product, UnknownName, class_name, format_usd

T = TypeVar("T")

REFERENCE_UNITS = 1_000
CODE_EXAMPLE = "AI_LARGE.HUB.256.STANDARD.2026-01-21T14.24h"
ADDRESS_EXAMPLE = "0x5FbDB2315678afecb367f032d93F642f64180aa3"


def _checksummed(text: str) -> str:
    found = str(to_checksum_address(text))
    # Letters of both cases are a checksum, and a wrong one is a typing error in an address that would get money.
    if text not in (found, text.lower()) and text[2:] != text[2:].upper():
        raise ValueError("its checksum is wrong")
    return found


Address = Annotated[
    str, Field(pattern=r"^0x[0-9a-fA-F]{40}$", examples=[ADDRESS_EXAMPLE]), AfterValidator(_checksummed)
]
Micro = Annotated[str, Field(pattern=r"^-?[0-9]+$", examples=["2400000"], description="micro-USD, a decimal text")]
Hash = Annotated[str, Field(pattern=r"^0x[0-9a-f]{64}$", examples=["0x" + "ab" * 32])]


class Shape(BaseModel):
    """What the API says."""


class Body(BaseModel):
    """What the API is told: nothing that it does not know."""

    model_config = ConfigDict(extra="forbid", str_max_length=4_096, allow_inf_nan=False)


class Money(Shape):
    """What `micro` counts: millionths of this currency."""

    currency: str = "USD"
    decimals: int = 6


class Answer(Shape, Generic[T]):
    """What is read, and the block of which it is true."""

    block: int = Field(examples=[812])
    block_hash: str = Field(examples=["0x" + "ab" * 32])
    time_s: int = Field(description="the block's time, seconds since the epoch")
    money: Money = Money()
    data: T


class Page(Answer[list[T]], Generic[T]):
    """A part of a list; `next` is the cursor of the next part, null at the end."""

    next: str | None = None


class Price(Shape):
    """A price per unit-hour, and of what people know: the hour of one H100, which is 1,000 units."""

    price_micro: int = Field(description="micro-USD per unit-hour", examples=[2400])
    per_unit_hour: str = Field(examples=["0.0024"])
    per_reference_hour: str = Field(examples=["2.40"])

    @classmethod
    def of(cls, price_micro: int) -> "Price":
        return cls(
            price_micro=price_micro,
            per_unit_hour=usd(price_micro),
            per_reference_hour=usd(price_micro * REFERENCE_UNITS),
        )


class AreaName(Shape):
    """A metro or a hub."""

    code: int
    name: str


class ProductName(Shape):
    """One fungible product: `product` is its code, as in paths; `id` its token id."""

    product: str = Field(examples=[CODE_EXAMPLE])
    id: str
    class_name: str = Field(serialization_alias="class", examples=["AI_LARGE"])
    class_id: int
    tier: str = Field(examples=["HUB"])
    area: AreaName | None
    grade: str = Field(examples=["STANDARD"])
    start_s: int
    end_s: int
    hours: int


def product_fields(product: Product, areas: Areas) -> dict[str, object]:
    """The fields of ProductName."""
    return {
        "product": product.code,
        "id": hex(product.id),
        "class_name": class_name(product.class_id),
        "class_id": product.class_id,
        "tier": product.tier.name,
        "area": area_name(product.area, areas) if product.area else None,
        "grade": product.grade.name,
        "start_s": product.start_s,
        "end_s": product.end_s,
        "hours": product.hours,
    }


def product_name(product: Product, areas: Areas) -> ProductName:
    """A product by its parts."""
    return ProductName.model_validate(product_fields(product, areas))


def area_name(code: int, areas: Areas) -> AreaName:
    """An area by its code; one that this version has no name for shows its code."""
    try:
        return AreaName(code=code, name=areas.area(code).name)
    except UnknownName:
        return AreaName(code=code, name=f"area {code}")


def usd(micro: int) -> str:
    """Micro-dollars as a decimal number, nothing rounded away."""
    return format_usd(micro).removesuffix(" USD").replace(",", "")


def micro(amount: int) -> str:
    """A sum of money as it is written here."""
    return str(amount)


def money_of(head: Head) -> dict[str, object]:
    """The envelope's fields that say of which block an answer is."""
    return {"block": head.block, "block_hash": head.hash or "", "time_s": head.time_s}
