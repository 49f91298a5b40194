"""What the tests of strangers' programs share: one market that is open to them."""

from collections.abc import Iterator

import pytest

from tests.clients.market import Clients, open_market


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    """A market, its API by its address alone."""
    with open_market(tmp_path_factory.mktemp("clients")) as found:
        yield found
