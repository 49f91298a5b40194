"""What can be wished of a local chain, and what its parameters may be: all of it is checked before any of it is done.

What passes here goes into the journal and is done again at every start, so nothing passes that could fail there.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ledger.errors import InputError

TRANSACTION_BYTES_MAX = 2**20
"""A longer transaction takes more gas than a block has: 16 for each byte that is not zero."""

STEP_S_MAX = 10 * 365 * 86_400
"""No time is further ahead of the chain and of the clock on the wall, in seconds: time never goes back."""

_TIME_S_MAX = 2**53
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_NUMBER = re.compile(r"0x[0-9a-fA-F]{1,64}|[0-9]{1,78}")
_HEX = re.compile(r"(?:0x)?(?:[0-9a-fA-F]{2})+")


def checked(method: str, params: Sequence[Any]) -> tuple[Any, ...]:
    """The parameters of a wish in the one form in which they are kept. Raises InputError.

    `eth_sendRawTransaction` (bytes,) · `evm_mine` (seconds or None,) · `evm_setAutomine` (bool,) ·
    `evm_setNextBlockTimestamp`, `evm_increaseTime` (seconds,) · `anvil_setBalance` (address, hex).
    """
    return _READERS[method](params)


def _transaction(params: Sequence[Any]) -> tuple[bytes]:
    most = 2 * TRANSACTION_BYTES_MAX + 2
    match params:
        case [str(text)] if len(text) <= most and _HEX.fullmatch(text):
            return (bytes.fromhex(text.removeprefix("0x")),)
    raise InputError(
        f"A transaction is one string of hex digits, of at most {TRANSACTION_BYTES_MAX} bytes.", "Send it signed."
    )


def _block(params: Sequence[Any]) -> tuple[int | None]:
    match params:
        case [] | [None]:
            return (None,)
        case [{"timestamp": time, **others}] if not others:
            return _time([time])
    return _time(params)


def _time(params: Sequence[Any]) -> tuple[int]:
    match params:
        case [value]:
            time_s = number(value)
            if time_s is not None and time_s <= _TIME_S_MAX:
                return (time_s,)
    raise InputError("A time is one number of seconds.", "Give it as a number, or as a string of hex digits.")


def _automine(params: Sequence[Any]) -> tuple[bool]:
    match params:
        case [bool(on)]:
            return (on,)
    raise InputError("Whether blocks are made is one truth value.", "Give true or false.")


def _balance(params: Sequence[Any]) -> tuple[str, str]:
    match params:
        case [str(address), value] if _ADDRESS.fullmatch(address):
            wei = number(value)
            if wei is not None and wei < 2**256:
                return address, hex(wei)
    raise InputError("A balance is an address and a number of wei.", "Give 40 hex digits after 0x, and a number.")


def number(value: Any) -> int | None:
    """The whole number that JSON has as a number or a string; None for anything else."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return int(value, 16 if value.startswith("0x") else 10)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


_READERS: Mapping[str, Callable[[Sequence[Any]], tuple[Any, ...]]] = {
    "eth_sendRawTransaction": _transaction,
    "evm_mine": _block,
    "evm_setAutomine": _automine,
    "evm_setNextBlockTimestamp": _time,
    "evm_increaseTime": _time,
    "anvil_setBalance": _balance,
}

CHANGES = frozenset(_READERS)
"""All that can be wished for."""
