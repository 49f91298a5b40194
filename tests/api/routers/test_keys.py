"""Keys: shown once, theirs alone, ended at once."""

from dataclasses import replace

import pytest

from api.auth import now_s
from api.routers import keys
from ledger import LeaseState, Secret
from tests.api.stage import Stage, done, new_key


def auth(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_a_key_is_shown_once(stage: Stage) -> None:
    made = new_key(stage, "buyer", "read", limit_micro_per_day=5)
    listed = stage.client.get("/keys", headers=auth(made["key"])).json()
    assert [one["key_id"] for one in listed] == [made["key_id"]]
    assert made["key"] not in str(listed)
    assert (listed[0]["scopes"], listed[0]["limit_micro_per_day"]) == (["buyer", "read"], "5")


def test_each_key_has_an_account_of_its_own(stage: Stage) -> None:
    one, other = new_key(stage), new_key(stage)
    assert one["address"] != other["address"]
    # On a chain of our own it can pay for what it signs.
    assert stage.world.chain.gas_money_wei(one["address"]) == 10**18


def test_others_keys_are_nobodys_business(stage: Stage) -> None:
    mine, other = new_key(stage), new_key(stage)
    for key_id in (other["key_id"], "0" * 16):
        response = stage.client.delete(f"/keys/{key_id}", headers=auth(mine["key"]))
        assert (response.status_code, response.json()["detail"]) == (404, f"The caller has no living key {key_id}.")
    assert stage.client.get("/keys", headers=auth(other["key"])).status_code == 200
    assert stage.client.delete(f"/keys/{mine['key_id']}").status_code == 401


def test_a_key_is_ended_once(stage: Stage) -> None:
    made = new_key(stage)
    assert stage.client.delete(f"/keys/{made['key_id']}", headers=auth(made["key"])).status_code == 204
    assert stage.client.delete(f"/keys/{made['key_id']}", headers=auth(made["key"])).status_code == 401


def test_a_key_that_only_reads_ends_none_but_itself(stage: Stage) -> None:
    trading = new_key(stage, "buyer")
    looking, kept = stage.services.accounts.add_key(
        "looking", frozenset({"read"}), trading["address"], 0, frozenset(), now_s()
    )
    assert stage.client.delete(f"/keys/{trading['key_id']}", headers=auth(looking)).status_code == 403
    assert stage.client.get("/login", headers=auth(trading["key"])).status_code == 200
    assert stage.client.delete(f"/keys/{kept.key_id}", headers=auth(looking)).status_code == 204
    assert stage.client.get("/login", headers=auth(looking)).status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        {"scopes": []},
        {"scopes": ["owner"]},
        {"name": ""},
        {"name": "x" * 81},
        {"limit_micro_per_day": -1},
        {"withdraw_to": ["0x12"]},
        {"withdraw_to": ["0x" + "12" * 20] * 11},
        {"limit_micro_per_day": 2**63},
        {"more": 1},
    ],
)
def test_what_cannot_be_is_refused(stage: Stage, change: dict[str, object]) -> None:
    assert stage.post("/keys", {"name": "x", "scopes": ["buyer"], **change}).status_code == 422


def test_a_key_makes_no_other(stage: Stage) -> None:
    key = new_key(stage)["key"]
    assert stage.post("/keys", {"name": "x", "scopes": ["buyer"]}, key=key).status_code == 403


def test_money_leaves_to_an_address_that_was_named_when_the_key_was_made(stage: Stage) -> None:
    home = stage.world.stranger.address
    made = new_key(stage, "buyer", cash="5", withdraw_to=[home])
    before = stage.world.market.wallet_micro(home)
    sent = stage.post("/accounts/withdraw", {"amount": "3", "to": home}, key=made["key"], Idempotency_Key="home")
    assert done(stage, sent)["state"] in {"included", "safe", "final"}
    assert stage.world.market.wallet_micro(home) == before + 3_000_000
    assert stage.world.market.cash_micro(made["address"]) == 2_000_000


def test_who_steals_a_key_adds_no_address_to_it(stage: Stage) -> None:
    made = new_key(stage, "buyer", "provider", withdraw_to=[stage.world.stranger.address])
    path, thief = f"/keys/{made['key_id']}/withdraw-to", {"withdraw_to": ["0x" + "44" * 20]}
    assert stage.client.put(path, json=thief, headers=auth(made["key"])).status_code == 403
    # Here anybody may make keys, and yet says nothing of those that are there.
    assert stage.client.put(path, json=thief).status_code == 401
    wallet = stage.services.accounts.open_session(made["address"], now_s(), 60)
    assert stage.client.put(path, json=thief, headers=auth(wallet)).status_code == 403
    [kept] = stage.client.get("/keys", headers=auth(made["key"])).json()
    assert kept["withdraw_to"] == [stage.world.stranger.address]


