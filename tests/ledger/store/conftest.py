"""What tests of tables share: a store on each of the two databases."""

from collections.abc import Iterator

import pytest

from ledger.store.engine import IN_MEMORY, Store, open_store


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """An empty store: a test that asks for it runs on both."""
    found = open_store(IN_MEMORY if request.param == "sqlite" else request.getfixturevalue("postgres_url"))
    yield found
    found.close()
