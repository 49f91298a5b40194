"""Leases: what the chain says of them, and each step of one through the API."""

from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from ledger import Signer
from tests.api.stage import Stage, settled, staged
from tests.world import World, world_on


def test_a_lease_is_what_the_chain_says(stage: Stage) -> None:
    lease = stage.world.market.lease(stage.lease)
    data = stage.get(f"/leases/{stage.lease}")["data"]
    assert (data["holder"], data["site"], data["units"]) == (lease.holder, lease.site, lease.units)
    assert (data["bond_micro"], data["full_milli"], data["state"]) == (str(lease.bond_micro), 100_000, "active")
    terms = stage.world.market.deployment.terms
    assert data["report_due_s"] == data["product"]["end_s"] + terms.report_period_s
    assert (data["dispute_due_s"], data["ruling_due_s"], data["reason"]) == (None, None, None)
    assert data["job_hash"].startswith("0x")


def test_leases_are_found_by_holder_site_and_state(stage: Stage) -> None:
    holder = stage.world.buyer.address
    for query in ({"holder": holder}, {"state": "active"}, {}):
        assert stage.lease in [one["lease"] for one in stage.get("/leases", **query)["data"]]
    assert stage.get("/leases", holder=stage.world.admin.address)["data"] == []
    assert stage.get("/leases", state="resolved")["data"] == []
    assert stage.client.get("/leases", params={"state": "gone"}).status_code == 422
    assert stage.client.get("/leases/999").status_code == 404


def test_units_become_a_lease(stage: Stage) -> None:
    body = {
        "product": stage.sold.code,
        "site": stage.site,
        "units": 10,
        "job": "train",
        "owner": stage.world.buyer.address,
    }
    looked = stage.post("/leases/preview", body).json()
    assert looked["refusal"] is None
    assert looked["title"].startswith("Redeem 10 units")
    elsewhere = stage.post("/leases/preview", body | {"owner": stage.world.admin.address}).json()
    assert elsewhere["refusal"]["status"] == 409


@pytest.mark.parametrize(
    ("verb", "more", "refusal"),
    [
        ("accept", {}, "Delivery_WrongState"),
        ("dispute", {"evidence": "logs"}, "Delivery_WrongState"),
        ("resolve", {}, "Delivery_NotYet"),
        ("report", {"delivered": "100 %"}, "Delivery_"),
        ("abort", {"delivered": "0 units"}, "Delivery_NotProvider"),
    ],
)
def test_what_does_not_fit_the_lease_is_refused_by_name(
    stage: Stage, verb: str, more: dict[str, str], refusal: str
) -> None:
    body = more | {"owner": stage.world.buyer.address}
    looked = stage.post(f"/leases/{stage.lease}/{verb}/preview", body)
    assert looked.status_code == 200, looked.text
    assert looked.json()["refusal"]["contract_error"].startswith(refusal.split("_", maxsplit=1)[0])


@pytest.mark.parametrize("delivered", ["101 %", "much", "-5 units", ""])
def test_what_is_no_delivery_is_told(stage: Stage, delivered: str) -> None:
    body = {"delivered": delivered, "owner": stage.world.provider.address}
    assert stage.post(f"/leases/{stage.lease}/report/preview", body).status_code == 422


def test_a_job_is_said_in_words_or_by_its_hash(stage: Stage) -> None:
    body = {"product": stage.sold.code, "site": stage.site, "units": 10, "owner": stage.world.buyer.address}
    both = stage.post("/leases/preview", body | {"job": "train", "job_hash": "0x" + "ab" * 32})
    assert both.status_code == 422
    assert "by its hash" in both.json()["detail"]


def act(stage: Stage, path: str, signer: Signer, **said: Any) -> Any:
    """What a wallet's transaction came to, as the API built it; the API has read it by then."""
    response = stage.post(f"{path}/build", said | {"owner": signer.address})
    assert response.status_code == 200, response.text
    built = response.json()["transaction"]
    fields = {name: int(built[name], 16) for name in built if name not in ("from", "to", "data")}
    raw = signer.sign_transaction(fields | {"to": built["to"], "data": built["data"]}).raw
    sent = stage.post("/transactions", {"raw": "0x" + raw.hex()})
    assert sent.status_code == 202, sent.text
    status = settled(stage, f"/transactions/{sent.json()['transaction']}")
    stage.catch_up()
    return status


def due(data: dict[str, Any]) -> list[str]:
    """Which clocks of a lease run."""
    return [name for name in ("report_due_s", "dispute_due_s", "ruling_due_s", "ended_s") if data[name] is not None]


@pytest.mark.slow
def test_every_step_of_a_lease_is_told(tmp_path: Path) -> None:
    # A market of its own: its time goes on, past what other tests still trade.
    with world_on("anvil") as world, staged(world, tmp_path) as stage:
        product = world.product(2)
        site = world.site()
        world.sell(site, product, 90)
        disputed, accepted, silent = (
            world.delivery.redeem(product, site, 30, word).send(world.buyer).value for word in (b"a", b"b", b"c")
        )
        world.clock.go_to(product.start_s + 60)
        for lease in (disputed, accepted):
            act(stage, f"/leases/{lease}/report", world.provider, delivered="60 %")
        data = stage.get(f"/leases/{accepted}")["data"]
        assert (data["state"], data["reported_milli"], data["full_milli"]) == ("reported", 18_000, 30_000)
        assert due(data) == ["dispute_due_s"]
        held_by_dispute(stage, world, disputed)
        act(stage, f"/leases/{accepted}/accept", world.buyer)
        world.clock.go_to(stage.get(f"/leases/{silent}")["data"]["report_due_s"] + 1)
        act(stage, f"/leases/{silent}/resolve", world.stranger)
        world.delivery.rule(disputed, 30_000, "all of it", b"log").send(world.admin)
        stage.catch_up()
        ended = {one["lease"]: one for one in stage.get("/leases", site=site)["data"]}
        assert {(one["state"], *due(one)) for one in ended.values()} == {("resolved", "ended_s")}
        delivered = {lease: one["delivered_milli"] for lease, one in ended.items()}
        assert delivered == {disputed: 30_000, accepted: 18_000, silent: 0}
        paid = {lease: int(one["to_provider_micro"]) for lease, one in ended.items()}
        back = {lease: int(one["to_holder_micro"]) for lease, one in ended.items()}
        assert paid[disputed] > paid[accepted] > 0 == paid[silent]
        assert back[silent] > back[accepted] > 0
        earned = stage.get(f"/sites/{site}/earnings")["data"]
        assert int(earned["earned_micro"]) == sum(paid.values())
        assert int(earned["refunded_micro"]) == sum(back.values())
        assert [one["lease"] for one in earned["leases"]] == sorted(ended, reverse=True)
        told = stage.get(f"/sites/{site}")["data"]
        record = world.market.read("Delivery", "recordOf", site)
        assert (told["delivered_milli_hours"], told["failed_milli_hours"]) == tuple(map(str, record))


def held_by_dispute(stage: Stage, world: World, lease: int) -> None:
    """Disputes a lease, whose evidence is on chain by its hash."""
    status = act(stage, f"/leases/{lease}/dispute", world.buyer, evidence="logs of the job")
    [event] = [one for one in status["events"] if one["event"] == "Disputed"]
    assert event["values"]["evidence"] == "0x" + keccak(text="logs of the job").hex()
    data = stage.get(f"/leases/{lease}")["data"]
    assert (data["state"], due(data)) == ("disputed", ["ruling_due_s"])
