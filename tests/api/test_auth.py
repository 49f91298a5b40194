"""A key does what its scopes say, until it is revoked; nobody else's does."""

from dataclasses import replace

import pytest
from fastapi.security import HTTPAuthorizationCredentials

from api.auth import Caller, admin_of, caller_of, now_s
from api.errors import NotAllowed, NotAuthenticated
from ledger import ApiKey, Secret
from tests.api.stage import Stage

KEY = ApiKey("k", "n", frozenset({"read"}), "0x" + "a" * 40, 0, frozenset(), 0, None)


def test_nobody_in_particular_has_no_address() -> None:
    assert Caller().address is None
    assert Caller(key=KEY).address == KEY.address
    assert Caller(wallet="0x1").address == "0x1"


@pytest.mark.parametrize("secret", ["cl_made-up", "cs_made-up", "x" * 5_000, "é", "cl_'; DROP TABLE api_keys; --"])
def test_a_key_that_is_not_good_is_told_and_not_ignored(stage: Stage, secret: str) -> None:
    with pytest.raises(NotAuthenticated):
        caller_of(stage.services, HTTPAuthorizationCredentials(scheme="Bearer", credentials=secret))


def test_another_scheme_is_nobody(stage: Stage) -> None:
    assert caller_of(stage.services, None) == Caller()
    assert stage.client.get("/keys", headers={"Authorization": "Basic eDp5"}).status_code == 401


def test_keys_open_their_account_until_they_are_revoked(stage: Stage) -> None:
    made = stage.post("/keys", {"name": "mine", "scopes": ["buyer"]}).json()
    headers = {"Authorization": f"Bearer {made['key']}"}
    assert stage.client.get("/login", headers=headers).json()["address"] == made["address"]
    assert stage.client.delete(f"/keys/{made['key_id']}", headers=headers).status_code == 204
    assert stage.client.get("/login", headers=headers).status_code == 401
    refused = stage.post("/orders/preview", {}, key=made["key"])
    assert refused.status_code in {401, 422}


def test_on_a_demo_market_anybody_makes_keys(stage: Stage) -> None:
    assert stage.services.is_demo
    assert admin_of(stage.services, Caller()) == Caller()


def test_with_an_admin_only_the_admin_makes_keys(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage.services, "settings", replace(stage.settings, admin_key=Secret("opens everything")))
    monkeypatch.setitem(stage.services.__dict__, "is_demo", False)
    admin = caller_of(stage.services, HTTPAuthorizationCredentials(scheme="Bearer", credentials="opens everything"))
    assert admin.admin
    assert admin_of(stage.services, admin) is admin
    with pytest.raises(NotAuthenticated):
        admin_of(stage.services, Caller())
    with pytest.raises(NotAllowed):
        admin_of(stage.services, Caller(key=KEY))
    assert stage.post("/keys", {"name": "x", "scopes": ["buyer"]}).status_code == 401
    assert stage.post("/accounts/faucet", {"amount": "1", "owner": KEY.address}).status_code == 403
    made = stage.post("/keys", {"name": "x", "scopes": ["buyer"]}, key="opens everything")
    assert made.status_code == 201
    assert len(stage.client.get("/keys", headers={"Authorization": "Bearer opens everything"}).json()) > 1


def test_only_the_whole_secret_is_the_admins(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "opens everything"
    monkeypatch.setattr(stage.services, "settings", replace(stage.settings, admin_key=Secret(secret)))
    for sent, status in ((secret, 200), (secret[:-1], 401), (secret + "x", 401), (secret.title(), 401)):
        found = stage.client.get("/login", headers={"Authorization": f"Bearer {sent}"})
        assert found.status_code == status, sent
        assert status == 401 or found.json() == {"address": None, "key_id": None, "scopes": [], "admin": True}


def test_a_session_ends_with_its_life(stage: Stage) -> None:
    for life_s, status in ((60, 401), (7_200, 200)):
        token = stage.services.accounts.open_session(KEY.address, now_s() - 3_600, life_s)
        assert stage.client.get("/login", headers={"Authorization": f"Bearer {token}"}).status_code == status
