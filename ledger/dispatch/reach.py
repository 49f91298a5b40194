"""Which group may use which supply: found once a kind of demand, not once a group.

A line is a supply with free units. Demands that may use the same lines of an hour, whatever they pay, share a block:
the lines of that hour which their latency bound and grade admit, cheapest first. What a limit admits is then a prefix
of a block, so a group-hour needs one number and not a hundred arcs.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ledger.dispatch.columns import Ints
from ledger.dispatch.groups import Groups
from ledger.dispatch.problem import Latencies
from ledger.dispatch.tables import SupplyTable


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Supplies with free units in a fixed order: by class, hour, price and then all else that they say.

    `supply` is the position of each, `units` what is free of it, `order` its price for the order of choice.
    """

    supply: Ints
    class_id: Ints
    hour: Ints
    metro: Ints
    grade: Ints
    price_micro: Ints
    order: Ints
    units: Ints

    def __len__(self) -> int:
        return len(self.supply)

    def of_class(self, class_id: int) -> "Lines":
        """Those of one class."""
        chosen = self.class_id == class_id
        return Lines(*(getattr(self, name)[chosen] for name in self.__slots__))


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """The lines of one class as blocks, and the group-hours that draw on them.

    Pair p is line `pair_line[p]` in block `pair_block[p]`; block b begins at pair `block_first[b]`. Group-hour i lets
    group `group[i]` take at most `cap[i]` units in `hour[i]`, from the first `prefix[i]` ≥ 1 pairs of block `block[i]`.
    """

    lines: Lines
    pair_line: Ints
    pair_block: Ints
    block_first: Ints
    block_size: Ints
    group: Ints
    hour: Ints
    block: Ints
    prefix: Ints
    cap: Ints


def order_prices(supplies: SupplyTable) -> tuple[Ints, int]:
    """Prices for the order of choice in 1/scale micro, and the scale: 1 where every site delivers.

    A site that fails more counts as dearer by its weight, and comes later even at price 0: by less than one micro.
    """
    price = supplies.price_micro.astype(np.int64)
    weight_bp = supplies.weight_bp.astype(np.int64)
    if np.all(weight_bp == 10_000):
        return price, 1
    return price * 10_000 * 10_000 // weight_bp + (10_000 - weight_bp), 10_000


def lines_of(supplies: SupplyTable, free: Ints) -> Lines:
    """The supplies of which anything is `free`, in the fixed order."""
    order, _ = order_prices(supplies)
    ranks = {product: rank for rank, product in enumerate(sorted(set(supplies.products)))}
    product = np.array([ranks[one] for one in supplies.products] or np.zeros(len(supplies)), dtype=np.int64)
    columns = (product, supplies.units, supplies.held, supplies.grade, supplies.metro, supplies.site)
    by_content = np.lexsort((*columns, order, supplies.price_micro, supplies.hour, supplies.class_id))
    chosen = by_content[free[by_content] > 0]
    names = ("class_id", "hour", "metro", "grade", "price_micro")
    values = {name: getattr(supplies, name)[chosen].astype(np.int64) for name in names}
    return Lines(supply=chosen, order=order[chosen], units=free[chosen], **values)


def reach_of(groups: Groups, chosen: Ints, lines: Lines, latencies: Latencies) -> Reach:
    """What the chosen groups may use of the lines; both of one class."""
    spec = groups.spec
    kinds = spec.only(chosen)
    admits, type_of = _types(
        np.stack([kinds.metro, kinds.latency_max_us, kinds.grade], axis=1).astype(np.int64), lines, latencies
    )
    types, line = np.nonzero(admits)
    hours, hour_index = np.unique(lines.hour, return_inverse=True)
    # Lines stand by hour and price, so each type's lines do too, and a block is a run of pairs.
    pair_key = types * len(hours) + hour_index[line]
    keys, first, size = np.unique(pair_key, return_index=True, return_counts=True)
    pair_block = np.repeat(np.arange(len(keys)), size)

    earliest = np.searchsorted(hours, kinds.earliest_hour)
    deadline = np.searchsorted(hours, kinds.deadline_hour)
    which, hour = ranges(earliest, deadline)
    own_key = type_of[which] * len(hours) + hour
    known = np.isin(own_key, keys)
    which, hour, block = which[known], hour[known], np.searchsorted(keys, own_key[known])
    prefix = _prefixes(lines.price_micro[line], pair_block, first, block, kinds.limit_micro[which].astype(np.int64))
    some = prefix > 0
    which, hour, block, prefix = which[some], hour[some], block[some], prefix[some]
    group = chosen[which]
    cap = groups.count[group] * spec.units[group].astype(np.int64)
    return Reach(lines, line, pair_block, first, size, group, hours[hour], block, prefix, cap)


def ranges(starts: Ints, stops: Ints) -> tuple[Ints, Ints]:
    """All integers of start ≤ i < stop for each pair, with the position of the pair before them."""
    size = np.maximum(stops - starts, 0)
    which = np.repeat(np.arange(len(size)), size)
    offset = np.cumsum(size) - size
    return which, np.arange(len(which)) - offset[which] + starts[which]


def _types(demands: Ints, lines: Lines, latencies: Latencies) -> tuple[NDArray[np.bool_], Ints]:
    """The distinct sets of lines that demands (origin, latency bound, grade) admit, and which each demand has."""
    places, place_of = np.unique(np.stack([lines.metro, lines.grade], axis=1), axis=0, return_inverse=True)
    asked, asked_of = np.unique(demands, axis=0, return_inverse=True)
    origins, origin_of = np.unique(asked[:, 0], return_inverse=True)
    bounded = set(asked[asked[:, 1] > 0, 0].tolist())
    away_us = [
        [latencies.one_way_us(site, origin) if origin in bounded else 0 for site in places[:, 0].tolist()]
        for origin in origins.tolist()
    ]
    way_us = np.array(away_us, dtype=np.int64).reshape(len(origins), len(places))[origin_of]
    near = (asked[:, 1:2] == 0) | (way_us <= asked[:, 1:2])
    admits = near & (places[None, :, 1] >= asked[:, 2:3])
    packed = np.packbits(admits, axis=1)
    _, kept, kept_of = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    return admits[kept][:, place_of], kept_of[asked_of]


def _prefixes(pair_price: Ints, pair_block: Ints, first: Ints, block: Ints, limit: Ints) -> Ints:
    """How many of a block's pairs, cheapest first, cost no more than each limit."""
    prices = np.unique(pair_price)
    width = len(prices) + 1
    pair_key = pair_block * width + np.searchsorted(prices, pair_price)
    return np.searchsorted(pair_key, block * width + np.searchsorted(prices, limit, "right")) - first[block]
