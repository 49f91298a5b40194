"""What is left over, and which bound left it: said when somebody asks, since most plans leave millions to nobody."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from ledger.dispatch.columns import Column, Ints
from ledger.dispatch.groups import Groups
from ledger.dispatch.problem import Latencies, Left, Why
from ledger.dispatch.tables import SupplyTable
from ledger.prices import format_price
from ledger.product import Grade, class_name
from ledger.units import format_hour, format_units

Mask = NDArray[np.bool_]
Reason = tuple[Why, str]


class Lefts(Sequence[Left]):
    """What is left over by column: `unit_hours[k]` of the job at position `job[k]`."""

    def __init__(self, job: Column, unit_hours: Ints, groups: Groups, reasons: "Reasons") -> None:
        self.job, self.unit_hours = job, unit_hours
        self._groups, self._reasons = groups, reasons

    def __len__(self) -> int:
        return len(self.job)

    @overload
    def __getitem__(self, index: int) -> Left: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Left, ...]: ...
    def __getitem__(self, index: int | slice) -> Left | tuple[Left, ...]:
        if isinstance(index, slice):
            return tuple(self[k] for k in range(*index.indices(len(self))))
        job = int(self.job[index])
        why, text = self._reasons.of(int(self._groups.of[job]))
        return Left(job, int(self.unit_hours[index]), why, text)

    def __iter__(self) -> Iterator[Left]:
        return (self[k] for k in range(len(self)))


@dataclass(frozen=True, slots=True, eq=False)
class _Bounds:
    """For each supply of a job's class, whether it lies within each bound; in the order in which they are blamed."""

    supply: Ints
    way_us: Ints
    within: dict[Why, Mask]

    def all_but(self, why: Why | None) -> Mask:
        """Within all bounds but one, and outside that one."""
        inside = np.ones(len(self.supply), dtype=np.bool_)
        for bound, mask in self.within.items():
            inside &= ~mask if bound is why else mask
        return inside


class Reasons:
    """Why groups have something left, given what is still free of each supply; each is found once."""

    def __init__(self, groups: Groups, supplies: SupplyTable, latencies: Latencies, spare: Ints) -> None:
        self._groups, self._supplies, self._latencies, self._spare = groups, supplies, latencies, spare
        self._known: dict[int, Reason] = {}

    def of(self, group: int) -> Reason:
        """The bound that leaves jobs of this group over, and by how much."""
        if group not in self._known:
            self._known[group] = self._found(group)
        return self._known[group]

    def _found(self, group: int) -> Reason:
        spec = self._groups.spec
        bounds = self._bounds(group)
        if not len(bounds.supply):
            return Why.CAPACITY, f"no site has capacity of {class_name(int(spec.class_id[group]))}"
        inside = bounds.supply[bounds.all_but(None)]
        if len(inside):
            short = self._within(group, inside)
            if short is not None:
                return short
        free = self._spare[bounds.supply] > 0
        for why in bounds.within:
            outside = bounds.all_but(why) & free
            if outside.any():
                return why, self._by_how_much(group, bounds, why, outside)
        if not len(inside):
            return self._nothing(group, bounds)
        units = int(self._supplies.units[inside].sum(dtype=np.int64))
        return Why.CAPACITY, f"all {units:,} unit-hours within its bounds are taken"

    def _bounds(self, group: int) -> _Bounds:
        spec, table = self._groups.spec, self._supplies
        supply = np.flatnonzero((table.class_id == spec.class_id[group]) & (table.units > 0))
        metro, origin, most_us = table.metro[supply], int(spec.metro[group]), int(spec.latency_max_us[group])
        metros, metro_of = np.unique(metro, return_inverse=True)
        way_us = np.array(
            [self._latencies.one_way_us(one, origin) if most_us else 0 for one in metros.tolist()], dtype=np.int64
        )[metro_of]
        hour = table.hour[supply]
        within = {
            Why.LATENCY: way_us <= most_us,
            Why.GRADE: table.grade[supply] >= spec.grade[group],
            Why.DEADLINE: (hour >= spec.earliest_hour[group]) & (hour < spec.deadline_hour[group]),
            Why.PRICE: table.price_micro[supply] <= spec.limit_micro[group],
        }
        return _Bounds(supply, way_us, within)

    def _within(self, group: int, inside: Ints) -> Reason | None:
        """What is wrong with what lies within all bounds: too few hours of it, or no room for a gang."""
        spec, table = self._groups.spec, self._supplies
        units, wanted = int(spec.units[group]), int(spec.hours[group])
        hours = len(np.unique(table.hour[inside]))
        if hours < wanted:
            return Why.DEADLINE, f"wants {wanted} hours, and only {hours} with capacity lie within its bounds"
        if not spec.gang[group]:
            return None
        largest = self._largest(inside, table.units.astype(np.int64))
        spare = self._largest(inside, self._spare)
        if largest < units or int(self._spare[inside].sum()) >= units * wanted:
            return Why.GANG, f"needs {units:,} at one site for {wanted} hours on end, the largest free is {spare:,}"
        return None

    def _largest(self, inside: Ints, units: Ints) -> int:
        """The most units that any site has in one hour."""
        places = np.stack([self._supplies.site[inside], self._supplies.hour[inside]], axis=1)
        _, of = np.unique(places, axis=0, return_inverse=True)
        return int(np.bincount(of, units[inside]).max(initial=0))

    def _nothing(self, group: int, bounds: _Bounds) -> Reason:
        """Nothing lies within all bounds: blames the first that, with those before it, leaves nothing."""
        rest = np.ones(len(bounds.supply), dtype=np.bool_)
        for why, mask in bounds.within.items():
            if not (rest & mask).any():
                return why, self._by_how_much(group, bounds, why, rest)
            rest &= mask
        raise AssertionError("some supply lies within all bounds")

    def _by_how_much(self, group: int, bounds: _Bounds, why: Why, outside: Mask) -> str:
        spec, table = self._groups.spec, self._supplies
        supply = bounds.supply[outside]
        if why is Why.LATENCY:
            near_ms, asked_ms = int(bounds.way_us[outside].min()) / 1_000, int(spec.latency_max_us[group]) / 1_000
            return f"the nearest site with capacity is {near_ms:g} ms away, asked {asked_ms:g} ms"
        if why is Why.GRADE:
            best, asked = Grade(int(table.grade[supply].max())), Grade(int(spec.grade[group]))
            return f"the best grade with capacity is {best.name}, asked {asked.name}"
        if why is Why.PRICE:
            cheapest, limit = int(table.price_micro[supply].min()), int(spec.limit_micro[group])
            return f"the cheapest capacity costs {format_price(cheapest)}, the limit is {format_price(limit)}"
        hour, first, last = table.hour[supply], int(spec.earliest_hour[group]), int(spec.deadline_hour[group])
        late, early = hour[hour >= last], hour[hour < first]
        if len(late):
            units = format_units(int(self._spare[supply][hour == late.min()].sum()))
            next_ = format_hour(int(late.min()))
            return f"the next capacity is at {next_} ({units} free), the deadline is {format_hour(last)}"
        last_ = format_hour(int(early.max()))
        return f"the last capacity is at {last_}, the earliest start is {format_hour(first)}"
