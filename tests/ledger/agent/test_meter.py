"""The meter counts each second once, never more than there are, and loses none between readings."""

from hypothesis import given
from hypothesis import strategies as st

from ledger.agent.executor import Usage
from ledger.agent.meter import Gauge, Span, account, cut
from ledger.agent.readings import delivered_of, faults_of

START = 3_600_000
_SPANS = st.builds(
    Span, st.booleans(), st.booleans(), st.booleans(), st.none() | st.integers(START - 100, START + 9_000)
)
_STEPS = st.lists(st.tuples(st.integers(0, 900), _SPANS, st.booleans()), min_size=1, max_size=30)


@given(_STEPS, st.integers(1, 10_000))
def test_readings_follow_one_another_and_hold_each_counted_second(
    steps: list[tuple[int, Span, bool]], units: int
) -> None:
    gauge, readings, counted_s, used = Gauge(0, START, START), [], 0, 0
    for length_s, span, cuts in steps:
        moved = account(gauge, gauge.at_s + length_s, span)
        assert 0 <= moved.ready_s - gauge.ready_s <= length_s
        counted_s += moved.ready_s - gauge.ready_s
        gauge, used = moved, used + length_s * 1_000
        if cuts and gauge.at_s > gauge.from_s:
            reading, gauge = cut(gauge, 1, units, Usage(used, 2 * used, 3 * used))
            readings.append(reading)
    if gauge.at_s > gauge.from_s:
        reading, gauge = cut(gauge, 1, units, Usage(used, 2 * used, 3 * used))
        readings.append(reading)
    assert faults_of(readings, 1, units, (START, gauge.at_s)) == []
    assert sum(one.wall_ms for one in readings) == used - (0 if readings else used)
    assert sum(one.gpu_ms for one in readings) == 3 * sum(one.wall_ms for one in readings)
    if readings:
        length_s = gauge.at_s - START
        exact = units * 1_000 * counted_s // length_s
        # Each reading is rounded down once, and so is the whole: never in the provider's favour.
        assert exact - 1 - len(readings) <= delivered_of(readings, START, gauge.at_s) <= exact


@given(st.integers(1, 10_000), st.integers(0, 10_000), _SPANS)
def test_a_second_counts_where_it_was_there_from_end_to_end(length_s: int, ran_s: int, span: Span) -> None:
    gauge = Gauge(0, START, START)
    lost = Span(ready=False, lost_s=START + ran_s)
    assert account(gauge, START + length_s, lost).ready_s == min(ran_s, length_s)
    assert account(gauge, START + length_s, Span(ready=True)).ready_s == length_s
    for bad in (Span(ready=False), Span(True, was_ready=False), Span(True, watched=False)):
        assert account(gauge, START + length_s, bad).ready_s == 0
    assert account(gauge, START + length_s, Span(False, was_ready=False, lost_s=START + 10)).ready_s == 0
    assert account(gauge, START, span) == account(gauge, START - length_s, span) == gauge


def test_a_counter_that_goes_back_is_no_negative_use() -> None:
    gauge = Gauge(3, START, START + 10, 10, Usage(100, 100, 100))
    reading, after = cut(gauge, 1, 5, Usage(50, 150, 100))
    assert (reading.wall_ms, reading.cpu_ms, reading.gpu_ms) == (0, 50, 0)
    assert (after.number, after.from_s, after.ready_s) == (4, START + 10, 0)
