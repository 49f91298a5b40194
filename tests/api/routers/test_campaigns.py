"""A dispatch buys and redeems with a key, once, within what the key may spend; it is its owner's alone."""

from collections.abc import Iterator
from time import time
from typing import Any

import pytest
from sqlalchemy import delete

from api.routers import campaigns as routes
from api.turns import Turns
from ledger.store import accounts
from tests.api.routers.test_dispatch import jobs, offer
from tests.api.routers.test_jobs import document, put
from tests.api.stage import Stage, new_key, staged
from tests.world import world_on


@pytest.fixture(scope="module")
def fair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A market of its own: its time goes on."""
    with world_on("anvil") as world, staged(world, tmp_path_factory.mktemp("campaigns")) as stage:
        yield stage


def auth(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def advanced(stage: Stage, number: int, key: str) -> dict[str, Any]:
    """Where a dispatch stands after a step with all that the chain has said."""
    stage.catch_up()
    response = stage.post(f"/dispatch/{number}/advance", key=key)
    assert response.status_code == 200, response.text
    stage.catch_up()
    found: dict[str, Any] = response.json()
    return found


def test_a_dispatch_buys_redeems_and_ends(fair: Stage) -> None:
    world, made = fair.world, new_key(fair, "buyer", cash="500")
    key = made["key"]
    hash_, text = document("dispatched")
    assert put(fair, f"/jobs/{hash_}", text, auth(key)).status_code == 201
    products = offer(fair)
    body = jobs(fair, job=hash_)
    response = fair.post("/dispatch", body, key=key, Idempotency_Key="once")
    assert response.status_code == 202, response.text
    state = response.json()
    assert (state["phase"], state["owner"], state["jobs"][0]["bidding"]) == ("buying", made["address"], 1_000)
    again = fair.post("/dispatch", body, key=key, Idempotency_Key="once")
    assert (again.json(), again.headers["idempotency-replayed"]) == (state, "true")
    assert [one["id"] for one in fair.client.get("/dispatch", headers=auth(key)).json()] == [state["id"]]
    round_ = world.market.current_round()
    world.clock.go_to(world.market.round_end_s(round_))
    for product in products:
        if world.market.orders(product, round_):
            world.market.clear(product, round_).send(world.stranger)
            for part in world.market.settlements(product, round_):
                part.send(world.stranger)
    state = advanced(fair, state["id"], key)
    assert (state["phase"], state["jobs"][0]["running"], state["jobs"][0]["bidding"]) == ("running", 1_000, 0)
    leases = [fair.get(f"/leases/{number}")["data"] for number in state["jobs"][0]["leases"]]
    assert {(one["holder"], one["job_hash"]) for one in leases} == {(made["address"], hash_)}
    assert sum(one["units"] for one in leases) == 1_000
    assert state["spent_micro"] == str(500_000_000 - world.market.cash_micro(made["address"]))
    assert fair.client.get(f"/dispatch/{state['id']}", headers=auth(key)).json() == state
    stopped = fair.post(f"/dispatch/{state['id']}/stop", key=key).json()
    assert (stopped["stopped"], stopped["phase"]) == (True, "running"), "what runs takes its course"


def test_a_dispatch_is_its_owners_alone(fair: Stage) -> None:
    one, other = new_key(fair, "buyer"), new_key(fair, "buyer")
    body = jobs(fair)
    made = fair.post("/dispatch", body, key=one["key"], Idempotency_Key="mine").json()
    path = f"/dispatch/{made['id']}"
    for response in (
        fair.client.get(path, headers=auth(other["key"])),
        fair.post(f"{path}/advance", key=other["key"]),
        fair.post(f"{path}/stop", key=other["key"]),
        fair.client.get("/dispatch/999999", headers=auth(one["key"])),
    ):
        assert response.status_code == 404, response.text
    assert fair.client.get("/dispatch", headers=auth(other["key"])).json() == []
    assert fair.client.get(path).status_code == fair.client.get("/dispatch").status_code == 401
    assert fair.post("/dispatch", body, key=other["key"], Idempotency_Key="mine").json()["id"] != made["id"]


def test_a_key_dispatches_no_more_than_it_may_spend(fair: Stage) -> None:
    made = new_key(fair, "buyer", limit_micro_per_day=9_999_999)
    # 1,000 unit-hours at a cent at most, and 100 at a millionth of a dollar.
    most = int(fair.post("/dispatch/preview", jobs(fair)).json()["totals"]["most_micro"])
    assert most == 10_000_000 + 100
    refused = fair.post("/dispatch", jobs(fair), key=made["key"], Idempotency_Key="much")
    assert (refused.status_code, "may spend" in refused.json()["detail"]) == (403, True)
    less = fair.post("/dispatch", jobs(fair, units=400), key=made["key"], Idempotency_Key="less")
    assert less.status_code == 202, less.text
    [key] = fair.client.get("/keys", headers=auth(made["key"])).json()
    assert key["left_micro_today"] == str(9_999_999 - 8_000_100)


def test_so_many_of_one_owner_are_under_way(fair: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "UNDER_WAY_MAX", 1)
    one, other = new_key(fair, "buyer"), new_key(fair, "buyer")
    first = fair.post("/dispatch", jobs(fair), key=one["key"], Idempotency_Key="first")
    left = [key["left_micro_today"] for key in fair.client.get("/keys", headers=auth(one["key"])).json()]
    more = fair.post("/dispatch", jobs(fair), key=one["key"], Idempotency_Key="more")
    assert (first.status_code, more.status_code) == (202, 429), more.text
    assert fair.post("/dispatch", jobs(fair), key=one["key"], Idempotency_Key="first").json() == first.json()
    assert [key["left_micro_today"] for key in fair.client.get("/keys", headers=auth(one["key"])).json()] == left
    assert fair.post("/dispatch", jobs(fair), key=other["key"], Idempotency_Key="first").status_code == 202
    assert fair.post(f"/dispatch/{first.json()['id']}/stop", key=one["key"]).json()["ended"]
    again = fair.post("/dispatch", jobs(fair), key=one["key"], Idempotency_Key="more")
    assert again.status_code == 202, again.text


def test_plans_beyond_what_is_made_at_once_are_told_so(fair: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    made = new_key(fair, "buyer")
    number = fair.post("/dispatch", jobs(fair), key=made["key"], Idempotency_Key="one").json()["id"]
    monkeypatch.setattr(fair.services, "plans", Turns("plans", at_once=1, waiting_max=0))
    with fair.services.plans.turn("somebody else"):
        for response in (
            fair.post("/dispatch/preview", jobs(fair)),
            fair.post(f"/dispatch/{number}/advance", key=made["key"]),
        ):
            assert (response.status_code, response.headers["retry-after"]) == (429, "1")
        # It is kept, and moved when there is room.
        kept = fair.post("/dispatch", jobs(fair), key=made["key"], Idempotency_Key="two")
        assert (kept.status_code, kept.json()["steps"]) == (202, [])
    assert fair.post(f"/dispatch/{kept.json()['id']}/advance", key=made["key"]).status_code == 200


def test_words_of_time_mean_what_they_meant_when_the_request_came_first(fair: Stage) -> None:
    """The answer was never kept: whoever was asked first had ended by then, and the next one is asked hours later."""
    made = new_key(fair, "buyer")
    body = jobs(fair, earliest="+1h", deadline="+30h")
    first = fair.post("/dispatch", body, key=made["key"], Idempotency_Key="words").json()
    [key] = fair.services.accounts.listed(made["address"])
    answered = accounts._requests.c
    with fair.services.store.write() as connection:
        connection.execute(delete(accounts._requests).where(answered.key_id == key.key_id, answered.key == "words"))
    left = fair.services.accounts.left_micro(key, int(time()) // 86_400)
    fair.world.clock.go_to(fair.world.chain.time_s() + 3 * 3_600)
    fair.catch_up()
    again = fair.post("/dispatch", body, key=made["key"], Idempotency_Key="words")
    assert (again.status_code, again.json()["id"]) == (202, first["id"]), again.text
    assert fair.services.accounts.left_micro(key, int(time()) // 86_400) == left
    with fair.services.store.write() as connection:
        connection.execute(delete(accounts._requests).where(answered.key_id == key.key_id, answered.key == "words"))
    other = jobs(fair, earliest="+1h", deadline="+31h")
    assert fair.post("/dispatch", other, key=made["key"], Idempotency_Key="words").status_code == 422


def test_only_a_buyers_key_dispatches_and_names_its_request(fair: Stage) -> None:
    body = jobs(fair)
    assert fair.post("/dispatch", body).status_code == 401
    assert fair.post("/dispatch", body, key=new_key(fair, "provider")["key"], Idempotency_Key="a").status_code == 403
    made = new_key(fair, "buyer")
    assert fair.post("/dispatch", body, key=made["key"]).status_code == 400
    theirs = body | {"owner": fair.world.buyer.address}
    assert fair.post("/dispatch", theirs, key=made["key"], Idempotency_Key="b").status_code == 403
    fair.post("/dispatch", body, key=made["key"], Idempotency_Key="c")
    assert fair.post("/dispatch", jobs(fair, units=7), key=made["key"], Idempotency_Key="c").status_code == 422
