"""The rules of a plan, what breaks one, and what all checks of a plan look at."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from ledger.dispatch.columns import Column, Ints
from ledger.dispatch.problem import Certificate, Latencies, Plan
from ledger.dispatch.tables import JobTable, Placements, SupplyTable

Mask = NDArray[np.bool_]
NEVER = int(np.iinfo(np.int64).max)


class Rule(StrEnum):
    """What a plan must hold."""

    ROW = "row"
    CAPACITY = "capacity"
    HOUR = "hour"
    WHOLE = "whole"
    CLASS = "class"
    LATENCY = "latency"
    GRADE = "grade"
    WINDOW = "window"
    LIMIT = "limit"
    GANG = "gang"
    VACANT = "vacant"
    LEFT = "left"
    GROUP = "group"
    FLOW = "flow"
    PRICE = "price"
    SLACK = "slack"
    BEST = "best"
    LEAST = "least"


@dataclass(frozen=True, slots=True)
class Violation:
    """The first place at which a rule does not hold, with the values."""

    rule: Rule
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    jobs: JobTable
    supplies: SupplyTable
    latencies: Latencies
    placed: Placements
    plan: Plan

    @property
    def certificate(self) -> Certificate:
        return self.plan.certificate

    def gang_rows(self) -> Ints:
        """The placements of gangs."""
        if not self.jobs.gang.any():
            return np.zeros(0, dtype=np.int64)
        return np.flatnonzero(self.jobs.gang[self.placed.job] != 0)

    def way_us(self, job: Column, supply: Column) -> Ints:
        """One way between each job's origin and each supply, in microseconds."""
        pairs, of = np.unique(
            np.stack([self.supplies.metro[supply], self.jobs.metro[job]], axis=1), axis=0, return_inverse=True
        )
        ways = [self.latencies.one_way_us(site, origin) for site, origin in pairs.tolist()]
        return np.array(ways, dtype=np.int64)[of]

    def way_us_from(self, origin: int, supply: Column) -> Ints:
        """One way between one origin and each supply, in microseconds."""
        metros, of = np.unique(self.supplies.metro[supply], return_inverse=True)
        ways = [self.latencies.one_way_us(site, origin) for site in metros.tolist()]
        return np.array(ways, dtype=np.int64)[of]
