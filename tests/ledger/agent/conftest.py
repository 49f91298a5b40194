"""Sites with an agent, for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ledger.agent.stand import Hand, Stand, stand
from tests.world import World


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
