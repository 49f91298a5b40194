"""Jobs that may not be divided: all units at one site, in consecutive hours.

The hardest first, which is the largest for the number of supplies that it may use, each at the site and start where
its hours cost least by the prices of a flow that divides everything: those say what else the capacity could do. What
comes later is smaller or freer, and fills the gaps. This proves nothing, and the plan's certificate says of gangs only
that they run as asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass

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


class Seating:
    """Places gangs on what is free, and takes it away from there."""

    def __init__(self, groups: Groups, supplies: SupplyTable, latencies: Latencies, free: Ints) -> None:
        self._groups, self._supplies, self._latencies = groups, supplies, latencies
        self.free = free
        self.seats: list[Seat] = []

    def seat(self, counts: Ints, guide: Ints) -> Ints:
        """Places up to `counts[g]` jobs of each gang group, along the `guide` price of each supply; says how many."""
        spec = self._groups.spec
        size = spec.units.astype(np.int64) * spec.hours
        chosen = np.flatnonzero((spec.gang == 1) & (counts > 0))
        usable = usable_by(self._groups, chosen, self._supplies, self._latencies)
        choices = np.array([max(1, len(usable[group])) for group in chosen.tolist()], dtype=np.int64)
        hard = size[chosen] * _FINE // choices
        chosen = chosen[np.lexsort((chosen, -spec.limit_micro[chosen].astype(np.int64), -hard))]
        seated = np.zeros(len(self._groups), dtype=np.int64)
        for group in chosen.tolist():
            hall = Hall.of(self._supplies, usable[group], int(spec.units[group]), int(spec.hours[group]))
            seated[group] = self._seat_group(group, int(counts[group]), hall, guide)
        return seated

    def _seat_group(self, group: int, count: int, hall: "Hall | None", guide: Ints) -> int:
        done = 0
        while done < count and hall is not None:
            found = hall.best(self.free, guide)
            if found is None:
                break
            supplies, units = found
            # As long as every supply lasts, the next of the same kind would choose the same.
            same = min(
                count - done, *(int(self.free[one]) // taken for one, taken in zip(supplies, units, strict=True))
            )
            self.seats += [Seat(group, supplies, units)] * same
            self.free[list(supplies)] -= same * np.array(units)
            done += same
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

    def best(self, free: Ints, guide: Ints) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """The supplies that one job takes at the cheapest site and start (of several the earliest start, then the
        lowest site), and how much of each."""
        there = np.where(self.supply >= 0, free[self.supply], 0)
        price = np.where(self.supply >= 0, guide[self.supply], NEVER)
        cheapest = np.argsort(price, axis=0, kind="stable")
        there, price = (np.take_along_axis(layers, cheapest, axis=0) for layers in (there, price))
        supply = np.take_along_axis(self.supply, cheapest, axis=0)
        before = np.cumsum(there, axis=0) - there
        taken = np.clip(self.units - before, 0, there)
        enough = taken.sum(axis=0) == self.units
        cost = np.where(enough, np.where(taken > 0, taken * np.where(taken > 0, price, 0), 0).sum(axis=0), 0)
        whole, costs = _sliding(enough.astype(np.int64), self.hours), _sliding(cost, self.hours)
        costs = np.where(whole == self.hours, costs, NEVER)
        start, site = divmod(int(np.argmin(costs.T)), costs.shape[0])
        if costs[site, start] == NEVER:
            return None
        layer, hour = np.nonzero(taken[:, site, start : start + self.hours])
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
