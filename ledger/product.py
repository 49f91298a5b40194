"""What is traded: a class of compute, near enough, good enough, in a delivery window; and its token id.

The id decodes without storage: `class 8 | tier 8 | area 16 | grade 8 | startHour 32 | hours 16`, from high to low,
the bits above are zero.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum

from ledger.errors import InputError, OutOfRange, UnknownName, UnreadableText
from ledger.units import SECONDS_PER_HOUR, format_bp, format_hour, format_hours, parse_hour, parse_hours

HOURS_MAX = 168
CLASS_MAX = 2**8 - 1
ID_BITS = 88
_DIGITS_MAX = 10
_CODE_EXAMPLE = "AI_LARGE.HUB.4096.STANDARD.2026-01-21T14.24h"


class ComputeClass(IntEnum):
    """The classes the standard starts with. A class is a row of the standard: others may be added on chain."""

    AI_LARGE = 1
    AI_SMALL = 2
    HPC = 3
    GENERAL = 4


class Tier(IntEnum):
    """Bound on the one-way network latency between the buyer's area and the site."""

    METRO = 1
    HUB = 2
    WIDE = 3

    @property
    def latency_ms(self) -> int:
        return {Tier.METRO: 10, Tier.HUB: 20, Tier.WIDE: 100}[self]


class Grade(IntEnum):
    """The share of the window that is promised."""

    BASIC = 1
    STANDARD = 2
    PREMIUM = 3

    @property
    def promised_bp(self) -> int:
        return {Grade.BASIC: 9_500, Grade.STANDARD: 9_900, Grade.PREMIUM: 9_990}[self]


