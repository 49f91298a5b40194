"""A site's record is the index's, and its provider alone says when it serves nothing."""

from typing import Any

import pytest

from ledger import Signer, delivery_weight, site_record
from ledger.eip712 import Domain
from tests.api.stage import Stage, done, new_key
from tests.world import BUYER, PROVIDER


def announced(stage: Stage, site: int, signer: Signer, **more: Any) -> Any:
    """The response to an announcement that a wallet signed as it was built."""
    hour = stage.world.chain.time_s() // 3_600
    body = {"from_hour": hour + 5, "to_hour": hour + 9, "note": "new fans"} | more
    built = stage.post(f"/sites/{site}/maintenance/typed-data", body).json()
    return stage.post(f"/sites/{site}/maintenance", built["body"] | {"signature": signed(built["typed_data"], signer)})


def signed(data: dict[str, Any], signer: Signer) -> str:
    """What a wallet makes of typed data, from what it is told alone."""
    from eth_account.messages import encode_typed_data  # noqa: PLC0415 - the wallet's side
    from eth_utils.crypto import keccak  # noqa: PLC0415

    message = encode_typed_data(full_message=data)
    return "0x" + signer.sign_digest(keccak(b"\x19\x01" + message.header + message.body)).hex()


def test_a_record_is_the_indexs(stage: Stage) -> None:
    stage.catch_up()
    site = stage.get(f"/leases/{stage.lease}")["data"]["site"]
    found = stage.get(f"/sites/{site}/record")
    with stage.services.view() as view:
        record = site_record(view.store, site, view.head.time_s)
    assert found["block"] == record.block
    data = found["data"]
    assert (data["weight_bp"], data["derating_bp"]) == (delivery_weight(record), record.derating_bp)
    assert [one["days"] for one in data["uptimes"]] == [1, 7, 30]
    assert [one["start_hour"] for one in data["windows"]] == [one.start_hour for one in record.windows] != []
    assert data["attestations"][0]["units"] == record.attestations[0].units == data["attested_units"]
    assert data["pending_milli_hours"] == str(record.pending_milli_hours) != "0"
    assert stage.client.get("/sites/99999/record").status_code == 404


def test_a_wallet_announces_and_takes_back(stage: Stage) -> None:
    path = f"/sites/{stage.site}/maintenance"
    made = announced(stage, stage.site, PROVIDER)
    assert made.status_code == 201, made.text
    said = made.json()
    assert (said["provider"], said["note"], said["withdrawn_s"]) == (PROVIDER.address, "new fans", None)
    assert said in stage.get(path)["data"]
    hour = said["from_hour"]
    assert said in stage.get(path, from_hour=hour + 3, hours=1)["data"]
    assert said not in stage.get(path, from_hour=hour + 4, hours=100)["data"]
    built = stage.post(f"{path}/{said['digest']}/withdraw/typed-data").json()
    theirs = stage.post(f"{path}/{said['digest']}/withdraw", {"signature": signed(built["typed_data"], BUYER)})
    assert theirs.status_code == 422
    for _ in range(2):
        ended = stage.post(f"{path}/{said['digest']}/withdraw", {"signature": signed(built["typed_data"], PROVIDER)})
        assert ended.status_code == 200, ended.text
        assert ended.json()["withdrawn_s"] is not None
    assert said["digest"] not in [one["digest"] for one in stage.get(path)["data"]]


def test_nobody_else_announces(stage: Stage) -> None:
    refused = announced(stage, stage.site, BUYER)
    assert (refused.status_code, BUYER.address in refused.json()["detail"]) == (422, True)
    assert announced(stage, stage.site, PROVIDER, from_hour=1, to_hour=2).status_code == 422
    hour = stage.world.chain.time_s() // 3_600
    body = {"from_hour": hour + 5, "to_hour": hour + 9}
    path = f"/sites/{stage.site}/maintenance"
    assert stage.post(path, body).status_code == 401
    assert stage.post(path, body, key=new_key(stage, "buyer")["key"]).status_code == 403
    assert stage.post(path, body, key=new_key(stage, "provider")["key"]).status_code == 422
    assert stage.post(path, body | {"signature": "0x" + "00" * 65}).status_code == 400


def test_a_managed_provider_announces_with_a_key(stage: Stage) -> None:
    made = new_key(stage, "provider")
    accepted = stage.post(
        "/sites", {"device": "1x H100 SXM", "metro": "N. Virginia"}, key=made["key"], Idempotency_Key="s"
    )
    [event] = [one for one in done(stage, accepted)["events"] if one["event"] == "SiteRegistered"]
    site = event["values"]["site"]
    stage.catch_up()
    hour = stage.world.chain.time_s() // 3_600
    path = f"/sites/{site}/maintenance"
    said = stage.post(path, {"from_hour": hour + 1, "to_hour": hour + 2}, key=made["key"])
    assert said.status_code == 201, said.text
    [one] = stage.get(path)["data"]
    assert one == said.json()
    ended = stage.post(f"{path}/{one['digest']}/withdraw", {}, key=made["key"])
    assert ended.status_code == 200, ended.text
    assert stage.get(path)["data"] == []


@pytest.mark.parametrize("body", [{"from_hour": 5, "to_hour": 5}, {"from_hour": -1, "to_hour": 5}, {"note": "a\nb"}])
def test_hours_that_cannot_be_are_told(stage: Stage, body: dict[str, Any]) -> None:
    hour = stage.world.chain.time_s() // 3_600
    said = {"from_hour": hour + 1, "to_hour": hour + 2} | body
    assert stage.post(f"/sites/{stage.site}/maintenance/typed-data", said).status_code == 422


def test_the_domain_is_this_markets(stage: Stage) -> None:
    hour = stage.world.chain.time_s() // 3_600
    data = stage.post(f"/sites/{stage.site}/maintenance/typed-data", {"from_hour": hour, "to_hour": hour + 1}).json()
    domain = Domain("Compute Ledger", "1", stage.world.chain.chain_id, stage.world.market.address("Capacity"))
    assert data["typed_data"]["domain"]["verifyingContract"] == domain.contract


def test_what_is_down_now_is_listed_and_what_has_ended_is_not(stage: Stage) -> None:
    stage.catch_up()
    path, hour = f"/sites/{stage.site}/maintenance", stage.get("/products")["time_s"] // 3_600
    spans = [(hour, hour + 1), (hour - 1, hour + 2), (hour + 365 * 24, hour + 366 * 24)]
    made = [announced(stage, stage.site, PROVIDER, from_hour=first, to_hour=last, note="now") for first, last in spans]
    said = [one.json() for one in made]
    assert [one["signed_s"] for one in said] == [one["announced_s"] for one in said]

    def listed(**query: int) -> list[tuple[int, int]]:
        found = stage.get(path, **query)["data"]
        return sorted((one["from_hour"], one["to_hour"]) for one in found if one["note"] == "now")

    assert listed() == sorted(spans)
    assert listed(from_hour=hour + 1) == sorted(spans[1:])
    assert listed(from_hour=hour - 2, hours=1) == []
    assert listed(from_hour=hour - 2, hours=2) == [spans[1]]
    assert listed(from_hour=hour - 2, hours=3) == sorted(spans[:2])
    assert stage.client.get(path).headers["cache-control"] == "no-store"
