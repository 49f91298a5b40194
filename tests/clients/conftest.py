"""What the tests of strangers and of their programs share: a market that goes on, and one that was played and rests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.stage import Stage, staged
from tests.clients.market import Clients, open_market
from tests.world import world_on


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    """A market, its API by its address alone."""
    with open_market(tmp_path_factory.mktemp("clients")) as found:
        yield found


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The app on a market that has seen two rounds, a lease and a refund."""
    with world_on("anvil") as world, staged(world, tmp_path_factory.mktemp("hostile")) as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
