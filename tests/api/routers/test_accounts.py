"""Accounts as the chain has them, and every line of how that came."""

import csv
import io

from tests.api.stage import Stage, done, new_key


def test_an_account_is_what_the_chain_says(stage: Stage) -> None:
    stage.catch_up()
    market = stage.world.market
    for person in (stage.world.buyer, stage.world.provider, stage.world.stranger):
        found = stage.get(f"/accounts/{person.address}")["data"]
        assert found["cash_micro"] == str(market.cash_micro(person.address))
        assert found["wallet_micro"] == str(market.wallet_micro(person.address))
        assert found["allowance_micro"] == str(market.allowance_micro(person.address))
        assert found["gas_wei"] == str(stage.world.chain.gas_money_wei(person.address))
    found = stage.get(f"/accounts/{stage.world.buyer.address}")["data"]
    [holding] = [one for one in found["holdings"] if one["product"] == stage.sold.code]
    assert holding["units"] == market.units(stage.world.buyer.address, stage.sold)
    assert [one["lease"] for one in found["leases"]] == [stage.lease]
    assert {one["kind"] for one in found["orders"]} >= {"bid", "ask"}
    assert stage.site in stage.get(f"/accounts/{stage.world.provider.address}")["data"]["sites"]


def test_a_statement_comes_in_pages_and_as_csv(stage: Stage) -> None:
    stage.catch_up()
    path = f"/accounts/{stage.world.buyer.address}/statement"
    every = stage.get(path, limit=200)["data"]
    paged: list[object] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = stage.get(path, limit=3, cursor=cursor)
        paged += answer["data"]
        cursor = answer["next"]
    assert paged == every
    response = stage.client.get(path + ".csv")
    assert response.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert [row["after"] for row in rows] == [line["after"] for line in reversed(every)]
    cash = [line for line in every if line["asset"] == "cash"]
    assert cash[0]["after"] == str(stage.world.market.cash_micro(stage.world.buyer.address))


def test_an_address_that_is_none_is_told(stage: Stage) -> None:
    assert stage.client.get("/accounts/0x12").status_code == 422
    assert stage.get("/accounts/0x" + "11" * 20)["data"]["holdings"] == []


def test_the_faucet_gives_play_money_and_gas(stage: Stage) -> None:
    owner = "0x" + "22" * 20
    done(stage, stage.post("/accounts/faucet", {"amount": "250.50 USD", "owner": owner}))
    assert stage.world.market.wallet_micro(owner) == 250_500_000
    assert stage.world.chain.gas_money_wei(owner) == 10**18
    too_much = stage.post("/accounts/faucet", {"amount": "100000.01", "owner": owner})
    assert too_much.status_code == 422
    assert stage.post("/accounts/faucet", {"amount": "0", "owner": owner}).status_code == 422
    assert stage.post("/accounts/faucet", {"amount": "1"}).status_code == 400
    session = stage.services.accounts.open_session(owner, 2**40, 60)
    assert stage.post("/accounts/faucet", {"amount": "1", "owner": "0x" + "23" * 20}, key=session).status_code == 403
    done(stage, stage.post("/accounts/faucet", {"amount": "100000"}, key=session))
    assert stage.world.market.wallet_micro(owner) == 100_250_500_000


def test_money_in_and_units_across(stage: Stage) -> None:
    made = new_key(stage, cash="12.5")
    assert stage.world.market.cash_micro(made["address"]) == 12_500_000
    approve = stage.post("/accounts/approve", {"amount": "7"}, key=made["key"], Idempotency_Key="approve")
    done(stage, approve)
    assert stage.world.market.allowance_micro(made["address"]) == 7_000_000
    buyer = stage.world.buyer.address
    body = {"product": stage.sold.code, "units": 3, "to": made["address"], "owner": buyer}
    looked = stage.post("/accounts/transfer/preview", body).json()
    assert looked["refusal"] is None
    assert stage.post("/accounts/transfer/preview", body | {"units": 10**6}).json()["refusal"]["status"] == 409
