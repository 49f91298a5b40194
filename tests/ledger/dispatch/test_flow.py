"""The flow keeps to capacities, and does not get better or worse with the shape of the network it is found in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.dispatch import flow
from ledger.dispatch.flow import Flows, best_flow, overlay
from ledger.dispatch.groups import Groups, group_jobs
from ledger.dispatch.reach import Reach, lines_of, reach_of
from ledger.dispatch.tables import JobTable, SupplyTable
from tests.ledger.dispatch.instances import LATENCIES, Instance, instances


def network(instance: Instance) -> tuple[Groups, Reach]:
    groups, table = group_jobs(JobTable.of(instance.jobs)), SupplyTable.of(instance.supplies)
    return groups, reach_of(groups, np.arange(len(groups)), lines_of(table, table.units.astype(np.int64)), LATENCIES)


def score(groups: Groups, reach: Reach, flows: Flows) -> int:
    service = int(reach.lines.order.max(initial=0)) + 1
    return int((flows.units * (service + groups.spec.limit_micro[flows.group] - reach.lines.order[flows.line])).sum())


@given(instances())
def test_flow_keeps_to_every_capacity_and_prefix(instance: Instance) -> None:
    groups, reach = network(instance)
    flows = best_flow(groups, reach)
    assert np.all(np.bincount(flows.line, flows.units, len(reach.lines)) <= reach.lines.units)
    for group, hour, block, prefix, cap in zip(
        reach.group, reach.hour, reach.block, reach.prefix, reach.cap, strict=True
    ):
        mine = (flows.group == group) & (flows.hour == hour)
        first = reach.block_first[block]
        assert flows.units[mine].sum() <= cap
        assert set(flows.line[mine].tolist()) <= set(reach.pair_line[first : first + prefix].tolist())
    keys = list(zip(flows.group.tolist(), flows.hour.tolist(), flows.line.tolist(), strict=True))
    assert keys == sorted(set(keys))


@pytest.mark.parametrize("branches", [2, 3, 64])
def test_flow_is_as_good_in_any_shape_of_network(branches: int, monkeypatch: pytest.MonkeyPatch) -> None:
    @given(instances())
    def check(instance: Instance) -> None:
        groups, reach = network(instance)
        monkeypatch.undo()
        usual = score(groups, reach, best_flow(groups, reach))
        monkeypatch.setattr(flow, "BRANCHES", branches)
        assert score(groups, reach, best_flow(groups, reach)) == usual

    check()


@given(st.lists(st.integers(1, 9), min_size=1), st.data())
def test_overlay_gives_each_side_its_amounts_in_order(takers: list[int], data: st.DataObject) -> None:
    total = sum(takers)
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, total - 1)))) - {total}) if total > 1 else []
    givers = [b - a for a, b in zip([0, *cuts], [*cuts, total], strict=True)]
    taker, giver, units = overlay(np.array(takers), np.array(givers))
    assert np.all(units > 0)
    assert np.bincount(taker, units).tolist() == takers
    assert np.bincount(giver, units).tolist() == givers
    assert sorted(taker.tolist()) == taker.tolist()
    assert sorted(giver.tolist()) == giver.tolist()
