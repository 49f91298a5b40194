"""Jobs that may not be divided: all units at one site, in consecutive hours.

Whoever must start soonest is seated first, of those the largest, each at the site and start where its hours cost least,
and of equals at the earliest, where least stays free. Where that leaves some over, the other WAYS are tried too, and
the one that serves most unit-hours is taken: so a plan of up to KINDS_MAX kinds and PAIRS_MAX pairs serves no fewer
than a queue by arrival, by limit or by urgency would, in which each takes the first place that is free. Beyond that
nothing is proved, and the plan's certificate says of gangs only that they run as asked, and that none is left over that
would still fit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from ledger.dispatch.columns import Ints
from ledger.dispatch.groups import Groups
from ledger.dispatch.problem import Latencies
from ledger.dispatch.reach import lines_of, ranges, reach_of
from ledger.dispatch.tables import SupplyTable

NEVER = 2**62
_FINE = 2**20


@dataclass(frozen=True, slots=True)
class Seat:
    """One job of group `group` takes `units` of each of these supplies."""

    group: int
    supplies: tuple[int, ...]
    units: tuple[int, ...]


class Order(Enum):
    """Who is seated before whom; equals in the order of their content."""

    URGENT = "latest start, then the most units"
    HARD = "most unit-hours for the number of supplies that it may use"
    LIMIT = "highest limit"
    ARRIVAL = "earliest hour"


class Place(Enum):
    """Where each goes, of all sites and starts that are free."""

    CHEAPEST = "least cost, earliest, least that stays free"
    TIGHTEST = "earliest, least that stays free"
    FIRST = "earliest, lowest site"


WAYS = tuple((order, place) for place in Place for order in Order)
FEW_WAYS = (Order.URGENT, Place.CHEAPEST), (Order.URGENT, Place.FIRST)
KINDS_MAX = 2_000
PAIRS_MAX = 5_000_000
"""Of more kinds of gangs, or pairs of a kind and a supply that it may use, only FEW_WAYS are tried: each takes as long
as the first."""


class Seating:
    """Places gangs on what is free, and takes it away from there."""

    def __init__(self, groups: Groups, supplies: SupplyTable, latencies: Latencies, free: Ints) -> None:
        self._groups, self._supplies = groups, supplies
        self.free = free
        self.seats: list[Seat] = []
        self._usable = usable_by(groups, np.flatnonzero(groups.spec.gang == 1), supplies, latencies)
        self._halls: dict[int, Hall | None] = {}

    def seat(self, counts: Ints, guide: Ints) -> Ints:
        """Places up to `counts[g]` jobs of each gang group, where they cost least by the `guide` price of each supply;
        says how many."""
        chosen = np.flatnonzero((self._groups.spec.gang == 1) & (counts > 0))
        best: _Seated | None = None
        pairs = sum(len(self._usable[group]) for group in chosen.tolist())
        for order, place in WAYS if len(chosen) <= KINDS_MAX and pairs <= PAIRS_MAX else FEW_WAYS:
            found = self._seated(chosen[self._order(chosen, order)], counts, guide, place)
            if best is None or found.worth > best.worth:
                best = found
            if np.array_equal(found.count[chosen], counts[chosen]):
                break
        if best is None:
            return np.zeros(len(self._groups), dtype=np.int64)
        self.seats += best.seats
        self.free = best.free
        return best.count

    def _order(self, chosen: Ints, order: Order) -> Ints:
        spec = self._groups.spec
        units, hours = spec.units[chosen].astype(np.int64), spec.hours[chosen].astype(np.int64)
        limit = -spec.limit_micro[chosen].astype(np.int64)
        match order:
            case Order.URGENT:
                return np.lexsort((chosen, -units, spec.deadline_hour[chosen] - hours))
            case Order.HARD:
                choices = np.array([max(1, len(self._usable[group])) for group in chosen.tolist()], dtype=np.int64)
                return np.lexsort((chosen, limit, -(units * hours * _FINE // choices)))
            case Order.LIMIT:
                return np.lexsort((chosen, limit))
            case Order.ARRIVAL:
                return np.lexsort((chosen, spec.earliest_hour[chosen]))

    def _seated(self, order: Ints, counts: Ints, guide: Ints, place: Place) -> "_Seated":
        found = _Seated(self.free.copy(), np.zeros(len(self._groups), dtype=np.int64))
        if place is not Place.CHEAPEST:
            guide = np.zeros_like(guide)
        unit_hours = limits_micro = 0
        for group in order.tolist():
            spec = self._groups.spec
            hall = self._hall(group, len(order))
            done = found.fill(group, int(counts[group]), hall, guide, tight=place is not Place.FIRST)
            size = done * int(spec.units[group]) * int(spec.hours[group])
            unit_hours, limits_micro = unit_hours + size, limits_micro + size * int(spec.limit_micro[group])
        found.worth = unit_hours, limits_micro
        return found

    def _hall(self, group: int, kinds: int) -> "Hall | None":
        if group in self._halls:
            return self._halls[group]
        spec = self._groups.spec
        hall = Hall.of(self._supplies, self._usable[group], int(spec.units[group]), int(spec.hours[group]))
        if kinds <= KINDS_MAX:
            self._halls[group] = hall
        return hall


@dataclass(slots=True, eq=False)
class _Seated:
    """What one way comes to: what it leaves free, how many of each group sit where; unit-hours, and times limits."""

    free: Ints
    count: Ints
    seats: list[Seat] = field(default_factory=list)
    worth: tuple[int, int] = (0, 0)

    def fill(self, group: int, wanted: int, hall: "Hall | None", guide: Ints, tight: bool) -> int:
        """Seats as many jobs of a group as fit, up to those wanted, and says how many."""
        done = 0
        while done < wanted and hall is not None:
            found = hall.best(self.free, guide, tight)
            if found is None:
                break
            supplies, units = found
            # As long as every supply lasts, the next of the same kind would choose the same.
            same = min(
                wanted - done, *(int(self.free[one]) // taken for one, taken in zip(supplies, units, strict=True))
            )
            self.seats += [Seat(group, supplies, units)] * same
            self.free[list(supplies)] -= same * np.array(units)
            done += same
        self.count[group] = done
        return done


@dataclass(frozen=True, slots=True, eq=False)
class Hall:
    """What one kind of gang may use: by layer, site and hour a supply (−1: none), and the least units it needs."""

    supply: Ints
    units: int
    hours: int

    @classmethod
    def of(cls, supplies: SupplyTable, usable: Ints, units: int, hours: int) -> "Hall | None":
        """The `usable` supplies as a hall; None where they do not span so many hours."""
        hour = supplies.hour[usable].astype(np.int64)
        span = int(hour.max()) - int(hour.min()) + 1 if len(hour) else 0
        if span < hours:
            return None
        hour -= hour.min()
        sites, site = np.unique(supplies.site[usable], return_inverse=True)
        cell = site * span + hour
        order = np.argsort(cell, kind="stable")
        starts = np.flatnonzero(np.diff(cell[order], prepend=-1))
        size = np.diff(starts, append=len(order))
        layer = np.arange(len(order)) - np.repeat(starts, size)
        table = np.full((int(size.max()), len(sites), span), -1)
        table[layer, site[order], hour[order]] = usable[order]
        return cls(table, units, hours)

    def best(self, free: Ints, guide: Ints, tight: bool = True) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """The supplies that one job takes at the cheapest site and start, and how much of each. Of several the earliest
        start, then (where it should sit `tight`) the site with the least free in those hours, then the lowest site."""
        there = np.where(self.supply >= 0, free[self.supply], 0)
        room = there.sum(axis=0)
        whole = _sliding((room >= self.units).astype(np.int64), self.hours) == self.hours
        if not whole.any():
            return None
        price = np.where(self.supply >= 0, guide[self.supply], NEVER)
        cheapest = np.argsort(price, axis=0, kind="stable")
        there, price = (np.take_along_axis(layers, cheapest, axis=0) for layers in (there, price))
        before = np.cumsum(there, axis=0) - there
        taken = np.clip(self.units - before, 0, there)
        cost = np.where(taken > 0, taken * np.where(taken > 0, price, 0), 0).sum(axis=0)
        costs = np.where(whole, _sliding(np.where(room >= self.units, cost, 0), self.hours), NEVER)
        start = int(np.argmin(costs.min(axis=0)))
        sites = np.flatnonzero(costs[:, start] == costs[:, start].min())
        rooms = room[sites, start : start + self.hours].sum(axis=1)
        site = int(sites[np.argmin(rooms)] if tight else sites[0])
        layer, hour = np.nonzero(taken[:, site, start : start + self.hours])
        supply = np.take_along_axis(self.supply, cheapest, axis=0)
        supplies, units = supply[layer, site, start + hour], taken[layer, site, start + hour]
        return tuple(supplies.tolist()), tuple(units.tolist())


def usable_by(groups: Groups, chosen: Ints, supplies: SupplyTable, latencies: Latencies) -> dict[int, Ints]:
    """The supplies that a job of each chosen group may use, in the fixed order of lines; `chosen` ascends."""
    lines = lines_of(supplies, supplies.units.astype(np.int64))
    found = {group: np.zeros(0, dtype=np.int64) for group in chosen.tolist()}
    for class_id in np.unique(groups.spec.class_id[chosen]).tolist():
        own = lines.of_class(class_id)
        reach = reach_of(groups, chosen[groups.spec.class_id[chosen] == class_id], own, latencies)
        which, pair = ranges(reach.block_first[reach.block], reach.block_first[reach.block] + reach.prefix)
        bounds = np.flatnonzero(np.diff(reach.group[which], prepend=-1, append=-1))
        for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            found[int(reach.group[which[start]])] = own.supply[reach.pair_line[pair[start:stop]]]
    return found


def seated_rows(groups: Groups, seats: Sequence[Seat]) -> tuple[Ints, Ints, Ints]:
    """Job (position), supply and units of each placement: a group's jobs take its seats in order of position."""
    job: list[int] = []
    supply: list[int] = []
    units: list[int] = []
    following = groups.first.tolist() if seats else []
    for seat in seats:
        position = int(groups.order[following[seat.group]])
        following[seat.group] += 1
        job += [position] * len(seat.supplies)
        supply += seat.supplies
        units += seat.units
    return np.array(job, dtype=np.int64), np.array(supply, dtype=np.int64), np.array(units, dtype=np.int64)


def _sliding(values: Ints, width: int) -> Ints:
    """Sums over each `width` consecutive columns."""
    total = np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)
    return total[:, width:] - total[:, :-width]
