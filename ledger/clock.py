"""The clock of a local chain, on which time passes when we say so."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class LocalClock(ABC):
    """Sets the time of a chain that is ours alone, and says when a block is made."""

    @abstractmethod
    def set_next(self, time_s: int) -> None:
        """The next block will have this time, in seconds since the epoch; it must be later than the last one's."""

    @abstractmethod
    def mine(self) -> None:
        """Makes a block of what waits."""

    @abstractmethod
    def hold(self, held: bool) -> None:
        """Whether transactions wait for `mine` instead of making a block each."""

    def go_to(self, time_s: int) -> None:
        """Makes an empty block at that time: from now on the chain reads as of then."""
        self.set_next(time_s)
        self.mine()

    @contextmanager
    def one_block(self) -> Iterator[None]:
        """Everything sent inside stands in one block, made at the end."""
        self.hold(True)
        try:
            yield
        finally:
            self.mine()
            self.hold(False)


class AnvilClock(LocalClock):
    """anvil's, by its own JSON-RPC methods: `request` makes one."""

    def __init__(self, request: Callable[..., Any]) -> None:
        self._request = request

    def set_next(self, time_s: int) -> None:
        self._request("evm_setNextBlockTimestamp", time_s)

    def mine(self) -> None:
        self._request("evm_mine")

    def hold(self, held: bool) -> None:
        self._request("evm_setAutomine", not held)


class TesterClock(LocalClock):
    """eth-tester's, which has no types."""

    def __init__(self, tester: Any) -> None:
        self._tester = tester

    def set_next(self, time_s: int) -> None:
        self._tester.time_travel(time_s)

    def mine(self) -> None:
        self._tester.mine_block()

    def hold(self, held: bool) -> None:
        if held:
            self._tester.disable_auto_mine_transactions()
        else:
            self._tester.enable_auto_mine_transactions()
