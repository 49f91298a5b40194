"""Three forms of one write: looked at, built for a wallet, signed here once, within the key's limit."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import delete

from api.auth import Caller
from api.errors import BadRequest, NotAllowed
from api.writes import owner_of
from ledger import Product
from ledger.store import accounts
from tests.api.stage import Stage, done, new_key, settled

STRANGER = "0x" + "11" * 20


def bid(stage: Stage, product: Product | None = None, **more: Any) -> dict[str, Any]:
    return {"kind": "bid", "product": (product or stage.sold).code, "units": 100, "tick": 300, **more}


def test_owner_is_the_keys_or_who_is_named() -> None:
    assert owner_of(Caller(wallet="0x1"), None) == owner_of(Caller(wallet="0x1"), "0x1") == "0x1"
    assert owner_of(Caller(), "0x2") == "0x2"
    with pytest.raises(BadRequest):
        owner_of(Caller(), None)
    with pytest.raises(NotAllowed):
        owner_of(Caller(wallet="0x1"), "0x2")


def test_preview_says_what_it_would_cost_and_gives_a_body_to_post(stage: Stage) -> None:
    key = new_key(stage, cash="100")
    looked = stage.post("/orders/preview", bid(stage), key=key["key"]).json()
    price = stage.world.market.price_micro(stage.sold, 300)
    assert looked["costs"]["escrow_micro"] == looked["costs"]["total_micro"] == str(100 * 24 * price)
    assert looked["refusal"] is None
    cash_before = stage.world.market.cash_micro(key["address"])
    status = done(stage, stage.post("/orders", looked["body"], key=key["key"], Idempotency_Key="looked"))
    assert status["state"] == "included"
    assert cash_before - stage.world.market.cash_micro(key["address"]) == 100 * 24 * price
    assert looked["title"].startswith("Bid for 100 units")


def test_preview_says_what_one_may_want_to_think_over(stage: Stage) -> None:
    site, product = stage.world.site(), stage.world.product()
    stage.world.sell(site, product, 100)
    body = {"product": product.code, "site": site, "units": 10, "owner": stage.world.buyer.address}
    [note] = stage.post("/leases/preview", body).json()["notes"]
    assert "10 units are less than one H100 SXM" in note


def test_preview_says_why_not_and_by_how_much(stage: Stage) -> None:
    looked = stage.post("/orders/preview", bid(stage, owner=STRANGER)).json()
    refusal = looked["refusal"]
    assert (refusal["contract_error"], refusal["status"]) == ("Treasury_InsufficientCash", 409)
    assert refusal["short_by_micro"] == looked["costs"]["total_micro"]
    assert looked["gas"] is None


def test_a_wallet_signs_what_is_built(stage: Stage) -> None:
    buyer = stage.world.buyer
    built = stage.post("/orders/build", bid(stage, owner=buyer.address)).json()["transaction"]
    fields = {name: int(built[name], 16) for name in built if name not in ("from", "to", "data")}
    raw = buyer.sign_transaction(fields | {"to": built["to"], "data": built["data"]}).raw
    response = stage.post("/transactions", {"raw": "0x" + raw.hex()})
    assert response.status_code == 202, response.text
    settled(stage, f"/transactions/{response.json()['intent']}")
    receipt = stage.world.chain.receipt(response.json()["transaction"])
    assert receipt is not None
    assert receipt.succeeded
    again = stage.post("/transactions", {"raw": "0x" + raw.hex()})
    assert again.json()["intent"] == response.json()["intent"]


def test_build_refuses_what_would_fail(stage: Stage) -> None:
    response = stage.post("/orders/build", bid(stage, owner=STRANGER))
    assert (response.status_code, response.json()["contract_error"]) == (409, "Treasury_InsufficientCash")


def test_the_same_request_is_done_once_and_answered_the_same(stage: Stage) -> None:
    key = new_key(stage, cash="100")["key"]
    first = stage.post("/orders", bid(stage), key=key, Idempotency_Key="once")
    again = stage.post("/orders", bid(stage), key=key, Idempotency_Key="once")
    assert (first.status_code, again.status_code, again.content) == (202, 202, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    other = stage.post("/orders", bid(stage, units=101), key=key, Idempotency_Key="once")
    assert (other.status_code, other.json()["type"]) == (422, "/problems/KeyReused")
    elsewhere = stage.post("/accounts/withdraw", {"amount": "1", "to": STRANGER}, key=key, Idempotency_Key="once")
    assert elsewhere.status_code in {403, 422}


def test_many_at_once_are_done_once(stage: Stage) -> None:
    made = new_key(stage, cash="100")

    def ask(_: int) -> Any:
        return stage.post("/orders", bid(stage, tick=310), key=made["key"], Idempotency_Key="storm")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(24)))
    assert {one.status_code for one in answers} <= {202, 409}
    assert len({one.content for one in answers if one.status_code == 202}) == 1
    assert {one.json()["type"] for one in answers if one.status_code == 409} <= {"/problems/Busy"}
    done(stage, next(one for one in answers if one.status_code == 202))
    mine = [one for one in stage.world.market.orders(stage.sold) if one.owner == made["address"]]
    assert len(mine) == 1


def test_what_was_refused_may_be_asked_again(stage: Stage) -> None:
    # Within a limit that one order uses up: what was refused does not count against it.
    price = stage.world.market.price_micro(stage.sold, 300) * 100 * 24
    key = new_key(stage, limit_micro_per_day=price)
    refused = stage.post("/orders", bid(stage), key=key["key"], Idempotency_Key="later")
    assert refused.status_code == 409
    assert stage.post("/orders/preview", bid(stage), key=key["key"]).json()["limit_left_micro"] == str(price)
    done(stage, stage.post("/accounts/faucet", {"amount": "100"}, key=key["key"]))
    done(stage, stage.post("/accounts/deposit", {"amount": "100"}, key=key["key"], Idempotency_Key="in"))
    assert stage.post("/orders", bid(stage), key=key["key"], Idempotency_Key="later").status_code == 202


def test_a_write_names_itself(stage: Stage) -> None:
    key = new_key(stage)["key"]
    assert stage.post("/orders", bid(stage), key=key).status_code == 400
    assert stage.post("/orders", bid(stage), key=key, Idempotency_Key="x" * 200).status_code == 422


def test_only_a_key_has_things_signed_here_and_only_within_its_scopes(stage: Stage) -> None:
    assert stage.post("/orders", bid(stage, owner=STRANGER), Idempotency_Key="a").status_code == 401
    reader = new_key(stage, "read")["key"]
    assert stage.post("/orders", bid(stage), key=reader, Idempotency_Key="a").status_code == 403
    buyer = new_key(stage, "buyer")["key"]
    offer = {"kind": "offer", "product": stage.sold.code, "units": 10, "tick": 300, "site": stage.site}
    assert stage.post("/orders", offer, key=buyer, Idempotency_Key="b").status_code == 403
    assert stage.post("/orders", bid(stage, owner=STRANGER), key=buyer, Idempotency_Key="c").status_code == 403


def test_a_key_spends_no_more_than_its_limit_in_a_day(stage: Stage) -> None:
    price = stage.world.market.price_micro(stage.sold, 300) * 100 * 24
    key = new_key(stage, cash="100", limit_micro_per_day=2 * price)["key"]
    statuses = [
        stage.post("/orders", bid(stage), key=key, Idempotency_Key=f"spend {n}".replace(" ", "-")).status_code
        for n in range(3)
    ]
    assert statuses == [202, 202, 403]
    left = stage.client.get("/keys", headers={"Authorization": f"Bearer {key}"}).json()[0]["left_micro_today"]
    assert left == "0"


def test_money_goes_only_where_the_key_allows(stage: Stage) -> None:
    home = stage.world.stranger.address
    made = new_key(stage, cash="10", withdraw_to=[home])
    away = {"amount": "1", "to": STRANGER}
    assert stage.post("/accounts/withdraw", away, key=made["key"], Idempotency_Key="a").status_code == 403
    before = stage.world.market.wallet_micro(home)
    done(stage, stage.post("/accounts/withdraw", {"amount": "1", "to": home}, key=made["key"], Idempotency_Key="b"))
    assert stage.world.market.wallet_micro(home) - before == 1_000_000
    units = {"product": stage.sold.code, "units": 1, "to": STRANGER}
    assert stage.post("/accounts/transfer", units, key=made["key"], Idempotency_Key="c").status_code == 403


def test_what_leaves_counts_against_the_limit(stage: Stage) -> None:
    home = stage.world.stranger.address
    key = new_key(stage, cash="5", limit_micro_per_day=3_000_000, withdraw_to=[home])["key"]
    out = [
        stage.post("/accounts/withdraw", {"amount": amount, "to": home}, key=key, Idempotency_Key=amount)
        for amount in ("2", "1.000001", "1")
    ]
    assert [one.status_code for one in out] == [202, 403, 202]
    assert "may spend 1.00 USD more today" in out[1].json()["detail"]


@pytest.mark.parametrize("path", ["/accounts/withdraw", "/accounts/transfer"])
def test_a_key_that_names_no_address_sends_nothing_anywhere(stage: Stage, path: str) -> None:
    owner = "0x" + "66" * 20
    key, _ = stage.services.accounts.add_key("x", frozenset({"buyer", "provider"}), owner, 10**9, frozenset(), 0)
    body = {"amount": "1"} if path.endswith("withdraw") else {"product": stage.sold.code, "units": 1}
    for to in (STRANGER, owner):
        for form in ("", "/preview", "/build"):
            refused = stage.post(path + form, body | {"to": to}, key=key, Idempotency_Key="out")
            assert (refused.status_code, "sends nothing" in refused.json()["detail"]) == (403, True), refused.text


def test_one_name_is_of_one_path(stage: Stage) -> None:
    key, body = new_key(stage)["key"], {"amount": "1"}
    done(stage, stage.post("/accounts/approve", body, key=key, Idempotency_Key="one"))
    other = stage.post("/accounts/deposit", body, key=key, Idempotency_Key="one")
    assert (other.status_code, other.json()["type"]) == (422, "/problems/KeyReused")


def forget(stage: Stage, key_id: str, name: str) -> None:
    """The answer to a key's request of that name is no longer kept."""
    of = accounts._requests.c
    with stage.services.store.write() as connection:
        connection.execute(delete(accounts._requests).where(of.key_id == key_id, of.key == name))


