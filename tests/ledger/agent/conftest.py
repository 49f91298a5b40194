"""Sites with an agent, and runs of this machine, for the tests of this folder."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from ledger.agent.document import JobDocument
from ledger.agent.executor import Run
from ledger.agent.local import LocalExecutor, _sweep
from ledger.errors import Unavailable
from tests.ledger.agent.stand import Hand, Stand, stand
from tests.world import World

_NUMBERS = count()


@pytest.fixture
def real(anvil_world: World, tmp_path: Path) -> Iterator[Stand]:
    """With real processes."""
    with stand(anvil_world, tmp_path) as made:
        yield made


@pytest.fixture
def hand(anvil_world: World, tmp_path: Path) -> Iterator[Stand]:
    """With an executor that does as it is told."""
    with stand(anvil_world, tmp_path, executor=Hand()) as made:
        yield made


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Makes runs, and ends what is left of them."""
    made: list[Run] = []

    def make(script: str, *, seconds: int = 600, files: dict[str, bytes] | None = None, **facts: int) -> Run:
        run_id = f"test-{os.getpid()}-{next(_NUMBERS)}"
        document = JobDocument(("sh", "-c", script), {"GREETING": "hi"}, files or {})
        run = Run(run_id, 1, document, tmp_path / run_id, 1, 1, 1_000, 1_000 + seconds, **facts)
        made.append(run)
        return run

    yield make
    for run in made:
        with suppress(Unavailable, FileNotFoundError):
            LocalExecutor().stop(str(run.folder))
        _sweep(run.run_id)
