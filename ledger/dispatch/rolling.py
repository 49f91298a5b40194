"""Dispatch that goes on: what runs stays where it is, and the rest is planned anew as jobs, prices and failures arrive.

Each step plans all that is still wanted over all that is free, and buys what begins in the hour at hand; what the plan
puts later is not bought, and planned again by the next step, when more is known.

- What is bought is never moved. It ends as bought, unless its site misses it or the job ends early. Divisible work buys
  hour by hour, and goes on where it ran where an exchange with others makes that possible.
- A site that missed is not planned on while it cools off: FIRST_HOURS after the first miss, twice as long after each
  miss that follows within as many hours as it last cooled, at most MOST_HOURS. One that has since stood that long
  without a miss begins anew.
- Money that came back for what was missed is in the purse again, and what is missing of the job is wanted again.
- Hours that a job left over by ending early are paid for: they are offered to the others first, at no price.
- Work that can wait beyond the hours that are on offer pays a micro less than its limit until it no longer can: so it
  gives way to what cannot wait, where their limits are equal.
- Waiting has a price: of two supplies the earlier is taken unless the later is cheaper by `wait_bp` for each hour,
  compounded.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ledger.dispatch.parts import Part, parts_of, too_late
from ledger.dispatch.planner import make_plan
from ledger.dispatch.problem import HOUR_MAX, JobSpec, Latencies, Left, Plan, Supply, Why
from ledger.dispatch.staying import stay
from ledger.dispatch.tables import Placements, SupplyTable
from ledger.errors import InputError
from ledger.units import BP_PER_ONE, HOURS_PER_DAY

FIRST_HOURS = 1
MOST_HOURS = 64
FINAL_HOURS = 7 * HOURS_PER_DAY
"""What ran so long ago can no longer be missed: reports and disputes are over."""
_NO_WAIT = 2**40

Planner = Callable[[Sequence[JobSpec], Sequence[Supply], Latencies], Plan]


@dataclass(frozen=True, slots=True)
class Held:
    """Bought: `units` out of `supply`, at its price, in which a job runs in that hour at that site."""

    job: int
    units: int
    supply: Supply

    @property
    def cost_micro(self) -> int:
        return self.units * self.supply.price_micro


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of the planner, and its answer: `verify(jobs, supplies, latencies, plan)` holds it.

    `parts` says what each of `jobs` is of, and `rows` what each of `supplies` is: the same but for its weight, in which
    waiting is counted. `late` is by job what no hour is left for, and was not asked.
    """

    supplies: tuple[Supply, ...]
    plan: Plan
    parts: tuple[Part, ...]
    rows: tuple[Supply, ...]
    late: Mapping[int, int]

    @property
    def jobs(self) -> tuple[JobSpec, ...]:
        return tuple(part.spec for part in self.parts)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one step would buy, what finds no place in the hours on offer and why, and what was asked to find out.

    Work whose deadline lies beyond those hours is not left over yet. `change` counts what had happened before it.
    """

    hour: int
    change: int
    buys: tuple[Held, ...]
    unpaid: tuple[Left, ...]
    asked: Asked

    @property
    def left(self) -> tuple[Left, ...]:
        """What finds no place, the jobs by their numbers: found out when it is asked."""
        none = [
            Left(job, late, Why.DEADLINE, f"the hours until its deadline are too few by {late} unit-hours")
            for job, late in self.asked.late.items()
        ]
        for left in self.asked.plan.left:
            part = self.asked.parts[left.job]
            unit_hours = left.unit_hours - (part.spec.unit_hours - part.unit_hours)
            if part.final and unit_hours > 0:
                none.append(replace(left, job=part.job, unit_hours=unit_hours))
        return (*none, *self.unpaid)


@dataclass(frozen=True, slots=True)
class Books:
    """The purse: `paid_in` + `came_back` − `spent` = `cash`, all in micro."""

    paid_in: int
    spent: int
    came_back: int

    @property
    def cash(self) -> int:
        return self.paid_in + self.came_back - self.spent


@dataclass(slots=True)
class _Open:
    spec: JobSpec
    missing: int


@dataclass(slots=True)
class _Cooling:
    hours: int
    until: int


class Rolling:
    """A dispatcher over time, for one purse. Job numbers are its own, from 0 in the order of `add`."""

    def __init__(
        self, latencies: Latencies, purse_micro: int, *, wait_bp: int = 5, planner: Planner = make_plan
    ) -> None:
        if purse_micro < 0:
            raise InputError(f"A purse of {purse_micro} micro buys nothing.", "Pay in an amount above zero.")
        if wait_bp < 0:
            raise InputError(f"Waiting cannot cost {wait_bp} bp an hour.", "Give 0 or more.")
        self._latencies, self._planner, self._wait_bp = latencies, planner, wait_bp
        self._waits = [_NO_WAIT]
        self._paid_in, self._spent, self._came_back = purse_micro, 0, 0
        self._jobs: dict[int, _Open] = {}
        self._added = self._changes = 0
        self._hour = 0
        self._held: defaultdict[int, list[Held]] = defaultdict(list)
        self._spare: list[Supply] = []
        self._cooling: dict[int, _Cooling] = {}

    @property
    def books(self) -> Books:
        return Books(self._paid_in, self._spent, self._came_back)

    def pay_in(self, amount_micro: int) -> None:
        """More money. Raises InputError for less."""
        if amount_micro < 0:
            raise InputError(f"{amount_micro} micro is no payment.", "Pay in an amount above zero.")
        self._paid_in += amount_micro

    def add(self, job: JobSpec) -> int:
        """A job arrives. Returns its number."""
        self._changes += 1
        number, self._added = self._added, self._added + 1
        self._jobs[number] = _Open(job, job.unit_hours)
        return number

    def missing(self, job: int) -> int:
        """Unit-hours of a job that are neither bought nor lost: what is still planned. 0 for one that is closed."""
        return self._jobs[job].missing if job in self._jobs else 0

    def held(self) -> list[Held]:
        """All that is bought and no longer ago than FINAL_HOURS, by hour."""
        return [each for hour in sorted(self._held) for each in self._held[hour]]

    def cools_until(self, site: int) -> int:
        """The first hour for which a site is planned on again; 0 if it never missed."""
        return self._cooling[site].until if site in self._cooling else 0

    # ---- a step

    def step(self, hour: int, supplies: Iterable[Supply]) -> Proposal:
        """Plans, and buys what begins in `hour`: `propose` and `accept`."""
        proposal = self.propose(hour, supplies)
        self.accept(proposal)
        return proposal

    def propose(self, hour: int, supplies: Iterable[Supply]) -> Proposal:
        """What a step at `hour` would buy. `supplies` is what can be had from then on, without what is held here.

        Raises InputError for an hour before that of an earlier step.
        """
        if hour < self._hour:
            raise InputError(f"Hour {hour} has passed: the last step was at {self._hour}.", "Step on in time.")
        asked = self._ask(hour, self._usable(hour, supplies))
        buys, unpaid = self._affordable(self._beginning(hour, asked))
        return Proposal(hour, self._changes, tuple(self._staying(hour, buys)), tuple(unpaid), asked)

    def accept(self, proposal: Proposal) -> None:
        """Buys what was proposed. Raises InputError if anything has changed since."""
        if proposal.change != self._changes:
            raise InputError("The proposal no longer holds: something has changed since.", "Propose again.")
        self._changes += 1
        self._hour = proposal.hour
        for buy in proposal.buys:
            self._spent += buy.cost_micro
            self._held[buy.supply.hour].append(buy)
            self._jobs[buy.job].missing -= buy.units
        self._use_spare(proposal.buys)
        self._close()

    def ended(self, job: int, hour: int) -> None:
        """A job is done before it said: nothing more is planned for it, and its hours from `hour` on are spare."""
        self._changes += 1
        for each in self._release(hour, lambda held: held.job == job):
            self._spare.append(replace(each.supply, units=each.units, price_micro=0, held=True))
        self._jobs.pop(job, None)

    def missed(self, site: int, hour: int, job: int | None = None, back_micro: int | None = None) -> tuple[Held, ...]:
        """A site does not deliver from `hour` on what is held there (of one job, or of all), which is given back.

        Its price is in the purse again (or `back_micro`, where another sum came), what it was for is wanted again, and
        the site cools off. What was missed once is no longer held, so it comes back once.
        """
        self._changes += 1
        void = self._release(hour, lambda held: held.supply.site == site and job in (None, held.job))
        if job is None:
            self._spare = [each for each in self._spare if each.site != site or each.hour < hour]
        for each in void:
            if each.job in self._jobs:
                self._jobs[each.job].missing += each.units
        if void:
            self._came_back += sum(each.cost_micro for each in void) if back_micro is None else back_micro
        self._cool(site, max(hour, self._hour))
        return tuple(void)

    def _release(self, hour: int, which: Callable[[Held], bool]) -> list[Held]:
        """Takes out of what is held from an hour on. In order of hours."""
        released = []
        for at in sorted(at for at in self._held if at >= hour):
            released += [each for each in self._held[at] if which(each)]
            self._held[at] = [each for each in self._held[at] if not which(each)]
        return released

    def _cool(self, site: int, hour: int) -> None:
        last = self._cooling.get(site)
        if last is None or hour >= last.until + last.hours:
            self._cooling[site] = _Cooling(FIRST_HOURS, hour + FIRST_HOURS)
        elif hour >= last.until:
            hours = min(2 * last.hours, MOST_HOURS)
            self._cooling[site] = _Cooling(hours, hour + hours)
        # While it cools off it is not planned on: what it misses then is of the failure that it cools off from.

    # ---- what is asked of the planner

    def _usable(self, hour: int, supplies: Iterable[Supply]) -> list[Supply]:
        offered = [each for each in (*self._spare, *supplies) if each.units]
        return [each for each in offered if each.hour >= max(hour, self.cools_until(each.site))]

    def _ask(self, hour: int, rows: Sequence[Supply]) -> Asked:
        horizon = max((each.hour + 1 for each in rows), default=hour)
        parts = [
            part for job, each in self._jobs.items() for part in parts_of(job, each.spec, each.missing, hour, horizon)
        ]
        lates = ((job, too_late(each.spec, each.missing, hour)) for job, each in self._jobs.items())
        late = {job: units for job, units in lates if units and not self._jobs[job].spec.gang}
        supplies = [
            replace(each, weight_bp=self._weight(each, each.hour - hour)) if each.hour > hour else each for each in rows
        ]
        plan = self._planner([part.spec for part in parts], supplies, self._latencies)
        return Asked(tuple(supplies), plan, tuple(parts), tuple(rows), late)

    def _weight(self, supply: Supply, ahead: int) -> int:
        # Compounded, so that an hour later makes all hours of a gang dearer by as much, however many they are.
        while len(self._waits) <= ahead:
            self._waits.append(self._waits[-1] * BP_PER_ONE // (BP_PER_ONE + self._wait_bp))
        return max(supply.weight_bp * self._waits[ahead] // _NO_WAIT, 1)

    # ---- what is made of its answer

    def _beginning(self, hour: int, asked: Asked) -> Iterator[list[Held]]:
        """What the plan begins in this hour, of one job each, the highest limits first: all hours of a gang, this
        hour's of the others."""
        by_owner: defaultdict[int, list[tuple[Supply, int]]] = defaultdict(list)
        for row, position, planned in _begun(hour, asked):
            by_owner[asked.parts[row].job].append((asked.rows[position], planned))
        for number in sorted(by_owner, key=lambda number: (-self._jobs[number].spec.limit_micro, number)):
            found, missing = [], self._jobs[number].missing
            for supply, planned in sorted(by_owner[number], key=lambda pair: (pair[0].hour, pair[0].price_micro)):
                # The last hour of what does not divide evenly takes less than the plan gave it.
                units = min(planned, missing)
                missing -= units
                if units:
                    found.append(Held(number, units, supply))
            yield found

    def _affordable(self, wishes: Iterable[list[Held]]) -> tuple[list[Held], list[Left]]:
        """What the purse pays, in the order given: part of what divides, a gang whole or not at all."""
        cash, buys, unpaid = self.books.cash, list[Held](), list[Left]()
        for wish in wishes:
            needed, held = sum(each.cost_micro for each in wish), cash
            whole = needed <= cash
            bought = wish if whole else [] if self._jobs[wish[0].job].spec.gang else _paid(wish, cash)
            cash -= sum(each.cost_micro for each in bought)
            buys += bought
            short = sum(each.units for each in wish) - sum(each.units for each in bought)
            if short:
                text = f"the purse holds {held} micro, and what begins now costs {needed}"
                unpaid.append(Left(wish[0].job, short, Why.PRICE, text))
        return buys, unpaid

    def _staying(self, hour: int, buys: Sequence[Held]) -> list[Held]:
        """The same units of the same supplies, exchanged between divisible jobs so that they go on where they ran."""
        found = [buy for buy in buys if self._jobs[buy.job].spec.gang]
        supplies = {id(buy.supply): buy.supply for buy in buys}
        place = {key: position for position, key in enumerate(supplies)}
        rows, shares, before = list(supplies.values()), dict[int, dict[int, int]](), dict[int, dict[int, int]]()
        for buy in buys:
            if not self._jobs[buy.job].spec.gang:
                share = shares.setdefault(buy.job, {})
                share[place[id(buy.supply)]] = share.get(place[id(buy.supply)], 0) + buy.units
        for held in self._held.get(hour - 1, ()):
            at = before.setdefault(held.job, {})
            at[held.supply.site] = at.get(held.supply.site, 0) + held.units
        sites = {position: row.site for position, row in enumerate(rows)}
        stay(shares, sites, before, lambda job, position: self._suits(job, rows[position]))
        return found + [
            Held(job, units, rows[position]) for job, share in shares.items() for position, units in share.items()
        ]

    def _suits(self, job: int, supply: Supply) -> bool:
        spec = self._jobs[job].spec
        near = not spec.latency_max_us or self._latencies.one_way_us(supply.metro, spec.metro) <= spec.latency_max_us
        alike = supply.class_id == spec.class_id and supply.grade >= spec.grade
        return near and alike and supply.price_micro <= spec.limit_micro

    # ---- spare hours, and what is over

    def _use_spare(self, buys: Iterable[Held]) -> None:
        """Takes what was bought out of the spare hours. They are the first rows that a plan is made of, and a row of
        them is the same object until it is used."""
        used = {id(buy.supply): 0 for buy in buys}
        for buy in buys:
            used[id(buy.supply)] += buy.units
        kept = [(each, each.units - used.get(id(each), 0)) for each in self._spare]
        self._spare = [replace(each, units=units) if units < each.units else each for each, units in kept if units]

    def _close(self) -> None:
        """Forgets jobs whose deadline has passed, and what is final."""
        for at in [at for at in self._held if at < self._hour - FINAL_HOURS]:
            del self._held[at]
        for number in [number for number, job in self._jobs.items() if job.spec.deadline_hour <= self._hour]:
            del self._jobs[number]
        self._spare = [each for each in self._spare if each.hour >= self._hour]


def _begun(hour: int, asked: Asked) -> Iterator[tuple[int, int, int]]:
    """Job, supply and units, by position, of what begins in an hour: a plan has a hundred times as many rows."""
    placed = Placements.of(asked.plan.placed, SupplyTable.of(asked.supplies))
    hours = np.array([each.hour for each in asked.rows], dtype=np.int64)[placed.supply]
    first = np.full(len(asked.parts), HOUR_MAX, dtype=np.int64)
    np.minimum.at(first, placed.job, hours)
    gang = np.array([part.spec.gang for part in asked.parts], dtype=np.bool_)
    begun = (first[placed.job] == hour) & ((hours == hour) | gang[placed.job])
    return zip(placed.job[begun].tolist(), placed.supply[begun].tolist(), placed.units[begun].tolist(), strict=True)


def _paid(wish: Sequence[Held], cash: int) -> list[Held]:
    """The part of a divisible job's wishes that the cash pays, in their order."""
    bought = []
    for each in wish:
        price_micro = each.supply.price_micro
        units = min(each.units, cash // price_micro) if price_micro else each.units
        cash -= units * price_micro
        if units:
            bought.append(replace(each, units=units))
    return bought
