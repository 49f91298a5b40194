"""The clock of a local chain, on which time passes when we say so."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ledger.errors import OutOfRange


class LocalClock(ABC):
    """Sets the time of a chain that is ours alone, and says when a block is made."""

    @abstractmethod
    def set_next(self, time_s: int) -> None:
        """The next block will have this time, in seconds since the epoch. Raises OutOfRange unless it is later than
        the last one's."""

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
        # anvil would make another block of the same time.
        _require_later(time_s, int(self._request("eth_getBlockByNumber", "latest", False)["timestamp"], 16))
        self._request("evm_setNextBlockTimestamp", time_s)

    def mine(self) -> None:
        self._request("evm_mine")

    def hold(self, held: bool) -> None:
        self._request("evm_setAutomine", not held)


class InProcessClock(LocalClock):
    """eth-tester's, which has no types.

    What is held is applied to the pending block at once, so that it is seen there: eth-tester's own way of not mining
    checks each transaction as if it were the only one.
    """

    def __init__(self, tester: Any) -> None:
        self._tester = tester
        self._held = False
        self._stop()

    def set_next(self, time_s: int) -> None:
        _require_later(time_s, self._tester.get_block_by_number("latest")["timestamp"])
        self._tester.backend.chain.set_header_timestamp(time_s)

    def mine(self) -> None:
        self._tester.mine_block()
        self._stop()

    def _stop(self) -> None:
        # Left alone, py-evm dates the next block by the wall clock.
        self.set_next(self._tester.get_block_by_number("latest")["timestamp"] + 1)

    def hold(self, held: bool) -> None:
        self._held = held

    def apply(self, raw: bytes) -> None:
        """Runs a signed transaction in the pending block, which is made at once unless it is held."""
        self._tester.backend.send_raw_transaction(raw)
        if not self._held:
            self.mine()


def _require_later(time_s: int, last_s: int) -> None:
    if time_s <= last_s:
        raise OutOfRange("time of the next block", time_s, last_s + 1, 2**64 - 1)
