"""What was signed elsewhere comes in here; and what became of anything, by number, hash or order."""

import time
from typing import Annotated, Any

from fastapi import Path as InPath
from fastapi import Response
from pydantic import Field

from api.auth import Work
from api.errors import NotAllowed, NotThere, plain, problems
from api.nouns import Noun
from api.schemas import Body, Shape
from api.services import Services
from ledger import InputError, QueuedOrder, SignedOrder, UnknownIntent, board, digest_of, read_signed, signed_order

router = Noun(
    prefix="/transactions", tags=["transactions"], responses=problems(400, 403, 404, 409, 413, 422, 429, 502, 503)
)

_RAW_MAX = 2 * 65_536


class SignedIn(Body):
    """An order as /orders/typed-data gave it."""

    owner: str = Field(pattern=r"^0x[0-9a-fA-F]{40}$")
    kind: int = Field(ge=1, le=3)
    site: int = Field(ge=0, lt=2**32)
    product: str = Field(pattern=r"^[0-9]{1,27}$", description="the token id, a decimal text")
    tick: int = Field(ge=1, le=1023)
    units: int = Field(ge=1, lt=2**32)
    round: int = Field(ge=0, lt=2**40)
    index: int = Field(ge=0, lt=80)
    epoch: int = Field(ge=0, lt=2**24)


class SentBody(Body):
    """Either a signed transaction's bytes, or an order with its owner's signature."""

    raw: str | None = Field(default=None, pattern=r"^0x([0-9a-fA-F]{2})+$", max_length=_RAW_MAX)
    order: SignedIn | None = None
    signature: str | None = Field(default=None, pattern=r"^0x([0-9a-fA-F]{2})+$", max_length=4_096)


class StatusShape(Shape):
    """How far something is. A transaction goes signed, broadcast, included, safe, final, or ends reverted, cancelled or
    consumed; an order goes queued, relayed, placed, or ends skipped or expired. `reason` says why it failed. `block`
    and `block_hash` are of the block it is in: where it stands is the sender's own book, and no state of a block."""

    id: str
    state: str
    intent: int | None = None
    order: str | None = Field(default=None, description="the digest of a signed order")
    transaction: str | None = None
    attempts: list[str] = Field(default_factory=list)
    block: int | None = None
    block_hash: str | None = None
    reason: str | None = None
    slot: int | None = None
    events: list[dict[str, Any]] = Field(default_factory=list, description="what the market's contracts said of it")


@router.post(
    "", status_code=202, response_model=StatusShape, summary="A signed transaction, or a signed order to be relayed"
)
def send(body: SentBody, work: Work) -> Response:
    # Written out here: a shape that is returned is validated once more, in another thread.
    return Response(take(body, work).model_dump_json(), 202, media_type="application/json")


def take(body: SentBody, work: Services) -> StatusShape:
    """Takes in what was signed elsewhere. Raises InputError for both at once, or neither."""
    if body.raw is not None and body.order is None and body.signature is None:
        return _relay(bytes.fromhex(body.raw[2:]), work)
    if body.raw is None and body.order is not None and body.signature is not None:
        order = signed_order({"order": body.order.model_dump(), "signature": body.signature})
        return _queue(order, work)
    raise InputError("A request brings `raw`, or `order` and `signature`.", "Send one of the two.")


@router.get("/{name}", summary="What became of it")
def read_status(
    work: Work, name: Annotated[str, InPath(pattern=r"^([1-9][0-9]{0,17}|0x[0-9a-f]{64})$", examples=["7"])]
) -> StatusShape:
    if not name.startswith("0x"):
        return _of_intent(int(name), work)
    number = board.intent_of(work.store, name)
    if number is not None:
        return _of_intent(number, work)
    try:
        return _of_order(work.desk.queue.order(bytes.fromhex(name[2:])))
    except UnknownIntent:
        return _of_stranger(name, work)


def _relay(raw: bytes, work: Services) -> StatusShape:
    unsigned, _ = read_signed(raw)
    if unsigned.to not in work.deployment.addresses.values():
        raise NotAllowed("The transaction is not for this market's contracts.", "Send it to a node yourself: /rpc.")
    sent = work.sender.relay(raw)
    return StatusShape(
        id=str(sent.number), state="broadcast", intent=sent.number, transaction=sent.transaction,
        attempts=[sent.transaction],
    )  # fmt: skip


def _queue(order: SignedOrder, work: Services) -> StatusShape:
    [queued] = work.desk.accept([order], time.time_ns() // 1_000_000)
    assert queued.order.digest == digest_of(order.terms, work.market.domain)
    return _of_order(queued)


def _of_intent(number: int, work: Services) -> StatusShape:
    found = work.sender.status(number)
    counted, block, state = found.counted or found.last.hash, found.block, str(found.state)
    block_hash = found.block_hash
    if block is None and state == "broadcast":
        # The sender looks once a second; whoever asks meanwhile need not wait for it.
        receipt = work.chain.receipt(counted)
        if receipt is not None and receipt.succeeded:
            block, block_hash, state = receipt.block, receipt.block_hash, "included"
    return StatusShape(
        id=str(found.number),
        state=state,
        intent=found.number,
        transaction=counted,
        attempts=[one.hash for one in found.attempts],
        block=block,
        block_hash=block_hash,
        reason=found.reason,
        events=_events(counted, work) if block is not None else [],
    )


def _of_order(queued: QueuedOrder) -> StatusShape:
    digest = "0x" + queued.order.digest.hex()
    return StatusShape(
        id=digest,
        state=queued.stage,
        intent=queued.intent,
        order=digest,
        reason=queued.reason,
        slot=queued.slot,
    )


def _of_stranger(transaction: str, work: Services) -> StatusShape:
    receipt = work.chain.receipt(transaction)
    if receipt is None:
        raise NotThere(f"Nothing is known of {transaction}.", "A transaction or an order has 0x and 64 hex digits.")
    return StatusShape(
        id=transaction,
        state="included" if receipt.succeeded else "reverted",
        transaction=transaction,
        attempts=[transaction],
        block=receipt.block,
        block_hash=receipt.block_hash,
        events=_events(transaction, work),
    )


def _events(transaction: str, work: Services) -> list[dict[str, Any]]:
    receipt = work.chain.receipt(transaction)
    said = work.market.events(receipt.logs) if receipt else []
    return [{"contract": one.contract, "event": one.name, "values": plain(one.values)} for one in said]
