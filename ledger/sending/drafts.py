"""From a call to what is kept of it, and from what is kept to what the caller hears."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.abi import Call
from ledger.chain import TRANSACTION_GAS_MAX
from ledger.errors import KeyReused, LedgerError, NodeRefused, WrongChain
from ledger.keys import Signer
from ledger.sending.envelope import read_signed
from ledger.sending.fees import Fees
from ledger.sending.wire import Terms
from ledger.store.intents import Draft, Intent

_SPARE_PERCENT = 25
_SPARE = 30_000


@dataclass(frozen=True, slots=True)
class Sent:
    """A transaction on its way: what was called, by whom, its hash, nonce and gas limit, and the number of the intent
    that it stands for."""

    call: Call
    sender: str
    transaction: str
    nonce: int
    gas: int
    number: int = 0


def gas_limit(call: Call, estimate: int | None) -> int:
    """The gas limit of a transaction: the call's own, else the estimate and some more, else all that one may burn."""
    if call.gas is not None:
        return call.gas
    return TRANSACTION_GAS_MAX if estimate is None else with_spare(estimate)


def require_gas_money(drafts: Sequence[Draft], terms: Terms) -> None:
    """Raises NodeRefused for a sender who cannot pay what its drafts may cost together: before anything is signed."""
    needed: dict[str, int] = {}
    for draft in drafts:
        needed[draft.sender] = needed.get(draft.sender, 0) + draft.gas * draft.fees.max_fee_wei
    for sender, wei in needed.items():
        if wei > terms.accounts[sender].balance_wei:
            raise NodeRefused(
                f"{sender} has {terms.accounts[sender].balance_wei} wei, and gas may cost {wei} wei",
                "Send the account money for gas: it is paid in the chain's own coin.",
            )


def sent_of(call: Call, signer: Signer | None, kept: Intent | LedgerError) -> Sent:
    """What the caller hears of an intent, which is always its first attempt. Raises what stands in place of an intent,
    and KeyReused for an intent of another call or signer (None: whoever)."""
    if isinstance(kept, LedgerError):
        raise kept
    same = (kept.to, kept.data) == (call.to, call.data) and (signer is None or signer.address == kept.sender)
    if not same:
        raise KeyReused(str(kept.key))
    first = kept.attempts[0]
    return Sent(call, kept.sender, first.hash, kept.nonce, first.gas, kept.number)


def draft_of(raw: bytes, key: str, chain_id: int) -> tuple[Draft, int]:
    """What somebody else signed, to be kept, and the wei that it sends.

    Raises UnreadableText, and WrongChain for a transaction of another chain."""
    unsigned, signed = read_signed(raw)
    if unsigned.chain_id != chain_id:
        raise WrongChain(chain_id, unsigned.chain_id)
    fees = Fees(unsigned.max_fee_wei, unsigned.tip_wei)
    draft = Draft(
        unsigned.sender,
        unsigned.to,
        unsigned.data,
        unsigned.gas,
        fees,
        lambda _: signed,
        key,
        unsigned.nonce,
        relayed=True,
    )
    return draft, unsigned.value_wei


def with_spare(estimate: int) -> int:
    """A gas limit: orders of others may come between the estimate and the block."""
    return min(estimate * (100 + _SPARE_PERCENT) // 100 + _SPARE, TRANSACTION_GAS_MAX)