def test_what_was_sent_and_never_answered_is_not_sent_again(stage: Stage) -> None:
    """Whoever was asked first ended between sending it and saying so."""
    made = new_key(stage, cash="100")
    first = stage.post("/orders", bid(stage, tick=320), key=made["key"], Idempotency_Key="twice")
    done(stage, first)
    forget(stage, made["key_id"], "twice")
    again = stage.post("/orders", bid(stage, tick=320), key=made["key"], Idempotency_Key="twice")
    assert (again.status_code, again.json()["intent"]) == (202, first.json()["intent"])
    assert "idempotency-replayed" not in again.headers
    assert len([one for one in stage.world.market.orders(stage.sold) if one.owner == made["address"]]) == 1


def test_a_name_whose_request_is_forgotten_may_name_another(stage: Stage) -> None:
    """An answer is kept for thirty days; after that an older request must not pass for the one that was sent now."""
    made = new_key(stage, cash="100")
    first = stage.post("/orders", bid(stage, tick=321), key=made["key"], Idempotency_Key="month")
    done(stage, first)
    forget(stage, made["key_id"], "month")
    other = stage.post("/orders", bid(stage, tick=322), key=made["key"], Idempotency_Key="month")
    done(stage, other)
    assert other.json()["intent"] != first.json()["intent"]
    ticks = {one.tick for one in stage.world.market.orders(stage.sold) if one.owner == made["address"]}
    assert ticks == {321, 322}
