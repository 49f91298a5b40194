"""Answers that no node should give: each is a finding, and none ends the audit."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ledger.audit.run import run_audit
from tests.day import tiny_day
from tests.forging import Alter, lied_to, tiny_entries

Spoil = Callable[[Any], Any]
"""An answer to what is said instead of it."""


def when(method: str, spoil: Spoil, full: bool | None = None) -> Alter:
    """Spoils what a method says of one block, the first with logs; of every block where it names none."""
    number = hex(tiny_entries()[0].block)

    def alter(asked: str, params: Sequence[Any], result: Any) -> Any:
        of_block = method in ("eth_getProof", "eth_call") or params[:1] == (number,)
        # A proof of an account alone has no words in it that could be spoilt.
        bare = asked == "eth_getProof" and not params[1]
        if asked == method and of_block and not bare and (full is None or params[1] is full):
            return spoil(result)
        return result

    return alter


def putting(name: str, value: Any, *path: Any) -> Spoil:
    """Another value in an answer, or in what lies at a path in it."""

    def spoil(result: Any) -> Any:
        inside = result
        for step in path:
            inside = inside[step] if inside[step] else [{}]
        inside[name] = value
        return result

    return spoil


def without(name: str, *path: Any) -> Spoil:
    def spoil(result: Any) -> Any:
        inside = result
        for step in path:
            inside = inside[step] if inside[step] else [{}]
        inside.pop(name, None)
        return result

    return spoil


def instead(value: Any) -> Spoil:
    return lambda _: value


def header(name: str, value: Any) -> Alter:
    return when("eth_getBlockByNumber", putting(name, value), False)


def transaction(name: str, value: Any) -> Alter:
    return when("eth_getBlockByNumber", putting(name, value, "transactions", 0), True)


def receipt(name: str, value: Any) -> Alter:
    return when("eth_getBlockReceipts", putting(name, value, 0))


def proof(name: str, value: Any) -> Alter:
    return when("eth_getProof", putting(name, value, "storageProof", 0))


LIES: dict[str, Callable[[], Alter]] = {
    "gas below zero": lambda: header("gasUsed", "-0x1"),
    "a time below zero": lambda: header("timestamp", "-0x1"),
    "an empty bloom": lambda: header("logsBloom", "0x"),
    "an empty state root": lambda: header("stateRoot", "0x"),
    "a place that is null": lambda: transaction("transactionIndex", None),
    "a nonce below zero": lambda: transaction("nonce", "-0x1"),
    "a number with underlines": lambda: transaction("nonce", "0x0_1"),
    "a signature too long": lambda: transaction("r", "0x" + "f" * 70),
    "a parity that is none": lambda: transaction("yParity", "0x5"),
    "a transaction of nobody": lambda: when("eth_getBlockByNumber", without("from", "transactions", 0), True),
    "no block": lambda: when("eth_getBlockByNumber", instead(None), True),
    "a status below zero": lambda: receipt("status", "-0x1"),
    "a receipt's type beyond a byte": lambda: receipt("type", "0x12c"),
    "no receipts": lambda: when("eth_getBlockReceipts", instead(None)),
    "a proven value that is none": lambda: proof("value", "zz"),
    "a proof of nothing": lambda: proof("proof", []),
    "a proof without its value": lambda: when("eth_getProof", without("value", "storageProof", 0)),
    "an empty read": lambda: when("eth_call", instead("0x")),
    "a read too short": lambda: when("eth_call", instead("0x01")),
    "a read that is none": lambda: when("eth_call", instead("zz")),
}


@pytest.mark.parametrize("lie", LIES)
def test_run_audit_names_what_makes_no_sense(lie: str) -> None:
    assert run_audit(lied_to(tiny_day().market, LIES[lie]()))[0].findings
