"""What the API's tests share: one market on anvil in which something happened, and the app on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from httpx import Client

from tests.api.stage import Stage, staged
from tests.world import World, world_on


@pytest.fixture(scope="session")
def api_world() -> Iterator[World]:
    """A market of the API's tests' own, on anvil."""
    with world_on("anvil") as world:
        yield world


@pytest.fixture(scope="session")
def stage(api_world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The app on that market, which has seen two rounds, a lease and a refund."""
    with staged(api_world, tmp_path_factory.mktemp("api")) as found:
        yield found


@pytest.fixture
def client(stage: Stage) -> Client:
    """A caller without a key."""
    return stage.client


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
