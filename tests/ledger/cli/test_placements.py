"""How a dispatch is shown: hours in a row are one row, and machines get the same facts."""

from dataclasses import replace

from ledger.cli.placements import _rest_micro, _stretches, bought_text, preview_document, price_text
from ledger.dispatch.preview import DispatchPreview, Purchase, Where
from ledger.dispatch.problem import JobSpec, Latencies, Left, Plan, Why
from ledger.dispatch.state import CampaignState, JobState, Phase
from ledger.product import Grade, Product, Tier
from ledger.store.campaigns import StepKind, StepState, draft
from ledger.units import format_hour
from tests.bazaar import AREAS

JOB = JobSpec("a", 1, 100, 2, 10, 20, 5)
NO_PLAN = Plan((), (), None)  # type: ignore[arg-type]
EMPTY = DispatchPreview(1, "0x", 0, 0, (JOB,), (), Latencies.of_areas(AREAS), NO_PLAN, (), (), (), (), (), True)


def where(hour: int, units: int = 100, site: int = 1) -> Where:
    return Where(0, "a", site, 257, hour, units, 2, 5, 1_500, False)


def test_hours_in_a_row_are_one_row() -> None:
    found = replace(EMPTY, placements=(where(12), where(11), where(14), where(12, 50), where(11, site=2)))
    assert [(row[1], row[3], row[4]) for row in _stretches(found)] == [
        (1, f"{format_hour(11)} + 2h", 100),
        (1, f"{format_hour(14)} + 1h", 100),
        (1, f"{format_hour(12)} + 1h", 50),
        (2, f"{format_hour(11)} + 1h", 100),
    ]


def test_document_has_every_placement_and_the_totals() -> None:
    said = preview_document(replace(EMPTY, placements=(where(12), where(13))))
    assert [one["hour"] for one in said["placements"]] == [12, 13]
    assert said["totals"]["unit_hours"] == said["totals"]["wanted_unit_hours"] == 200
    assert said["verified"] is True


def test_limit_of_ours_is_called_so_where_it_left_a_job_over() -> None:
    left = (Left(0, 200, Why.PRICE, "too dear"), Left(1, 200, Why.PRICE, "too dear"), Left(0, 1, Why.GANG, "too big"))
    said = preview_document(replace(EMPTY, jobs=(JOB, JOB), left=left), {0})
    ours = "too dear (our default; write a price to raise it)"
    assert [one["text"] for one in said["left"]] == [ours, "too dear", "too big"]


def test_what_was_bought_used_sold_and_left_is_told_in_unit_hours_and_dollars() -> None:
    number = Product(1, Tier.WIDE, 0, Grade.STANDARD, 100, 2).id
    bid, ask = draft(StepKind.BID, number, 100), draft(StepKind.ASK, number, 15)
    taken = [replace(bid, state=StepState.DONE, filled=100, cost_micro=4_000_000)]
    one = JobState(0, "a", 200, 0, 120, 0, 0, 80, 2_400_000, 0, ())
    state = CampaignState(
        1, "", Phase.RUNNING, (one,), tuple(taken), 0, 4_000_000, 0, 0, 40, 1_600_000, stopped=False, note=""
    )
    bought = "Bought 200 unit-hours for 4.00 USD, used 120 for 2.40 USD"
    assert bought_text(state) == f"{bought}, left 80 for 1.60 USD."
    sold = replace(ask, state=StepState.DONE, filled=15, refund_micro=500_000)
    steps = (*taken, sold, replace(ask, state=StepState.STANDS))
    part = replace(state, steps=steps, sold_micro=500_000, unused_micro=1_000_000)
    told = ", sold 30 again for 0.50 USD, left 50 for 1.00 USD, of which 30 are for sale now."
    assert bought_text(part) == bought + told
    whole = replace(state, jobs=(replace(one, running=200, cost_micro=3_999_999),))
    assert bought_text(whole) == "Bought 200 unit-hours for 4.00 USD, used 200 for 3.999999 USD."


def test_rest_of_a_preview_is_the_share_that_serves_no_job() -> None:
    one = Purchase(1, "x", 100, 2, 120, 400, 3_000, 600_000, 100, 2_000, 400_000, ())
    assert _rest_micro(one) == 160_000
    assert _rest_micro(replace(one, expected_units=0, expected_micro=0)) == 0
    assert _rest_micro(replace(one, expected_units=50, expected_micro=200_000)) == 0


def test_price_that_is_not_there_is_blank() -> None:
    assert price_text(None) is None
    assert price_text(2_100) == "2.10"
