"""Worlds that the tests of this folder share, one a process and kind of chain."""

from collections.abc import Iterator

import pytest

from tests.world import World, world_on


@pytest.fixture(scope="session")
def tester_world() -> Iterator[World]:
    """On eth-tester, in this process."""
    with world_on("tester") as world:
        yield world


@pytest.fixture(scope="session")
def anvil_world() -> Iterator[World]:
    """On anvil, by JSON-RPC."""
    with world_on("anvil") as world:
        yield world


@pytest.fixture(params=["tester", "anvil"])
def world(request: pytest.FixtureRequest) -> World:
    """On both, one after the other."""
    found: World = request.getfixturevalue(f"{request.param}_world")
    return found
