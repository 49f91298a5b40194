"""Sign-in with a wallet (EIP-4361): a nonce, a message, a signature; a session for what is private."""

from functools import partial
from typing import Annotated

from fastapi import Query, Request
from pydantic import Field

from api.auth import Who, Work, now_s
from api.errors import NotAuthenticated, problems
from api.nouns import Noun
from api.schemas import Address, Body, Shape
from api.siwe import LIFE_S, SESSION_S, STATEMENT, Login, check_login, check_signature, read_message, write_message
from ledger import signed_by_contract

router = Noun(prefix="/login", tags=["login"], responses=problems(400, 401, 422, 429, 503))


class NonceShape(Shape):
    """A nonce for one login, and the whole message to sign where an address was named."""

    nonce: str
    domain: str
    uri: str
    chain_id: int
    statement: str
    expires_s: int
    message: str | None


class LoginBody(Body):
    """The message as it was signed, and the wallet's personal_sign of it: 65 bytes of a key, or what the wallet's
    contract takes for its own (ERC-1271)."""

    message: str = Field(min_length=1, max_length=2_000)
    signature: str = Field(pattern=r"^0x([0-9a-fA-F]{2})+$", max_length=8_194)


class SessionShape(Shape):
    """A session: send `token` as a bearer."""

    token: str
    address: str
    expires_s: int


class WhoShape(Shape):
    """Whom the API takes the caller for."""

    address: str | None
    key_id: str | None
    scopes: list[str]
    admin: bool


@router.get("/nonce", summary="Begin: a nonce, good once and for five minutes")
def begin(work: Work, request: Request, address: Annotated[Address | None, Query()] = None) -> NonceShape:
    now, domain = now_s(), request.headers["host"]
    nonce = work.accounts.new_nonce(now, LIFE_S)
    uri = f"{request.url.scheme}://{domain}/"
    login = Login(domain, address or "", uri, work.chain.chain_id, nonce, now, now + LIFE_S, None)
    return NonceShape(
        nonce=nonce,
        domain=domain,
        uri=uri,
        chain_id=work.chain.chain_id,
        statement=STATEMENT,
        expires_s=now + LIFE_S,
        message=write_message(login) if address else None,
    )


@router.post("", summary="End: the signed message for a session")
def sign_in(body: LoginBody, work: Work, request: Request) -> SessionShape:
    login, now = read_message(body.message), now_s()
    # Used up whatever follows: a nonce has one try.
    if not work.accounts.use_nonce(login.nonce, now):
        raise NotAuthenticated("The nonce was used, is too old, or never was.", "Ask for a new one: /login/nonce.")
    check_login(login, domain=request.headers["host"], chain_id=work.chain.chain_id, now_s=now)
    by_contract = partial(signed_by_contract, work.chain)
    check_signature(body.message, body.signature, login.address, by_contract)
    token = work.accounts.open_session(login.address, now, SESSION_S)
    return SessionShape(token=token, address=login.address, expires_s=now + SESSION_S)


@router.get("", summary="Who am I?", openapi_extra={"security": [{}]})
def who(caller: Who) -> WhoShape:
    return WhoShape(
        address=caller.address,
        key_id=caller.key.key_id if caller.key else None,
        scopes=sorted(caller.key.scopes) if caller.key else [],
        admin=caller.admin,
    )
