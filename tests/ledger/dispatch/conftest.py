"""What these tests share: one market on an anvil of its own, whose clock only they move."""

from collections.abc import Iterator

import pytest

from tests.bazaar import FRANKFURT, TOKYO, VIRGINIA, Bazaar, bazaar


@pytest.fixture(scope="session")
def fair() -> Iterator[Bazaar]:
    """Two sites in Frankfurt, one in Virginia and one in Tokyo, each of 8,000 units."""
    with bazaar() as found:
        for metro in (FRANKFURT, FRANKFURT, VIRGINIA, TOKYO):
            found.site(metro)
        yield found
