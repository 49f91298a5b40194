"""Keys: shown once, theirs alone, ended at once."""

import pytest

from tests.api.stage import Stage, new_key


def auth(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_a_key_is_shown_once(stage: Stage) -> None:
    made = new_key(stage, "buyer", "read", limit_micro_per_day=5)
    listed = stage.client.get("/keys", headers=auth(made["key"])).json()
    assert [one["key_id"] for one in listed] == [made["key_id"]]
    assert made["key"] not in str(listed)
    assert (listed[0]["scopes"], listed[0]["limit_micro_per_day"]) == (["buyer", "read"], "5")


def test_each_key_has_an_account_of_its_own(stage: Stage) -> None:
    assert new_key(stage)["address"] != new_key(stage)["address"]


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


@pytest.mark.parametrize(
    "change",
    [
        {"scopes": []},
        {"scopes": ["owner"]},
        {"name": ""},
        {"name": "x" * 81},
        {"limit_micro_per_day": -1},
        {"withdraw_to": ["0x12"]},
        {"more": 1},
    ],
)
def test_what_cannot_be_is_refused(stage: Stage, change: dict[str, object]) -> None:
    assert stage.post("/keys", {"name": "x", "scopes": ["buyer"], **change}).status_code == 422


def test_a_key_makes_no_other(stage: Stage) -> None:
    key = new_key(stage)["key"]
    assert stage.post("/keys", {"name": "x", "scopes": ["buyer"]}, key=key).status_code == 403
