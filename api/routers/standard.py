"""The conversion standard: classes, devices and what they yield, areas; and amounts as people write them."""

from functools import cache
from typing import Annotated

from fastapi import Query
from pydantic import Field

from api.auth import Work
from api.errors import problems
from api.nouns import Noun
from api.reads import answer
from api.schemas import Answer, Micro, Price, Shape, area_name, micro
from ledger import CLASSES, Areas, Standard, class_id_of, class_name, price_micro

router = Noun(prefix="/standard", tags=["standard"], responses=problems(422, 429, 503))


class ClassShape(Shape):
    """A class of compute. Prices lie on its grid, from the lowest to the highest tick."""

    class_id: int
    class_name: str = Field(serialization_alias="class")
    unit: str
    min_memory_gb: int
    tick_size_micro: int
    min_order_units: int
    bond_price_micro: Micro
    lowest: Price
    highest: Price


class DeviceShape(Shape):
    """What one device yields in a class, in thousandths of units, and what that rests on."""

    device: str
    class_id: int
    class_name: str = Field(serialization_alias="class")
    milli_units: int
    basis: str
    memory_gb: int
    source: str


class AreaShape(Shape):
    """A metro in its hub, or a hub."""

    code: int
    name: str
    hub: int | None
    hub_name: str | None
    is_hub: bool


class StandardShape(Shape):
    """The whole standard."""

    classes: list[ClassShape]
    devices: list[DeviceShape]
    areas: list[AreaShape]


class Converted(Shape):
    """An amount as it is traded. `unit_hours` = units x hours."""

    text: str
    device: str | None
    count: int | None
    class_name: str = Field(serialization_alias="class")
    class_id: int
    units: int
    hours: int
    unit_hours: int


@router.get("", summary="Classes, devices, areas")
def read_standard(work: Work) -> Answer[StandardShape]:
    with work.view() as view:
        return answer(view, _shape(work.standard, work.areas))


@router.get("/convert", summary="An amount as people write it, in units")
def convert(
    work: Work,
    text: Annotated[str, Query(min_length=1, max_length=200, examples=["8x H100, 24h"])],
    class_: Annotated[str | None, Query(alias="class", max_length=40, examples=["AI_LARGE"])] = None,
) -> Answer[Converted]:
    amount = work.standard.amount(text, class_id_of(class_) if class_ else None)
    with work.view() as view:
        return answer(
            view,
            Converted(
                text=text,
                device=amount.device,
                count=amount.count,
                class_name=class_name(amount.class_id),
                class_id=amount.class_id,
                units=amount.units,
                hours=amount.hours,
                unit_hours=amount.units * amount.hours,
            ),
        )


@cache
def _shape(standard: Standard, areas: Areas) -> StandardShape:
    classes = [
        ClassShape(
            class_id=class_id,
            class_name=terms.name,
            unit=terms.unit,
            min_memory_gb=terms.min_memory_gb,
            tick_size_micro=terms.tick_size_micro,
            min_order_units=terms.min_order_units,
            bond_price_micro=micro(terms.bond_price_micro),
            lowest=Price.of(price_micro(1, terms.tick_size_micro)),
            highest=Price.of(price_micro(1023, terms.tick_size_micro)),
        )
        for class_id, terms in CLASSES.items()
    ]
    devices = [
        DeviceShape(
            device=entry.rating.device,
            class_id=entry.rating.class_id,
            class_name=class_name(entry.rating.class_id),
            milli_units=entry.rating.milli_units,
            basis=entry.rating.basis.name,
            memory_gb=entry.memory_gb,
            source=entry.source,
        )
        for entry in standard.entries
    ]
    places = [
        AreaShape(
            code=area.code,
            name=area.name,
            hub=area.hub or None,
            hub_name=area_name(area.hub, areas).name if area.hub else None,
            is_hub=area.is_hub,
        )
        for area in areas.all()
    ]
    return StandardShape(classes=classes, devices=devices, areas=places)
