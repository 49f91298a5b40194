"""What others signed comes in durably and once; what became of anything is told by whatever name it has."""

import pytest

from tests.api.stage import Stage


def test_a_transaction_for_elsewhere_is_refused(stage: Stage) -> None:
    stranger = stage.world.stranger
    fields = {"to": stage.world.buyer.address, "data": b"", "value": 1, "nonce": 0, "gas": 21_000, "chainId": 31337}
    fees = {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 10**9, "type": 2}
    raw = stranger.sign_transaction({**fields, **fees}).raw
    assert stage.post("/transactions", {"raw": "0x" + raw.hex()}).status_code == 403
    elsewhere = stranger.sign_transaction({**fields, **fees, "chainId": 1}).raw
    assert stage.post("/transactions", {"raw": "0x" + elsewhere.hex()}).status_code in {403, 503}


@pytest.mark.parametrize("raw", ["0x00", "0x02", "0x02c0", "0x" + "ff" * 200, "0xf86c808502540be400"])
def test_bytes_that_are_no_transaction_are_refused(stage: Stage, raw: str) -> None:
    assert stage.post("/transactions", {"raw": raw}).status_code == 422


NEITHER: list[dict[str, str]] = [
    {},
    {"raw": "0x"},
    {"raw": "zz"},
    {"signature": "0x00"},
    {"raw": "0x00", "signature": "0x00"},
]
NEVER = [("999999", 404), ("0x" + "0" * 64, 404), ("x", 422), ("0", 422), ("0x12", 422)]


@pytest.mark.parametrize("body", NEITHER)
def test_a_body_that_brings_neither_is_refused(stage: Stage, body: dict[str, str]) -> None:
    assert stage.post("/transactions", body).status_code == 422


def test_a_transaction_sent_elsewhere_is_found_by_its_hash(stage: Stage) -> None:
    event, *_ = stage.get("/history", event="Redeemed")["data"]
    found = stage.get(f"/transactions/{event['transaction']}")
    assert (found["state"], found["block"], found["intent"]) == ("included", event["block"], None)
    assert event["values"] in [one["values"] for one in found["events"]]


@pytest.mark.parametrize(("name", "status"), NEVER)
def test_what_never_was_is_told(stage: Stage, name: str, status: int) -> None:
    assert stage.client.get(f"/transactions/{name}").status_code == status
