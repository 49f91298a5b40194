"""One model of every write, in three forms: look at it first, have it built for a wallet, or have it signed here."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import Field

from api.auth import Caller, Who, Work, now_s
from api.errors import BadRequest, Busy, NotAllowed, NotAuthenticated, Problem, problem_of, problems
from api.schemas import Micro, Price, Shape, micro
from api.services import Services
from ledger import Action, ApiKey, IntentStatus, KeyReused, LedgerError, Turn, UnknownIntent, format_usd

SECONDS_PER_DAY = 86_400
BOTH = frozenset({"buyer", "provider"})


class CostsShape(Shape):
    """What it takes from the owner's free cash, then from the wallet's allowance. An escrow comes back for what does
    not trade; a margin and a bond, for what is delivered."""

    escrow_micro: Micro
    margin_micro: Micro
    bond_micro: Micro
    deposit_micro: Micro
    total_micro: Micro


class Limit(Shape):
    """A tick of the grid and what it costs."""

    tick: int
    price: Price


class Chance(Shape):
    """Of the last `rounds` that traded, so many would have filled this limit: they cleared at or below a bid's, at or
    above a seller's."""

    cleared_at_or_below: int
    rounds: int


class OrderFacts(Shape):
    """What only an order's preview tells; null in others. `distance_bp`: the limit above the last clearing price."""

    last: Price | None = None
    limit: Limit | None = None
    distance_bp: int | None = None
    chance: Chance | None = None
    round: int | None = None
    round_ends_s: int | None = None


class Previewed(OrderFacts):
    """What would happen. `refusal` says why it would fail, and by how much; `body` can be posted unchanged."""

    title: str = Field(examples=["Bid for 8,000 units of AI_LARGE.HUB.256.STANDARD.2026-01-21T14.24h at tick 401"])
    costs: CostsShape
    gas: int | None
    fee_wei: str | None = Field(description="what the gas may cost at most, in wei, a decimal text")
    refusal: Problem | None
    notes: list[str] = Field(default=[], description="what one may want to think over before")
    limit_left_micro: Micro | None = Field(default=None, description="what the API key may still spend today")
    body: dict[str, Any]


class Built(Shape):
    """A transaction as a wallet's eth_sendTransaction takes it: everything in hex."""

    transaction: dict[str, str]


class Links(Shape):
    """Where to look next."""

    status: str = Field(examples=["/transactions/7"])


class Accepted(Shape):
    """It is signed, kept and on its way; `intent` is its number for ever, also where a fee has to rise."""

    intent: int | None
    state: str = Field(examples=["broadcast"])
    transaction: str | None
    links: Links


@dataclass(frozen=True)
class Prepared:
    """Something that a request asks for: how to make its action, whose it is, who may have it signed here."""

    make: Callable[[], Action[Any]]
    owner: str
    scopes: frozenset[str]
    body: Mapping[str, Any]
    spends_micro: int = 0
    """Money that leaves beside the action's own costs."""
    facts: Callable[[], OrderFacts] = OrderFacts
    extra: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def action(self) -> Action[Any]:
        return self.make()

    def fingerprint(self, path: str) -> str:
        """The same for the same request."""
        said = json.dumps([path, dict(self.body)], sort_keys=True, default=str)
        return hashlib.sha256(said.encode()).hexdigest()


def owner_of(caller: Caller, named: str | None) -> str:
    """Whose it is: the key's or the session's account, else who is named. Raises NotAllowed for somebody else's."""
    if caller.address is not None:
        if named is not None and named != caller.address:
            raise NotAllowed(f"The caller acts for {caller.address}, not for {named}.", "Leave `owner` out.")
        return caller.address
    if named is None:
        raise BadRequest("The request does not say whose it is.", "Name `owner`, or send an API key.")
    return named


