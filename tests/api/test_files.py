"""The API may open more files than processes usually begin with."""

import resource
from collections.abc import Iterator

import pytest

from api.files import allow_files


@pytest.fixture
def limits() -> Iterator[tuple[int, int]]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_as_many_as_the_system_allows_and_never_fewer(limits: tuple[int, int]) -> None:
    soft, hard = limits
    if soft == resource.RLIM_INFINITY:
        assert allow_files() == soft
        return
    low = max(256, soft // 2)
    resource.setrlimit(resource.RLIMIT_NOFILE, (low, hard))
    most = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    assert allow_files() == max(low, most)
    assert allow_files() == max(low, most)
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] == hard
