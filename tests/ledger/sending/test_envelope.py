"""Transactions as they travel: what was signed is read again, and what nobody signed is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import UnreadableText
from ledger.sending.envelope import read_signed, sign
from ledger.sending.fees import Fees
from tests.world import ADMIN, BUYER

NUMBERS = st.integers(0, 2**64 - 1)


@given(st.none() | st.just(BUYER.address), st.binary(max_size=100), NUMBERS, NUMBERS, NUMBERS)
def test_read_gives_what_was_signed(to: str | None, data: bytes, nonce: int, gas: int, fee_wei: int) -> None:
    signed = sign(ADMIN, 31337, nonce, (to, data), gas, Fees(fee_wei, fee_wei // 2))
    unsigned, again = read_signed(signed.raw)
    assert again == signed
    assert (unsigned.sender, unsigned.to, unsigned.data) == (ADMIN.address, to, data)
    assert (unsigned.chain_id, unsigned.nonce, unsigned.gas) == (31337, nonce, gas)
    assert (unsigned.max_fee_wei, unsigned.tip_wei) == (fee_wei, fee_wei // 2)


@given(st.binary(max_size=200))
def test_read_refuses_what_is_no_transaction(raw: bytes) -> None:
    for some in (raw, b"\x02" + raw):
        with pytest.raises(UnreadableText):
            read_signed(some)


def test_read_refuses_what_is_cut_short() -> None:
    signed = sign(ADMIN, 1, 0, (BUYER.address, b"abc"), 21_000, Fees(1, 1))
    for length in range(len(signed.raw)):
        with pytest.raises(UnreadableText):
            read_signed(signed.raw[:length])
