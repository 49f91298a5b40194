"""A browser for the tests of the page: Debian's where it is installed, else Playwright's own."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.web.stall import Stall, open_stall


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for the whole run."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def stall() -> Iterator[Stall]:
    """The page with a market on paper."""
    with open_stall() as served:
        yield served
