"""So many plan at once, so many wait, and the rest are told."""

from threading import Event, Thread
from time import monotonic, sleep

import pytest

from api.errors import TooMany
from api.turns import Turns

WITHIN_S = 60.0


class Caller:
    """Turns in a thread of its own until it is let go."""

    def __init__(self, plans: Turns, address: str) -> None:
        self.begun, self.let_go = Event(), Event()
        self.refused = False
        self._plans, self._address = plans, address
        self._thread = Thread(target=self._plan, daemon=True)
        self._thread.start()

    def _plan(self) -> None:
        try:
            with self._plans.turn(self._address):
                self.begun.set()
                self.let_go.wait(WITHIN_S)
        except TooMany:
            self.refused = True

    def end(self) -> None:
        self.let_go.set()
        self._thread.join(WITHIN_S)
        assert not self._thread.is_alive()


def waits(plans: Turns, count: int) -> None:
    """Until so many are in the queue or at work."""
    deadline_s = monotonic() + WITHIN_S
    while plans._asked.total() != count:
        assert monotonic() < deadline_s, plans._asked
        sleep(0.005)


def test_so_many_at_once_so_many_wait_and_the_rest_are_told() -> None:
    plans = Turns("plans", at_once=1, waiting_max=2, of_one_max=2, wait_s=WITHIN_S)
    first = Caller(plans, "one")
    assert first.begun.wait(WITHIN_S)
    second = Caller(plans, "one")
    waits(plans, 2)
    with pytest.raises(TooMany), plans.turn("one"):
        pass
    third = Caller(plans, "other")
    waits(plans, 3)
    with pytest.raises(TooMany) as told, plans.turn("a third"):
        pass
    assert told.value.headers == {"Retry-After": "1"}
    assert not second.begun.is_set()
    assert not third.begun.is_set()
    first.end()
    deadline_s = monotonic() + WITHIN_S
    while not (second.begun.is_set() or third.begun.is_set()):
        assert monotonic() < deadline_s
        sleep(0.005)
    for one in (second, third):
        one.end()
    waits(plans, 0)
    assert not any(one.refused for one in (first, second, third))


def test_who_waits_too_long_is_told_and_counts_no_more() -> None:
    plans = Turns("plans", at_once=1, waiting_max=1, of_one_max=2, wait_s=0.0)
    with plans.turn("one"):
        for _ in range(3):
            with pytest.raises(TooMany), plans.turn("one"):
                pass
    with plans.turn("one"):
        pass
    waits(plans, 0)


def test_a_plan_that_fails_makes_room() -> None:
    plans = Turns("plans", at_once=1, waiting_max=0, of_one_max=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), plans.turn("one"):
            raise ZeroDivisionError
    waits(plans, 0)