@dataclass(frozen=True, slots=True, order=True)
class Product:
    """One fungible product. `area` is the code of a metro (METRO) or hub (HUB), 0 for WIDE; `start_hour` is in hours
    since the epoch. Raises OutOfRange or InputError for what cannot be a product."""

    class_id: int
    tier: Tier
    area: int
    grade: Grade
    start_hour: int
    hours: int

    def __post_init__(self) -> None:
        _check("class", self.class_id, 1, CLASS_MAX)
        _check("tier", self.tier, Tier.METRO, Tier.WIDE)
        _check("area", self.area, 0, 2**16 - 1)
        _check("grade", self.grade, Grade.BASIC, Grade.PREMIUM)
        _check("start hour", self.start_hour, 0, 2**32 - 1)
        _check("window in hours", self.hours, 1, HOURS_MAX)
        object.__setattr__(self, "tier", Tier(self.tier))
        object.__setattr__(self, "grade", Grade(self.grade))
        if (self.tier is Tier.WIDE) != (self.area == 0):
            raise InputError(
                f"Tier {self.tier.name} cannot have area {self.area}.",
                "WIDE has area 0; METRO and HUB name the metro or hub.",
            )

    @classmethod
    def from_id(cls, token_id: int) -> "Product":
        """The product whose token id this is. Raises OutOfRange or InputError for an id that is no product's."""
        _check("token id", token_id, 0, 2**ID_BITS - 1)
        return cls(
            class_id=token_id >> 80,
            tier=Tier(_checked("tier", token_id >> 72 & 0xFF, Tier.METRO, Tier.WIDE)),
            area=token_id >> 56 & 0xFFFF,
            grade=Grade(_checked("grade", token_id >> 48 & 0xFF, Grade.BASIC, Grade.PREMIUM)),
            start_hour=token_id >> 16 & 0xFFFF_FFFF,
            hours=token_id & 0xFFFF,
        )

    @classmethod
    def from_code(cls, code: str) -> "Product":
        """The product that `code` prints. Raises UnreadableText, UnknownName or OutOfRange."""
        parts = code.strip().split(".")
        if len(parts) != 6:
            raise UnreadableText("a product", code, "it has not six parts between dots", _CODE_EXAMPLE)
        class_name, tier, area, grade, start, hours = parts
        if not area.isascii() or not area.isdigit():
            raise UnreadableText("a product", code, f"area {area!r} is not a number", _CODE_EXAMPLE)
        return cls(
            class_id=class_id_of(class_name),
            tier=tier_of(tier),
            area=int(area),
            grade=grade_of(grade),
            start_hour=parse_hour(start),
            hours=parse_hours(hours),
        )

    @property
    def id(self) -> int:
        """The token id, 88 bits."""
        return (
            self.class_id << 80
            | self.tier << 72
            | self.area << 56
            | self.grade << 48
            | self.start_hour << 16
            | self.hours
        )

    @property
    def code(self) -> str:
        """A compact text that `from_code` reads back, as `AI_LARGE.HUB.4096.STANDARD.2026-01-21T14.24h`."""
        start = format_hour(self.start_hour).removesuffix(":00 UTC").replace(" ", "T")
        where = f"{self.tier.name}.{self.area}.{self.grade.name}"
        return f"{class_name(self.class_id)}.{where}.{start}.{format_hours(self.hours)}"

    @property
    def end_hour(self) -> int:
        """The first hour after the window."""
        return self.start_hour + self.hours

    @property
    def start_s(self) -> int:
        """When delivery starts, in seconds since the epoch."""
        return self.start_hour * SECONDS_PER_HOUR

    @property
    def end_s(self) -> int:
        """When delivery ends, in seconds since the epoch."""
        return self.end_hour * SECONDS_PER_HOUR

    def describe(self, area_name: str | None = None) -> str:
        """For people: `AI_LARGE in Frankfurt, METRO (≤ 10 ms), STANDARD (99 %), 2026-01-21 14:00 UTC for 24h`.

        `area_name` is what the standard calls the area; without it the code is shown.
        """
        place = "anywhere" if self.tier is Tier.WIDE else f"in {area_name or f'area {self.area}'}"
        tier = f"{self.tier.name} (≤ {self.tier.latency_ms} ms)"
        grade = f"{self.grade.name} ({format_bp(self.grade.promised_bp)})"
        window = f"{format_hour(self.start_hour)} for {format_hours(self.hours)}"
        return f"{class_name(self.class_id)} {place}, {tier}, {grade}, {window}"

    def hourly(self) -> Iterator["Product"]:
        """The one-hour products that this window splits into, in order of time."""
        for hour in range(self.start_hour, self.end_hour):
            yield replace(self, start_hour=hour, hours=1)

    def relax(self, tier: Tier, hub: int = 0) -> "Product":
        """This product sold as a looser one: a better unit may always serve a looser need.

        `hub` is the hub of a METRO product's area, needed to reach HUB. Raises InputError unless `tier` is looser.
        """
        if tier <= self.tier:
            raise InputError(
                f"{self.tier.name} cannot be relaxed to {tier.name}.",
                "A product relaxes from METRO to HUB to WIDE only.",
            )
        return replace(self, tier=tier, area=0 if tier is Tier.WIDE else hub)


def class_name(class_id: int) -> str:
    """`AI_LARGE` for 1; `CLASS_9` for a class that this version has no name for."""
    return ComputeClass(class_id).name if class_id in set(ComputeClass) else f"CLASS_{class_id}"


def class_id_of(name: str) -> int:
    """The class called `name`, the other way around. Raises UnknownName."""
    plain = name.strip().upper().replace("-", "_").replace(" ", "_")
    if plain in ComputeClass.__members__:
        return ComputeClass[plain].value
    number = plain.removeprefix("CLASS_")
    if number.isascii() and number.isdigit() and len(number) <= _DIGITS_MAX and 1 <= int(number) <= CLASS_MAX:
        return int(number)
    raise UnknownName("class", name, tuple(ComputeClass.__members__))


def tier_of(name: str) -> Tier:
    """METRO, HUB or WIDE by name, in either case. Raises UnknownName."""
    if name.strip().upper() in Tier.__members__:
        return Tier[name.strip().upper()]
    raise UnknownName("tier", name, tuple(Tier.__members__))


def grade_of(name: str) -> Grade:
    """BASIC, STANDARD or PREMIUM by name, in either case. Raises UnknownName."""
    if name.strip().upper() in Grade.__members__:
        return Grade[name.strip().upper()]
    raise UnknownName("grade", name, tuple(Grade.__members__))


def _check(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise OutOfRange(name, value, least, most)


def _checked(name: str, value: int, least: int, most: int) -> int:
    _check(name, value, least, most)
    return value
