"""What a policy made of the jobs: counted while it runs, the same for every policy."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tests.bench.dispatch.world import Work, World


@dataclass(slots=True)
class Outcome:
    """Unit-hours wanted, and of them those served on time; where and when they ran; what they cost.

    `waits` holds, of each job served whole, the hours by which it ended later than it could have, and its unit-hours.
    `away` counts unit-hours outside the job's own city, `switches` changes of site between two hours of one job.
    """

    wanted: int
    served: int = 0
    cost_micro: int = 0
    away: int = 0
    switches: int = 0
    plan_s_max: float = 0.0
    plans: int = 0
    waits: list[tuple[int, int]] = field(default_factory=list)
    by_hour: dict[int, int] = field(default_factory=dict)
    by_home: dict[int, int] = field(default_factory=dict)

    @property
    def served_share(self) -> float:
        return self.served / self.wanted if self.wanted else 1.0

    def count(self, world: World, job: Work, site: int, hour: int, units: int) -> None:
        """`units` of a job run at a site in one hour."""
        self.served += units
        self.cost_micro += units * world.cities[site].price_micro
        self.by_hour[hour] = self.by_hour.get(hour, 0) + units
        self.by_home[job.home] = self.by_home.get(job.home, 0) + units
        if world.cities[site].name != world.cities[job.home].name:
            self.away += units

    def utilisation(self, jobs: Sequence[Work], capacity: int) -> float:
        """The share of the capacity (units) in use between the first and the last arrival."""
        first, last = jobs[0].arrival, jobs[-1].arrival
        used = sum(units for hour, units in self.by_hour.items() if first <= hour <= last)
        return used / (capacity * (last - first + 1))

    def wait_hours(self, percent: float) -> float:
        """So many per cent of the jobs that were served waited no longer."""
        return float(np.percentile([wait for wait, _ in self.waits], percent)) if self.waits else 0.0

    def worst_home(self, wanted_by: dict[int, int]) -> float:
        """The least share served among the providers' own customers."""
        return min(self.by_home.get(home, 0) / wanted for home, wanted in wanted_by.items())
