"""API keys: accounts for people without a wallet. The key is shown once, and only its hash is kept."""

from typing import Annotated, Literal

from fastapi import Path as InPath
from fastapi import Response
from pydantic import Field

from api.auth import Admin, Caller, Who, Work, now_s
from api.errors import LastKey, NotAllowed, NotAuthenticated, NotThere, problems
from api.nouns import Noun
from api.schemas import Address, Body, Micro, Shape, micro
from api.services import Services
from api.writes import BOTH, signing_key
from ledger import ApiKey, LeaseState, board, format_usd, queries

router = Noun(prefix="/keys", tags=["keys"], responses=problems(400, 401, 403, 404, 409, 422, 429, 503))

KeyId = Annotated[str, InPath(pattern="^[0-9a-f]{16}$", examples=["9f2c7a5e0b7d4d2b"])]
_SECONDS_PER_DAY = 86_400
_DEFAULT_MICRO = 10_000 * 10**6
_RUNNING = (LeaseState.ACTIVE, LeaseState.REPORTED, LeaseState.DISPUTED, LeaseState.RULED)


class KeyBody(Body):
    """A key to be made, with an account of its own. `withdraw_to` are the only addresses that it may send money or
    units to: said when the key is made, and changed by the admin alone (who steals a key cannot add an address to it;
    on a demo market, which has no admin, nobody can). The limit of a day counts what is paid, and what is sold below
    the last price by so much. With `address`, the key is for an account that the API keeps
    already, one whose key was lost or stolen: the admin alone names one."""

    name: str = Field(min_length=1, max_length=80, examples=["trading desk"])
    scopes: list[Literal["buyer", "provider", "read"]] = Field(min_length=1, max_length=3, examples=[["buyer", "read"]])
    limit_micro_per_day: int = Field(default=_DEFAULT_MICRO, ge=0, lt=2**63)
    withdraw_to: list[Address] = Field(default_factory=list, max_length=10)
    address: Address | None = None


class KeyShape(Shape):
    """A key without its secret."""

    key_id: str
    name: str
    scopes: list[str]
    address: str
    limit_micro_per_day: Micro
    left_micro_today: Micro
    withdraw_to: list[str]
    created_s: int
    revoked_s: int | None


class NewKey(KeyShape):
    """A new key. `key` is shown this once."""

    key: str = Field(examples=["cl_4nT…"])


@router.post("", status_code=201, summary="Make a key, and the account it signs for", openapi_extra={"security": [{}]})
def make_key(body: KeyBody, work: Work, caller: Admin) -> NewKey:
    if caller.key is not None:
        raise NotAllowed("A key makes no other keys.", "Ask without one, or as the admin.")
    address = work.vault.new().address if body.address is None else _kept_account(body.address, work, caller)
    work.give_gas(address)
    secret, key = work.accounts.add_key(
        body.name, frozenset(body.scopes), address, body.limit_micro_per_day,
        frozenset(body.withdraw_to), now_s(),
    )  # fmt: skip
    return NewKey(key=secret, **key_shape(key, work).model_dump())


def _kept_account(address: str, work: Services, caller: Caller) -> str:
    # Not whoever may make keys: on a demo market that is anybody.
    if not caller.admin:
        raise NotAllowed("Only the admin makes a key for an account that is there.", "Ask whoever runs this API.")
    if not work.vault.holds(address):
        raise NotThere(f"The API keeps no account {address}.", "GET /keys lists the accounts that it keeps.")
    return address


class AllowBody(Body):
    """The only addresses that the key may send money or units to from now on."""

    withdraw_to: list[Address] = Field(max_length=10)


@router.put("/{key_id}/withdraw-to", summary="Say anew where a key may send things: the admin alone")
def allow_addresses(work: Work, caller: Who, key_id: KeyId, body: AllowBody) -> KeyShape:
    # Not whoever may make keys: on a demo market that is anybody, a thief of the key as well.
    if caller.key is None and caller.wallet is None and not caller.admin:
        raise NotAuthenticated("Only the admin says where a key may send things.", "Send the admin's key.")
    if not caller.admin:
        raise NotAllowed("Only the admin says where a key may send things.", "Ask whoever runs this API.")
    if not work.accounts.allow(key_id, frozenset(body.withdraw_to)):
        raise NotThere(f"There is no living key {key_id}.", "GET /keys lists them.")
    return next(key_shape(one, work) for one in work.accounts.listed() if one.key_id == key_id)


@router.get("", summary="The caller's keys; the admin's are all")
def list_keys(work: Work, caller: Who) -> list[KeyShape]:
    if not caller.admin and caller.address is None:
        raise NotAuthenticated("Keys are shown to whom they are for.")
    return [key_shape(one, work) for one in work.accounts.listed(None if caller.admin else caller.address)]


@router.delete("/{key_id}", status_code=204, response_class=Response, summary="End a key at once")
def end_key(work: Work, caller: Who, key_id: KeyId) -> Response:
    if not caller.admin and caller.address is None:
        raise NotAuthenticated("Only its owner or the admin ends a key.")
    if caller.key is not None and caller.key.key_id != key_id:
        # Who was given a key to look with must not end the one that trades.
        signing_key(caller, BOTH)
    # The admin can make a new key for the account; nobody else can.
    has = "" if caller.address is None or caller.admin else _holdings(caller.address, work)
    if _living(key_id, work, caller) and work.accounts.revoke(key_id, now_s(), unless_last=bool(has)):
        return Response(status_code=204)
    if has and _living(key_id, work, caller):
        raise LastKey(
            f"{key_id} is the last key that signs for {caller.address}, which has {has}.",
            "Take that out of the market first, or ask the admin, who can end the key and make a new one "
            "(POST /keys with `address`).",
        )
    # Whether somebody else has a key of that name is nobody's business.
    raise NotThere(f"The caller has no living key {key_id}.", "GET /keys lists them.")


def _living(key_id: str, work: Services, caller: Caller) -> bool:
    mine = work.accounts.listed(None if caller.admin else caller.address)
    return any(one.key_id == key_id and one.revoked_s is None for one in mine)


def _holdings(address: str, work: Services) -> str:
    """What would be out of reach without a key, in words; empty where there is nothing."""
    wallet_micro = work.market.wallet_micro(address)
    with work.view() as view:
        sites = [one.site for one in queries.sites(view.store, address)]
        cash_micro = queries.cash(view.store, address).free_micro
        found = {
            f"{format_usd(wallet_micro)} in its wallet": wallet_micro,
            f"{format_usd(cash_micro)} in the market": cash_micro,
            "units": queries.balances(view.store, address),
            "orders that wait": board.open_orders(view.store, address, limit=1),
            "leases that have not ended": any(
                queries.leases(view.store, address, state=one, limit=1) for one in _RUNNING
            ),
            "sites": sites,
        }
    return ", ".join(name for name, has in found.items() if has)


def key_shape(key: ApiKey, work: Services) -> KeyShape:
    return KeyShape(
        key_id=key.key_id,
        name=key.name,
        scopes=sorted(key.scopes),
        address=key.address,
        limit_micro_per_day=micro(key.limit_micro_per_day),
        left_micro_today=micro(work.accounts.left_micro(key, now_s() // _SECONDS_PER_DAY)),
        withdraw_to=sorted(key.withdraw_to),
        created_s=key.created_s,
        revoked_s=key.revoked_s,
    )