def test_the_admin_alone_says_it_anew(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    made = new_key(stage)
    monkeypatch.setattr(stage.services, "settings", replace(stage.settings, admin_key=Secret("the admin's")))
    path, address = f"/keys/{made['key_id']}/withdraw-to", stage.world.stranger.address
    said = stage.client.put(path, json={"withdraw_to": [address]}, headers=auth("the admin's"))
    assert (said.status_code, said.json()["withdraw_to"]) == (200, [address])
    assert "key" not in said.json()
    nobody = "/keys/" + "0" * 16 + "/withdraw-to"
    unknown = stage.client.put(nobody, json={"withdraw_to": []}, headers=auth("the admin's"))
    assert unknown.status_code == 404


def test_the_last_key_of_an_account_that_has_something_lives_on(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    made = new_key(stage, "buyer", cash="5")
    stage.catch_up()
    path = f"/keys/{made['key_id']}"
    refused = stage.client.delete(path, headers=auth(made["key"]))
    assert (refused.status_code, refused.json()["title"]) == (409, "LastKey")
    assert "has 5.00 USD in the market." in refused.json()["detail"]
    # What the remedy names: the admin makes another, and then either of the two can go.
    with monkeypatch.context() as admin:
        admin.setattr(stage.services, "settings", replace(stage.settings, admin_key=Secret("the admin's")))
        body = {"name": "anew", "scopes": ["buyer"], "address": made["address"]}
        other = stage.post("/keys", body, key="the admin's")
    assert (other.status_code, other.json()["address"]) == (201, made["address"])
    assert stage.client.delete(path, headers=auth(made["key"])).status_code == 204
    assert stage.client.delete(path, headers=auth(other.json()["key"])).status_code == 404
    path = f"/keys/{other.json()['key_id']}"
    assert stage.client.delete(path, headers=auth(other.json()["key"])).status_code == 409
    monkeypatch.setattr(stage.services, "settings", replace(stage.settings, admin_key=Secret("the admin's")))
    assert stage.client.delete(path, headers=auth("the admin's")).status_code == 204


def test_money_in_the_wallet_holds_a_key_too(stage: Stage) -> None:
    made = new_key(stage, "buyer")
    done(stage, stage.post("/accounts/faucet", {"amount": "3"}, key=made["key"]))
    refused = stage.client.delete(f"/keys/{made['key_id']}", headers=auth(made["key"]))
    assert (refused.status_code, "has 3.00 USD in its wallet." in refused.json()["detail"]) == (409, True)


def test_the_admin_alone_makes_a_key_for_an_account_that_is_there(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = new_key(stage)
    body = {"name": "thief", "scopes": ["buyer"], "address": made["address"]}
    # Here anybody may make keys, and yet none for what is somebody's.
    assert stage.post("/keys", body).status_code == 403
    assert stage.post("/keys", body, key=made["key"]).status_code == 403
    monkeypatch.setattr(stage.services, "settings", replace(stage.settings, admin_key=Secret("the admin's")))
    unknown = stage.post("/keys", body | {"address": stage.world.stranger.address}, key="the admin's")
    assert (unknown.status_code, "keeps no account" in unknown.json()["detail"]) == (404, True)
    assert len(stage.client.get("/keys", headers=auth(made["key"])).json()) == 1


@pytest.mark.parametrize(
    ("whose", "words"),
    [
        ("buyer", ("in its wallet", "in the market", "units", "orders that wait", "leases that have")),
        ("provider", ("sites",)),
    ],
)
def test_whatever_an_account_has_holds_its_last_key(stage: Stage, whose: str, words: tuple[str, ...]) -> None:
    stage.catch_up()
    owner = getattr(stage.world, whose).address
    secret, key = stage.services.accounts.add_key("x", frozenset({"provider"}), owner, 0, frozenset(), 0)
    refused = stage.client.delete(f"/keys/{key.key_id}", headers=auth(secret))
    assert (refused.status_code, refused.json()["title"]) == (409, "LastKey")
    assert [word for word in words if word not in refused.json()["detail"]] == []
    assert stage.services.accounts.revoke(key.key_id, now_s())


def test_a_lease_holds_a_key_until_it_has_ended() -> None:
    assert set(LeaseState) - set(keys._RUNNING) == {LeaseState.RESOLVED, LeaseState.ABORTED}
