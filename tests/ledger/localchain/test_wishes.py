"""What passes the check can be written down and done again; everything else is refused before it touches anything."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import InputError
from ledger.localchain.wishes import CHANGES, TRANSACTION_BYTES_MAX, checked

ADDRESS = "0x" + "Ab" * 20
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.from_regex(r"0x[0-9a-f]{0,80}|[0-9]{1,90}"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("timestamp") | st.text(), inner, max_size=2),
    max_leaves=4,
)


@given(method=st.sampled_from(sorted(CHANGES)), params=st.lists(st.just(ADDRESS) | VALUES, max_size=3))
def test_whatever_comes_is_refused_or_bounded(method: str, params: list[Any]) -> None:
    try:
        kept = checked(method, params)
    except InputError:
        return
    for value in kept:
        if isinstance(value, bytes):
            assert 0 < len(value) <= TRANSACTION_BYTES_MAX
        elif isinstance(value, int):
            assert 0 <= value <= 2**53
    if method != "eth_sendRawTransaction":
        assert len(json.dumps([method, kept])) < 200
        assert checked(method, list(kept)) == kept, "what is kept passes again"


@pytest.mark.parametrize(
    ("method", "params", "kept"),
    [
        ("eth_sendRawTransaction", ["0x02aB"], (b"\x02\xab",)),
        ("evm_mine", [], (None,)),
        ("evm_mine", [7], (7,)),
        ("evm_mine", [{"timestamp": "0x7"}], (7,)),
        ("evm_setAutomine", [False], (False,)),
        ("evm_setNextBlockTimestamp", ["0x10"], (16,)),
        ("evm_increaseTime", ["10"], (10,)),
        ("anvil_setBalance", [ADDRESS, 10**18], (ADDRESS, hex(10**18))),
        ("anvil_setBalance", [ADDRESS, hex(2**256 - 1)], (ADDRESS, hex(2**256 - 1))),
    ],
)
def test_good_wish_passes_in_one_form(method: str, params: list[Any], kept: tuple[Any, ...]) -> None:
    assert checked(method, params) == kept


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("eth_sendRawTransaction", ["0x" + "00" * (TRANSACTION_BYTES_MAX + 1)]),
        ("eth_sendRawTransaction", ["0x"]),
        ("evm_increaseTime", ["0x" + "f" * 24]),
        ("evm_increaseTime", [-1]),
        ("evm_increaseTime", [True]),
        ("evm_increaseTime", ["٣"]),
        ("evm_mine", [1, 2]),
        ("evm_setAutomine", []),
        ("evm_setAutomine", [0]),
        ("anvil_setBalance", [ADDRESS]),
        ("anvil_setBalance", [ADDRESS, "é" * 10]),
        ("anvil_setBalance", [ADDRESS, 1, 2]),
        ("anvil_setBalance", [ADDRESS + "0", 1]),
    ],
)
def test_bent_wish_is_refused(method: str, params: list[Any]) -> None:
    with pytest.raises(InputError):
        checked(method, params)
