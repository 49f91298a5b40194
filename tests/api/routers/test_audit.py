"""An audit runs, shows its progress, finds nothing; and one clearing can be recomputed from what is given."""

from time import monotonic, sleep

from ledger import Kind, Order, clearing_of
from tests.api.stage import Stage


def test_an_audit_runs_and_is_clean(stage: Stage) -> None:
    started = stage.client.post("/audit")
    assert started.status_code == 202
    deadline_s = monotonic() + 60
    while (found := stage.get("/audit"))["state"] == "running":
        assert monotonic() < deadline_s, found
        sleep(0.1)
    assert (found["state"], found["findings"], found["progress"]) == ("clean", [], None)
    assert found["block_hash"] == stage.world.chain.block(found["block"]).hash
    assert found["root"].startswith("0x")
    assert {one["id"] for one in found["checks"]} >= {"INV-1", "INV-2"}
    assert found["proof"] == f"compute-ledger audit --block {found['block']}"


def test_a_clearing_follows_from_what_is_given(stage: Stage) -> None:
    data = stage.get(f"/audit/clearings/{stage.sold.code}/{stage.round}")["data"]
    orders = [Order(Kind[one["kind"].upper()], one["tick"], one["units"], one["prefix"]) for one in data["orders"]]
    clearing = clearing_of(orders)
    assert (clearing.price_tick, clearing.units) == (data["clearing"]["price_tick"], data["clearing"]["units"])
    bids = sum(one["filled"] for one in data["orders"] if one["kind"] == "bid")
    assert bids == clearing.units == sum(one["filled"] for one in data["orders"] if one["kind"] != "bid")
    assert (data["hours"], data["tick_size_micro"]) == (24, stage.world.market.tick_size_micro(stage.sold))
    assert len(data["transactions"]) == 4


def test_a_round_that_never_was_is_told(stage: Stage) -> None:
    assert stage.client.get(f"/audit/clearings/{stage.sold.code}/1").status_code == 404
    assert stage.client.get("/audit/clearings/x/1").status_code == 404
    assert stage.client.get(f"/audit/clearings/{stage.sold.code}/-1").status_code == 422
