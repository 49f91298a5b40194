"""Who calls: an API key of a managed account, a wallet that signed in, an admin, or nobody in particular."""

import hmac
import time
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.errors import NotAllowed, NotAuthenticated
from api.services import Services
from ledger import ApiKey

_bearer = HTTPBearer(auto_error=False, description="An API key (cl_…), a session of a wallet (cs_…), or the admin's.")


def now_s() -> int:
    """The wall clock, in seconds since the epoch: what keys and sessions live by."""
    return int(time.time())


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. At most one of `key` and `wallet` is there; nobody in particular has neither."""

    key: ApiKey | None = None
    wallet: str | None = None
    admin: bool = False

    @property
    def address(self) -> str | None:
        """Whose account the caller acts for."""
        return self.key.address if self.key else self.wallet


# Small enough for the event loop: to hand it to a thread would take longer than to do it.
async def services_of(request: Request) -> Services:
    """What this app works with."""
    return cast("Services", request.app.state.services)


Work = Annotated[Services, Depends(services_of)]
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def caller_of(work: Work, sent: Credentials) -> Caller:
    """Who calls. Raises NotAuthenticated for a key that is not good: silence would look like an empty account."""
    if sent is None:
        return Caller()
    secret = sent.credentials
    admin = work.settings.admin_key
    if admin is not None and hmac.compare_digest(secret.encode(), admin.reveal().encode()):
        return Caller(admin=True)
    if secret.startswith("cs_"):
        wallet = work.accounts.session_of(secret, now_s())
        if wallet is None:
            raise NotAuthenticated("The session has ended.", "Sign in again: /login/nonce.")
        return Caller(wallet=wallet)
    key = work.accounts.key_of(secret)
    if key is None:
        raise NotAuthenticated("The API key is not known, or was revoked.")
    return Caller(key=key)


Who = Annotated[Caller, Depends(caller_of)]


def admin_of(work: Work, caller: Who) -> Caller:
    """Whoever may make keys: the admin, or anybody on a demo market."""
    if caller.admin or work.is_demo:
        return caller
    if caller.address is None:
        raise NotAuthenticated("Only the admin makes keys here.", "Send the admin's key.")
    raise NotAllowed("Only the admin makes keys here.", "Ask whoever runs this API.")


Admin = Annotated[Caller, Depends(admin_of)]
