"""Sites: what the chain says of them, when they are free, what they earned; registered and attested through the API."""

import pytest

from tests.api.stage import Stage, done, new_key


def test_a_site_is_what_the_chain_says(stage: Stage) -> None:
    site = stage.world.market.site(stage.site)
    data = stage.get(f"/sites/{stage.site}")["data"]
    assert (data["provider"], data["device"], data["devices"]) == (site.provider, site.device, site.devices)
    assert (data["attested_units"], data["issuable_units"], data["derating_bp"]) == (8_000, 8_000, 10_000)
    assert (data["grade"], data["valid_until_s"]) == ("PREMIUM", site.valid_until_s)
    assert data["metro"]["code"] == 257
    assert data["hub"]["code"] == 256
    [listed] = [one for one in stage.get("/sites")["data"] if one["site"] == stage.site]
    assert listed == data
    mine = stage.get("/sites", provider=stage.world.buyer.address)["data"]
    assert mine == []


def test_a_calendar_shows_what_is_committed(stage: Stage) -> None:
    first = stage.sold.start_hour
    hours = stage.get(f"/sites/{stage.site}/calendar", start_hour=first - 1, hours=26)["data"]["hours"]
    committed = [one["committed_units"] for one in hours]
    assert [one["hour"] for one in hours] == list(range(first - 1, first + 25))
    assert committed[0] == committed[25] == 0
    assert set(committed[1:25]) == {1_300}
    assert all(one["committed_units"] + one["free_units"] == 8_000 for one in hours)


def test_earnings_stand_behind_what_is_owed(stage: Stage) -> None:
    data = stage.get(f"/sites/{stage.site}/earnings")["data"]
    owed = stage.world.market.obligation(stage.sold, stage.site)
    assert (data["owed_units"], data["bonds_micro"]) == (owed.units, str(owed.bond_micro))
    assert (data["earned_micro"], data["leases"]) == ("0", [])


@pytest.mark.parametrize("path", ["/sites/999", "/sites/999/calendar", "/sites/999/earnings"])
def test_a_site_that_never_was_is_told(stage: Stage, path: str) -> None:
    assert stage.client.get(path).status_code == 404


def test_a_provider_registers_and_is_attested(stage: Stage) -> None:
    made = new_key(stage, "provider")
    uri = "https://provider.example/<script>alert(1)</script>"
    body = {"device": "8x H100 SXM", "metro": "N. Virginia", "uri": uri}
    looked = stage.post("/sites/preview", body, key=made["key"]).json()
    assert looked["refusal"] is None
    status = done(stage, stage.post("/sites", body, key=made["key"], Idempotency_Key="site"))
    [event] = [one for one in status["events"] if one["event"] == "SiteRegistered"]
    number = event["values"]["site"]
    stage.catch_up()
    response = stage.client.get(f"/sites/{number}")
    assert response.json()["data"]["uri"] == uri
    assert response.headers["content-type"] == "application/json"
    attest = {"units": 8_000, "grade": "PREMIUM", "evidence": "measured", "valid_until_s": 2_000_000_000}
    refused = stage.post(f"/sites/{number}/attest", attest, key=made["key"], Idempotency_Key="attest")
    assert (refused.status_code, refused.json()["contract_error"]) == (409, "AccessManagedUnauthorized")
    admin = stage.world.admin.address
    assert stage.post(f"/sites/{number}/attest/preview", attest | {"owner": admin}).json()["refusal"] is None


@pytest.mark.parametrize(
    "change", [{"device": "8x Nothing"}, {"metro": "Nowhere"}, {"uri": "x" * 201}, {"class": "NONE"}]
)
def test_what_the_standard_does_not_know_is_told(stage: Stage, change: dict[str, str]) -> None:
    body = {"device": "8x H100 SXM", "metro": "N. Virginia", "owner": stage.world.provider.address, **change}
    assert stage.post("/sites/preview", body).status_code == 422
