"""What others signed and we carry: what is carried at all, for how long, and how often it is offered.

Anyone may hand in bytes, so they must cost us little: who cannot pay is told so before anything is kept, a refusal by
every node is for good, and what no node takes is offered less and less often until it is given up.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ledger.errors import LedgerError, NodeRefused
from ledger.sending.wire import Account, Terms, Wire
from ledger.store.intents import Draft, Intent, State
from ledger.store.outbox import Outbox

AHEAD_MOST = 64
"""How far beyond the account's next nonce one may be: nodes queue as many of an account."""
GIVEN_UP_AFTER_S = 30 * 60
"""After so long, in the chain's time, is given up what the node has nothing of."""
PAUSE_S_MIN, PAUSE_S_MAX = 1.0, 300.0

# Nodes say one of these of a transaction that they will not take later either.
_FOR_GOOD = ("intrinsic gas", "gas limit", "insufficient funds", "cannot afford", "chain id", "oversized", "initcode")


def is_for_good(error: LedgerError) -> bool:
    """Whether a node's refusal holds whatever happens next."""
    return any(words in error.problem.lower() for words in _FOR_GOOD)


def require_carriable(draft: Draft, value_wei: int, account: Account) -> None:
    """Raises NodeRefused for what no node would take now: too far from the account's next nonce, or not paid for."""
    if not account.mined <= draft.nonce <= account.mined + AHEAD_MOST:
        raise NodeRefused(
            f"nonce {draft.nonce} of {draft.sender} is not one of {account.mined} to {account.mined + AHEAD_MOST}",
            "Sign with the account's next nonce.",
        )
    needed_wei = draft.gas * draft.fees.max_fee_wei + value_wei
    if needed_wei > account.balance_wei:
        raise NodeRefused(
            f"insufficient funds: {draft.sender} has {account.balance_wei} wei, and it may cost {needed_wei} wei",
            "Send the account money for gas: it is paid in the chain's own coin.",
        )


def carry(
    wanted: Sequence[tuple[Draft, int]],
    outbox: Outbox,
    wire: Wire,
    keep: Callable[[Sequence[Draft], Terms], Sequence[Intent | LedgerError]],
) -> list[Intent | LedgerError]:
    """What is kept of each that several threads brought, with the wei that it sends, or why nothing is: one look into
    the outbox and one at the node for all of them. `keep` keeps those that are new, and sends them."""
    found: dict[str, Intent | LedgerError] = dict(outbox.named([str(draft.key) for draft, _ in wanted]))
    fresh = [one for one in wanted if one[0].key not in found]
    if not fresh:
        return [found[str(draft.key)] for draft, _ in wanted]
    terms, _ = wire.terms(sorted({draft.sender for draft, _ in fresh}), [])
    drafts = []
    for draft, value_wei in fresh:
        try:
            require_carriable(draft, value_wei, terms.accounts[draft.sender])
            drafts.append(replace(draft, deadline_s=terms.head.time_s + GIVEN_UP_AFTER_S))
        except NodeRefused as refused:
            found[str(draft.key)] = refused
    if drafts:
        found |= {str(draft.key): one for draft, one in zip(drafts, keep(drafts, terms), strict=True)}
    return [found[str(draft.key)] for draft, _ in wanted]


def ended(intent: Intent, why: str) -> Intent:
    """The intent, never to be offered again."""
    return replace(intent, state=State.CANCELLED, cancel=True, reason=why)


@dataclass(slots=True)
class _Pause:
    until_s: float
    length_s: float


class Pauses:
    """When a transaction that no node took is offered again: each time after twice as long."""

    def __init__(self) -> None:
        self._pauses: dict[str, _Pause] = {}

    def over(self, transaction: str, now_s: float) -> bool:
        """Whether it may be offered now."""
        pause = self._pauses.get(transaction)
        return pause is None or now_s >= pause.until_s

    def begin(self, transaction: str, now_s: float) -> None:
        """It was refused now."""
        before = self._pauses.get(transaction)
        length_s = PAUSE_S_MIN if before is None else min(2 * before.length_s, PAUSE_S_MAX)
        self._pauses[transaction] = _Pause(now_s + length_s, length_s)

    def forget(self, transaction: str) -> None:
        """It is over."""
        self._pauses.pop(transaction, None)
