"""Whose turn it is at what takes a processor for a second and anybody may ask for: a plan of many jobs, a proof among
thousands of readings."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

from api.errors import TooMany

AT_ONCE, WAITING_MAX, OF_ONE_MAX = 2, 16, 8
WAIT_S = 20.0


class Turns:
    """So many at once, and so many may wait for that, fewer of them of one address: the others are told to come again.
    Each that waits holds a thread, and the rest of the API needs some. `what` is made, in a word."""

    def __init__(
        self,
        what: str,
        at_once: int = AT_ONCE,
        waiting_max: int = WAITING_MAX,
        of_one_max: int = OF_ONE_MAX,
        wait_s: float = WAIT_S,
    ) -> None:
        self._what = what
        self._slots = BoundedSemaphore(at_once)
        self._most, self._of_one_max, self._wait_s = at_once + waiting_max, of_one_max, wait_s
        self._asked: Counter[str] = Counter()
        self._lock = Lock()

    @contextmanager
    def turn(self, address: str) -> Iterator[None]:
        """The block's turn, for a caller at that address. Raises TooMany."""
        with self._lock:
            if self._asked.total() >= self._most or self._asked[address] >= self._of_one_max:
                raise self._too_many()
            self._asked[address] += 1
        try:
            if not self._slots.acquire(timeout=self._wait_s):
                raise self._too_many()
            try:
                yield
            finally:
                self._slots.release()
        finally:
            with self._lock:
                self._asked -= Counter([address])

    def _too_many(self) -> TooMany:
        text = f"Too many {self._what} are being made."
        return TooMany(text, "Ask again in a second, one at a time.", {"Retry-After": "1"})
