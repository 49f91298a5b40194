"""Leases: what the chain says of them, and each step of one through the API."""

import pytest

from tests.api.stage import Stage


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
