"""From a call to what is kept, and back to what the caller hears."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.abi import Call
from ledger.chain import TRANSACTION_GAS_MAX
from ledger.errors import KeyReused, NodeRefused, WrongChain
from ledger.rpc import Block
from ledger.sending.drafts import Sent, draft_of, gas_limit, require_gas_money, sent_of, with_spare
from ledger.sending.envelope import sign
from ledger.sending.fees import Fees
from ledger.sending.wire import Account, Terms
from ledger.store.intents import Attempt, new_intent
from tests.world import ADMIN, BUYER

CALL = Call("Thing", BUYER.address, b"data")


@given(st.integers(0, 2**26))
def test_gas_limit_holds_the_estimate_and_what_one_may_burn(estimate: int) -> None:
    assert (
        min(estimate, TRANSACTION_GAS_MAX) <= gas_limit(CALL, estimate) == with_spare(estimate) <= TRANSACTION_GAS_MAX
    )
    assert gas_limit(replace(CALL, gas=7), estimate) == 7


def test_gas_money_is_counted_for_all_drafts_of_a_sender_together() -> None:
    """DRILLS.md mode 23."""
    draft, _ = draft_of(sign(ADMIN, 5, 0, (None, b""), 100, Fees(10, 1)).raw, "k", 5)

    def terms(balance_wei: int) -> Terms:
        return Terms(Block(1, "0x1", 1, 1, 1), 1, {ADMIN.address: Account(0, 0, balance_wei, False)})

    require_gas_money([draft, draft], terms(2_000))
    with pytest.raises(NodeRefused) as refused:
        require_gas_money([draft, draft], terms(1_999))
    assert "money for gas" in refused.value.remedy


def test_what_others_signed_is_kept_as_it_is() -> None:
    signed = sign(ADMIN, 5, 9, (BUYER.address, b"data"), 30_000, Fees(10, 1))
    draft, _ = draft_of(signed.raw, "k", 5)
    assert (draft.sender, draft.to, draft.data, draft.gas) == (ADMIN.address, BUYER.address, b"data", 30_000)
    assert (draft.nonce, draft.relayed, draft.key, draft.sign(123)) == (9, True, "k", signed)
    with pytest.raises(WrongChain):
        draft_of(signed.raw, "k", 6)


def test_caller_hears_of_the_first_attempt_and_of_no_other_call() -> None:
    draft, _ = draft_of(sign(ADMIN, 5, 9, (BUYER.address, b"data"), 30_000, Fees(10, 1)).raw, "k", 5)
    attempts = tuple(Attempt(f"0x{place}", b"", 30_000 + place, Fees(1, 1)) for place in range(2))
    intent = replace(new_intent(draft, 9), number=4, attempts=attempts)
    assert sent_of(CALL, ADMIN, intent) == sent_of(CALL, None, intent) == Sent(CALL, ADMIN.address, "0x0", 9, 30_000, 4)
    for call, signer in ((CALL, BUYER), (replace(CALL, data=b"other"), ADMIN), (replace(CALL, to=None), ADMIN)):
        with pytest.raises(KeyReused):
            sent_of(call, signer, intent)
    with pytest.raises(KeyReused):
        sent_of(CALL, ADMIN, KeyReused("k"))
