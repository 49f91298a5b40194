"""Work in groups: each gets its own result, and those that come while one works are served together."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from ledger.sending.groups import Groups


def test_each_gets_its_own_result_whoever_did_the_work() -> None:
    sizes: list[int] = []

    def work(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        return [item * item for item in items]

    groups: Groups[int, int] = Groups(work)
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(groups.do, range(500))) == [item * item for item in range(500)]
    assert sum(sizes) == 500


def test_those_that_come_meanwhile_are_served_together_and_no_more_than_told() -> None:
    started, go_on = Event(), Event()
    sizes: list[int] = []

    def work(items: Sequence[int]) -> Sequence[int]:
        sizes.append(len(items))
        started.set()
        assert go_on.wait(60)
        return items

    groups: Groups[int, int] = Groups(work, most=4)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(groups.do, 0)
        assert started.wait(60)
        others = [pool.submit(groups.do, item) for item in range(1, 7)]
        while groups.waiting() < 6:
            pass
        go_on.set()
        assert [one.result(10) for one in [first, *others]] == list(range(7))
    assert sizes == [1, 4, 2]


def test_failure_is_told_to_all_of_the_group_and_ends_there() -> None:
    failing = True

    def work(items: Sequence[int]) -> Sequence[int]:
        if failing:
            raise ValueError("no")
        return items

    groups: Groups[int, int] = Groups(work)
    with pytest.raises(ValueError, match="no"):
        groups.do(1)
    failing = False
    assert groups.do(2) == 2
