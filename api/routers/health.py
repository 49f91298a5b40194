"""Whether it works: live (the process), startup (what it stands on was found), ready (it may be sent requests)."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping

from fastapi import Response

from api.auth import Work
from api.nouns import Noun
from api.schemas import Shape
from api.services import Services
from ledger import LedgerError, Unavailable, queries

router = Noun(prefix="/health", tags=["health"])

LAG_MAX = 20
"""How many blocks the history may lie behind the node."""
HEAD_AGE_MAX_S = 600
GAS_WEI_MIN = 10**16
_SENDERS_MAX = 100


class Check(Shape):
    """One thing that must hold, and what was found."""

    name: str
    ok: bool
    found: str


class Health(Shape):
    """Whether all of it holds."""

    ok: bool
    checks: list[Check]


@router.get("/live", summary="The process answers")
def live() -> Health:
    return Health(ok=True, checks=[Check(name="process", ok=True, found="it answers")])


@router.get("/startup", summary="What it stands on was found", responses={503: {"model": Health}})
def startup(work: Work, response: Response) -> Health:
    return _told([_history(work)], response)


@router.get("/ready", summary="It may be sent requests", responses={503: {"model": Health}})
def ready(work: Work, response: Response) -> Health:
    return _told([_database(work), _node(work), _history(work), _gas(work), _nonces(work), _threads(work)], response)


def _told(checks: list[Check], response: Response) -> Health:
    ok = all(check.ok for check in checks)
    response.status_code = 200 if ok else 503
    return Health(ok=ok, checks=checks)


def _database(work: Services) -> Check:
    try:
        with work.store.write():
            return Check(name="database", ok=True, found="it can be written")
    except Unavailable as error:
        return Check(name="database", ok=False, found=error.problem)


def _node(work: Services) -> Check:
    try:
        age_s = int(time.time()) - work.chain.time_s()
    except LedgerError as error:
        return Check(name="node", ok=False, found=error.problem)
    # A local chain has a clock of its own.
    ok = work.chain.clock is not None or age_s <= HEAD_AGE_MAX_S
    return Check(name="node", ok=ok, found=f"its head is {age_s} s old")


def _history(work: Services) -> Check:
    head = queries.head(work.store)
    if head is None or head.hash is None:
        return Check(name="history", ok=False, found="no block is read yet")
    return Check(name="history", ok=head.lag <= LAG_MAX, found=f"{head.lag} blocks behind the node")


def _gas(work: Services) -> Check:
    if work.operator is None:
        return Check(name="gas", ok=True, found="nothing is sent from here")
    try:
        wei = work.chain.gas_money_wei(work.operator.address)
    except LedgerError as error:
        return Check(name="gas", ok=False, found=error.problem)
    return Check(name="gas", ok=wei >= GAS_WEI_MIN, found=f"{wei} wei to pay with")


def _nonces(work: Services) -> Check:
    """A nonce of ours that nobody uses holds up all behind it (tests/DRILLS.md, modes 1 and 10)."""
    try:
        # In this order: what comes into a block meanwhile is then no gap.
        mine = [intent for intent in work.sender.unfinished() if not intent.relayed]
        senders = sorted({intent.sender for intent in mine})[:_SENDERS_MAX]
        wanted = [("eth_getTransactionCount", (sender, "pending")) for sender in senders]
        counts = dict(zip(senders, (int(one, 16) for one in work.chain.batch(wanted)), strict=True))
    except LedgerError as error:
        return Check(name="nonces", ok=False, found=error.problem)
    gaps = first_gaps([(one.sender, one.nonce) for one in mine if one.sender in counts], counts)
    found = "; ".join(f"{sender} has nothing for nonce {nonce}" for sender, nonce in sorted(gaps.items()))
    return Check(name="nonces", ok=not gaps, found=found or "no gap")


def first_gaps(ours: Iterable[tuple[str, int]], counts: Mapping[str, int]) -> dict[str, int]:
    """The first nonce of each sender for which neither the node nor the outbox has a transaction, below one of ours.
    `counts` is how many of each the node has, with those that wait."""
    taken: dict[str, set[int]] = defaultdict(set)
    for sender, nonce in ours:
        taken[sender].add(nonce)
    gaps = {}
    for sender, nonces in taken.items():
        missing = (nonce for nonce in range(counts[sender], max(nonces)) if nonce not in nonces)
        first = next(missing, None)
        if first is not None:
            gaps[sender] = first
    return gaps


def _threads(work: Services) -> Check:
    ended = [name for name, lives in work.running().items() if not lives]
    return Check(name="threads", ok=not ended, found=f"ended: {', '.join(ended)}" if ended else "all run")
