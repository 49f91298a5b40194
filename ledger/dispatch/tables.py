"""Jobs, supplies and placements as columns, for millions of rows: each row can be had as the value it stands for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, overload

import numpy as np

from ledger.dispatch.columns import Column, sums
from ledger.dispatch.problem import (
    CLASS_MAX,
    HOUR_MAX,
    JOB_HOURS_MAX,
    LATENCY_US_MAX,
    METRO_MAX,
    PRICE_MICRO_MAX,
    UNITS_MAX,
    JobSpec,
    Placed,
    Supply,
    Totalled,
)
from ledger.errors import InputError, OutOfRange
from ledger.product import Grade
from ledger.units import BP_PER_ONE

# Names of the columns that make two jobs interchangeable, in the order in which groups are sorted.
JOB_COLUMNS = (
    "class_id",
    "gang",
    "metro",
    "latency_max_us",
    "grade",
    "earliest_hour",
    "deadline_hour",
    "units",
    "hours",
    "limit_micro",
)
_JOB_LIMITS = {
    "class_id": (0, CLASS_MAX),
    "gang": (0, 1),
    "metro": (0, METRO_MAX),
    "latency_max_us": (0, LATENCY_US_MAX),
    "grade": (min(Grade), max(Grade)),
    "earliest_hour": (0, HOUR_MAX - 1),
    "deadline_hour": (1, HOUR_MAX),
    "units": (1, UNITS_MAX),
    "hours": (1, JOB_HOURS_MAX),
    "limit_micro": (0, PRICE_MICRO_MAX),
}
_SUPPLY_LIMITS = {
    "class_id": (0, CLASS_MAX),
    "metro": (0, METRO_MAX),
    "hour": (0, HOUR_MAX - 1),
    "units": (0, UNITS_MAX),
    "price_micro": (0, PRICE_MICRO_MAX),
    "grade": (min(Grade), max(Grade)),
    "weight_bp": (1, BP_PER_ONE),
}


@dataclass(frozen=True, slots=True, eq=False)
class JobTable:
    """Jobs by column, of any integer type; `names` may be left out, then a job's name is its position.

    Raises OutOfRange and InputError where JobSpec would.
    """

    class_id: Column
    units: Column
    hours: Column
    earliest_hour: Column
    deadline_hour: Column
    limit_micro: Column
    metro: Column
    latency_max_us: Column
    grade: Column
    gang: Column
    names: Sequence[str] = ()

    def __post_init__(self) -> None:
        _check_columns("jobs", self, _JOB_LIMITS)
        if self.names and len(self.names) != len(self):
            raise InputError(
                f"There are {len(self.names)} names for {len(self)} jobs.", "Give one name a job, or none at all."
            )
        if np.any(self.deadline_hour <= self.earliest_hour):
            job = int(np.argmax(self.deadline_hour <= self.earliest_hour))
            raise InputError(
                f"Job {job} may start at hour {self.earliest_hour[job]} and must end by {self.deadline_hour[job]}.",
                "Give a deadline that comes after the earliest start.",
            )

    @classmethod
    def of(cls, jobs: "Sequence[JobSpec] | JobTable") -> "JobTable":
        """The jobs as a table; a table as it is."""
        if isinstance(jobs, JobTable):
            return jobs
        columns = {name: np.array([getattr(job, name) for job in jobs], dtype=np.int64) for name in JOB_COLUMNS}
        return cls(**columns, names=[job.name for job in jobs])

    def __len__(self) -> int:
        return len(self.units)

    def job(self, position: int) -> JobSpec:
        """One row."""
        values: dict[str, Any] = {name: int(getattr(self, name)[position]) for name in JOB_COLUMNS}
        values |= {"grade": Grade(values["grade"]), "gang": bool(values["gang"])}
        return JobSpec(name=self.names[position] if self.names else str(position), **values)

    def only(self, chosen: Column) -> "JobTable":
        """The rows at these positions, without names."""
        return JobTable(**{name: getattr(self, name)[chosen] for name in JOB_COLUMNS})


@dataclass(frozen=True, slots=True, eq=False)
class SupplyTable:
    """Free capacity by column; `products` holds token ids, which no column of integers can (empty: none).

    Raises OutOfRange and InputError where Supply would.
    """

    site: Column
    class_id: Column
    metro: Column
    hour: Column
    units: Column
    price_micro: Column
    grade: Column
    held: Column
    weight_bp: Column
    products: Sequence[int] = ()

    def __post_init__(self) -> None:
        _check_columns("supplies", self, _SUPPLY_LIMITS)
        if self.products and len(self.products) != len(self):
            raise InputError(
                f"There are {len(self.products)} products for {len(self)} supplies.", "Give one each, or none at all."
            )

    @classmethod
    def of(cls, supplies: "Sequence[Supply] | SupplyTable") -> "SupplyTable":
        """The supplies as a table; a table as it is."""
        if isinstance(supplies, SupplyTable):
            return supplies
        names = (*_SUPPLY_LIMITS, "site", "held")
        columns = {name: np.array([getattr(one, name) for one in supplies], dtype=np.int64) for name in names}
        return cls(**columns, products=[one.product for one in supplies])

    def __len__(self) -> int:
        return len(self.units)

    def product(self, position: int) -> int:
        """The token id that a row stands for, or 0."""
        return self.products[position] if self.products else 0

    def supply(self, position: int) -> Supply:
        """One row."""
        values: dict[str, Any] = {name: int(getattr(self, name)[position]) for name in (*_SUPPLY_LIMITS, "site")}
        values["grade"] = Grade(values["grade"])
        return Supply(**values, held=bool(self.held[position]), product=self.product(position))


class Placements(Sequence[Placed], Totalled):
    """Who runs where, by column: the job at position `job[k]` takes `units[k]` of the supply at `supply[k]`."""

    def __init__(self, job: Column, supply: Column, units: Column, supplies: SupplyTable) -> None:
        self.job, self.supply, self.units, self.supplies = job, supply, units, supplies

    @classmethod
    def of(cls, rows: Sequence[Placed], supplies: SupplyTable) -> "Placements":
        """Rows by column; those of a plan for these supplies as they are."""
        if isinstance(rows, Placements):
            return rows
        job, supply, units = (
            np.array([getattr(row, name) for row in rows], dtype=np.int64) for name in ("job", "supply", "units")
        )
        return cls(job, supply, units, supplies)

    def __len__(self) -> int:
        return len(self.job)

    @overload
    def __getitem__(self, index: int) -> Placed: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Placed, ...]: ...
    def __getitem__(self, index: int | slice) -> Placed | tuple[Placed, ...]:
        if isinstance(index, slice):
            return tuple(self[k] for k in range(*index.indices(len(self))))
        supply, table = int(self.supply[index]), self.supplies
        return Placed(
            job=int(self.job[index]),
            site=int(table.site[supply]),
            hour=int(table.hour[supply]),
            units=int(self.units[index]),
            price_micro=int(table.price_micro[supply]),
            product=table.product(supply),
            held=bool(table.held[supply]),
            supply=supply,
        )

    def __iter__(self) -> Iterator[Placed]:
        return (self[k] for k in range(len(self)))

    @property
    def cost_micro(self) -> int:
        by_supply = sums(self.supply, self.units, len(self.supplies))
        return sum(map(int.__mul__, by_supply.tolist(), self.supplies.price_micro.tolist()))

    @property
    def unit_hours(self) -> int:
        return int(self.units.sum(dtype=np.int64))


def _check_columns(noun: str, table: JobTable | SupplyTable, limits: dict[str, tuple[int, int]]) -> None:
    lengths = {len(getattr(table, field.name)) for field in fields(table) if field.name not in {"names", "products"}}
    if len(lengths) > 1:
        raise InputError(f"The columns of the {noun} are {sorted(lengths)} long.", "Give columns of one length.")
    for name, (least, most) in limits.items():
        column = getattr(table, name)
        if not len(column):
            continue
        for value in (int(column.min()), int(column.max())):
            if not least <= value <= most:
                raise OutOfRange(f"{name} in the {noun}", value, least, most)