def preview(prepared: Prepared, work: Services, caller: Caller) -> Previewed:
    """What would happen now: nothing is signed or sent."""
    found = prepared.action.preview(prepared.owner)
    costs = CostsShape(
        escrow_micro=micro(found.costs.escrow_micro),
        margin_micro=micro(found.costs.margin_micro),
        bond_micro=micro(found.costs.bond_micro),
        deposit_micro=micro(found.costs.deposit_micro),
        total_micro=micro(found.costs.total_micro),
    )
    left = work.accounts.left_micro(caller.key, now_s() // SECONDS_PER_DAY) if caller.key else None
    return Previewed(
        title=found.title,
        costs=costs,
        gas=found.gas,
        fee_wei=None if found.fee_wei is None else str(found.fee_wei),
        refusal=None if found.refusal is None else problem_of(found.refusal),
        notes=list(found.notes),
        limit_left_micro=None if left is None else micro(left),
        body=dict(prepared.body),
        **dict(prepared.facts()),
    )


def submit(prepared: Prepared, work: Services, key: ApiKey, name: str, path: str) -> Response:
    """Signs and sends it once, whatever happens in between; the same request again gets the same answer."""
    fingerprint = prepared.fingerprint(path)
    # Whoever comes when the answer is long forgotten may mean something else by the same name.
    kept = f"{key.key_id}:{name}:{fingerprint[:16]}"
    return once(work, key, name, fingerprint, lambda: _send(prepared, work, key, kept).model_dump_json())


def once(work: Services, key: ApiKey, name: str, fingerprint: str, do: Callable[[], str]) -> Response:
    """What `do` answers; to the same request again the same, without doing it again. Raises KeyReused for another
    request of that name, and Busy."""
    begun = work.accounts.begin(key.key_id, name, fingerprint, now_s())
    if begun.turn is Turn.OTHER:
        raise KeyReused(name)
    if begun.turn is Turn.IN_FLIGHT:
        raise Busy("The same request is being answered just now.", "Ask again in a second.", {"Retry-After": "1"})
    if begun.turn is Turn.AGAIN:
        return _answer(begun.body or "", {"Idempotency-Replayed": "true"})
    try:
        body = do()
    except BaseException:
        work.accounts.forget(key.key_id, name)
        raise
    work.accounts.finish(key.key_id, name, 202, body)
    return _answer(body, {})


def _answer(body: str, headers: Mapping[str, str]) -> Response:
    return Response(body, 202, dict(headers), media_type="application/json")


def _send(prepared: Prepared, work: Services, key: ApiKey, kept: str) -> Accepted:
    try:
        # Whoever had this request before may have sent it, and ended before it could say so.
        return _accepted(work.sender.status(kept))
    except UnknownIntent:
        pass
    action = prepared.action
    with spending(work, key, action.costs().total_micro + prepared.spends_micro):
        work.sender.submit(action.call, work.vault.signer(key.address), kept)
    return _accepted(work.sender.status(kept))


@contextmanager
def spending(work: Services, key: ApiKey, spends_micro: int) -> Iterator[None]:
    """Counts an amount against what the key may spend today, and takes it back where nothing was done. Raises
    NotAllowed where it is more."""
    day = now_s() // SECONDS_PER_DAY
    if spends_micro and work.accounts.spend(key, day, spends_micro) is None:
        left = format_usd(work.accounts.left_micro(key, day))
        raise NotAllowed(
            f"This takes {format_usd(spends_micro)}, and the key may spend {left} more today.",
            "Ask for less, wait for midnight UTC, or use a key with a higher limit.",
        )
    try:
        yield
    except LedgerError:
        if spends_micro:
            work.accounts.unspend(key, day, spends_micro)
        raise


def _accepted(intent: IntentStatus) -> Accepted:
    return Accepted(
        intent=intent.number,
        state=intent.state,
        transaction=intent.counted or intent.last.hash,
        links=Links(status=f"/transactions/{intent.number}"),
    )


IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=128,
        pattern=r"^[\x21-\x7e]+$",
        description="Names this request: sent again with the same body it gets the same answer, and is done once.",
        examples=["7e1c2f0a-3d55-4b8e-9a06-1f4d2c9be9a1"],
    ),
]


def _known(caller: Who) -> None:
    """Whoever has nothing signed here is told so, before what is wrong with the rest."""
    signing_key(caller, frozenset({"buyer", "provider", "read"}))


def signing_key(caller: Caller, scopes: frozenset[str]) -> ApiKey:
    """The caller's key. Raises NotAuthenticated without one, NotAllowed where it has none of the scopes."""
    if caller.key is None:
        raise NotAuthenticated(
            "Only a managed account can have the API sign.",
            "Send an API key (POST /keys), or build the transaction for your wallet with …/build.",
        )
    if not scopes & caller.key.scopes:
        has = ", ".join(sorted(caller.key.scopes)) or "none"
        wanted = " or ".join(sorted(scopes))
        raise NotAllowed(f"This needs a key with scope {wanted}; this one has {has}.", "Use a key that has it.")
    return caller.key


def add_writes(router: APIRouter, path: str, prepare: Callable[..., Prepared], what: str) -> None:
    """Adds the three forms of a write; `what` names it in a few words. `prepare` is a dependency."""
    wanted = Annotated[Prepared, Depends(prepare)]
    named = [part.strip("{}") for part in (router.prefix + path).split("/") if part]
    name = "-".join(named)

    def preview_it(prepared: Any, work: Work, caller: Who) -> Previewed:
        return preview(prepared, work, caller)

    def build_it(prepared: Any) -> Built:
        return Built(transaction=prepared.action.build(prepared.owner).json())

    def submit_it(
        prepared: Any, work: Work, caller: Who, request: Request, idempotency_key: IdempotencyKey = None
    ) -> Response:
        key = signing_key(caller, prepared.scopes)
        if idempotency_key is None:
            raise BadRequest("A write names itself.", "Send a header Idempotency-Key, new for each thing to be done.")
        return submit(prepared, work, key, idempotency_key, request.url.path)

    # The dependency is known only here, and FastAPI reads it from the annotation.
    for function in (preview_it, build_it, submit_it):
        function.__annotations__["prepared"] = wanted
    refusals = problems(400, 401, 403, 404, 409, 413, 422, 429, 502, 503)
    # A wallet needs no key to look or to have something built: the credentials are optional there.
    open_to_all: dict[str, Any] = {"responses": refusals, "openapi_extra": {"security": [{}]}}
    router.post(f"{path}/preview", summary=f"Look first: {what}", operation_id=f"{name}-preview", **open_to_all)(
        preview_it
    )
    router.post(f"{path}/build", summary=f"For a wallet: {what}", operation_id=f"{name}-build", **open_to_all)(build_it)
    router.post(
        path,
        summary=f"Signed here: {what}",
        operation_id=name,
        dependencies=[Depends(_known)],
        status_code=202,
        response_model=Accepted,
        responses=refusals,
    )(submit_it)
