"""Work that is cheaper together: threads that come while one works are served by the next, all at once."""

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class _Place(Generic[T, R]):
    __slots__ = ("failure", "item", "result")

    def __init__(self, item: T) -> None:
        self.item = item
        self.result: list[R] = []
        self.failure: BaseException | None = None


class Groups(Generic[T, R]):
    """`work` takes many items and gives a result for each, in their order; one thread is in it at a time."""

    def __init__(self, work: Callable[[Sequence[T]], Sequence[R]], most: int = 500) -> None:
        self._work = work
        self._most = most
        self._waiting: list[_Place[T, R]] = []
        self._door = Lock()
        self._turn = Lock()

    def do(self, item: T) -> R:
        """The result for `item`, which may be worked on with others'. Raises what the work raised for all of them."""
        place: _Place[T, R] = _Place(item)
        with self._door:
            self._waiting.append(place)
        while not place.result and place.failure is None:
            with self._turn:
                if not place.result and place.failure is None:
                    self._serve()
        if place.failure is not None:
            raise place.failure
        return place.result[0]

    def waiting(self) -> int:
        """How many wait for their turn now."""
        with self._door:
            return len(self._waiting)

    def _serve(self) -> None:
        with self._door:
            group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        try:
            results = self._work([place.item for place in group])
        except BaseException as failure:
            # Each of them is told, else the others would wait for ever.
            for place in group:
                place.failure = failure
            return
        for place, result in zip(group, results, strict=True):
            place.result.append(result)
