"""From a plan to the steps of a campaign: what is bid for, and what is redeemed or split of what is held."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from ledger.dispatch.preview import Purchase, Where
from ledger.product import Product
from ledger.store.campaigns import StepKind, StepRow, draft

_ORDER = (StepKind.SPLIT, StepKind.REDEEM, StepKind.BID, StepKind.ASK)
"""What is held is used first, then more is bought, and what is too much is sold."""


def bid_steps(purchases: Iterable[Purchase], owners: Sequence[int]) -> Iterator[StepRow]:
    """A bid for each purchase. `owners` says of which job each planned part is."""
    for one in purchases:
        shares: Counter[int] = Counter()
        for place, part in one.shares:
            shares[owners[place]] += part
        yield draft(
            StepKind.BID,
            one.product,
            one.units,
            tick=one.tick,
            price_micro=one.price_micro,
            shares=json.dumps(dict(sorted(shares.items())), separators=(",", ":")),
        )


def redeem_steps(placements: Iterable[Where], owners: Sequence[int], hashes: Sequence[str]) -> Iterator[StepRow]:
    """What is held goes to its jobs: an hour at once; of a window what one job uses all along as it is, and the rest
    is split into hours first, which the next plan hands out."""
    used: defaultdict[tuple[int, int], defaultdict[int, Counter[int]]] = defaultdict(lambda: defaultdict(Counter))
    for one in placements:
        if one.held:
            used[one.product, one.site][owners[one.job]][one.hour] += one.units
    for (number, site), by_job in sorted(used.items()):
        product = Product.from_id(number)
        span = range(product.start_hour, product.end_hour)
        rest: Counter[int] = Counter()
        for job, by_hour in sorted(by_job.items()):
            throughout = min(by_hour[hour] for hour in span)
            if throughout:
                yield draft(StepKind.REDEEM, number, throughout, site=site, job=job, hash=hashes[job])
            rest.update({hour: by_hour[hour] - throughout for hour in span})
        if product.hours > 1 and max(rest.values()):
            yield draft(StepKind.SPLIT, number, max(rest.values()), site=site)


def at_once(drafts: Sequence[StepRow], most: int) -> list[StepRow]:
    """The first so many of these steps, job by job: none is cut off in the middle of a job, whose other hours would be
    planned again around those that it has, unless it is the only one."""
    ordered = sorted(drafts, key=lambda step: (_ORDER.index(step.kind), step.job))
    if len(ordered) <= most:
        return ordered
    cut = ordered[most].job
    whole = [step for step in ordered[:most] if step.job != cut or step.job < 0]
    return whole or ordered[:most]
