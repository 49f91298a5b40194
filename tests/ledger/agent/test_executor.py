"""The states of a run, as agents and executors share them."""

import pytest

from ledger.agent.executor import Progress, RunState, Usage


@pytest.mark.parametrize("state", list(RunState))
def test_a_run_is_over_where_it_can_change_no_more(state: RunState) -> None:
    assert state.is_over == (state not in (RunState.QUEUED, RunState.RUNNING))


def test_what_nothing_was_said_of_is_nothing() -> None:
    assert Progress(RunState.QUEUED, Usage()) == Progress(RunState.QUEUED, Usage(0, 0, 0, 0), None, "")
