"""The sender against a chain that misbehaves, as the same program: crashes at every place (drill 1 of
tests/DRILLS.md), and whole runs from many seeds (drill 9).

COMPUTE_LEDGER_SIMULATION_SEEDS=100000 plays more seeds; COMPUTE_LEDGER_SIMULATION_SEED=123 plays one again.
"""

import os
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from random import Random

import pytest

from ledger.settings import Secret
from ledger.store.engine import IN_MEMORY, open_store
from ledger.store.intents import State
from tests.ledger.simulation.chain import GWEI
from tests.ledger.simulation.runner import Crash, Gates, Run, SimulatedStore, emptied, play_seed

SEEDS = int(os.environ.get("COMPUTE_LEDGER_SIMULATION_SEEDS") or 10_000)
ONLY = os.environ.get("COMPUTE_LEDGER_SIMULATION_SEED")
# So that several processes share the seeds, and a failure names a small range.
CHUNKS = 10
Story = Callable[[Run], None]


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_intent_has_one_effect_whatever_the_chain_does(chunk: int) -> None:
    """DRILLS.md mode 1, 2, 4–11, 14, 15, 18, 25."""
    store = SimulatedStore(open_store(IN_MEMORY).engine, Gates(Random(0)))
    for seed in [int(ONLY)] if ONLY else range(chunk, SEEDS, CHUNKS):
        try:
            play_seed(seed, store)
        except Exception as error:
            again = f"COMPUTE_LEDGER_SIMULATION_SEED={seed} .venv/bin/pytest -x {Path(__file__).name}"
            raise AssertionError(f"seed {seed}; to see it again: {again}") from error


def test_simulated_faults_happen() -> None:
    """The runs above say nothing unless their chains do misbehave."""
    store = SimulatedStore(open_store(IN_MEMORY).engine, Gates(Random(0)))
    runs = []
    seen: set[State] = set()
    replaced = filled = 0
    for seed in range(150):
        run = play_seed(seed, store)
        runs.append(run)
        statuses = [run.sender.status(key) for key in run.keys]
        seen |= {status.state for status in statuses}
        replaced += sum(len(status.attempts) > 1 and not status.cancel for status in statuses)
        filled += bool(run.kept()[1])
    assert seen == {State.FINAL, State.CANCELLED, State.CONSUMED}
    assert filled > 3
    assert replaced > 20
    for fault in ("crashed", "lost", "reorganised", "dropped", "strange"):
        assert sum(fault in run.happened for run in runs) > 20, fault
    assert sum({"crashed", "reorganised", "strange"} <= run.happened for run in runs) > 10


def small(run: Run) -> None:
    """One thing, submitted, mined, reorganised away, and sent again."""
    for step in ("submit", "mine_all", "advance", "reorganise", "advance"):
        run.survive(step)
    run.finish()


def broad(run: Run) -> None:
    """Several things at once, a fee that rises until they are replaced, and one that is called off."""
    run.survive("submit")
    run.survive("advance")
    run.wire.base_fee_wei = 20 * GWEI
    for _ in range(4):
        run.survive("mine_all")
    run.now_s += 25
    run.survive("advance")
    run.survive("cancel")
    for step in ("submit", "mine_all", "advance", "reorganise", "drop", "advance"):
        run.survive(step)
    run.finish()


def played(story: Story, intents: int, store: SimulatedStore, crashes: frozenset[int]) -> Run:
    emptied(store)
    store.gates = Gates(Random(5), crashes=crashes)
    run = Run(0, store, store.gates, intents)
    story(run)
    run.check()
    return run


@pytest.mark.parametrize(("story", "intents", "places_min"), [(small, 1, 40), (broad, 5, 60)])
def test_crash_at_every_commit_and_every_message_leaves_one_effect(
    story: Story, intents: int, places_min: int, tmp_path: Path
) -> None:
    """Drill 1 on a file that is opened anew. DRILLS.md mode 1, 2, 25."""
    store = SimulatedStore(open_store(Secret(f"sqlite:///{tmp_path / 'clean.db'}")).engine, Gates(Random(0)))
    clean = played(story, intents, store, frozenset())
    assert clean.gates.passed >= places_min
    assert {"write begins", "write ends", "written", "ask send", "hear send"} <= set(clean.gates.names)
    for place in range(1, clean.gates.passed + 1):
        run = played(story, intents, store, frozenset({place}))
        assert "crashed" in run.happened, f"nothing crashed at place {place} ({clean.gates.names[place - 1]})"


@pytest.mark.slow
def test_crash_at_every_two_places_leaves_one_effect() -> None:
    """Drill 1, the second crash while the first is being mended."""
    store = SimulatedStore(open_store(IN_MEMORY).engine, Gates(Random(0)))
    clean = played(small, 1, store, frozenset())
    for pair in combinations(range(1, clean.gates.passed + 1), 2):
        try:
            played(small, 1, store, frozenset(pair))
        except AssertionError as error:
            raise AssertionError(f"crashes at places {pair}") from error


def test_crash_is_no_error_that_the_sender_could_catch() -> None:
    assert not issubclass(Crash, Exception)
