"""A browser for the tests of the page: Debian's where it is installed, else Playwright's own."""

import shutil
from collections.abc import Iterator
from time import monotonic
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.web.stall import Stall, open_stall

# A machine of two slow cores that does other work meanwhile: what is waited for is never a matter of seconds.
WAIT_MS = 30_000
expect.set_options(timeout=WAIT_MS)


def wait_until(page: Page, expression: str) -> Any:
    """What an expression comes to in the page once it is true. Playwright's own way of waiting needs a page that may
    evaluate texts, which the policy of this one forbids."""
    deadline_s = monotonic() + WAIT_MS / 1_000
    while not (found := page.evaluate(expression)):
        assert monotonic() < deadline_s, f"never true: {expression}"
        page.wait_for_timeout(50)
    return found


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
