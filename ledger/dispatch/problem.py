"""What the dispatcher is asked, and what it answers: jobs, free capacity, latencies, and the plan.

Hours are absolute (whole hours since the epoch), capacity is whole units, prices are micro per unit-hour, latency is
one way in microseconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ledger.areas import Areas
from ledger.dispatch.columns import Column
from ledger.errors import InputError, OutOfRange
from ledger.product import Grade
from ledger.units import BP_PER_ONE

UNITS_MAX = 2**32 - 1
HOUR_MAX = 2**32 - 1
JOB_HOURS_MAX = 2**16 - 1
PRICE_MICRO_MAX = 2**40
LATENCY_US_MAX = 2**32 - 1
METRO_MAX = 2**16 - 1
CLASS_MAX = 255


class Why(StrEnum):
    """The bound that left a job over: the one that, if it alone were looser, would let more of it run."""

    LATENCY = "latency"
    GRADE = "grade"
    DEADLINE = "deadline"
    PRICE = "price"
    GANG = "gang"
    CAPACITY = "capacity"


@dataclass(frozen=True, slots=True)
class JobSpec:
    """Work that somebody wants done: `units` × `hours` unit-hours in hours `earliest_hour` ≤ h < `deadline_hour`.

    A divisible job takes at most `units` in any hour, at any sites; a `gang` takes exactly `units`, all at one site,
    in `hours` consecutive hours. It pays at most `limit_micro` per unit-hour. `metro` is its origin (0: anywhere) and
    `latency_max_us` the most that one way from a site may take (0: no bound); `grade` is the least it accepts.
    Raises OutOfRange and InputError.
    """

    name: str
    class_id: int
    units: int
    hours: int
    earliest_hour: int
    deadline_hour: int
    limit_micro: int
    metro: int = 0
    latency_max_us: int = 0
    grade: Grade = Grade.BASIC
    gang: bool = False

    def __post_init__(self) -> None:
        _check("class of a job", self.class_id, 0, CLASS_MAX)
        _check("units of a job", self.units, 1, UNITS_MAX)
        _check("hours of a job", self.hours, 1, JOB_HOURS_MAX)
        _check("earliest hour of a job", self.earliest_hour, 0, HOUR_MAX - 1)
        _check("limit of a job in micro per unit-hour", self.limit_micro, 0, PRICE_MICRO_MAX)
        _check("area of a job", self.metro, 0, METRO_MAX)
        _check("latency bound of a job in microseconds", self.latency_max_us, 0, LATENCY_US_MAX)
        if not self.earliest_hour < self.deadline_hour <= HOUR_MAX:
            raise InputError(
                f"The job {self.name!r} may start at hour {self.earliest_hour} and must end by {self.deadline_hour}.",
                "Give a deadline that comes after the earliest start.",
            )

    @property
    def unit_hours(self) -> int:
        """Unit-hours wanted."""
        return self.units * self.hours


@dataclass(frozen=True, slots=True)
class Supply:
    """`units` that a site has free in one hour at one price; several may stand for the same site and hour.

    `product` is the token id of what it stands for on the market (0: none). `held` says that it is bought already, so
    that it costs nothing more (`price_micro` 0) and is to be redeemed. `weight_bp` is the site's delivery weight: for
    the order of choice alone, its price counts as `price_micro` × 10,000 / `weight_bp`. Raises OutOfRange.
    """

    site: int
    class_id: int
    metro: int
    hour: int
    units: int
    price_micro: int
    grade: Grade = Grade.PREMIUM
    product: int = 0
    held: bool = False
    weight_bp: int = BP_PER_ONE

    def __post_init__(self) -> None:
        _check("class of a supply", self.class_id, 0, CLASS_MAX)
        _check("units of a supply", self.units, 0, UNITS_MAX)
        _check("hour of a supply", self.hour, 0, HOUR_MAX - 1)
        _check("price of a supply in micro per unit-hour", self.price_micro, 0, PRICE_MICRO_MAX)
        _check("area of a supply", self.metro, 0, METRO_MAX)
        _check("delivery weight of a supply in basis points", self.weight_bp, 1, BP_PER_ONE)


class Latencies:
    """How long one way takes from a site's metro to a job's origin, in microseconds."""

    def __init__(self, areas: Areas, measured_us: Mapping[tuple[int, int], int]) -> None:
        self._areas = areas
        self._known_us = {pair[::-1]: us for pair, us in measured_us.items()} | dict(measured_us)

    @classmethod
    def of_areas(cls, areas: Areas) -> "Latencies":
        """By distance alone."""
        return cls(areas, {})

    @classmethod
    def measured(cls, measured_us: Mapping[tuple[int, int], int], areas: Areas) -> "Latencies":
        """By measurement of pairs of area codes, which hold both ways unless both are given; else by distance."""
        return cls(areas, measured_us)

    def one_way_us(self, site_metro: int, origin_metro: int) -> int:
        """From a site's metro to an origin; 0 to the origin 0, which is anywhere. An origin that is a hub lies as far
        as the farthest of its metros. Raises UnknownName, and InputError for a site in a hub."""
        if origin_metro == 0:
            return 0
        pair = site_metro, origin_metro
        if pair not in self._known_us:
            origin = self._areas.area(origin_metro)
            if origin.is_hub:
                ways_us = [self.one_way_us(site_metro, metro.code) for metro in self._areas.metros_of(origin)]
                self._known_us[pair] = max(ways_us, default=0)
            else:
                self._known_us[pair] = self._areas.estimated_one_way_us(self._areas.area(site_metro), origin)
        return self._known_us[pair]


@dataclass(frozen=True, slots=True)
class Placed:
    """`units` of the job at position `job` run at `site` in `hour`, out of the supply at position `supply`, whose
    price per unit-hour, product and holding these are."""

    job: int
    site: int
    hour: int
    units: int
    price_micro: int
    product: int
    held: bool
    supply: int


@dataclass(frozen=True, slots=True)
class Left:
    """`unit_hours` of the job at position `job` found no place, because of `why`; `text` says by how much."""

    job: int
    unit_hours: int
    why: Why
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """Why no plan for the divisible jobs is better: who is interchangeable, the flows, and capacity's prices.

    `group_of` gives each job's group (−1: a gang, of which only feasibility is certified). Flow k says that the jobs of
    group `flow_group[k]` take `flow_units[k]` of the supply at position `flow_supply[k]`. `gross[s]` is what a unit of
    supply s is worth to the plan, its own price included, in 1/`scale` micro; `service` is what serving one more
    unit-hour counts for, above any price, in the same measure. A gross price of `service` or more says that jobs were
    left out who could have used one more unit, and what is above it is the best limit among them.

    Of all prices that support the plan these are the least: where one lies above the supply's own price, group
    `due_group[s]` would use one more unit of it, to serve who was left out (`due_supply[s]` is −1) or to leave the
    supply `due_supply[s]`, which is worth as much (both −1: the price is the supply's own).
    """

    group_of: Column
    flow_group: Column
    flow_supply: Column
    flow_units: Column
    gross: Column
    due_group: Column
    due_supply: Column
    service: int
    scale: int


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Where jobs run, what is left over and why, and the proof. Rows of `placed` and `left` are made when asked for."""

    placed: Sequence[Placed]
    left: Sequence[Left]
    certificate: Certificate

    @property
    def cost_micro(self) -> int:
        """What all placements cost."""
        if isinstance(self.placed, Totalled):
            return self.placed.cost_micro
        return sum(row.units * row.price_micro for row in self.placed)

    @property
    def unit_hours(self) -> int:
        """Unit-hours placed."""
        if isinstance(self.placed, Totalled):
            return self.placed.unit_hours
        return sum(row.units for row in self.placed)


class Totalled:
    """Rows that know their totals without being made one by one."""

    @property
    def cost_micro(self) -> int:
        raise NotImplementedError

    @property
    def unit_hours(self) -> int:
        raise NotImplementedError


def _check(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise OutOfRange(name, value, least, most)
