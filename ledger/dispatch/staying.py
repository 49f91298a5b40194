"""Who ran somewhere goes on there: units of one hour are exchanged between jobs until nobody can be helped to stay.

A plan says how many units of each supply serve interchangeable jobs, and not which of them goes on where it ran: work
would wander from hour to hour for nothing. An exchange is of equal units, so neither what each job gets nor what is
bought of each supply changes, and it is made only where both may run on what they are given.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping

Before = Mapping[int, Mapping[int, int]]
"""Of each job the units that it had at each site in the hour before."""
Shares = dict[int, dict[int, int]]
"""Of each job the units that it takes of each supply, by position."""


def stay(shares: Shares, site_of: Mapping[int, int], before: Before, may: Callable[[int, int], bool]) -> int:
    """Exchanges units in `shares` between jobs, in the order of their numbers. Returns the units exchanged.

    `site_of` gives a supply's site, and `may(job, supply)` says whether a job may run on one.
    """
    return _Exchange(shares, site_of, before, may).run()


class _Exchange:
    def __init__(
        self, shares: Shares, site_of: Mapping[int, int], before: Before, may: Callable[[int, int], bool]
    ) -> None:
        self._shares, self._site_of, self._before, self._may = shares, site_of, before, may
        self._at: dict[int, defaultdict[int, int]] = {}
        self._holders: defaultdict[int, list[int]] = defaultdict(list)
        for job in sorted(shares):
            self._at[job] = defaultdict(int)
            for supply, units in shares[job].items():
                self._at[job][site_of[supply]] += units
            for site in self._at[job]:
                self._holders[site].append(job)

    def run(self) -> int:
        return sum(
            self._return(job, site) for job in sorted(self._shares) for site in sorted(self._before.get(job, ()))
        )

    def _return(self, job: int, site: int) -> int:
        """Gets a job back what it had at a site, from those who need not be there."""
        moved = 0
        for other in self._holders[site]:
            short = -self._over(job, site)
            if short <= 0:
                break
            if other != job and self._over(other, site) > 0:
                moved += self._swap(job, other, site, min(short, self._over(other, site)))
        return moved

    def _swap(self, job: int, other: int, site: int, most: int) -> int:
        """`job` gets units of the other's supplies at a site for supplies of its own, where it is over."""
        moved = 0
        for theirs in [supply for supply in sorted(self._shares[other]) if self._site_of[supply] == site]:
            for ours in sorted(self._shares[job]):
                over = self._over(job, self._site_of[ours])
                held = self._shares[other].get(theirs, 0)
                units = min(most - moved, over, held, self._shares[job].get(ours, 0))
                if units > 0 and self._may(job, theirs) and self._may(other, ours):
                    self._move(job, ours, theirs, units)
                    self._move(other, theirs, ours, units)
                    moved += units
        return moved

    def _move(self, job: int, given: int, got: int, units: int) -> None:
        share = self._shares[job]
        share[given] -= units
        share[got] = share.get(got, 0) + units
        if share[given] == 0:
            del share[given]
        self._at[job][self._site_of[given]] -= units
        self._at[job][self._site_of[got]] += units

    def _over(self, job: int, site: int) -> int:
        """By how many units a job has more at a site than it had there before."""
        return self._at[job][site] - self._before.get(job, {}).get(site, 0)
