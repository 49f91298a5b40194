"""A group-hour reaches exactly the supplies that admit it, cheapest first."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ledger.dispatch.groups import group_jobs
from ledger.dispatch.reach import lines_of, order_prices, ranges, reach_of
from ledger.dispatch.tables import JobTable, SupplyTable
from tests.ledger.dispatch.instances import LATENCIES, Instance, admits, instances


@given(instances(gangs=True))
def test_reach_is_what_each_bound_admits(instance: Instance) -> None:
    groups, table = group_jobs(JobTable.of(instance.jobs)), SupplyTable.of(instance.supplies)
    lines = lines_of(table, table.units.astype(np.int64))
    reach = reach_of(groups, np.arange(len(groups)), lines, LATENCIES)
    found = set()
    for group, hour, block, prefix, cap in zip(
        reach.group, reach.hour, reach.block, reach.prefix, reach.cap, strict=True
    ):
        pairs = reach.pair_line[reach.block_first[block] : reach.block_first[block] + prefix]
        prices = lines.price_micro[pairs].tolist()
        assert prices == sorted(prices)
        assert set(lines.hour[pairs].tolist()) == {hour}
        assert cap == groups.count[group] * groups.spec.units[group]
        found |= {(int(group), int(supply)) for supply in lines.supply[pairs]}
    wanted = {
        (group, supply)
        for group in range(len(groups))
        for supply, one in enumerate(instance.supplies)
        if one.units and admits(groups.spec.job(group), one)
    }
    assert found == wanted


@given(instances(weights=True), st.data())
def test_lines_stand_in_one_order_however_the_supplies_stand(instance: Instance, data: st.DataObject) -> None:
    mixed = data.draw(st.permutations(instance.supplies))
    orders = []
    for some in (instance.supplies, mixed):
        table = SupplyTable.of(list(some))
        orders.append([table.supply(int(k)) for k in lines_of(table, table.units.astype(np.int64)).supply])
    assert orders[0] == orders[1]
    assert len(orders[0]) == sum(one.units > 0 for one in instance.supplies)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9))))
def test_ranges_are_those_of_python(pairs: list[tuple[int, int]]) -> None:
    which, values = ranges(
        np.array([a for a, _ in pairs], dtype=np.int64), np.array([b for _, b in pairs], dtype=np.int64)
    )
    assert list(zip(which.tolist(), values.tolist(), strict=True)) == [
        (k, value) for k, (start, stop) in enumerate(pairs) for value in range(start, stop)
    ]


@given(instances(weights=True))
def test_order_prices_keep_the_order_of_prices_by_weight(instance: Instance) -> None:
    order, scale = order_prices(SupplyTable.of(instance.supplies))
    assert scale == (1 if all(one.weight_bp == 10_000 for one in instance.supplies) else 10_000)
    for value, one in zip(order.tolist(), instance.supplies, strict=True):
        assert 0 <= value - scale * one.price_micro * 10_000 // one.weight_bp < scale
        if one.weight_bp < 10_000:
            assert value > scale * one.price_micro
