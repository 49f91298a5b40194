"""A preview's totals are the sums of its parts."""

from ledger.action import Costs, Preview
from ledger.dispatch.preview import DispatchPreview, Purchase, Where
from ledger.dispatch.problem import JobSpec, Latencies, Plan
from tests.bazaar import AREAS


def purchase(units: int, preview: Preview | None) -> Purchase:
    return Purchase(5, "code", units, 1, units, 400, 3, units * 3, units, 2, units * 2, ((0, units),), preview)


def test_totals_are_sums() -> None:
    job = JobSpec("a", 1, 100, 2, 10, 20, 5)
    tried = Preview("Bid", Costs(escrow_micro=210), None, 0, 60_000, 9)
    found = DispatchPreview(
        block=1,
        block_hash="0x",
        time_s=0,
        round=0,
        jobs=(job, job),
        supplies=(),
        latencies=Latencies.of_areas(AREAS),
        plan=Plan((), (), None),  # type: ignore[arg-type]
        placements=(Where(0, "a", 1, 257, 11, 70, 2, 5, 0, False), Where(1, "a", 1, 257, 11, 30, 2, 5, 0, False)),
        purchases=(purchase(70, tried), purchase(30, None)),
        left=(),
        prices=(),
        refusals=(),
        verified=True,
    )
    assert (found.unit_hours, found.wanted_unit_hours, found.cost_micro) == (100, 400, 0)
    assert (found.escrow_micro, found.expected_micro, found.gas, found.fee_wei) == (300, 200, 60_000, 9)
